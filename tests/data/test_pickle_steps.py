"""Pickles that would cost more than their length, in time or in memory: refused before they are obeyed."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.datasets.pickles import load_plain
from autohier.errors import InputError
from fuzz_law import at_most


def text(letters: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(letters)) + letters


class Claim:
    """An array of one number with another shape."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, ((0,),), (1, self.shape, np.dtype("f4"), False, b"1234")


def called_often(function: bytes, *arguments: bytes) -> bytes:
    """A list of what a function gives for the same arguments, which are in the file once."""
    kept = b"".join(
        value + b"r" + struct.pack("<I", k) + b"0" for k, value in enumerate((function, *arguments))
    )
    call = b"h\x00(" + b"".join(b"h" + bytes([k]) for k in range(1, len(arguments) + 1)) + b"tR"
    return b"\x80\x04" + kept + b"](" + call * 3000 + b"e."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            called_often(b"c_codecs\nencode\n", text(b"x" * 10**6), text(b"latin1")),
            "more bytes and text than the file holds",
        ),
        (
            called_often(
                b"cnumpy.core.multiarray\nscalar\n",
                b"cnumpy\ndtype\n" + text(b"U99999") + b"K\x00K\x01\x87R"
                b"(K\x03" + text(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
                b"B" + struct.pack("<I", 4 * 99999) + b"a\0\0\0" * 99999,
            ),
            "more bytes and text than the file holds",
        ),
        # Forty tuples, each of the one before it and of that again, as a key: 2^40 hashes.
        (
            b"\x80\x02}N" + b"".join(b"q%cj%s\x86" % (k, struct.pack("<I", k)) for k in range(40)) + b"Ns.",
            "a key or member that is a tuple, a set or a long number",
        ),
        (pickle.dumps({frozenset(["a"])}), "a key or member that is a tuple, a set or a long number"),
        (pickle.dumps({(): 1}, protocol=0), "a key or member that is a tuple, a set or a long number"),
        (pickle.dumps({"a": 1, (1, 2): 1}), "a key or member that is a tuple, a set or a long number"),
        (pickle.dumps(frozenset([(1, 2)])), "a key or member that is a tuple, a set or a long number"),
        # Numbers whose hash is 0, each compared with all that came before it.
        (pickle.dumps({k * (2**61 - 1): 0 for k in range(100)}), "is a tuple, a set or a long number"),
        (pickle.dumps([10**5000]), "a number of 16610 bits"),
        (pickle.dumps(-(2**8192), protocol=0), "a number of 8193 bits"),
        (pickle.dumps(Claim((2**62,) * 100_000)), r"an array of the shape \(4611686018427387904, .*\.\.\.\)"),
        (pickle.dumps(Claim(2**63)), "an array of the shape 9223372036854775808"),
        (b"\x80\x04\x95" + struct.pack("<Q", 4 << 30) + b"N.", "a frame of 4294967296 bytes in 13"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 4 << 30) + b"N.", "expected 4294967296 bytes in a bytes8"),
        (b"\x80\x04N(00.", "a value that is not there"),
        (b"\x80\x04Nh\x00.", "KeyError"),
    ],
)
def test_what_costs_more_than_its_length_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with at_most(16 << 20), pytest.raises(InputError, match=rf"x\.pkl must be a whole pickle.*{reason}"):
        load_plain(path)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_as_they_were_written(tmp_path: Path, protocol: int) -> None:
    texts = ["x" * 300, "", "\xe9", np.str_("b"), b"bytes", b""]
    value: dict[Any, Any] = {
        "a": [1, -1.5, None, True, 2**63, -(2**63), 2**8192 - 1, {"b": (texts, texts)}, [], (), {}],
        b"c": (((((1,),),),), (), ("d", (2, 3)), (1, 2, 3, 4)),
        3: [[("f", k) for k in range(2000)]] * 2,
        np.str_("g"): np.float32(0.5),
        None: {np.int64(5): 6, 2**64 - 1: 7, -(2**63): 8},
    }
    if protocol >= 4:  # before, these are made by calling a function
        value["h"] = [{1, 2.5, "d", None}, frozenset([b"e"])]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_plain(path) == value


def test_a_value_may_hold_itself(tmp_path: Path) -> None:
    value: list[Any] = [1]
    value.append((value, {"a": value}))
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value))
    found: Any = load_plain(path)
    assert found[1][0] is found[1][1]["a"] is found
