"""Damaged files of every reader: cut, edited, and with other numbers and words in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from autohier.data.datasets.registry import READERS
from fuzz_edits import cuts, edited, words
from fuzz_law import drawing, saying
from fuzz_reading import Bench
from fuzz_sources import CASES


@pytest.fixture(params=CASES, ids=str)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path / "source")


def test_every_modality_of_every_reader_is_damaged() -> None:
    others = {"ntu120", "demo"}  # which NTU's code reads
    assert {(case.dataset, case.modality) for case in CASES} == {
        (dataset, modality)
        for dataset, modalities in READERS.items()
        for modality in modalities
        if dataset not in others
    }


def test_a_good_file_is_read(bench: Bench) -> None:
    assert not bench.try_source()


def test_cuts_and_words(bench: Bench) -> None:
    for name, content in (*cuts(bench.good), *(words(bench.good) if bench.case.is_text else ())):
        with saying(name):
            bench.try_content(content)


def test_drawn_edits(bench: Bench) -> None:
    @drawing(50)
    @given(edited(bench.good, is_text=bench.case.is_text))
    def try_edited(content: bytes) -> None:
        bench.try_content(content)

    try_edited()
