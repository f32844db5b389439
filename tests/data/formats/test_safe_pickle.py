"""The unpickler loads plain values, and refuses pickles that would cost more than their length."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.formats import safe_pickle
from autohier.data.formats.pickled_arrays import PickledArray
from autohier.data.formats.safe_pickle import load_plain
from autohier.errors import AutohierError, InputError
from support.fuzz.law import at_most, check_law


def text(letters: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(letters)) + letters


DTYPE_F4 = (
    b"cnumpy\ndtype\n" + text(b"f4") + b"K\x00K\x01\x87R"
    b"(K\x03" + text(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


class ArrayOfShape:
    """Pickles as an array of one number with another shape."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, ((0,),), (1, self.shape, np.dtype("f4"), False, b"1234")


def repeated_call(function: bytes, *arguments: bytes) -> bytes:
    """Return a list of 3,000 results of one call, whose arguments are in the file once."""
    stored = b"".join(
        value + b"r" + struct.pack("<I", k) + b"0" for k, value in enumerate((function, *arguments))
    )
    call = b"h\x00(" + b"".join(b"h" + bytes([k]) for k in range(1, len(arguments) + 1)) + b"tR"
    return b"\x80\x04" + stored + b"](" + call * 3000 + b"e."


KEY_RULE = "a dict key or set member must be text or a number, not"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            repeated_call(b"c_codecs\nencode\n", text(b"x" * 10**6), text(b"latin1")),
            "more bytes and text than the file has",
        ),
        (
            repeated_call(
                b"cnumpy.core.multiarray\nscalar\n",
                DTYPE_F4.replace(text(b"f4"), text(b"U99999")),
                b"B" + struct.pack("<I", 4 * 99999) + b"a\0\0\0" * 99999,
            ),
            "more bytes and text than the file has",
        ),
        # 40 nested tuples, each of two references to the one before, as a key: 2^40 hashes.
        (
            b"\x80\x02}N" + b"".join(b"q%cj%s\x86" % (k, struct.pack("<I", k)) for k in range(40)) + b"Ns.",
            f"{KEY_RULE} tuple",
        ),
        (pickle.dumps({frozenset(["a"])}), f"{KEY_RULE} frozenset"),
        (pickle.dumps({(): 1}, protocol=0), f"{KEY_RULE} tuple"),
        (pickle.dumps({"a": 1, (1, 2): 1}), f"{KEY_RULE} tuple"),
        (pickle.dumps(frozenset([(1, 2)])), f"{KEY_RULE} tuple"),
        (b"\x80\x04}cnumpy\nndarray\nNs.", f"{KEY_RULE} _Replacement"),
        # Integers whose hash is 0, each compared with all before it.
        (pickle.dumps({k * (2**61 - 1): 0 for k in range(100)}), f"{KEY_RULE} 65 bits"),
        (pickle.dumps([10**5000]), "an integer of 16610 bits"),
        (pickle.dumps(-(2**8192), protocol=0), "an integer of 8193 bits"),
        (b"I0x" + b"f" * 10**5 + b"\n.", "an integer of 400000 bits"),
        (
            pickle.dumps(ArrayOfShape((2**62,) * 100_000)),
            r"an array of shape \(4611686018427387904, .*\.\.\.\)",
        ),
        (pickle.dumps(ArrayOfShape(2**63)), "an array of shape 9223372036854775808"),
        (b"\x80\x04\x95" + struct.pack("<Q", 4 << 30) + b"N.", "a frame of 4294967296 bytes in 13"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 4 << 30) + b"N.", "the file ends after 2 of 4294967296 bytes"),
        (b"\x80\x05\x96" + struct.pack("<Q", 4 << 30) + b"N.", "the file ends after 2 of 4294967296 bytes"),
        (b"\x80\x04Nr" + struct.pack("<I", 2**32 - 2) + b"0.", "damaged content: download"),
        (b"\x80\x04N(00.", "damaged content: download"),
        (b"\x80\x04Nh\x00.", "Memo value not found"),
    ],
)
def test_pickles_that_cost_more_than_their_length_are_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with (
        at_most((16 << 20) + 20 * len(content)),
        pytest.raises(InputError, match=rf"x\.pkl must be a complete pickle of plain values.*{reason}"),
    ):
        load_plain(path)


@pytest.mark.parametrize("protocol", range(6))
def test_every_truncated_pickle_is_refused(tmp_path: Path, protocol: int) -> None:
    value = {"a": [1, -1.5, None, 2**40, "x" * 300, b"y" * 300], "b": np.arange(5), "c": (2**80, "d")}
    content = pickle.dumps(value, protocol=protocol)
    path = tmp_path / "x.pkl"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"x\.pkl must be a complete pickle of plain values"):
            load_plain(path)


def test_a_high_memo_index_costs_nothing(tmp_path: Path) -> None:
    # The unpickler in C makes room for 2^32 values, which takes 64 GiB.
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04Nr" + struct.pack("<I", 2**32 - 2) + b".")
    with at_most(1 << 20):
        assert load_plain(path) is None


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_loaded_as_written(tmp_path: Path, protocol: int) -> None:
    texts = ["x" * 300, "", "\xe9", np.str_("b"), b"bytes", b""]
    value: dict[Any, Any] = {
        "a": [1, -1.5, None, True, 2**63, -(2**63), 2**8192 - 1, {"b": (texts, texts)}, [], (), {}],
        b"c": (((((1,),),),), (), ("d", (2, 3)), (1, 2, 3, 4)),
        3: [[("f", k) for k in range(2000)]] * 2,
        np.str_("g"): np.float32(0.5),
        None: {np.int64(5): 6, 2**64 - 1: 7, -(2**63): 8},
    }
    if protocol >= 4:  # earlier protocols write sets as calls
        value["h"] = [{1, 2.5, "d", None}, frozenset([b"e"])]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_plain(path) == value


def test_a_value_may_contain_itself(tmp_path: Path) -> None:
    value: list[Any] = [1]
    value.append((value, {"a": value}))
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value))
    loaded: Any = load_plain(path)
    assert loaded[1][0] is loaded[1][1]["a"] is loaded


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("protocol", range(4))  # which write the names of modules as lines
def test_arrays_of_numpy_1_and_2_are_loaded(tmp_path: Path, protocol: int, core: str) -> None:
    path = tmp_path / "x.pkl"
    array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    content = pickle.dumps([array, np.float32(0.5)], protocol=protocol)
    assert b"numpy._core.multiarray\n_reconstruct" in content
    path.write_bytes(content.replace(b"numpy._core", core.encode()))
    loaded: Any = load_plain(path)
    assert loaded[0].values.dtype == array.dtype
    np.testing.assert_array_equal(loaded[0].values, array)
    assert loaded[1] == 0.5


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("module", ["numeric", "multiarray"])
def test_arrays_of_protocol_5_are_loaded(tmp_path: Path, core: str, module: str) -> None:
    path = tmp_path / "x.pkl"
    for content in (b"C\x08", b"\x96\x08" + bytes(7)):  # bytes and a bytearray
        numbers = content + struct.pack("<2f", 1.5, -2)
        path.write_bytes(
            b"\x80\x05c" + f"{core}.{module}\n_frombuffer\n(".encode() + numbers + DTYPE_F4
            + b"K\x02\x85" + text(b"C") + b"tR."
        )  # fmt: skip
        array = load_plain(path)
        assert isinstance(array, PickledArray)
        np.testing.assert_array_equal(array.values, np.array([1.5, -2], dtype="<f4"))


@pytest.mark.parametrize(
    "dtype",
    [
        # Dtypes that claim other flags than theirs: NumPy would use bytes of the file as object pointers.
        b"cnumpy\ndtype\n" + text(b"O8") + b"\x85R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffK\x08K\x00tb",
        b"cnumpy\ndtype\n" + text(b"V8") + b"\x85R(K\x03" + text(b"|") + b"NNNK\x08K\x01K\x01tb",
    ],
)
def test_arrays_of_objects_have_no_values(tmp_path: Path, dtype: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(
        b"\x80\x04cnumpy\nndarray\n)R(K\x01K\x01\x85" + dtype + b"\x89C\x08" + b"\1" * 8 + b"tb."
    )
    array = load_plain(path)
    assert isinstance(array, PickledArray)
    assert array.values is None


def test_repeated_states_of_a_dtype_cost_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    head = b"\x80\x04" + DTYPE_F4.replace(b"(K\x03", b"q\x00(K\x03").replace(b"tb", b"tq\x01b")
    path.write_bytes(head + b"h\x01b" * 400_000 + b".")

    def read() -> list[AutohierError]:
        load_plain(path)
        return []

    assert check_law("dtype", read, num_bytes=16 << 20, source=tmp_path) == []


def test_files_above_the_size_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 100)
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps("x" * 1000))
    with pytest.raises(InputError, match=r"a pickle must have at most 100 bytes, but got 1,\d+"):
        load_plain(path)
