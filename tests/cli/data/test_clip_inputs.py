"""The commands on search spaces of skeletons and heatmaps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autohier.data.datasets.base import ClipSource
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import Skeleton
from autohier.data.store.paths import store_folder
from autohier.errors import ClipError
from support.command_line import Autohier
from support.sources.tiny_clips import OVERRIDES, SIZE_PX, SPACE_FILE, ColourReader


def changed(*overrides: str) -> tuple[str, ...]:
    """Return overrides as command-line arguments."""
    return tuple(part for each in overrides for part in ("--set", each))


class UnreadableSkeletons(ColourReader):
    """Clips whose skeletons cannot be read."""

    def read_skeleton(self, clip: ClipSource) -> Skeleton:  # noqa: ARG002
        raise ClipError("a skeleton must contain a body")


@pytest.fixture(scope="module")
def without_skeletons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of stores with clips that are kept without their skeletons."""
    data = tmp_path_factory.mktemp("without_skeletons")
    folder = store_folder(data, "demo", None)
    prepare_dataset(
        UnreadableSkeletons(), data, folder, size_px=SIZE_PX, without_skeleton="whole-frame", num_workers=1
    )
    return data


@pytest.mark.parametrize("clip_input", ["skeletons", "heatmaps"])
def test_check_counts_their_clips(autohier: Autohier, tiny_data: Path, clip_input: str) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, *changed(*OVERRIDES[clip_input]))
    assert (ended.code, ended.err) == (0, "")
    assert "clips: 72 train, 24 validation (held-out subjects 9), 48 test\n" in ended.out


@pytest.mark.parametrize("command", ["check", "plan", "train", "search"])
@pytest.mark.parametrize(
    ("clip_input", "message"),
    [
        ("skeletons", r"^st-gcn\+\+ must have clips with joints, but got clips without joints in meters: "),
        ("heatmaps", r"^pose-slowonly-shallow must have .*, but got clips without joints in the image: "),
    ],
)
def test_clips_without_skeletons_are_rejected(
    autohier: Autohier, without_skeletons: Path, tmp_path: Path, command: str, clip_input: str, message: str
) -> None:
    before = sorted(without_skeletons.rglob("*"))
    where = ("--data", without_skeletons, *(("--out", tmp_path) if command in {"train", "search"} else ()))
    error = autohier(command, SPACE_FILE, *where, *changed(*OVERRIDES[clip_input])).error
    assert re.search(message, error)
    assert error.endswith("prepare clips with their skeletons, or choose a recognizer that reads these clips")
    assert sorted(without_skeletons.rglob("*")) == before
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert autohier("check", SPACE_FILE, "--data", without_skeletons).code == 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["recognizer={name='st-gcn'}"],
            r"st-gcn reads skeletons, .*; next to the recognizer, set clips=\{input='skeletons'\}$",
        ),
        (
            ["clips={input='heatmaps'}"],
            r"inflated-resnet18 reads frames, .*; next to the recognizer, set clips=\{input='frames'\}$",
        ),
        (
            ["clips.input=skeletons"],
            r"unknown setting 'clips\.resize_px': valid are flip, frame_joint_drop, input, .*stream",
        ),
        (["clips.input=sounds"], r"clips\.input: unknown clip input 'sounds': did you mean "),
        (
            ["clips={input='skeletons'}", "recognizer={name='stgcn++'}"],
            r": recognizer\.name: unknown recognizer 'stgcn\+\+': did you mean 'st-gcn\+\+'\?$",
        ),
        (
            [*OVERRIDES["skeletons"], "recognizer.stacks=[4, 4, 3]"],
            r"^stacks must be counts of at least 1 that sum to 10 blocks, but got \(4, 4, 3\)",
        ),
    ],
)
def test_incompatible_options_are_errors(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    error = autohier("train", SPACE_FILE, "--data", tiny_data, "--out", tmp_path, *changed(*overrides)).error
    assert re.search(message, error)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
