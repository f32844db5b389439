"""Tests of the marks that distinguish the copies of one sweep."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from optuna.storages import BaseStorage

from autohier.errors import InputError
from autohier.sweep.study.storages.ownership import claim_study
from autohier.sweep.study.storages.storage import in_memory_storage, open_study


@pytest.fixture
def storage() -> BaseStorage:
    storage = in_memory_storage()
    open_study(storage, "one", "accuracy")
    return storage


def claim(storage: BaseStorage, folder: Path) -> None:
    claim_study(storage, "one", folder / "study.mark")


def copy(folder: Path, name: str) -> Path:
    return shutil.copytree(folder, folder.with_name(name))


REFUSED = r"a study must belong to one sweep, but a copy of .* has continued .*: resume that copy.*delete "


@pytest.mark.parametrize(("first", "second"), [("first", "copy"), ("copy", "first")])
def test_of_two_copies_the_one_that_continues_keeps_the_study(
    tmp_path: Path, storage: BaseStorage, first: str, second: str
) -> None:
    claim(storage, tmp_path / "first")
    copy(tmp_path / "first", "copy")
    for _ in range(3):
        claim(storage, tmp_path / first)
    for _ in range(2):
        with pytest.raises(InputError, match=REFUSED + str(tmp_path / second)):
            claim(storage, tmp_path / second)
    claim(storage, tmp_path / first)


def test_a_moved_sweep_continues(tmp_path: Path, storage: BaseStorage) -> None:
    claim(storage, tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "moved")
    claim(storage, tmp_path / "moved")


def test_a_sweep_without_its_mark_takes_the_study_over(tmp_path: Path, storage: BaseStorage) -> None:
    claim(storage, tmp_path / "first")
    other = copy(tmp_path / "first", "copy")
    claim(storage, tmp_path / "first")
    (other / "study.mark").unlink()
    claim(storage, other)
    with pytest.raises(InputError, match=REFUSED):
        claim(storage, tmp_path / "first")


def test_a_driver_may_die_between_its_two_marks(
    tmp_path: Path, storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(storage, tmp_path)
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(storage, "set_study_user_attr", die)
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            claim(storage, tmp_path)
    claim(storage, tmp_path)
