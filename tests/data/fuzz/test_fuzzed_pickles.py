"""Malicious pickles: programs that run code, programs that exhaust the machine, and random programs."""

from __future__ import annotations

import os
import pickle
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.errors import AutohierError, InputError
from support.fuzz.law import check_law, fuzz_settings, naming_input
from support.fuzz.reading import read_source
from support.sources.tiny_pyskl import annotation

GOOD: dict[str, Any] = {
    "split": {"train": ["a"], "val": ["b"]},
    "annotations": [annotation(name, 1) for name in "ab"],
}


def try_input(path: Path, content: bytes) -> list[AutohierError]:
    path.write_bytes(content)
    return check_law(
        "pyskl",
        partial(read_source, "pyskl", "skeleton", path),
        num_bytes=(48 << 20) + 200 * len(content),
        source=path.parent,
    )


def text(letters: str) -> bytes:
    return b"X" + struct.pack("<I", len(letters.encode())) + letters.encode()


def calls(module: str, name: str, *arguments: str) -> list[bytes]:
    """Return a call of a function in each way that pickles have."""
    named = f"c{module}\n{name}\n".encode()
    stacked = text(module) + text(name) + b"\x93"
    given = b"".join(text(argument) for argument in arguments)
    return [
        named + b"(" + given + b"tR",
        stacked + b"(" + given + b"tR",
        b"(" + given + f"i{module}\n{name}\n".encode(),
        b"(" + named + given + b"o",
        named + b"(" + given + b"t\x81",
        stacked + b"(" + given + b"t}\x92",
        named + b"}" + text("__setstate__") + stacked + b"sb" + given + b"b",
        b"\x80\x02" + named + b"(" + given + b"tR",
        b"\x82\x01",
        b"P" + name.encode() + b"\n",
    ]


def test_no_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    marker, path = tmp_path / "marker", tmp_path / "poses.pkl"
    code = f"open({str(marker)!r}, 'w').close()"
    functions = [
        ("os", "system", f"touch {marker}"),
        ("posix", "system", f"touch {marker}"),
        ("os", "mkdir", str(marker)),
        ("builtins", "eval", code),
        ("builtins", "exec", code),
        ("__builtin__", "eval", code),
        ("builtins", "open", str(marker), "w"),
        ("io", "open", str(marker), "w"),
        ("_io", "FileIO", str(marker), "w"),
        ("subprocess", "getoutput", f"touch {marker}"),
        ("timeit", "timeit", code),
        ("cProfile", "run", code),
        ("builtins", "getattr", "x", "upper"),
        ("operator", "attrgetter", "x"),
        ("functools", "partial", "x"),
        ("importlib", "import_module", "antigravity"),
        ("builtins", "__import__", "antigravity"),
        ("numpy", "ndarray.__class__", "x"),
        ("numpy", "load", str(marker)),
        ("numpy", "memmap", str(marker), "u1"),
        ("numpy", "fromfile", str(path)),
        ("numpy", "dtype.__call__", "f4"),
        ("numpy._core.multiarray", "fromfile", str(path)),
        ("numpy.core.multiarray", "_reconstruct.__globals__", "x"),
        ("_codecs", "encode.__self__", "x"),
        ("_codecs", "decode", "x", "rot13"),
        ("pickle", "loads", "x"),
        ("autohier.data.formats.safe_pickle", "load_plain", "x"),
        ("torch", "load", "x"),
        ("joblib", "load", "x"),
        ("", "", ""),
    ]
    for function in functions:
        for call in calls(*function):
            program = b"}(" + text("split") + b"}" + text("annotations") + b"](" + call + b"eu."
            assert try_input(path, b"\x80\x04" + program)
            assert try_input(path, program)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["poses.pkl"]


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_anywhere_in_a_good_file_is_refused(tmp_path: Path, protocol: int) -> None:
    path, marker = tmp_path / "poses.pkl", tmp_path / "marker"
    for malice in (
        Calls(os.system, f"touch {marker}"),
        Calls(eval, "1"),
        Calls(bytearray, 2**40),
        Calls(set),
    ):
        (first, second), split = GOOD["annotations"], GOOD["split"]
        for content in (
            *(malice, [malice], GOOD | {"more": malice}, GOOD | {"split": malice}),
            *(GOOD | {"split": split | {"x": malice}}, GOOD | {"annotations": [first, second, malice]}),
            *(
                GOOD | {"annotations": [first, second | {name: malice}]}
                for name in ("keypoint", "label", "more")
            ),
        ):
            (error,) = try_input(path, pickle.dumps(content, protocol=protocol))
            assert isinstance(error, InputError)
            assert error.rule == "a pickle must contain only plain values and arrays of numbers"
    assert not marker.exists()


def doubled(opened: bytes, closed: bytes) -> bytes:
    """Return a value nested 40 times, each with two references to the one before."""
    steps = [opened + b"h%ch%c" % (k, k) + closed + b"q%c" % (k + 1) for k in range(40)]
    return b"K\x01q\x00" + b"0".join([b"", *steps])


def in_annotation(name: str, value: bytes) -> bytes:
    """Return a good file in which a program makes a field of a third annotation."""
    head = b"\x80\x04}(" + text("split") + b"}(" + text("train") + b"]" + text("a") + b"a"
    head += text("val") + b"]" + text("b") + b"au" + text("annotations") + b"]("
    entries = b"".join(pickle.dumps(entry, 2)[2:-1] for entry in GOOD["annotations"])
    return head + entries + b"}(" + text("frame_dir") + text("c") + text(name) + value + b"ueu."


TWICE = {
    "lists": doubled(b"](", b"e"),
    "tuples": doubled(b"(", b"t"),
    "dicts": b"K\x01q\x00" + b"".join(b"0}(K\x01h%cK\x02h%cuq%c" % (k, k, k + 1) for k in range(40)),
}
VALUES = TWICE | {
    "a deep list": b"]" * 80_000 + b"a" * 79_999,
    "a deep tuple": b"N" + b"\x85" * 80_000,
    "a list in itself": b"]q\x00h\x00a",
    "a dtype of lists": b"cnumpy\ndtype\n%s\x85R(K\x03%sNNNK\0K\0K\0tb" % (TWICE["lists"], text("<")),
    "an array of lists": b"cnumpy\nndarray\n" + TWICE["lists"] + b"\x85R",
    "a shape of lists": b"cnumpy\nndarray\n)R(K\x01" + TWICE["lists"] + b"N\x89" + text("x") + b"tb",
    "a function": b"cnumpy\nndarray\n",
    "a dtype": b"cnumpy\ndtype\n" + text("f4") + b"\x85R",
    "an array": b"cnumpy\nndarray\n)R",
    "a coded text": b"c_codecs\nencode\n" + text("x") + text("latin1") + b"\x86R",
    "2,000 digits": b"\x8b" + struct.pack("<i", 800) + b"\x7f" * 800,
    "a lone surrogate": b"\x8c\x03\xed\xa0\x80",
}
FIELDS = ["frame_dir", "label", "total_frames", "img_shape", "keypoint", "keypoint_score", "raw_file", "more"]


@pytest.mark.parametrize("name", FIELDS)
def test_unusual_values_of_an_annotation(tmp_path: Path, name: str) -> None:
    for kind, value in VALUES.items():
        with naming_input(kind):
            errors = try_input(tmp_path / "poses.pkl", in_annotation(name, value))
        assert len(errors) == 1


@pytest.mark.parametrize("name", VALUES)
def test_unusual_values_of_a_file(tmp_path: Path, name: str) -> None:
    entries = b"".join(pickle.dumps(entry, 2)[2:-1] for entry in GOOD["annotations"])
    annotations = text("annotations") + b"](" + entries + b"e"
    for program in (
        VALUES[name],
        b"}(" + text("split") + VALUES[name] + annotations + b"u",
        b"}(" + text("split") + b"}" + text("train") + VALUES[name] + b"s" + annotations + b"u",
        b"}(" + text("split") + b"}" + VALUES[name] + b"]s" + annotations + b"u",
        b"}(" + VALUES[name] + b"N" + text("split") + b"]" + annotations + b"u",
        b"}(" + text("split") + b"}" + text("annotations") + VALUES[name] + b"u",
        b"}(" + text("split") + b"}" + text("annotations") + b"]" + VALUES[name] + b"au",
    ):
        assert try_input(tmp_path / "poses.pkl", b"\x80\x04" + program + b".")


def test_repeated_references_to_an_annotation_cost_no_more(tmp_path: Path) -> None:
    keys = b"".join(text(f"k{k}") + b"N" for k in range(4000))
    head = b"\x80\x04}(" + text("split") + b"}" + text("annotations") + b"](}(" + keys + b"uq\x00"
    assert try_input(tmp_path / "poses.pkl", head + b"h\x00" * 20_000 + b"eu.")


_STEPS = [
    *(bytes([code]) for code in b"N\x88(]})\x8fldtaesu\x90\x91012\x85\x86\x87Rbo\x81\x92\x93\x94\x97\x98Q."),
    *(b"K\x01", b"J\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"G@\x08" + bytes(6), b"\x8a\x09" + b"\x7f" * 9),
    *(b"I99\n", b"L99999999999999999999L\n", b"F1e400\n", b"Vx\n", b"S'x'\n", b"I01\n"),
    *map(text, ("split", "annotations", "f4", "<", "latin1", "\u00e9", "x" * 5000)),
    *(b"C\x04abcd", b"B\x04\0\0\0abcd", b"\x96\x04" + bytes(7) + b"abcd", b"U\x01a"),
    *(b"q\0", b"q\1", b"q\2", b"h\0", b"h\1", b"h\2", b"p0\n", b"g0\n", b"r\xff\0\0\0", b"j\0\0\0\0"),
    *(b"\x95\x08" + bytes(7), b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n"),
    *(b"cbuiltins\nbytes\n", b"cbuiltins\nlist\n", b"ibuiltins\nbytes\n"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy._core.multiarray\nscalar\n"),
    b"cnumpy.core.numeric\n_frombuffer\n",
    # A dtype and an array, so that more of the programs are valid.
    b"cnumpy\ndtype\n" + text("f4") + b"\x85R(K\x03" + text("<") + b"NNNK\0K\0K\0tb",
    b"cnumpy\nndarray\n)R",
]


def test_random_programs(tmp_path: Path) -> None:
    path = tmp_path / "poses.pkl"

    @fuzz_settings(300)
    @given(
        st.lists(st.sampled_from(_STEPS), max_size=40).map(b"".join), st.booleans(), st.sampled_from(FIELDS)
    )
    def try_program(program: bytes, is_field: bool, name: str) -> None:
        try_input(path, in_annotation(name, program) if is_field else b"\x80\x04" + program + b".")

    try_program()
