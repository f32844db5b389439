"""Robustness: which conditions affect which network, and that each is measured on the corrupted clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autohier.core.late_fusion import average
from autohier.core.stages.builders import open_clip_input
from autohier.core.training.metrics import Predictions
from autohier.data.corruption.clips import CorruptedClips
from autohier.data.corruption.kinds import FrameRate, JointDrop, Occlusion
from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.measured_parts import own_parts
from autohier.deploy.measurements.robustness import (
    CLEAN,
    CORRUPTIONS,
    Condition,
    Robustness,
    measure_robustness,
)
from autohier.errors import InputError
from autohier.fusion.evaluate import Model, evaluate_model, find_model
from support.sources.clips_without_joints import take_joints_away
from support.sources.tiny_clips import CLASS_NAMES, OVERRIDES, ColourReader, prepare_tiny_clips
from support.sweep_runs.exported_models import OPENER
from support.sweep_runs.finished_sweeps import finish_sweep

DROP = Condition("joint drop", "1", 1.0, JointDrop(1.0))
OCCLUSION = Condition("occlusion", "1/2", 0.5, Occlusion(0.5))
RATE = Condition("frame rate", "1/2", 0.5, FrameRate(2))


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """Folder of the finished sweeps ``frames``, ``joints``, ``both`` and ``folds``."""
    out = tmp_path_factory.mktemp("sweeps")
    finish_sweep(out, "frames", tiny_data)
    finish_sweep(out, "joints", tiny_data, *OVERRIDES["skeletons"])
    finish_sweep(out, "both", tiny_data, *OVERRIDES["frames+skeletons"])
    folds = ("protocol.validation=folds", "protocol.num_folds=2")
    finish_sweep(out, "folds", tiny_data, *OVERRIDES["skeletons"], *folds)
    return out


def silent(_: str) -> None:
    """Log of progress."""


def measure(model: Model, *conditions: Condition, seed: int = 0, only_shared: bool = False) -> Robustness:
    parts = own_parts(model, "validation", refitted=False, opener=OPENER, log=silent)
    return measure_robustness(parts, conditions, classes=CLASS_NAMES, seed=seed, only_shared=only_shared)


def by_condition(found: Robustness) -> dict[Condition, Predictions]:
    return {each.condition: each.predictions for each in found.measured}


@pytest.mark.parametrize("name", ["frames", "joints", "both", "folds"])
def test_clips_as_they_are_give_what_evaluate_gives(sweeps: Path, name: str) -> None:
    model = find_model(name, sweeps)
    expected = evaluate_model(model, "validation", refitted=False, opener=OPENER, log=silent).predictions
    (clean,) = measure(model).measured
    assert clean.condition is CLEAN
    assert clean.predictions.clip_ids == expected.clip_ids
    assert clean.predictions.labels_N.tolist() == expected.labels_N.tolist()
    np.testing.assert_allclose(clean.predictions.probabilities_NK, expected.probabilities_NK, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "affecting"),
    [
        *[("frames", [RATE, OCCLUSION]), ("joints", [DROP, RATE]), ("folds", [DROP, RATE])],
        ("both", [DROP, RATE, OCCLUSION]),
    ],
)
def test_conditions_that_change_nothing_it_reads_are_left_out(
    sweeps: Path, name: str, affecting: list[Condition]
) -> None:
    found = by_condition(measure(find_model(name, sweeps), DROP, RATE, OCCLUSION))
    assert list(found) == [CLEAN, *affecting]
    clean = found[CLEAN].probabilities_NK
    for condition in affecting:
        assert (found[condition].probabilities_NK != clean).any()


def test_the_network_reads_the_corrupted_clips(sweeps: Path, tiny_clips: ClipStore) -> None:
    model = find_model("joints", sweeps)
    (part,) = own_parts(model, "validation", refitted=False, opener=OPENER, log=silent)
    found = by_condition(measure(model, DROP, seed=3))[DROP]
    network = part.network.network
    corrupted = CorruptedClips(tiny_clips, JointDrop(1.0), seed=3)
    # The slow way: clip by clip, set by set.
    clip_input = open_clip_input(network.clips, corrupted, tiny_clips.manifest)
    network.network.eval()
    for row in part.rows[:4]:
        shares = 0
        for index in range(network.clips.test_sets):
            clips = np.asarray(clip_input.read_eval(int(row), index, network.clips.test_sets))[None]
            scores = network.network(clip_input.transform_eval(torch.from_numpy(clips)))[-1]
            shares = shares + scores.softmax(dim=1).detach().numpy()[0] / network.clips.test_sets
        own = found.of([tiny_clips.clips.clip_id[row]]).probabilities_NK[0]
        np.testing.assert_allclose(own, shares, rtol=1e-4)
    other = by_condition(measure(model, DROP, seed=4))[DROP]
    assert (other.probabilities_NK != found.probabilities_NK).any()


def test_a_fusion_averages_changed_and_unchanged_members(sweeps: Path) -> None:
    models = {name: find_model(name, sweeps) for name in ("frames", "joints")}
    weights = (0.25, 0.75)
    members = tuple(
        model.members[0].model_copy(update={"weight": weight})
        for model, weight in zip(models.values(), weights, strict=True)
    )
    both = replace(models["frames"], name="both", members=members)
    found = by_condition(measure(both, DROP, only_shared=True))
    frames = by_condition(measure(models["frames"]))[CLEAN]
    joints = by_condition(measure(models["joints"], DROP))
    for condition in (CLEAN, DROP):
        expected = average([frames, joints[condition]], weights)
        np.testing.assert_allclose(found[condition].probabilities_NK, expected.probabilities_NK, rtol=1e-5)


def test_poses_of_another_store_are_measured_on_the_clips_that_both_have(
    sweeps: Path, tmp_path: Path
) -> None:
    class Fewer(ColourReader):
        def find_clips(self, source):
            return [clip for clip in super().find_clips(source) if clip.replication != 2]

    poses = Condition("poses", "others", poses=prepare_tiny_clips(tmp_path, Fewer(name="others")))
    found = measure(find_model("joints", sweeps), poses)
    clean, changed = found.measured
    assert len(clean.predictions.clip_ids) == 24  # one validation subject
    assert len(changed.predictions.clip_ids) == len(changed.clean.clip_ids) == 18
    assert not any("R2" in clip_id for clip_id in changed.predictions.clip_ids)
    # The poses are the same.
    np.testing.assert_allclose(
        changed.predictions.probabilities_NK, changed.clean.probabilities_NK, rtol=1e-5
    )


def test_clips_without_joints_are_counted_over_all_folds(
    sweeps: Path, tmp_path: Path, tiny_clips: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = prepare_tiny_clips(tmp_path, ColourReader(name="others"))
    poses = Condition("poses", "others", poses=others)
    model = find_model("folds", sweeps)
    assert measure(model, DROP, poses).notes == ()
    # The folds hold out different clips: 3 clips of the first and 2 of the second are empty.
    parts = own_parts(model, "validation", refitted=False, opener=OPENER, log=silent)
    held_out = [part.clip_ids for part in parts]
    emptied = [*held_out[0][:3], *held_out[1][:2]]
    num_clips = sum(map(len, held_out))
    take_joints_away(monkeypatch, others, [others.clips.clip_id.index(each) for each in emptied])
    (note,) = measure(model, DROP, poses).notes
    assert note.startswith(f"5 of {num_clips} clips of {others.folder} have no joints for folds:t0000")
    assert measure(find_model("frames", sweeps), OCCLUSION).notes == ()
    take_joints_away(monkeypatch, tiny_clips, [tiny_clips.clips.clip_id.index(held_out[0][0])])
    own, _ = measure(model, poses).notes
    assert own.startswith(f"1 of {num_clips} clips of {tiny_clips.folder} have no joints for folds:t0000")


def test_poses_that_do_not_fit_are_refused(sweeps: Path, tmp_path: Path) -> None:
    class Other(ColourReader):
        def find_clips(self, source):
            return [replace(clip, clip_id=f"x{clip.clip_id}") for clip in super().find_clips(source)]

    strange = Condition("poses", "x", poses=prepare_tiny_clips(tmp_path / "a", Other(name="x")))
    with pytest.raises(InputError, match=r"must hold clips that measure the model.*xS1R0A0"):
        measure(find_model("joints", sweeps), strange)
    with pytest.raises(InputError, match=r"--data must name poses that a network.*reads no joints"):
        measure(find_model("frames", sweeps), strange)
    names = tuple(reversed(CLASS_NAMES))
    reader = ColourReader(name="y", class_names=names)
    turned = Condition("poses", "y", poses=prepare_tiny_clips(tmp_path / "b", reader))
    with pytest.raises(InputError, match=r"a clip must have the same class in .* S9R0A0 of bright blue"):
        measure(find_model("joints", sweeps), turned)


def test_the_published_drops_are_measured_from_weak_to_strong() -> None:
    assert [each.strength for each in CORRUPTIONS["drop"]] == [1 / 8, 1 / 4, 1 / 2, 1]
    for conditions in CORRUPTIONS.values():
        assert len({each.kind for each in conditions}) == 1
        assert len({each.level for each in conditions}) == len(conditions)
