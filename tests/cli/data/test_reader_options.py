"""``--reader-option`` of prepare and check: settings of a package's dataset reader reach its clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autohier.data.store.manifest import StoreOptions, load_record
from autohier.data.store.reader import ClipStore
from support.command_line import Autohier
from support.fakes.fake_packages import installed_example
from support.sources.tiny_datasets import body_joints


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, whose dataset "npy" has the setting ``unit_m``, by default 1."""
    with installed_example("autohier-dataset", tmp_path_factory.mktemp("example")):
        yield


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two clips in millimeters."""
    for name in ("wave/P001_1", "clap/P002_1"):
        path = tmp_path / "source" / f"{name}.npy"
        path.parent.mkdir(parents=True)
        np.save(path, (1000 * body_joints(6)).astype(np.float32))
    return tmp_path / "source"


def prepare(autohier: Autohier, source: Path, *options: object) -> ClipStore:
    data = source.parent / "data"
    ended = autohier("prepare", "npy", "--source", source, "--name", "mine", "--data", data, *options)
    assert ended.code == 0, ended.err
    return ClipStore.open(data / "mine-skeleton")


def test_the_reader_gets_its_settings_and_the_store_records_them(autohier: Autohier, source: Path) -> None:
    store = prepare(autohier, source, "--reader-option", "unit_m=0.001", "--workers", 1)
    np.testing.assert_allclose(store.skeleton(0).joints_MTV3_m[0], body_joints(6), rtol=1e-3, atol=2e-3)
    assert store.manifest.reader_settings == {"unit_m": 0.001}
    assert json.loads((store.folder / "options.json").read_text())["reader_settings"] == {"unit_m": 0.001}


def test_clips_that_are_read_otherwise_need_a_store_of_their_own(autohier: Autohier, source: Path) -> None:
    first = prepare(autohier, source, "--reader-option", "unit_m=0.001", "--workers", 1)
    options = ("--source", source, "--name", "mine", "--data", source.parent / "data")
    assert autohier("prepare", "npy", *options).error.startswith(
        "a store is prepared with one set of options, but got one with reader_settings {'unit_m': 0.001}, "
        "not {'unit_m': 1.0}: delete "
    )
    again = prepare(autohier, source, "--reader-option", "unit_m=1e-3", "--workers", 1)
    assert again.fingerprint == first.fingerprint


def test_readers_without_settings_leave_the_record_as_it_was(tmp_path: Path) -> None:
    options = StoreOptions.checked(
        dataset="demo", modality="rgb", size_px=64, max_frames=32, jpeg_quality=90, cropped=True,
        without_skeleton="reject",
    )  # fmt: skip
    assert "reader_settings" not in options.model_dump(mode="json")
    options.write(tmp_path / "options.json")
    assert load_record(StoreOptions, tmp_path / "options.json") == options


def test_check_reads_the_source_with_the_settings(autohier: Autohier, source: Path) -> None:
    (source / "wave" / "P001_1.npy").write_bytes(b"")
    ended = autohier("check", "npy", "--source", source, "--reader-option", "unit_m=0.001", "--workers", 1)
    assert ended.code == 1
    assert "1 clip has a skeleton file that breaks a rule" in ended.out


@pytest.mark.parametrize("command", ["prepare", "check"])
@pytest.mark.parametrize(
    ("dataset", "option", "error"),
    [
        ("npy", "unit=1", "unknown setting 'unit' of the reader of npy: did you mean 'unit_m'?"),
        (
            "npy",
            "unit_m=-1",
            "settings of the reader of npy: unit_m must be greater than 0, but got -1",
        ),
        ("npy", "unit_m", "--reader-option takes key=value, but got unit_m: write e.g. --reader-option unit"),
        ("ntu60", "fps=30", "the reader of ntu60 has no settings, but got fps: leave out --reader-option"),
    ],
)
def test_wrong_options_are_refused(
    autohier: Autohier, source: Path, command: str, dataset: str, option: str, error: str
) -> None:
    ended = autohier(command, dataset, "--source", source, "--reader-option", option)
    assert ended.error.startswith(error)


def test_a_search_space_has_no_reader(autohier: Autohier) -> None:
    assert (
        "and --reader-option need a dataset's source files"
        in autohier("check", "demo", "--reader-option", "unit_m=1").error
    )
