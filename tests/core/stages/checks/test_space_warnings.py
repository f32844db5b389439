"""Warnings about a search space and its prepared clips."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import pytest

from autohier.cli.data.prepare import prepare
from autohier.config.search.loading import load_space, shipped_spaces
from autohier.core.stages.checks.space_warnings import space_warnings
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError

FROM_IMAGENET = {
    "gym99",
    "gym99_joint",
    "gym99_slowfast",
    "n_ucla",
    "ntu120",
    "ntu60",
    "ntu60_depths",
    "utd_mhad_from_ntu60",
}
OF_SOME_VARIANTS = {"gym99_slowfast", "ntu60_depths"}


def store_of(max_frames: int) -> StoreOptions:
    return StoreOptions(
        dataset="ntu60",
        modality="rgb",
        size_px=256,
        max_frames=max_frames,
        jpeg_quality=90,
        cropped=True,
        without_skeleton="reject",
    )


@pytest.mark.parametrize("name", shipped_spaces())
def test_spaces_of_hac_warn_without_imagenet_weights(name: str) -> None:
    found = space_warnings(load_space(name), None)
    assert bool(found) == (name in FROM_IMAGENET)
    if found and name not in OF_SOME_VARIANTS:
        (warning,) = found
        assert warning.startswith(
            f"WARNING: the network starts from random weights, but the recipe of {name} "
        )
        assert "\n  fix: --set recognizer.weights=FILE, see 'ImageNet weights' in docs/" in warning
        start = "a sweep of ntu60" if name == "utd_mhad_from_ntu60" else "ImageNet"
        assert f"start: {start}" in load_space(name).description


def test_the_fix_silences_the_warning() -> None:
    for fix in ("recognizer.weights=resnet50.pth", "recognizer.start=ntu60", "assumes_2d_weights=false"):
        assert space_warnings(load_space("ntu60", [fix]), None) == []


def test_the_documented_section_exists() -> None:
    page = Path(__file__).parents[4] / "docs" / "search-spaces.md"
    assert "## ImageNet weights\n" in page.read_text(encoding="utf-8")


def test_variants_with_networks_of_their_own_need_weights_of_their_own() -> None:
    (warning,) = space_warnings(load_space("ntu60_depths"), None)
    assert warning.startswith("WARNING: the network starts from random weights, but the ")
    assert "\n  fix: --set search.variants.VARIANT.recognizer.weights=FILE, see" in warning
    weights = ["search.variants.resnet18.recognizer.weights=resnet18.pth"]
    (warning,) = space_warnings(load_space("ntu60_depths", weights), None)
    assert warning.startswith(
        "WARNING: variants resnet50, resnet34, resnet101: the network starts from random"
    )
    weights += [f"search.variants.resnet{n}.recognizer.weights=resnet{n}.pth" for n in (34, 50, 101)]
    assert space_warnings(load_space("ntu60_depths", weights), None) == []


def test_a_recipe_of_one_variant_may_assume_weights() -> None:
    (warning,) = space_warnings(load_space("gym99_slowfast"), None)
    assert warning.startswith(
        "WARNING: variants slowonly-4: the network starts from random weights, but the "
    )
    assert "\n  fix: --set search.variants.VARIANT.recognizer.weights=FILE, see" in warning
    assert "train from random weights" not in warning
    weights = ["search.variants.slowonly-4.recognizer.weights=resnet50.pth"]
    assert space_warnings(load_space("gym99_slowfast", weights), None) == []
    with pytest.raises(
        InputError, match=r"assumes_2d_weights names the variant 'slow', which is unknown: did you"
    ):
        load_space("gym99_slowfast", ["assumes_2d_weights=['slow']"])


@pytest.mark.parametrize(
    ("max_frames", "num_sets"),
    [
        # Of k frames in each of 8 segments, the offsets 0.1, 0.3, 0.5, 0.7 and 0.9 read the frames at the
        # floors of k times these: 0 1 2 2 3 of four, 0 1 2 3 4 of five, and five of eight.
        (32, 4),
        (40, 5),
        (64, 5),
        (8, 1),
    ],
)
def test_a_store_with_too_few_frames_is_too_coarse(max_frames: int, num_sets: int) -> None:
    space = load_space("ntu60", ["assumes_2d_weights=false"])
    found = space_warnings(space, store_of(max_frames))
    if num_sets == 5:
        assert found == []
        return
    (warning,) = found
    rule, fix = warning.splitlines()
    assert f"the store keeps {max_frames} frames per clip, so only {num_sets} of the 5 test sets of 8" in rule
    assert fix == f"  fix: prepare with --frames 40, or --set clips.test_sets={num_sets}"


@pytest.mark.parametrize("name", ["ntu60", "ntu120", "n_ucla", "utd_mhad", "gym99", "demo"])
def test_by_default_a_store_has_five_different_test_sets_of_hac(name: str) -> None:
    defaults = (signature(prepare_dataset).parameters["max_frames"], signature(prepare).parameters["frames"])
    for parameter in defaults:
        found = space_warnings(load_space(name, ["assumes_2d_weights=false"]), store_of(parameter.default))
        assert not any("test sets" in warning for warning in found)


def test_skeletons_are_stored_whole() -> None:
    assert space_warnings(load_space("ntu60_skeleton"), store_of(1)) == []


def test_frames_that_the_store_lacks_are_read_several_times() -> None:
    space = load_space("ntu60", ["assumes_2d_weights=false", "clips.num_frames=100"])
    (warning,) = space_warnings(space, store_of(32))
    rule, fix = warning.splitlines()
    assert "the store keeps 32 frames per clip, so clips.num_frames = 100 reads frames several times" in rule
    assert fix == "  fix: --set clips.num_frames=32 or fewer, or prepare with more --frames"


def test_frames_above_the_size_of_the_store_are_only_enlarged() -> None:
    space = load_space("ntu60", ["assumes_2d_weights=false", "clips.resize_px=512"])
    (warning,) = space_warnings(space, store_of(64))
    assert "the store keeps frames of 256 pixels, and clips.resize_px = 512 only enlarges them" in warning
    assert warning.endswith("or prepare with --size 512")


@pytest.mark.parametrize(
    ("size", "repeats", "usual"),
    [
        (288, 1, None),
        (289, 1, 32),  # 288 / 32 = 9 steps, and 288 / 64 = 4
        (100_000, 1, 32),
        (576, 2, None),
        (577, 2, 64),
    ],
)
def test_a_batch_above_the_training_clips_is_one_step(size: int, repeats: int, usual: int | None) -> None:
    space = load_space("demo", [f"optimisation.batch_size={size}", f"optimisation.repeats={repeats}"])
    found = space_warnings(space, None, num_training=288)
    if usual is None:
        assert found == []
        return
    (warning,) = found
    assert f"batch_size = {size:,} holds all {288 * repeats} training clips" in warning
    assert f"--set optimisation.batch_size={usual}, which makes at least 8 steps" in warning


def test_clips_without_poses_are_counted(tiny_clips: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `prepare --keep-all` stores them; a space of frames reads them well."""
    tiny = load_space("utd_mhad_skeleton", ["num_classes=6", "search.levels=1", "initial=[]"])
    fine = tiny.model_copy(update={"clips": tiny.clips.model_copy(update={"num_frames": 16})})
    monkeypatch.setattr(f"{space_warnings.__module__}._inspect_persons", lambda _: [1, 0, 1, 0, 0])
    (warning,) = space_warnings(fine, tiny_clips.manifest, clips=tiny_clips)
    assert "3 of 5 inspected clips show no person, and networks of poses read them as empty" in warning
    assert "autohier poses" in warning


def test_persons_and_frames_that_no_clip_has_are_empty(tiny_clips: ClipStore) -> None:
    # Each of the tiny clips shows one person in four frames.
    tiny = load_space("utd_mhad_skeleton", ["num_classes=6", "search.levels=1", "initial=[]"])
    fine = tiny.model_copy(update={"clips": tiny.clips.model_copy(update={"num_frames": 16})})
    assert space_warnings(fine, tiny_clips.manifest, clips=tiny_clips) == []
    odd = tiny.model_copy(
        update={"clips": tiny.clips.model_copy(update={"num_frames": 17, "num_persons": 3})}
    )
    persons, frames = space_warnings(odd, tiny_clips.manifest, clips=tiny_clips)
    assert "no inspected clip shows more than 1 person, and clips.num_persons = 3 makes" in persons
    assert persons.endswith("fix: --set clips.num_persons=1")
    assert "the longest clip has 4 frames, so clips.num_frames = 17 reads frames several times" in frames
    padded = tiny.model_copy(
        update={"clips": tiny.clips.model_copy(update={"num_frames": 17, "sampling": "padded"})}
    )
    sets, zeros = space_warnings(padded, tiny_clips.manifest, clips=tiny_clips)
    assert "clips.sampling = padded reads a clip in one way, and clips.test_sets = 10 tests it as" in sets
    assert sets.endswith("fix: --set clips.test_sets=1")
    assert "the longest clip has 4 frames, so clips.num_frames = 17 reads mostly zeros" in zeros


@pytest.mark.parametrize(
    ("num_validation", "few"),
    [
        (4, "4 validation clips, fewer than 50; one clip is 25.0 points, so"),
        (0, "0 validation clips, fewer than 50; the best"),
        (59, "59 validation clips of 12 classes, fewer than 5 a class; one clip is 1.7 points"),
        (60, ""),
        (None, ""),
    ],
)
def test_a_small_validation_split_is_named(num_validation: int | None, few: str) -> None:
    found = space_warnings(load_space("demo"), None, num_validation=num_validation)
    assert [few in text and "protocol.validation=folds" in text for text in found] == [True] * bool(few)
