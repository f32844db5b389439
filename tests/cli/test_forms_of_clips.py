"""The commands on spaces of skeletons and heatmaps: what they tell, and what they refuse in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autohier.data.datasets.reader import ClipSource
from autohier.data.preparation import prepare_dataset
from autohier.data.skeleton import Skeleton
from autohier.data.store.paths import store_folder
from autohier.errors import ClipError
from command_line import Autohier
from tiny_clips import FORMS, SIZE_PX, SPACE_FILE, ColourReader


def changed(*overrides: str) -> tuple[str, ...]:
    """Overrides as the command line takes them."""
    return tuple(part for each in overrides for part in ("--set", each))


class NobodySeen(ColourReader):
    """Clips whose skeletons cannot be read."""

    def read_skeleton(self, clip: ClipSource) -> Skeleton:  # noqa: ARG002
        raise ClipError("a skeleton must hold a body")


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores that holds clips kept without their skeletons."""
    data = tmp_path_factory.mktemp("nobody")
    folder = store_folder(data, "demo", None)
    prepare_dataset(
        NobodySeen(), data, folder, size_px=SIZE_PX, without_skeleton="whole-frame", num_workers=1
    )
    return data


@pytest.mark.parametrize("form", ["skeletons", "heatmaps"])
def test_check_tells_of_them_as_of_frames(autohier: Autohier, tiny_data: Path, form: str) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, *changed(*FORMS[form]))
    assert (ended.code, ended.err) == (0, "")
    assert "clips: 72 train, 24 validate (held out [9]), 48 test\n" in ended.out


@pytest.mark.parametrize("command", ["check", "plan", "train", "search"])
@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("skeletons", r"^st-gcn\+\+ must have people to look at, but got clips without joints in metres: "),
        ("heatmaps", r"^pose-slowonly-shallow must have .*, but got clips without joints in the image: "),
    ],
)
def test_clips_without_skeletons_are_refused(
    autohier: Autohier, nobody: Path, tmp_path: Path, command: str, form: str, told: str
) -> None:
    before = sorted(nobody.rglob("*"))
    where = ("--data", nobody, *(("--out", tmp_path) if command in {"train", "search"} else ()))
    error = autohier(command, SPACE_FILE, *where, *changed(*FORMS[form])).error
    assert re.search(told, error)
    assert error.endswith(
        "prepare clips with their skeletons, or choose a recognizer that reads what these hold"
    )
    assert sorted(nobody.rglob("*")) == before
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert autohier("check", SPACE_FILE, "--data", nobody).code == 0


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["recognizer={name='st-gcn'}"],
            r"st-gcn reads skeletons, .*; mend it where .* set: clips=\{form='skeletons'\}$",
        ),
        (
            ["clips={form='heatmaps'}"],
            r"inflated-resnet18 reads frames, .*; mend it where .* set: clips=\{form='frames'\}$",
        ),
        (["clips.form=skeletons"], r"unknown setting 'clips\.resize_px': valid are flip, form, .*stream"),
        (["clips.form=sounds"], r"'sounds' .*'frames', 'skeletons', 'heatmaps'$"),
        (
            ["clips={form='skeletons'}", "recognizer={name='stgcn++'}"],
            r"^the recognizer must be a known one, but got 'stgcn\+\+': did you mean 'st-gcn\+\+'\?$",
        ),
        (
            [*FORMS["skeletons"], "recognizer.stacks=[4, 4, 3]"],
            r"^stacks must be counts of at least 1 that sum to 10 blocks, but got \(4, 4, 3\)",
        ),
    ],
)
def test_settings_that_do_not_fit_are_told(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, overrides: list[str], told: str
) -> None:
    error = autohier("train", SPACE_FILE, "--data", tiny_data, "--out", tmp_path, *changed(*overrides)).error
    assert re.search(told, error)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
