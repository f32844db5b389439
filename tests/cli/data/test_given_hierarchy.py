"""A user's table of superclasses, from ``check`` and ``prepare`` to a space that uses it."""

from __future__ import annotations

from pathlib import Path

from autohier.data.store.reader import ClipStore
from autohier.data.superclasses import GivenSuperclasses
from support.command_line import Autohier
from support.sources.tiny_pyskl import annotation, write_pyskl


def test_superclasses_of_the_user_are_checked_prepared_and_searched(
    autohier: Autohier, tmp_path: Path
) -> None:
    entries = [annotation(f"clip{number}", number % 4) for number in range(16)]
    lists = {"train": [f"clip{number}" for number in range(8)], "val": [f"clip{n}" for n in range(8, 16)]}
    path = write_pyskl(tmp_path / "poses.pkl", entries, lists)
    table = tmp_path / "hierarchy.csv"
    where = ("--data", tmp_path / "data")
    prepare = ("prepare", "pyskl", "--source", path, "--name", "mine", *where, "--workers", 1)

    table.write_text("class,area\n0,a\n1,b\n")
    assert "must list all 4 classes, but got 2, without class 2" in autohier(*prepare).error
    assert not (tmp_path / "data").exists()

    table.write_text("class,area,kind\n0,a,x\n1,b,y\n2,b,z\n3,b,x\n")
    checked = autohier("check", "pyskl", "--source", path)
    levels = ("area, 2 superclasses", "kind, 3 superclasses")
    assert all(f"superclasses of the dataset: {level}\n" in checked.out for level in levels)
    assert autohier(*prepare).code == 0
    assert autohier("init", "mine", *where, "--out", tmp_path / "mine.toml").code == 0
    assert "own superclasses: 2 of area, 3 of kind" in (tmp_path / "mine.toml").read_text()
    overrides = ("hierarchy=given", "search.levels=2", "search.counts=[2, 3]", "initial=[]")
    changes = [part for override in overrides for part in ("--set", override)]
    checked = autohier("check", tmp_path / "mine.toml", *where, *changes)
    assert all(f"superclasses of the dataset: {level}, sampled\n" in checked.out for level in levels)

    # Another table replaces the first one without preparing a clip again.
    table.write_text("class,area\n0,a\n1,a\n2,b\n3,b\n")
    assert autohier(*prepare).code == 0
    assert ClipStore.open(tmp_path / "data" / "mine-skeleton").manifest.levels == (
        GivenSuperclasses("area", (0, 0, 1, 1)),
    )
