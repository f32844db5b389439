"""Intact files with unexpected values: other shapes and types, and numbers that are not finite."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import savemat

from autohier.data.prepare.clip import BadFileError
from support.fuzz.edits import WORDS
from support.fuzz.law import fuzz_settings
from support.fuzz.reading import Bench
from support.fuzz.sources import BY_NAME
from support.sources.tiny_pyskl import annotation, write_pyskl

ODD_NUMBERS = [
    *(0, -0.0, 1, -1, 0.5, 1e6, -1e30, 3.4e38, 1e300, 1e-45, 5e-324, 2**63 - 1),
    *(np.nan, np.inf, -np.inf),
]
TYPES = ["f2", "f4", ">f4", "f8", "i1", "u1", "i2", "u2", ">i4", "i8", "u8", "?", "c8", "U3", "S3"]


def near(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    """Return a strategy for similar shapes: some sides changed, or one side less or more."""
    sides = [st.sampled_from([side] * 6 + [0, 1, 2, side + 1]) for side in shape]
    return st.one_of(
        st.tuples(*sides), st.tuples(*sides), st.tuples(*sides[1:]), st.tuples(*sides, st.just(2))
    )


def odd_arrays(shape: tuple[int, ...]) -> st.SearchStrategy[NDArray[Any]]:
    """Return a strategy for arrays of similar shapes, mostly floats, with extreme numbers."""

    def fill(dtype: str, shape: tuple[int, ...], numbers: list[float]) -> NDArray[Any]:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            return np.resize(np.array(numbers, dtype="f8"), shape).astype(dtype)

    numbers = st.lists(st.sampled_from(ODD_NUMBERS) | st.floats(-3, 3), min_size=1, max_size=7)
    types = st.sampled_from(["f4", "f8"]) | st.sampled_from(TYPES)
    return st.builds(fill, types, near(shape), numbers)


def plain_values() -> st.SearchStrategy[Any]:
    """Return a strategy for values of JSON, including NaN and infinity."""
    simple = st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        st.sampled_from([10**18, -(10**30), "a" * 10_000]),
    )
    return st.recursive(
        simple,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(BY_NAME[request.param], tmp_path / "source")


def try_all(
    bench: Bench, contents: st.SearchStrategy[bytes], check: Callable[[Any], object] = lambda _: None
) -> None:
    @fuzz_settings(60)
    @given(contents)
    def try_one(content: bytes) -> None:
        check(bench.try_content(content))

    try_one()


def check_one_clip(errors: list[Any]) -> None:
    """Check that at most the one clip is refused."""
    assert [type(error) for error in errors] in ([], [BadFileError])


@pytest.mark.parametrize(
    ("bench", "variable", "shape"),
    [("utd-mhad skeleton", "d_skel", (20, 3, 4)), ("utd-mhad depth", "d_depth", (24, 32, 3))],
    indirect=["bench"],
)
def test_arrays_in_mat_files(bench: Bench, variable: str, shape: tuple[int, ...]) -> None:
    def saved(array: Any, name: str, options: dict[str, Any]) -> bytes:
        file = io.BytesIO()
        savemat(file, {"other": 1, name: array}, **options)
        return file.getvalue()

    values = st.one_of(
        *[odd_arrays(shape)] * 4,
        st.text(max_size=3) | st.dictionaries(st.just("field"), odd_arrays(shape)),
        st.lists(odd_arrays(shape), min_size=1, max_size=3).map(
            lambda items: np.array([*items, ""], dtype=object)
        ),
    )
    names = st.sampled_from([variable] * 5 + ["d_other", variable.upper()])
    options = st.sampled_from([{"do_compression": True}, {"do_compression": False}])
    try_all(bench, st.builds(saved, values, names, options), check_one_clip)


@pytest.mark.parametrize("bench", ["custom poses"], indirect=True)
def test_arrays_of_poses(bench: Bench) -> None:
    def saved(save: Callable[..., None], keypoint: Any, scores: Any, more: dict[str, Any]) -> bytes:
        file = io.BytesIO()
        named = {"keypoint": keypoint, "keypoint_score": scores} | more
        save(file, **{name: value for name, value in named.items() if value is not None})
        return file.getvalue()

    arrays_or_none = [st.none() | odd_arrays(shape) for shape in ((1, 3, 17, 2), (1, 3, 17))]
    more = st.dictionaries(st.sampled_from(["keypoint", "other"]), st.text(max_size=3), max_size=1)
    saves = st.sampled_from([np.savez, np.savez_compressed])
    try_all(bench, st.builds(saved, saves, *arrays_or_none, more), check_one_clip)


@pytest.mark.parametrize("bench", ["n-ucla json"], indirect=True)
def test_values_in_json(bench: Bench) -> None:
    good = json.loads(bench.good)

    def changed(path: list[int], value: Any, label: Any) -> bytes:
        content = json.loads(bench.good)
        holder: Any = content
        key: Any = "skeletons"
        for step in path:
            holder, key = holder[key], step
        holder[key] = value
        return json.dumps(content | {"label": label}).encode()

    paths = st.sampled_from([[], [0], [2], [0, 3], [2, 19], [0, 3, 1], [2, 19, 2]])
    values = plain_values() | st.sampled_from(
        [good["skeletons"], good["skeletons"][0], good["skeletons"][0][:19]]
    )
    labels = st.sampled_from([good["label"]] * 6 + [0, 1.0, True, "1", None, 10**40])
    try_all(bench, st.builds(changed, paths, values, labels), check_one_clip)


KEYPOINTS = st.one_of(odd_arrays((1, 3, 17, 2)), odd_arrays((1, 3, 25, 3)), plain_values())
FIELDS = {
    "frame_dir": st.sampled_from(
        ["a", "b", "S001C001P001R001A001", "", "\ud800", b"c", 1.5, None, ("a",), "x" * 10**5]
    ),
    "label": st.sampled_from([-1, True, 1.0, "1", None, 2**63, [1], np.int64(3), np.float32(1)]),
    "total_frames": st.sampled_from([0, -3, 3.0, "3", None, 2**62, [[[]]]]),
    "img_shape": plain_values()
    | st.sampled_from([(0, 5), (1080,), (1080, 1920, 3), np.array([1080, 1920]), (2**40, 1)]),
    "keypoint": KEYPOINTS,
    "keypoint_score": odd_arrays((1, 3, 17)) | plain_values(),
    "more": plain_values(),
}


@pytest.mark.parametrize("bench", ["pyskl protocol 5"], indirect=True)
@pytest.mark.parametrize("protocol", [2, 5])
def test_values_of_an_annotation(bench: Bench, protocol: int) -> None:
    good = [annotation(name, k, num_frames=3) for k, name in enumerate("ab")]

    def changed(fields: dict[str, Any], missing: str) -> bytes:
        entry = annotation("c", 0, num_frames=3) | fields
        entry.pop(missing, None)
        path = write_pyskl(bench.path, [*good, entry], {"train": ["a"], "val": ["b"]}, protocol=protocol)
        return path.read_bytes()

    fields = st.fixed_dictionaries({}, optional=FIELDS)
    try_all(bench, st.builds(changed, fields, st.sampled_from(["", *FIELDS])), check_one_clip)


@pytest.mark.parametrize("bench", ["pyskl protocol 5"], indirect=True)
def test_values_of_a_whole_pickle(bench: Bench) -> None:
    names = st.sampled_from(["train", "val", "test", "x_train", "x_test", "train1", "x", "", "_val", 1, None])
    lists = st.lists(st.sampled_from(["a", "b", "c", "", 1, None]), max_size=3)
    splits = st.dictionaries(names, lists | lists.map(np.array) | plain_values(), max_size=4) | plain_values()
    entries = st.lists(
        st.sampled_from([annotation("a", 5), annotation("b", -1), {}, {"frame_dir": "c"}, None]), max_size=4
    )

    def written(split: Any, annotations: Any, more: dict[str, Any]) -> bytes:
        return write_pyskl(bench.path, annotations, split, **more).read_bytes()

    more = st.dictionaries(st.sampled_from(["split_", "meta"]), plain_values(), max_size=1)
    try_all(bench, st.builds(written, splits, entries | plain_values(), more))


CELLS = st.one_of(
    st.sampled_from(
        ["videos/wave/1.mp4", "videos/clap/1.mp4", "poses/wave/1.npz", "wave", "1", "train", "val"]
    ),
    st.sampled_from(["", " ", ".", "..", "/", "../x.mp4", "/etc/passwd", "http://x/y.mp4", "C:x", "a\0b"]),
    st.sampled_from([word.decode("utf-8", "replace") for word in WORDS if len(word) < 1000] + ["x" * 5000]),
    st.text(max_size=8),
)
HEADER = ["path", "label", "subject", "camera", "setup", "split", "skeleton"]


@pytest.mark.parametrize("bench", ["custom table"], indirect=True)
def test_cells_of_a_table(bench: Bench) -> None:
    good = list(csv.reader(io.StringIO(bench.good.decode())))

    def changed(changes: list[tuple[int, int, str]], header: list[str], quoting: Any) -> bytes:
        rows = [header, *(list(row) for row in good[1:]), list(good[1])]
        for row, column, cell in changes:
            cells = rows[row % len(rows)]
            cells[column % (len(cells) + 1) : column % (len(cells) + 1) + 1] = [cell]
        text = io.StringIO()
        csv.writer(text, quoting=quoting).writerows(rows)
        return text.getvalue().encode()

    changes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7), CELLS), max_size=4)
    headers = st.just(HEADER) | st.lists(st.sampled_from(HEADER), max_size=8)
    quoting = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    try_all(bench, st.builds(changed, changes, headers, quoting))
