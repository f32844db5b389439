"""What epochs cost: the arithmetic by hand, and a real measurement of tiny clips."""

import pytest

from autohier.data.splits import SplitSizes
from autohier.errors import InputError, MissingDataError
from autohier.settings.loading import load_space
from autohier.sweep.metering import Pace
from autohier.sweep.pricing import SweepClips, find_clips, measure_costs, scale, stage_bytes
from autohier.sweep.simulation import EpochCosts
from tiny_clips import SPACE_FILE

NOT_PREPARED = SweepClips(SplitSizes(1, 1, 1), "made up")


def test_paces_are_scaled_to_all_clips():
    paces = {"pass-1": Pace(3, 1), "pass-2": Pace(4, 2), "prune": Pace(5, 1)}
    # An epoch trains 100 clips and validates 10; 5 frame sets of 10 or 20 clips at the pace of pass 2.
    assert scale(paces, SplitSizes(100, 10, 20), test_sets=5) == EpochCosts(
        pass_1_s=310, pass_2_s=420, pruning_s=510, closing_s=5 * 2 * 10, reading_s=5 * 2 * 20
    )


def test_prepared_clips_are_counted(tiny_data):
    # 24 clips of each subject: 1, 3 and 7 train, 9 validates, 2 and 4 test.
    clips = find_clips(load_space(str(SPACE_FILE)), tiny_data)
    assert clips.sizes == SplitSizes(72, 24, 48)
    assert clips.origin == f"prepared in {tiny_data / 'demo'}"
    assert clips.store is not None


def test_published_numbers_stand_in_for_clips_that_are_not_prepared(tmp_path):
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
    ("space", "overrides", "told"),
    [
        (str(SPACE_FILE), (), "prepared clips"),
        # Of the published numbers, with made-up frames; at most four batches of two.
        ("ntu60", SMALL_NTU60, "made-up clips"),
    ],
)
def test_every_kind_of_stage_is_measured(tiny_data, space, overrides, told):
    said = []
    loaded = load_space(space, overrides)
    clips = find_clips(loaded, tiny_data)
    costs, origin = measure_costs(loaded, clips, said.append)
    assert [text.split(" on ")[0] for text in said][-3:] == [
        f"measuring {stage}" for stage in ("pass 1", "pass 2", "prune 1")
    ]
    assert origin.startswith("measured on ")
    assert origin.endswith(told)
    num_clips = int(origin.split()[-3])
    assert 2 <= num_clips <= 4 * loaded.optimisation.batch_size
    epochs_s = (costs.pass_1_s, costs.pass_2_s, costs.pruning_s)
    assert min(epochs_s) > 0
    # Training a clip takes no less than validating it, and the same network scores all frame sets.
    validation_s = costs.closing_s / loaded.clips.test_sets
    assert costs.pass_2_s >= validation_s * (1 + clips.sizes.train / clips.sizes.validation) * 0.999
    assert costs.reading_s / costs.closing_s == pytest.approx(clips.sizes.test / clips.sizes.validation)


@pytest.mark.parametrize(
    ("patience_s", "told"),
    # Too slow for anything: the fewest clips. In no hurry: four batches of 12.
    [(0.0, "with 2 prepared clips"), (1e6, "with 48 prepared clips")],
)
def test_a_slow_processor_measures_fewer_clips(tiny_data, monkeypatch, patience_s, told):
    monkeypatch.setattr("autohier.sweep.metering._PATIENCE_S", patience_s)
    space = load_space(str(SPACE_FILE))
    _, origin = measure_costs(space, find_clips(space, tiny_data), lambda _: None)
    assert origin.endswith(told)


def test_nothing_is_left_behind(tiny_data):
    before = sorted(tiny_data.rglob("*"))
    space = load_space(str(SPACE_FILE))
    measure_costs(space, find_clips(space, tiny_data), lambda _: None)
    assert sorted(tiny_data.rglob("*")) == before


def test_what_a_stage_holds_on_disk():
    space = load_space(str(SPACE_FILE))
    # 520,498 parameters with heads of 2, 2 and 6 (see tests/cli/test_check.py), and 33 more with 2, 3 and 6.
    # A norm follows each of 20 convolutions and keeps two float32 of every channel, 600 in all, and an int64.
    # All filters but the stem's 8 have a mask of one byte.
    assert stage_bytes(space, NOT_PREPARED) == 4 * (520_498 + 33 + 2 * 600) + 8 * 20 + (600 - 8)


def test_an_unknown_recognizer_is_told():
    space = load_space("ntu60", ["recognizer.name=inflated-resnet52"])
    with pytest.raises(InputError, match="did you mean 'inflated-resnet50'"):
        stage_bytes(space, NOT_PREPARED)
