"""Costs of epochs: the arithmetic by hand, and a measurement on tiny clips."""

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.protocol import ProtocolSettings
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.data.splits import SplitSizes
from autohier.errors import InputError, MissingDataError
from autohier.sweep.planning.epoch_costs import (
    SweepClips,
    find_clips,
    measure_epoch_costs,
    scale,
    stage_bytes,
)
from autohier.sweep.planning.profiler import ClipTime
from autohier.sweep.planning.simulation.results import EpochCosts
from support.sources.tiny_clips import SPACE_FILE

NOT_PREPARED = SweepClips(SplitSizes(1, 1, 1), "synthetic", ProtocolSettings(validation="clean"))


def test_clip_times_are_scaled_to_all_clips():
    times = {PASS_1: ClipTime(3, 1), PASS_2: ClipTime(4, 2), PRUNE: ClipTime(5, 1)}
    # An epoch trains 100 clips and validates 10; 5 frame sets of 10 or 20 clips take the time of pass 2.
    assert scale(times, SplitSizes(100, 10, 20), test_views=5) == EpochCosts(
        pass_1_s=310, pass_2_s=420, pruning_s=510, closing_s=5 * 2 * 10, reading_s=5 * 2 * 20
    )


def test_an_epoch_with_repeats_trains_each_clip_several_times():
    times = {PASS_1: ClipTime(3, 1), PASS_2: ClipTime(4, 2), PRUNE: ClipTime(5, 1)}
    costs = scale(times, SplitSizes(100, 10, 20), test_views=5, repeats=5)
    assert (costs.pass_1_s, costs.pass_2_s, costs.pruning_s) == (1510, 2020, 2510)


def test_prepared_clips_are_counted(tiny_data):
    # 24 clips of each subject: 1, 3 and 7 train, 9 validates, 2 and 4 test.
    clips = find_clips(load_space(str(SPACE_FILE)), tiny_data)
    assert clips.sizes == SplitSizes(72, 24, 48)
    assert clips.origin == f"prepared in {tiny_data / 'demo'}"
    assert clips.store is not None


def test_published_numbers_replace_clips_that_are_not_prepared(tmp_path):
    clips = find_clips(load_space("ntu60", ["protocol.held_out=[4]"]), tmp_path)
    assert clips.sizes == SplitSizes(40_320 - 2_016, 2_016, 16_560)  # one subject of 20
    assert (clips.origin, clips.store) == ("the published numbers", None)


def test_clips_of_unknown_number_must_be_prepared(tmp_path):
    with pytest.raises(
        MissingDataError, match=r"^demo must be prepared, .*: run 'autohier prepare demo --data"
    ):
        find_clips(load_space("demo"), tmp_path)


SMALL_NTU60 = (
    "recognizer.name=inflated-resnet18",
    "recognizer.width=0.125",
    "clips.num_frames=2",
    "clips.resize_px=16",
    "clips.crop_px=14",
    "optimisation.batch_size=2",
)


@pytest.mark.parametrize(
    ("space", "overrides", "origin_end"),
    [
        (str(SPACE_FILE), (), "prepared clips"),
        # The published numbers, with synthetic frames; at most four batches of two.
        ("ntu60", SMALL_NTU60, "synthetic clips"),
    ],
)
def test_every_kind_of_stage_is_measured(tiny_data, space, overrides, origin_end):
    lines = []
    loaded = load_space(space, overrides)
    clips = find_clips(loaded, tiny_data)
    costs, origin = measure_epoch_costs(loaded, clips, lines.append)
    assert [text.split(" on ")[0] for text in lines][-3:] == [
        f"measuring {stage}" for stage in ("pass 1", "pass 2", "prune 1")
    ]
    assert origin.startswith("measured on ")
    assert origin.endswith(origin_end)
    num_clips = int(origin.split()[-3])
    assert 2 <= num_clips <= 4 * loaded.optimisation.batch_size
    epochs_s = (costs.pass_1_s, costs.pass_2_s, costs.pruning_s)
    assert min(epochs_s) > 0
    # Training a clip takes at least as long as validating it; the same network evaluates all frame sets.
    validation_s = costs.closing_s / loaded.clips.test_sets
    assert costs.pass_2_s >= validation_s * (1 + clips.sizes.train / clips.sizes.validation) * 0.999
    assert costs.reading_s / costs.closing_s == pytest.approx(clips.sizes.test / clips.sizes.validation)


@pytest.mark.parametrize(
    ("max_epoch_s", "origin_end"),
    # No time: the minimum of two clips. Unlimited time: four batches of 12.
    [(0.0, "with 2 prepared clips"), (1e6, "with 48 prepared clips")],
)
def test_a_slow_processor_measures_fewer_clips(tiny_data, monkeypatch, max_epoch_s, origin_end):
    monkeypatch.setattr("autohier.sweep.planning.profiler._MAX_EPOCH_S", max_epoch_s)
    space = load_space(str(SPACE_FILE))
    _, origin = measure_epoch_costs(space, find_clips(space, tiny_data), lambda _: None)
    assert origin.endswith(origin_end)


def test_measuring_leaves_no_files_behind(tiny_data):
    before = sorted(tiny_data.rglob("*"))
    space = load_space(str(SPACE_FILE))
    measure_epoch_costs(space, find_clips(space, tiny_data), lambda _: None)
    assert sorted(tiny_data.rglob("*")) == before


def test_the_size_of_a_stage_on_disk():
    space = load_space(str(SPACE_FILE))
    # 520,498 parameters with heads of 2, 2 and 6 (see tests/cli/data/test_check.py), 33 more with 2, 3 and 6.
    # Each of 20 convolutions has a norm with two float32 per channel, 600 in all, and an int64.
    # All filters except the stem's 8 have a mask of one byte.
    assert stage_bytes(space, NOT_PREPARED) == 4 * (520_498 + 33 + 2 * 600) + 8 * 20 + (600 - 8)


def test_an_unknown_recognizer_is_reported():
    with pytest.raises(InputError, match="did you mean 'inflated-resnet50'"):
        stage_bytes(load_space("ntu60", ["recognizer.name=inflated-resnet52"]), NOT_PREPARED)


def test_auto_validation_of_published_sizes_is_folds_where_one_subject_is_too_few(tmp_path):
    # UTD-MHAD: 431 training clips of 4 subjects; 108 of one subject are 4 a class. A fold of 431 / 4 is 108.
    small = find_clips(load_space("utd_mhad", ["protocol.validation=auto"]), tmp_path)
    assert (small.protocol.validation, small.sizes) == ("folds", SplitSizes(323, 108, 430))
    large = find_clips(load_space("ntu60", ["protocol.validation=auto"]), tmp_path)
    assert (large.protocol.validation, large.sizes) == ("clean", SplitSizes(34_272, 6_048, 16_560))


def test_few_clips_of_each_class_are_fewer_clips_than_published(tmp_path: Path) -> None:
    few = find_clips(load_space("ntu60", ["protocol.held_out=[4]", "protocol.clips_per_class=5"]), tmp_path)
    whole = find_clips(load_space("ntu60", ["protocol.held_out=[4]"]), tmp_path)
    assert few.sizes == SplitSizes(5 * 60, whole.sizes.validation, whole.sizes.test)
