"""Damaged files of every reader: truncated, edited, and with other numbers and words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from autohier.data.datasets.registry import DATASETS, find_dataset
from support.fuzz.edits import cuts, edited, words
from support.fuzz.law import fuzz_settings, naming_input
from support.fuzz.reading import Bench
from support.fuzz.sources import CASES


@pytest.fixture(params=CASES, ids=str)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path / "source")


def test_every_modality_of_every_reader_is_damaged() -> None:
    others = {"ntu120", "demo"}  # read by NTU's code
    assert {(case.dataset, case.modality) for case in CASES} == {
        (dataset, modality)
        for dataset in DATASETS.names
        if dataset not in others and DATASETS.source(dataset).package == "autohier"
        for modality in find_dataset(dataset)[1].modalities
    }


def test_a_good_file_is_read(bench: Bench) -> None:
    assert not bench.try_source()


def test_truncated_files_and_other_words(bench: Bench) -> None:
    for name, content in (*cuts(bench.good), *(words(bench.good) if bench.case.is_text else ())):
        with naming_input(name):
            bench.try_content(content)


def test_random_edits(bench: Bench) -> None:
    @fuzz_settings(30)
    @given(edited(bench.good, is_text=bench.case.is_text))
    def try_edited(content: bytes) -> None:
        bench.try_content(content)

    try_edited()
