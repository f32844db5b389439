"""``autohier show``: where it writes, and how it ends."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from PIL import Image

from autohier.data.datasets.registry import open_dataset
from autohier.data.preparation import prepare_dataset
from command_line import Autohier
from tiny_pyskl import annotation, write_pyskl


def test_it_writes_the_picture_and_says_where(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheets" / "one.png"
    ended = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--out", out, "--frames", 2)
    assert (ended.code, ended.out, ended.err) == (0, f"{out}\n", "")
    with Image.open(out) as image:
        assert image.size == (780, 340)  # the source and 2 frames of 260 pixels, 80 of header


def test_the_clip_s_id_names_the_file(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [annotation(name, 0) for name in ("a/x", "b/y")]
    source = write_pyskl(tmp_path / "mine.pkl", made, {"train": ["a/x"], "val": ["b/y"]})
    reader = open_dataset("pyskl", source=source)
    prepare_dataset(reader, source, tmp_path / "data" / "mine-skeleton", num_workers=1)
    monkeypatch.chdir(tmp_path)
    ended = autohier("show", "mine", "a")
    assert (ended.code, ended.out) == (0, "a_x.png\n")
    assert (tmp_path / "a_x.png").is_file()


def test_names_may_begin_with_a_dash_or_be_of_any_script(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["-LtLS_E_01", "--x", "拍手 $x_$"]
    source = write_pyskl(
        tmp_path / "mine.pkl", [annotation(name, 0) for name in names], {"train": names[:1], "val": names[1:]}
    )
    reader = open_dataset("pyskl", source=source)
    prepare_dataset(reader, source, tmp_path / "data" / "mine-skeleton", num_workers=1)
    monkeypatch.chdir(tmp_path)
    for name in names:
        with warnings.catch_warnings(action="error"):
            ended = autohier("show", "mine", name, "--frames", 1)
        assert (ended.code, ended.out, ended.err) == (0, f"{name}.png\n", "")
        assert (tmp_path / f"{name}.png").is_file()
    assert autohier("show", "mine", "-L", "--frame", 1).code == 2


def test_a_picture_is_not_written_to_a_folder(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    error = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--out", tmp_path).error
    assert error == f"a picture must be written to a file, but got {tmp_path}: add its name to --out"


def test_what_is_not_there_is_one_line(autohier: Autohier, tiny_data: Path) -> None:
    data = ("--data", tiny_data)
    assert "S1R2A3" in autohier("show", "demo", "X1R2A3", *data).error
    assert "is of 6: write more of it, e.g. S1R2A0" in autohier("show", "demo", "S1R2", *data).error
    assert "ntu60 is not prepared" in autohier("show", "ntu60", "S1", *data).error


@pytest.mark.parametrize("command", [("show", "mine", "a"), ("export-pyskl", "mine", "--out", "a.pkl")])
def test_a_missing_store_names_the_option_that_reads_another(
    autohier: Autohier, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "mine-skeleton").mkdir()
    (tmp_path / "mine-skeleton" / "manifest.json").touch()
    error = autohier(*command, "--modality", "depth", "--data", tmp_path).error
    assert "read what is prepared with --modality skeleton, or run 'autohier prepare" in error
