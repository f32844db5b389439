"""Clips of another store: which ones measure a model, under which of its classes, and what it predicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.other_clips import choose_clips, match_classes, open_others
from autohier.deploy.measurements.other_predictions import predict_others
from autohier.deploy.trained_models import TrainedModel, exported_model, finished_model
from autohier.errors import InputError
from autohier.fusion.evaluate import evaluate_model, find_model
from support.sources.clips_without_joints import take_joints_away
from support.sources.tiny_clips import CLASS_NAMES, OVERRIDES, ColourReader, prepare_tiny_clips
from support.sweep_runs.exported_models import OPENER, export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

RENAMED = ("dark red", "dark green", "Dark_Blue", "black", "bright green", "white")
"""Names of the tiny clips' six classes in another dataset: three equal, one respelled, two unknown."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    reader = ColourReader(name="other", class_names=RENAMED)
    return prepare_tiny_clips(tmp_path_factory.mktemp("other"), reader)


def nothing_opens():
    raise AssertionError("a network was opened")


def a_model(tiny_clips: ClipStore) -> TrainedModel:
    return TrainedModel(
        name="s:t0000",
        dataset="demo",
        protocol="cross-subject",
        classes=CLASS_NAMES,
        own_clips=frozenset({tiny_clips.fingerprint}),
        training_ids=frozenset({"S1R0A0", "S1R0A5"}),
        is_refit=False,
        open_networks=nothing_opens,
    )


def test_classes_match_by_name_not_by_place():
    matched, respelled = match_classes(("run", "Sit_Down", "jump"), ("sit down", "wave", "run"))
    assert matched.tolist() == [2, 0, -1]
    assert respelled == (("Sit_Down", "sit down"),)


def test_names_that_could_mean_two_classes_match_only_if_equal():
    matched, respelled = match_classes(("sit-down", "sit_down"), ("sit down", "sit_down"))
    assert matched.tolist() == [-1, 1]
    assert respelled == ()


def test_all_clips_of_another_dataset_with_a_known_class(tiny_clips: ClipStore, other: ClipStore):
    clips = choose_clips(a_model(tiny_clips), other)
    assert clips.scope == "all clips"
    # Six subjects with four clips of each class; two of the six classes are unknown.
    assert len(clips.rows) == 6 * 4 * 4
    assert clips.unknown == (("black", 24), ("white", 24))
    assert clips.missing == ("bright red", "bright blue")
    assert clips.respelled == (("Dark_Blue", "dark blue"),)
    names = [RENAMED[label] for label in other.clips.label[clips.rows]]
    assert {(name, CLASS_NAMES[label]) for name, label in zip(names, clips.labels_N, strict=True)} == {
        ("dark red", "dark red"),
        ("dark green", "dark green"),
        ("Dark_Blue", "dark blue"),
        ("bright green", "bright green"),
    }
    assert clips.num_trained == 1  # S1R0A5 is of an unknown class


def test_test_clips_of_the_same_dataset_unless_all_are_asked_for(tiny_clips: ClipStore):
    model = replace(a_model(tiny_clips), own_clips=frozenset())
    clips = choose_clips(model, tiny_clips)
    assert clips.scope == "test clips of cross-subject"
    assert {clip_id[:2] for clip_id in clips.clip_ids} == {"S2", "S4"}
    everything = choose_clips(model, tiny_clips, every_clip=True)
    assert (everything.scope, len(everything.rows)) == ("all clips", len(tiny_clips))


def test_the_models_own_clips_and_strange_classes_are_refused(tiny_clips: ClipStore, other: ClipStore):
    model = a_model(tiny_clips)
    with pytest.raises(InputError, match="--data must name other clips than those that the model"):
        choose_clips(model, tiny_clips)
    with pytest.raises(InputError, match="must have clips of the model's classes, but got none: dark red"):
        choose_clips(replace(model, classes=("sit", "stand")), other)
    with pytest.raises(InputError, match="each prepared dataset must be given once"):
        open_others([other.folder, other.folder])


@pytest.mark.parametrize("kind", OVERRIDES)
def test_equal_clips_get_equal_probabilities_from_trial_and_export(
    tmp_path: Path, tiny_data: Path, other: ClipStore, kind: str
):
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES[kind])
    export_tiny(tmp_path, "s", tmp_path / "model")
    found = find_model("s", tmp_path)
    expected = evaluate_model(found, "test", refitted=False, opener=OPENER, log=lambda _: None).predictions
    models = [
        finished_model(found, refitted=False, opener=OPENER, log=lambda _: None),
        exported_model(tmp_path / "model", device="cpu", num_threads=1),
    ]
    for model in models:
        result = predict_others(model, [choose_clips(model, other)])
        shared = [clip_id for clip_id in expected.clip_ids if clip_id[-1] not in "35"]
        own, others = expected.of(shared), result.predictions.of(shared)
        np.testing.assert_allclose(others.probabilities_NK, own.probabilities_NK, rtol=1e-3, atol=1e-6)
        assert others.labels_N.tolist() == own.labels_N.tolist()
        assert [head_NS.shape[1] for head_NS in result.heaviest.superclasses] == [2, 3]
        assert result.notes == ()


def test_members_whose_classes_differ_are_refused_with_the_first_difference(
    tmp_path: Path, tiny_data: Path, other: ClipStore
):
    finish_sweep(tmp_path, "s", tiny_data)
    found = find_model("s", tmp_path)
    renamed = found.members[0].model_copy(update={"sweep": "r", "clip_folder": str(other.folder)})
    pair = replace(found, members=(*found.members, renamed))
    message = "the same classes, but got Dark_Blue in r:t0000, and dark blue in s:t0000: prepare"
    with pytest.raises(InputError, match=message):
        finished_model(pair, refitted=False, opener=lambda _: nothing_opens(), log=lambda _: None)


def test_a_network_reads_the_store_that_fits_and_says_why_none_does(
    tmp_path: Path, tiny_data: Path, other: ClipStore
):
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES["skeletons"])
    model = finished_model(find_model("s", tmp_path), refitted=False, opener=OPENER, log=lambda _: None)
    clips = choose_clips(model, other)
    layout = replace(other.manifest.layout, name="others", joint_names=tuple("abcdefghijklmnopqrstuvwxy"))
    manifest = other.manifest.model_copy(update={"declared_layout": layout, "joint_layout": "others"})
    unlike = replace(clips, store=ClipStore(other.folder, manifest, []))
    assert predict_others(model, [unlike, clips]).used == (clips,)
    with pytest.raises(InputError, match="joints in the layout others, not kinect-v2-25"):
        predict_others(model, [unlike])


def test_clips_without_joints_that_a_network_reads_are_counted(
    tmp_path: Path, tiny_data: Path, other: ClipStore, monkeypatch: pytest.MonkeyPatch
):
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES["skeletons"])
    model = finished_model(find_model("s", tmp_path), refitted=False, opener=OPENER, log=lambda _: None)
    clips = choose_clips(model, other)
    assert predict_others(model, [clips]).notes == ()
    take_joints_away(monkeypatch, other, clips.rows[:3].tolist())
    (note,) = predict_others(model, [clips]).notes
    assert note.startswith(f"3 of 96 clips of {other.folder} have no joints for s:t0000")
