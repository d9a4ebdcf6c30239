from __future__ import annotations

import subprocess
import sys

import pytest
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from bpflab_packets import builders, sample
from bpflab_packets.builders import FAMILIES
from bpflab_packets.families import free_fields, takes_payload
from bpflab_packets.template import TemplateError


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_samples_of_a_family_vary_its_free_fields_and_nothing_else_with_right_checksums(family: str) -> None:
    template, room = FAMILIES[family](), takes_payload(FAMILIES[family]())
    names = free_fields(template)
    found = sample.packets(family, 200, payload=9)
    seen: list[dict[str, int]] = []
    for data in found:
        values = {name: template.fields[name].read(data) for name in names}
        assert data == template.patch(values, payload=data[template.payload_at :] if room else None)
        seen.append(values)
    assert all(len({values[name] for values in seen}) > 1 for name in names)
    if room:
        assert {len(data) - template.payload_at for data in found} == set(range(10))


def test_samples_come_out_the_same_from_the_same_seed_alone() -> None:
    first = sample.packets("udp", 20, seed=7, payload=64)
    assert first == sample.packets("udp", 20, seed=7, payload=64)
    assert first[:5] == sample.packets("udp", 5, seed=7, payload=64)
    assert not set(first) & set(sample.packets("udp", 20, seed=8, payload=64))


def test_samples_hold_the_fields_that_are_set_and_vary_those_that_are_named() -> None:
    found = sample.packets(builders.udp(), 20, {"UDP.dport": 53}, vary=("sport", "dport"), payload=0)
    assert found == [builders.udp().patch(dport=53, sport=Ether(data)[UDP].sport) for data in found]
    assert len(set(found)) > 1
    assert sample.packets("udp", 0) == []


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("utp", 1), {}, "'utp' is no family of packets; expected one of: ethernet, vlan"),
        (("udp", 1, {"dprt": 1}), {}, "dprt is no field of this packet"),
        (("udp", 1), {"vary": ("dprt",)}, "dprt is no field of this packet"),
        (("udp", -1), {}, "count=-1 was given; expected a whole number, 0 or more"),
        (("udp", 1), {"payload": -1}, "payload=-1 was given"),
        (("udp", 1), {"payload": 70000}, "payload=70000 for this packet; expected at most 65507 bytes"),
    ],
)
def test_samples_that_cannot_be_are_refused_in_words(
    arguments: tuple[object, ...], options: dict[str, object], words: str
) -> None:
    with pytest.raises(TemplateError, match=words):
        sample.packets(*arguments, **options)  # type: ignore[arg-type] # wrong arguments are the test


def test_samples_are_made_without_hypothesis() -> None:
    code = "from bpflab_packets import sample; import sys; sample.packets('udp', 1); print('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
