from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.utils import PcapNgWriter, RawPcapWriter

from bpflab_packets.pcap import CaptureError, read_frames, write_frames
from bpflab_packets.pcapng import Captured, Direction, read_packets, write_pcapng

if TYPE_CHECKING:
    from pathlib import Path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.binary(min_size=1, max_size=200), max_size=5))
def test_frames_come_back_as_they_were_written(tmp_path: Path, frames: list[bytes]) -> None:
    write_frames(tmp_path / "out.pcap", frames)
    assert read_frames(tmp_path / "out.pcap") == frames


def test_pcapng_is_read_too(tmp_path: Path) -> None:
    from scapy.layers.l2 import Ether

    with PcapNgWriter(str(tmp_path / "in.pcapng")) as writer:
        writer.write(Ether(bytes(range(60))))
    assert read_frames(tmp_path / "in.pcapng") == [bytes(range(60))]


def test_another_link_type_is_refused(tmp_path: Path) -> None:
    with RawPcapWriter(str(tmp_path / "ip.pcap"), linktype=101) as writer:
        writer.write_header(None)
        writer.write_packet(bytes(20))
    with pytest.raises(CaptureError, match="link type 101; expected Ethernet"):
        read_frames(tmp_path / "ip.pcap")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xd4\xc3\xb2\xa1\x02"])
def test_what_is_no_capture_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.pcap").write_bytes(content)
    with pytest.raises(CaptureError, match=r"in\.pcap cannot be read as a capture"):
        read_frames(tmp_path / "in.pcap")


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        read_frames(tmp_path / "nowhere.pcap")


COMMENTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=3)
CAPTURED = st.builds(
    Captured,
    frame=st.binary(min_size=1, max_size=200),
    comments=COMMENTS.map(tuple),
    direction=st.sampled_from(Direction),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packets=st.lists(CAPTURED, max_size=5))
def test_packets_come_back_with_their_comments_and_directions(tmp_path: Path, packets: list[Captured]) -> None:
    write_pcapng(tmp_path / "out.pcapng", packets)
    assert read_packets(tmp_path / "out.pcapng") == packets


def test_packets_of_a_pcap_have_no_comments(tmp_path: Path) -> None:
    write_frames(tmp_path / "in.pcap", [bytes(60)])
    assert read_packets(tmp_path / "in.pcap") == [Captured(bytes(60))]


def test_what_is_no_capture_is_refused_where_comments_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "in.pcapng").write_bytes(b"GIF89a")
    with pytest.raises(CaptureError, match=r"in\.pcapng cannot be read as a capture"):
        read_packets(tmp_path / "in.pcapng")
