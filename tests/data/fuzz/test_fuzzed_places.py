"""Other objects in place of files and sources, and names of all kinds."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.datasets.registry import DATASETS, find_dataset
from support.fuzz.law import check_law, fuzz_settings, naming_input
from support.fuzz.places import PLACES
from support.fuzz.reading import Bench, read_source
from support.fuzz.sources import CASES, Case

OPTIONAL, ONE_OF_MANY = {"gym99_hierarchy.csv", "gym99_categories", "table"}, {"text", "image"}
"""Files that a source need not have, and files of which a clip has one per frame."""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_other_objects_in_place_of_a_file(case: Case, tmp_path: Path) -> None:
    for name, put in PLACES.items():
        bench = Bench(case, tmp_path / name)
        bench.path.unlink()
        put(bench.path)
        with naming_input(name):
            errors = bench.try_source()
        assert errors or case.file in OPTIONAL or (name == "nothing" and case.file in ONE_OF_MANY), name


SOURCES = PLACES | {
    "a name that is too long": lambda _: None,
    "an empty file": Path.touch,
    "a text": lambda path: path.write_text("a text"),
}


@pytest.mark.parametrize(
    ("dataset", "modality"),
    [
        (dataset, modality)
        for dataset in DATASETS.names
        if DATASETS.source(dataset).package == "autohier"
        for modality in find_dataset(dataset)[1].modalities
    ],
)
def test_other_objects_in_place_of_a_source(dataset: str, modality: str, tmp_path: Path) -> None:
    for number, (name, put) in enumerate(SOURCES.items()):
        source = tmp_path / str(number) / ("x" * 5000 if name == "a name that is too long" else "source")
        source.parent.mkdir()
        put(source)
        errors = check_law(
            dataset.removesuffix("60").removesuffix("120"),
            partial(read_source, dataset, modality, source),
            num_bytes=48 << 20,
            source=tmp_path,
        )
        assert errors, name


# Parts of clip names, and parts that make them invalid.
_PIECES = [
    *("S001C001P001R001A001", "S001C001P001R001A002", "_rgb", ".avi", ".skeleton", "v_Archery_g01_c02"),
    *("a1_s1_t2", "_depth", "_color", "_skeleton", ".mat", "a01", "v01_s02_e03", "_v02", ".json"),
    *("view_1", "view_2", "a01_s02_e00", "frame_1_tc_2_rgb.jpg", "frame_1_tc_2_skeletons.txt"),
    *("0LtLS9wROrk", "_E_002400_002435", "_A_0000_0001", ".mp4", "gym99_train_element_2.txt"),
    *("clips.csv", ".csv", "videos", "poses", "wave", ".npz", "1", "9" * 30, ".", "-", "A", "x" * 200),
    *("\u0661", "\u00b2", "\udcff", "\n", "\x1b[31m", "\u202e", " "),
]
_NAMES = (
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4).map("".join) | st.text(min_size=1, max_size=20)
).filter(
    lambda name: not {"/", "\0"} & set(name) and name not in {".", ".."} and len(os.fsencode(name)) < 250
)
_FOLDERS = st.sampled_from(["", "view_1", "view_1/a01_s02_e00", "a01", "videos/wave", "poses/wave"]) | _NAMES


@pytest.mark.parametrize("case", [case for case in CASES if case.dataset != "pyskl"], ids=str)
def test_names_of_all_kinds(case: Case, tmp_path: Path) -> None:
    bench = Bench(case, tmp_path / "source")

    @fuzz_settings(15)
    @given(st.lists(st.tuples(_FOLDERS, _NAMES, st.sampled_from([b"", bench.good])), min_size=1, max_size=4))
    def try_names(files: list[tuple[str, str, bytes]]) -> None:
        source = tmp_path / "more"
        shutil.copytree(bench.folder, source)
        try:
            for folder, name, content in files:
                path = source / folder / name
                if path.exists() or any(parent.is_file() for parent in path.parents):
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            check_law(
                case.reader,
                partial(read_source, case.dataset, case.modality, source),
                num_bytes=case.free_mib << 20,
                source=source,
            )
        finally:
            shutil.rmtree(source)

    try_names()
