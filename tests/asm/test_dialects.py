"""Whole outputs of tools are read as the programs they show."""

from __future__ import annotations

import pytest

from bpflab.abi.prog_types import ProgType
from bpflab.asm import assemble, disassemble
from bpflab.backend.select import kernel_refusal
from bpflab.errors import AssemblyError
from bpflab.lab import Lab
from bpflab.programs.load import LoadRequest, verifier_log

PROGRAM = """
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r2 = 0x1122334455667788 ll
    w3 = -5
    w3 s>>= 1
    r4 = (s8)r3
    r4 = be16 r4
    r4 = bswap32 r4
    r4 = -r4
    *(u64 *)(r10 - 8) = 7
    *(u32 *)(r10 - 16) = -1
    *(u64 *)(r10 - 24) = r4
    r1 = 1
    lock *(u64 *)(r10 - 8) += r1
    r1 = atomic_fetch_add((u64 *)(r10 - 8), r1)
    w1 = xchg32_32(r10 - 8, w1)
    r0 = 3
    r0 = cmpxchg_64(r10 - 8, r0, r1)
    r5 = *(s16 *)(r10 - 8)
    r3 s/= 3
    if r0 s> -5 goto out
    if w0 == 0xfffffff0 goto out
    call ktime_get_ns
    if r0 & 8 goto next
    r1 = r0
    call work
    gotol out
next:
    call get_smp_processor_id
out:
    r0 = 2
    exit
work:
    r0 = r1
    r0 s%= 3
    exit
"""

LOG = """func#0 @0
Live regs before insn:
      0: .1........ (b7) r0 = 2
0: R1=ctx() R10=fp0
; int answer(void) @ answer.c:3
0: (b7) r0 = 2                        ; R0_w=2
1: (15) if r1 == 0xffffffff goto pc+2        ; R1=ctx()
2: (18) r2 = 0xffff888104a2c000       ; R2_w=map_ptr(map=counts,ks=4,vs=8)
4: (95) exit

from 1 to 4: R0_w=2 R1=ctx() R10=fp0
4: R0_w=2 R1=ctx() R10=fp0
4: (95) exit
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

XLATED = """int count(struct xdp_md * ctx):
; int count(struct xdp_md *ctx)
   0: (b7) r1 = 0
       b7 01 00 00 00 00 00 00
   1: (63) *(u32 *)(r10 -4) = r1
       63 1a fc ff 00 00 00 00
; value = bpf_map_lookup_elem(&counts, &key);
   2: (18) r1 = map[id:4]
       18 11 00 00 04 00 00 00 00 00 00 00 00 00 00 00
   4: (18) r3 = map[id:7][0]+16
       18 23 00 00 07 00 00 00 00 00 00 00 10 00 00 00
   6: (85) call bpf_map_lookup_elem#196512
   7: (15) if r0 == 0x0 goto pc+1
   8: (85) call pc+1#bpf_prog_3a5bf7967ccf3a79_F
   9: (95) exit
int other(int a):
  10: (95) exit
"""

OBJDUMP = """
count.o:\tfile format elf64-bpf

Disassembly of section xdp:

0000000000000000 <count>:
; int count(struct xdp_md *ctx)
       0:\tb7 00 00 00 02 00 00 00\tr0 = 0x2
       1:\t18 01 00 00 01 00 00 00 00 00 00 00 00 00 00 00\tr1 = 0x1 ll
       3:\t15 01 01 00 06 00 00 00\tif r1 == 0x6 goto +0x1 <LBB0_2>
       4:\tb4 00 00 00 ff ff ff ff\tw0 = -0x1

0000000000000028 <LBB0_2>:
       5:\t95 00 00 00 00 00 00 00\texit
"""

WITHOUT_BYTES = """
0000000000000000 <count>:
       0:\tr0 = 0x2
       1:\tr1 = 0x1 ll
       3:\tif r1 == 0x6 goto +0x1 <LBB0_2>
       4:\tw0 = -0x1
0000000000000028 <LBB0_2>:
       5:\texit
"""


@pytest.mark.skipif(kernel_refusal() is not None, reason=f"the kernel's BPF cannot be used: {kernel_refusal()}")
def test_the_log_of_this_kernels_verifier_reads_back_to_the_program() -> None:
    assembled = assemble(PROGRAM)
    with Lab("kernel") as lab:
        log = verifier_log(lab.call, LoadRequest(ProgType.XDP, assembled.code, "log", "GPL", {}), 2)
    assert "processed" in log
    assert assemble(log, check=False).insns == assembled.insns


def test_a_log_is_read_past_its_talk_each_slot_once() -> None:
    expected = "r0 = 2\nif r1 == -1 goto +2\nr2 = 0xffff888104a2c000 ll\nexit"
    assert disassemble(assemble(LOG).insns) == expected


def test_a_dump_of_bpftool_names_maps_by_id_and_helpers_by_name() -> None:
    assembled = assemble(XLATED, check=False)
    assert assembled.maps == ("id:4", "id:7")
    assert assembled.helpers == {6: "map_lookup_elem"}
    assert assembled.subprograms == {0: "main", 10: "sub_10"}
    assert assembled.map_refs[1].offset == 16


@pytest.mark.parametrize("dump", [OBJDUMP, WITHOUT_BYTES])
def test_a_dump_of_objdump_is_read_with_its_bytes_or_without(dump: str) -> None:
    expected = "r0 = 2\nr1 = 0x1 ll\nif r1 == 6 goto +1\nw0 = -1\nexit"
    assert disassemble(assemble(dump, byteorder="little").insns) == expected


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("0: (b7) r0 = 2\n2: (95) exit", "line 2, column 9: the log goes on with instruction 2, but 1 is due"),
        ("1: (b7) r0 = 2", "instruction 1, but 0 is due"),
        ("0: (b7) w0 = 2", "the log gives opcode 0xb7, but this is 0xb4"),
        ("0: (b7) r0 = w2 +", "expected the end"),
        ("0:\tr0 = 2\n2:\texit", "instruction 2, but 1 is due"),
        ("0:\tr0 = 2\nwhat is this\n1:\texit", "line 2, column 1: expected an instruction"),
    ],
)
def test_a_log_that_is_not_whole_or_contradicts_itself_is_refused(log: str, message: str) -> None:
    with pytest.raises(AssemblyError, match=message):
        assemble(log)
