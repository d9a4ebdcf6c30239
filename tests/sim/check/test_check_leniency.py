"""What docs/fidelity.md says that the simulated kernel loads and the running one refuses."""

from __future__ import annotations

import pytest

from bpflab import Lab, VerifierError
from bpflab.backend.select import kernel_refusal

PROGRAM = """
*(u32 *)(r10 - 4) = 0
r1 = map[name:values]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto end
r9 = r0
call ktime_get_ns
{bound}
r9 += r0
r1 = *(u8 *)(r9 + 0)
end:
r0 = 0
exit
"""
BOUNDS = {
    "shifted with its sign": "r0 s>>= 60",
    "compared with its sign": "if r0 s> 3 goto end",
    "subtracted": "r0 &= 7\nr1 = 3\nr1 -= r0\nr0 = r1",
    "lower half compared": "if w0 > 3 goto end",
    "remainder": "r0 %= 16",
    "bits flipped": "r0 &= 15\nr0 ^= 16",
}


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_an_offset_that_is_not_followed_is_loaded(bound: str) -> None:
    with Lab("sim") as lab:
        lab.map("array", max_entries=1, key=4, value=16, name="values")
        assert lab.program(PROGRAM.format(bound=bound), type="xdp", name="lenient").name == "lenient"


@pytest.mark.skipif(kernel_refusal() is not None, reason=f"the kernel's BPF cannot be used: {kernel_refusal()}")
@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_the_running_kernel_refuses_it(bound: str) -> None:
    with Lab("kernel") as lab:
        lab.map("array", max_entries=1, key=4, value=16, name="values")
        with pytest.raises(VerifierError, match=r"min value|outside"):
            lab.program(PROGRAM.format(bound=bound), type="xdp")
