"""Crypto contexts encrypt as the running kernel's, and are kept in maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography", reason="the package cryptography is not installed")
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.sampled_from([0, 1, 15, 16, 17, 32, 64, 65])
EMPTY = {"type": "skcipher", "reserved": bytes(2), "algo": "cbc(aes)", "key": bytes(256), "key_len": 16, "authsize": 0}


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("crypto_programs.bpf.c"))


def test_nothing_is_done_without_context(load_twins: Callable[[Path], Any]) -> None:
    load_twins(Path(__file__).with_name("crypto_programs.bpf.c")).agree("use")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": "aead"},
        {"reserved": b"\0\1"},
        {"algo": "ecb(des)"},
        {"key_len": 0},
        {"key_len": 17},
        {"key_len": 257},
        {"authsize": 4},
    ],
    ids=str,
)
def test_parameters_are_taken_or_refused_alike(twins: Any, wrong: dict[str, Any]) -> None:
    twins.agree("make", b"", params=EMPTY | wrong)


@SETTINGS
@given(
    algo=st.sampled_from(["cbc(aes)", "ecb(aes)"]),
    key=st.binary(min_size=32, max_size=32),
    key_len=st.sampled_from([16, 24, 32]),
    iv=st.binary(min_size=16, max_size=16),
    plain=st.binary(min_size=64, max_size=64),
    sizes=st.tuples(SIZES, st.sampled_from([0, 16, 8])),
)
@example(algo="cbc(aes)", key=bytes(32), key_len=16, iv=bytes(16), plain=bytes(64), sizes=(64, 16))
@example(algo="ecb(aes)", key=bytes(32), key_len=32, iv=bytes(16), plain=bytes(64), sizes=(32, 0))
def test_what_is_sealed_is_the_same_and_opens(twins: Any, sizes: tuple[int, int], **drawn: Any) -> None:
    key = drawn.pop("key").ljust(256, b"\0")
    twins.agree("make", b"", params=EMPTY | {"algo": drawn.pop("algo"), "key": key, "key_len": drawn.pop("key_len")})
    twins.agree("use", size=sizes[0], iv_size=sizes[1], sealed=bytes(64), opened=bytes(64), **drawn)
