"""Datasets are opened by name, and packages add their own with settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autohier.data.datasets.registry import dataset_settings, open_dataset
from autohier.errors import InputError
from support.fakes.fake_packages import installed_package

PACKAGE = """
from pydantic import BaseModel, ConfigDict
from autohier.data.datasets.base import DatasetExtension
from autohier.extensions import Extension

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    length: int = 3

good = DatasetExtension("toy_dataset:build", Settings, modalities=("thermal", "rgb"), takes_name=True)
plain = Extension("toy_dataset:build")

def build(origin):
    return origin
"""


@pytest.fixture
def package(tmp_path: Path) -> Iterator[None]:
    """An installed package with two dataset readers, whose builder returns its `Origin`."""
    points = "Toy_Set = toy_dataset:good\nplain = toy_dataset:plain"
    with installed_package(
        tmp_path,
        name="toy-dataset",
        version="1.0",
        modules={"toy_dataset": PACKAGE},
        entry_points={"autohier.dataset_readers": points},
    ):
        yield


@pytest.mark.parametrize(
    ("name", "expected"), [("UTD_MHAD", "utd-mhad"), ("ntu60", "ntu60"), (" Demo ", "demo")]
)
def test_case_and_underscores_in_names_are_ignored(name: str, expected: str) -> None:
    assert open_dataset(name).name == expected


def test_unknown_names_and_modalities_are_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^unknown dataset 'ntu-6': did you mean 'ntu60'\?"):
        open_dataset("ntu-6")
    with pytest.raises(
        InputError, match="modality of ntu60 must be one of rgb, skeleton, but got 'skeletons': did you mean"
    ):
        open_dataset("ntu60", modality="skeletons")


def test_published_datasets_take_neither_a_name_nor_settings() -> None:
    with pytest.raises(InputError, match="only the datasets pyskl and custom take a name, but got 'mine'"):
        open_dataset("ntu60", stored_as="mine")
    with pytest.raises(InputError, match="the reader of ntu60 has no settings, but got fps: leave out"):
        open_dataset("ntu60", settings={"fps": 30})


@pytest.mark.usefixtures("package")
def test_a_package_gets_the_origin_and_its_settings() -> None:
    origin: Any = open_dataset("toy-set", source=Path("x"), stored_as="mine", settings={"length": 5})
    assert (origin.modality, origin.source, origin.name, origin.settings.length) == (
        *("thermal", Path("x"), "mine", 5),
    )  # type: ignore[attr-defined]
    assert open_dataset("Toy_Set", modality="rgb").settings.length == 3  # type: ignore[attr-defined]


@pytest.mark.usefixtures("package")
def test_settings_of_a_package_are_checked() -> None:
    unknown = r"^unknown setting 'lenth' of the reader of Toy_Set: did you mean 'length'\?$"
    with pytest.raises(InputError, match=unknown):
        open_dataset("toy-set", settings={"lenth": 5})
    invalid = r"^settings of the reader of Toy_Set: length must be a whole number, but got 'x': write"
    with pytest.raises(InputError, match=invalid):
        open_dataset("toy-set", settings={"length": "x"})


@pytest.mark.usefixtures("package")
def test_records_hold_all_settings_also_those_at_their_default() -> None:
    assert dataset_settings("toy-set", {}) == {"length": 3}
    assert dataset_settings("Toy_Set", {"length": 5}) == {"length": 5}
    assert dataset_settings("ntu60", {}) == {}


@pytest.mark.usefixtures("package")
def test_a_package_must_declare_its_modalities() -> None:
    with pytest.raises(
        InputError, match=r"of dataset 'plain' must declare a DatasetExtension .* got Extension"
    ):
        open_dataset("plain")
