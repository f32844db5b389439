"""An exported model predicts what its sweep's network predicts, from the source clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import autohier
from autohier.data.datasets.base import ClipSource
from autohier.deploy.export import export_model
from autohier.deploy.model_card import write_model_card
from autohier.deploy.model_file import MODEL_FILE, read_model_file
from autohier.deploy.new_clips import ClipArrays
from autohier.deploy.prediction import load_model
from autohier.errors import InputError
from autohier.fusion.evaluate import evaluate_model, find_model, save_test_results
from autohier.sweep.paths import SweepFolder
from support.sources.tiny_clips import CLASS_NAMES, NUM_FRAMES, OVERRIDES, ColourReader
from support.sweep_runs.exported_models import OPENER, export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

READER = ColourReader()
SOURCES = {clip.clip_id: clip for clip in READER.find_clips(Path())}


def arrays_of(clip: ClipSource) -> ClipArrays:
    skeleton = READER.read_skeleton(clip)
    return ClipArrays(
        frames_THWC=np.stack(list(READER.read_frames(clip, range(NUM_FRAMES)))),
        pixels_MTV2=skeleton.pixels_MTV2,
        joints_MTV3_m=skeleton.joints_MTV3_m,
        image_size_px=(skeleton.image_width_px, skeleton.image_height_px),
    )


@pytest.mark.parametrize(
    ("clip_input", "heads"), [*((clip_input, "stacks") for clip_input in OVERRIDES), ("frames", "last")]
)
def test_predictions_of_source_clips_equal_those_of_evaluate(
    tmp_path: Path, tiny_data: Path, clip_input: str, heads: str
) -> None:
    settings = [f"pass_2.heads={heads}"]
    if clip_input == "heatmaps":
        settings.append("clips.test_flip=true")
    if clip_input in (
        "skeletons",
        "parts+skeletons",
    ):  # after few steps, its outputs are nearly the same for all clips
        settings += ["optimisation.batch_size=6", "optimisation.learning_rate=1e-2"]
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES[clip_input], *settings, passes=1)
    model, _ = export_tiny(tmp_path, "s", tmp_path / "model")
    expected = evaluate_model(model, "test", refitted=False, opener=OPENER, log=lambda _: None).predictions
    assert np.ptp(expected.probabilities_NK, axis=0).max() > 0.01
    loaded = autohier.load_model(tmp_path / "model", device="cpu")
    for row in range(0, len(expected.clip_ids), 7):
        clip_id = expected.clip_ids[row]
        prediction = loaded.predict(arrays_of(SOURCES[clip_id]), top=6)
        own_K = expected.probabilities_NK[row]
        assert prediction.classes[0] == CLASS_NAMES[int(own_K.argmax())]
        np.testing.assert_allclose(prediction.probabilities, np.sort(own_K)[::-1], rtol=1e-4)


def test_a_refit_is_exported_with_its_recorded_test_result(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "s", tiny_data)
    model = find_model("s", tmp_path)
    fused = evaluate_model(model, "test", refitted=True, opener=OPENER, log=lambda _: None)
    save_test_results(model, fused, refitted=True)
    _, exported = export_tiny(tmp_path, "s:t0000", tmp_path / "model", refitted=True)
    (network,) = exported.networks
    assert network.trained_on == "training and validation clips"
    assert network.clip_frames == NUM_FRAMES
    assert exported.test_result is not None
    assert exported.test_result.accuracy == fused.predictions.accuracy
    assert exported.test_result.num_clips == len(fused.predictions.clip_ids)
    loaded = load_model(tmp_path / "model", device="cpu")
    clip_id = fused.predictions.clip_ids[0]
    prediction = loaded.predict(arrays_of(SOURCES[clip_id]), top=1)
    np.testing.assert_allclose(
        prediction.probabilities[0], fused.predictions.probabilities_NK[0].max(), rtol=1e-4
    )
    _, other = export_tiny(tmp_path, "s", tmp_path / "other")
    assert other.test_result is None  # what was tested is the refit


def test_superclasses_are_those_of_the_heads(tmp_path: Path, tiny_data: Path) -> None:
    _, (outcome,) = finish_sweep(tmp_path, "s", tiny_data)
    export_tiny(tmp_path, "s", tmp_path / "model")
    prediction = load_model(tmp_path / "model").predict(arrays_of(SOURCES["S2R0A0"]))
    assignments = outcome.kept.hierarchy.assignments[:-1]
    assert len(prediction.superclasses) == len(assignments) == 2
    for guess, assignment in zip(prediction.superclasses, assignments, strict=True):
        members = [name for name, own in zip(CLASS_NAMES, assignment, strict=True) if own == guess.index]
        assert guess.classes == tuple(members)
        assert 1 / (max(assignment) + 1) <= guess.probability <= 1


def test_programs_are_written_and_the_card_names_them(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "s", tiny_data, passes=1)
    _, exported = export_tiny(tmp_path, "s", tmp_path / "model", programs=("pt2",))
    program = torch.export.load(tmp_path / "model" / "network1.pt2").module()
    for size in (1, 3):
        scores = program(torch.zeros(size, *exported.networks[0].network.clip_shape))
        assert [tuple(each.shape) for each in scores] == [(size, 2), (size, 3), (size, 6)]
    card = (tmp_path / "model" / "README.md").read_text()
    assert "`network1.pt2`" in card
    assert f"Test split ({exported.protocol}): not evaluated." in card
    assert all(name in card for name in CLASS_NAMES)


@pytest.mark.parametrize(
    ("channels", "changes", "command"),
    [
        (3, {}, "autohier predict . CLIP.mp4 --poses POSES"),  # trained on clips with poses
        (3, {"without_skeleton": "whole-frame"}, "autohier predict . CLIP.mp4"),
        (3, {"cropped": False}, "autohier predict . CLIP.mp4"),  # poses would not be read
        (0, {}, "autohier predict . CLIP.npz"),  # reads skeletons alone
    ],
)
def test_the_card_names_the_files_that_a_prediction_needs(
    tmp_path: Path, tiny_data: Path, channels: int, changes: dict[str, object], command: str
) -> None:
    finish_sweep(tmp_path, "s", tiny_data)
    _, exported = export_tiny(tmp_path, "s", tmp_path / "model")
    (network,) = exported.networks
    options = network.prepared.options.model_copy(update={"cropped": True, **changes})
    prepared = network.prepared.model_copy(update={"channels": channels, "options": options})
    clips = network.clips.model_copy(update={"input": "frames" if channels else "skeletons"})
    changed = exported.model_copy(
        update={"networks": (network.model_copy(update={"prepared": prepared, "clips": clips}),)}
    )
    write_model_card(tmp_path, changed, ())
    card = (tmp_path / "README.md").read_text()
    assert f"$ {command}\n" in card
    assert ('poses="POSES"' in card) == ("--poses" in command)


def test_an_existing_folder_is_not_overwritten(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "s", tiny_data)
    (tmp_path / "model").mkdir()
    with pytest.raises(InputError, match="--out must name a folder that does not exist"):
        export_model(
            find_model("s", tmp_path), tmp_path / "model", refitted=False, opener=OPENER, log=lambda _: None
        )


def test_a_damaged_or_newer_description_is_refused(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "s", tiny_data)
    export_tiny(tmp_path, "s", tmp_path / "model")
    path = tmp_path / "model" / MODEL_FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"version": 9}))
    with pytest.raises(InputError, match=r"model\.json must have format 1, but got 9"):
        read_model_file(tmp_path / "model")
    content["networks"][0]["weights"] = "../other.safetensors"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="must name files next to it"):
        read_model_file(tmp_path / "model")
    path.write_text("{")
    with pytest.raises(InputError, match="must describe a model"):
        read_model_file(tmp_path / "model")
    with pytest.raises(InputError, match="a model must be a folder that autohier export wrote"):
        read_model_file(tmp_path)


def test_a_fusion_averages_its_networks(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "frames", tiny_data)
    finish_sweep(tmp_path, "joints", tiny_data, *OVERRIDES["skeletons"])
    members = [find_model(name, tmp_path).members[0] for name in ("frames", "joints")]
    weights = (0.25, 0.75)
    model = replace(
        find_model("frames", tmp_path),
        name="both",
        members=tuple(
            member.model_copy(update={"weight": weight})
            for member, weight in zip(members, weights, strict=True)
        ),
    )
    export_model(model, tmp_path / "model", refitted=False, opener=OPENER, log=lambda _: None)
    expected = evaluate_model(model, "test", refitted=False, opener=OPENER, log=lambda _: None).predictions
    prediction = load_model(tmp_path / "model").predict(arrays_of(SOURCES[expected.clip_ids[5]]), top=6)
    np.testing.assert_allclose(
        prediction.probabilities, np.sort(expected.probabilities_NK[5])[::-1], rtol=1e-4
    )


def test_the_sweep_is_not_needed_afterwards(tmp_path: Path, tiny_data: Path) -> None:
    folder, _ = finish_sweep(tmp_path / "out", "s", tiny_data)
    export_tiny(tmp_path / "out", "s", tmp_path / "model")
    before = load_model(tmp_path / "model").predict(arrays_of(SOURCES["S2R0A0"]))
    (tmp_path / "out").rename(tmp_path / "away")
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    assert not SweepFolder(folder.path).plan_file.exists()
    assert load_model(tmp_path / "elsewhere").predict(arrays_of(SOURCES["S2R0A0"])) == before
