"""Pickles as programs: such as would run code, such as would cost the machine, and such as chance writes."""

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
from fuzz_law import drawing, keeps_law, saying
from fuzz_reading import read_source
from tiny_pyskl import annotation

GOOD: dict[str, Any] = {
    "split": {"train": ["a"], "val": ["b"]},
    "annotations": [annotation(name, 1) for name in "ab"],
}


def tried(path: Path, content: bytes) -> list[AutohierError]:
    path.write_bytes(content)
    return keeps_law(
        "pyskl",
        partial(read_source, "pyskl", "skeleton", path),
        num_bytes=(48 << 20) + 200 * len(content),
        source=path.parent,
    )


def text(letters: str) -> bytes:
    return b"X" + struct.pack("<I", len(letters.encode())) + letters.encode()


def calls(module: str, name: str, *arguments: str) -> list[bytes]:
    """A call of a function, in each of the ways in which a pickle can make one."""
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


def test_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mark, path = tmp_path / "mark", tmp_path / "poses.pkl"
    code = f"open({str(mark)!r}, 'w').close()"
    functions = [
        ("os", "system", f"touch {mark}"),
        ("posix", "system", f"touch {mark}"),
        ("os", "mkdir", str(mark)),
        ("builtins", "eval", code),
        ("builtins", "exec", code),
        ("__builtin__", "eval", code),
        ("builtins", "open", str(mark), "w"),
        ("io", "open", str(mark), "w"),
        ("_io", "FileIO", str(mark), "w"),
        ("subprocess", "getoutput", f"touch {mark}"),
        ("timeit", "timeit", code),
        ("cProfile", "run", code),
        ("builtins", "getattr", "x", "upper"),
        ("operator", "attrgetter", "x"),
        ("functools", "partial", "x"),
        ("importlib", "import_module", "antigravity"),
        ("builtins", "__import__", "antigravity"),
        ("numpy", "ndarray.__class__", "x"),
        ("numpy", "load", str(mark)),
        ("numpy", "memmap", str(mark), "u1"),
        ("numpy", "fromfile", str(path)),
        ("numpy", "dtype.__call__", "f4"),
        ("numpy._core.multiarray", "fromfile", str(path)),
        ("numpy.core.multiarray", "_reconstruct.__globals__", "x"),
        ("_codecs", "encode.__self__", "x"),
        ("_codecs", "decode", "x", "rot13"),
        ("pickle", "loads", "x"),
        ("autohier.data.datasets.pickles", "load_plain", "x"),
        ("torch", "load", "x"),
        ("joblib", "load", "x"),
        ("", "", ""),
    ]
    for function in functions:
        for call in calls(*function):
            program = b"}(" + text("split") + b"}" + text("annotations") + b"](" + call + b"eu."
            assert tried(path, b"\x80\x04" + program)
            assert tried(path, program)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["poses.pkl"]


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_anywhere_in_a_good_file_is_refused(tmp_path: Path, protocol: int) -> None:
    path, mark = tmp_path / "poses.pkl", tmp_path / "mark"
    for malice in (Calls(os.system, f"touch {mark}"), Calls(eval, "1"), Calls(bytearray, 2**40), Calls(set)):
        (first, second), split = GOOD["annotations"], GOOD["split"]
        for content in (
            *(malice, [malice], GOOD | {"more": malice}, GOOD | {"split": malice}),
            *(GOOD | {"split": split | {"x": malice}}, GOOD | {"annotations": [first, second, malice]}),
            *(
                GOOD | {"annotations": [first, second | {name: malice}]}
                for name in ("keypoint", "label", "more")
            ),
        ):
            (error,) = tried(path, pickle.dumps(content, protocol=protocol))
            assert isinstance(error, InputError)
            assert error.rule == "a pickle must hold nothing but plain values and arrays of numbers"
    assert not mark.exists()


def doubled(opened: bytes, closed: bytes) -> bytes:
    """A value that holds one twice that holds one twice, and so on forty times."""
    steps = [opened + b"h%ch%c" % (k, k) + closed + b"q%c" % (k + 1) for k in range(40)]
    return b"K\x01q\x00" + b"0".join([b"", *steps])


def in_annotation(name: str, value: bytes) -> bytes:
    """A good file in which a field of a third annotation is made by a program."""
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
    "a stand-in": b"cnumpy\nndarray\n",
    "a dtype": b"cnumpy\ndtype\n" + text("f4") + b"\x85R",
    "an array": b"cnumpy\nndarray\n)R",
    "a coded text": b"c_codecs\nencode\n" + text("x") + text("latin1") + b"\x86R",
    "2,000 digits": b"\x8b" + struct.pack("<i", 800) + b"\x7f" * 800,
    "half a character": b"\x8c\x03\xed\xa0\x80",
}
FIELDS = ["frame_dir", "label", "total_frames", "img_shape", "keypoint", "keypoint_score", "raw_file", "more"]


@pytest.mark.parametrize("name", FIELDS)
def test_values_that_nothing_else_holds(tmp_path: Path, name: str) -> None:
    for told, value in VALUES.items():
        with saying(told):
            errors = tried(tmp_path / "poses.pkl", in_annotation(name, value))
        assert len(errors) == 1


@pytest.mark.parametrize("name", VALUES)
def test_values_that_nothing_else_holds_for_lists(tmp_path: Path, name: str) -> None:
    entries = b"".join(pickle.dumps(entry, 2)[2:-1] for entry in GOOD["annotations"])
    annotations = text("annotations") + b"](" + entries + b"e"
    for program in (
        VALUES[name],
        b"}(" + text("split") + VALUES[name] + annotations + b"u",
        b"}(" + text("split") + b"}" + text("train") + VALUES[name] + b"s" + annotations + b"u",
        b"}(" + text("split") + b"}" + VALUES[name] + b"]s" + annotations + b"u",
        b"}(" + VALUES[name] + b"N" + text("split") + b"}" + annotations + b"u",
        b"}(" + text("split") + b"}" + text("annotations") + VALUES[name] + b"u",
        b"}(" + text("split") + b"}" + text("annotations") + b"]" + VALUES[name] + b"au",
    ):
        assert tried(tmp_path / "poses.pkl", b"\x80\x04" + program + b".")


def test_one_annotation_many_times_costs_no_more(tmp_path: Path) -> None:
    keys = b"".join(text(f"k{k}") + b"N" for k in range(4000))
    head = b"\x80\x04}(" + text("split") + b"}" + text("annotations") + b"](}(" + keys + b"uq\x00"
    assert tried(tmp_path / "poses.pkl", head + b"h\x00" * 20_000 + b"eu.")


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
    # A dtype and an array, so that more of the programs come to something.
    b"cnumpy\ndtype\n" + text("f4") + b"\x85R(K\x03" + text("<") + b"NNNK\0K\0K\0tb",
    b"cnumpy\nndarray\n)R",
]


def test_programs_drawn_at_random(tmp_path: Path) -> None:
    path = tmp_path / "poses.pkl"

    @drawing(300)
    @given(
        st.lists(st.sampled_from(_STEPS), max_size=40).map(b"".join), st.booleans(), st.sampled_from(FIELDS)
    )
    def try_program(program: bytes, is_field: bool, name: str) -> None:
        tried(path, in_annotation(name, program) if is_field else b"\x80\x04" + program + b".")

    try_program()
