"""Gradient maps of stored networks, as figures and as arrays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from autohier.core.gradient_maps import GradientMaps
from autohier.core.training.gradients import HeadGradients
from autohier.data.skeleton import KINECT_V2_25
from autohier.errors import InputError, MissingDataError
from autohier.records.reader import read_records
from autohier.reports.figures.gradients import draw_gradients, gradient_arrays, gradients_caption
from autohier.reports.figures.networks import recorded_gradients
from support.sources.tiny_clips import OVERRIDES
from support.sweep_runs.finished_sweeps import finish_sweep

OF_JOINTS = HeadGradients("skeletons", 0, ("conv",), np.array([[0.0, 1.0, 2.0], [4.0, 3.0, 0.0]]))
OF_PIXELS = HeadGradients("frames", 0, ("conv",), np.stack([np.eye(3), 3 * np.eye(3)]))


def both() -> GradientMaps:
    return GradientMaps(7, (2,), (OF_JOINTS, OF_PIXELS), reads_joints=True, joint_names=("a", "b$", "c"))


@pytest.mark.parametrize(
    ("clip_input", "axes", "num_joints"),
    [("frames", ("time", "row", "column"), 0), ("skeletons", ("time", "joint"), 25)],
)
def test_maps_of_a_stored_network_have_the_axes_of_its_input(
    clip_input: str, axes: tuple[str, ...], num_joints: int, tiny_data: Path, tmp_path: Path
) -> None:
    folder, (outcome,) = finish_sweep(tmp_path, "done", tiny_data, *OVERRIDES[clip_input])
    plan, _ = folder.read_plan()
    records = read_records(folder.records)
    maps = recorded_gradients(records, plan, None, 5)
    assert maps is not None
    assert maps.num_clips == 5
    assert maps.num_superclasses == outcome.kept.hierarchy.num_superclasses
    assert [head.level for head in maps.heads] == [*range(len(maps.num_superclasses))]
    assert {maps.axes_of(head) for head in maps.heads} == {axes}
    assert len(maps.joint_names) == num_joints
    assert all(np.isfinite(head.means).all() and head.means.max() > 0 for head in maps.heads)
    again = recorded_gradients(records, plan, records.trials[0], 5)
    assert again is not None
    np.testing.assert_allclose(again.heads[-1].means, maps.heads[-1].means, rtol=1e-5)
    everything = recorded_gradients(records, plan, None, 10_000)
    assert everything is not None
    assert everything.num_clips == int(outcome.kept.confusion_KK.sum())
    with pytest.raises(InputError, match="must be those of the sweep"):
        recorded_gradients(records, plan.model_copy(update={"clips_fingerprint": "0" * 64}), None, 5)
    (tmp_path / "stages" / "pass-2" / outcome.kept.key).rename(tmp_path / "elsewhere")
    with pytest.raises(MissingDataError, match="network of t0000 must be in the stage store"):
        recorded_gradients(records, plan, None, 5)


def test_every_pathway_has_a_row_and_maps_of_pixels_are_means_over_time() -> None:
    figure = draw_gradients(both())
    joints, pixels, _ = figure.axes
    assert joints.get_title() == "level 1: 2 classes\nskeletons, largest 4"
    assert pixels.get_title() == "frames, largest 2"
    # Joints are rows, and time goes to the right.
    expected = np.array([[0, 1], [0.25, 0.75], [0.5, 0]])
    np.testing.assert_allclose(np.asarray(joints.images[0].get_array()), expected)
    np.testing.assert_allclose(np.asarray(pixels.images[0].get_array()), np.eye(3))
    assert [label.get_text() for label in joints.get_yticklabels()] == ["a", "b$", "c"]
    assert "over 7 validation clips and all frames" in gradients_caption(both())


def test_maps_over_time_alone_are_bars() -> None:
    head = HeadGradients("", 0, ("conv",), np.array([1.0, 4.0, 2.0]))
    maps = GradientMaps(1, (3,), (head,), reads_joints=True, joint_names=KINECT_V2_25.joint_names)
    axes, _ = draw_gradients(maps).axes
    assert [bar.get_height() for bar in axes.patches if hasattr(bar, "get_height")] == [0.25, 1.0, 0.5]


def test_arrays_hold_the_maps_as_they_are() -> None:
    twice = GradientMaps(7, (2,), (OF_PIXELS, OF_PIXELS), reads_joints=False, joint_names=())
    arrays = np.load(io.BytesIO(gradient_arrays(twice)))
    assert set(arrays) == {
        "num_clips",
        *(f"frames_level1{end}" for end in ("", "_axes", "_layers")),
        *(f"frames_level1_2{end}" for end in ("", "_axes", "_layers")),
    }
    assert arrays["frames_level1_axes"].tolist() == ["time", "row", "column"]
    np.testing.assert_array_equal(arrays["frames_level1_2"], OF_PIXELS.means)
    of_joints = np.load(io.BytesIO(gradient_arrays(both())))
    assert of_joints["joints"].tolist() == ["a", "b$", "c"]
    assert gradient_arrays(both()) == gradient_arrays(both())
