"""A whole sweep, as a user runs it: what it says, what it leaves, and what TensorBoard shows of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from autohier.sweep.lock import hold_sweep
from sweeps import PATIENCE_S, Sweeps, finish
from tensorboard_pages import open_tensorboard
from tiny_clips import SPACE_FILE

EXPLODES = """
[[known]]
source = "weights that overflow"
superclasses = [2, 3]
weight_ratio = 1e30
scope = "by-layer"
ratio = 0.25
passes = 1
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny_data, ray_address):
    """A sweep of five settings, the second of which explodes; its folder and what its driver said."""
    folder = tmp_path_factory.mktemp("swept")
    space = folder / "tiny.toml"
    space.write_text(SPACE_FILE.read_text() + EXPLODES)
    sweeps = Sweeps(folder, tiny_data, ray_address)
    options = ("--trials", "5", "--parallel", "2", "--set", "search.weight_ratios=[0.5, 1.0, 1e30]")
    said = finish(sweeps.search("whole", *options, "--set", "search.max_passes=2", space=space))
    return sweeps, folder / "sweeps" / "whole", said


def read(folder, kind):
    return pd.read_parquet(folder / "records" / kind)


def test_it_says_what_won_and_how_to_go_on(swept):
    _, _, said = swept
    assert "pass 1 (shared by all trials): " in said
    assert "protocol cross-subject, clean validation (held-out training subjects)" in said
    assert "best setting: t000" in said
    assert "test split (cross-subject): t000" in said
    assert "tensorboard --logdir sweeps/whole/tensorboard" in said
    assert "autohier resume sweeps/whole --trials 10" in said


def test_a_loss_that_is_not_a_number_fails_its_trial_alone(swept):
    _, folder, said = swept
    trials = read(folder, "trials").set_index("trial")
    failed = trials[trials.state == "FAIL"]
    assert "t0001" in failed.index
    assert failed.loc["t0001"].source == "weights that overflow"
    assert "must be finite" in failed.loc["t0001"].reason
    assert failed.loc["t0001"].failure == "not a number"
    assert "t0001 failed (not a number): the losses of epoch 1 must be finite" in said
    assert trials.drop(failed.index).state.isin(["COMPLETE", "PRUNED"]).all()
    assert (failed.weight_ratio == 1e30).all()


def test_the_records_tell_which_setting_won_by_how_much_at_what_cost(swept):
    _, folder, said = swept
    trials, stages, epochs = (read(folder, kind) for kind in ("trials", "stages", "epochs"))
    assert sorted(trials.trial) == [f"t{ask:04d}" for ask in range(5)]
    best = trials.sort_values(["accuracy", "multiply_adds"], ascending=[False, True]).iloc[0]
    assert f"best setting: {best.trial} " in said
    assert best.parameters <= best.dense_parameters
    chain = stages[stages.trial == best.trial]
    assert list(chain.label)[:2] == ["pass 1", "pass 2"]
    assert best.accuracy == chain.accuracy[1:].max()
    assert best.epochs_computed + best.epochs_spared == chain.num_epochs.sum()
    assert len(epochs[epochs.trial == best.trial]) == chain.num_epochs.sum()


def test_pass_1_was_computed_before_the_trials_and_once(swept):
    sweeps, folder, _ = swept
    stages = read(folder, "stages")
    pass_1 = stages[stages.kind == "pass-1"]
    assert pass_1.key.nunique() == 1
    assert pass_1.reused.all()
    # The other one is the winner's refit, on all training clips.
    assert len(list((sweeps.folder / "sweeps" / "stages" / "pass-1").iterdir())) == 2


def test_the_test_split_is_read_for_the_winner_alone(swept):
    _, folder, _ = swept
    tests = read(folder, "tests")
    assert tests.trial.nunique() == 1
    assert list(tests.stage)[:2] == ["pass 1", "pass 2"]
    # Two test subjects of 24 clips each.
    assert (tests.num_clips == 48).all()
    assert tests.accuracy.between(tests.low, tests.high).all()


def test_tensorboard_lists_every_trial_with_what_it_drew(swept):
    _, folder, _ = swept
    trials = read(folder, "trials").set_index("trial")
    ask = open_tensorboard(folder / "tensorboard")
    request = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN"],
    }
    request |= {"startIndex": 0, "sliceSize": 100, "colParams": []}
    groups = {group["name"]: group for group in ask("hparams/session_groups", request)["sessionGroups"]}
    assert sorted(groups) == sorted(trials.index)
    for name, row in trials.iterrows():
        drawn = groups[name]["hparams"]
        assert drawn["superclasses"] == row.superclasses
        assert drawn["scope"] == row.scope
        assert np.isclose(drawn["weight_ratio"], row.weight_ratio)
        assert np.isclose(drawn["ratio"], row.ratio)
        assert drawn["passes"] == row.passes
        measured = {entry["name"]["tag"]: entry["value"] for entry in groups[name].get("metricValues", [])}
        if row.state == "COMPLETE":
            assert np.isclose(measured["accuracy"], row.accuracy)
            assert measured["multiply_adds"] == pytest.approx(row.multiply_adds, rel=1e-6)
        else:
            assert "accuracy" not in measured


def test_tensorboard_has_the_curves_and_pictures_of_a_trial(swept):
    _, folder, _ = swept
    ask = open_tensorboard(folder / "tensorboard")
    scalars = ask("scalars/tags")["t0000"]
    assert {"loss/train", "loss/validation", "learning_rate", "loss_stack/1", "accuracy_stack/3"} <= set(
        scalars
    )
    assert {"confusion", "hierarchy"} <= set(ask("images/tags")["t0000"])
    epochs = read(folder, "epochs")
    curve = ask("scalars/scalars", run="t0000", tag="loss/train")
    assert [value for _, _, value in curve] == pytest.approx(
        list(epochs[epochs.trial == "t0000"].loss), rel=1e-6
    )


def test_status_tells_the_same(swept):
    sweeps, _, said = swept
    status = finish(sweeps.start("status", "whole"))
    assert "not running" in status
    assert "5 of 5 settings tried" in status
    best = next(line for line in said.splitlines() if line.startswith("best setting"))
    assert best in status


def test_a_finished_sweep_grows_and_finds_its_stages(swept):
    sweeps, folder, _ = swept
    before = read(folder, "trials").set_index("trial")
    finish(sweeps.start("resume", "whole", "--trials", "6"))
    after = read(folder, "trials").set_index("trial")
    assert sorted(after.index) == [f"t{ask:04d}" for ask in range(6)]
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    assert after.loc["t0005"].epochs_spared >= 2


def test_a_second_sweep_of_the_same_settings_trains_nothing(swept):
    sweeps, folder, _ = swept
    changes = ("--set", "search.weight_ratios=[0.5]", "--set", "search.max_passes=2")
    for name in ("again", "once-more"):
        # Nothing is stopped: on a busy machine others might be ahead of the first of five.
        finish(sweeps.search(name, "--trials", "1", "--stopping", "none", *changes))
    again, once_more = (read(folder.with_name(name), "trials").iloc[0] for name in ("again", "once-more"))
    assert once_more.epochs_computed == 0
    assert once_more.epochs_spared == again.epochs_computed + again.epochs_spared > 0
    assert once_more.accuracy == again.accuracy


def test_a_second_driver_is_refused(swept):
    sweeps, folder, _ = swept
    with hold_sweep(folder / "driver.lock"):
        second = sweeps.start("resume", "whole", "--trials", "99")
        _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "a sweep has one driver at a time, but got one that process" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("resume", "nosuch"), "a sweep must exist, but got sweeps/nosuch"),
        (("resume", "whole", "--trials", "1"), "cannot be below the old one"),
        (("status", "nosuch"), "a sweep must exist"),
        (("search", "demo", "--name", "whole"), "a new sweep must have a name of its own"),
        (("search", "ntu60", "--data", "nowhere"), "ntu60 is not prepared"),
        (("search", "demo", "--sampler", "grid"), "sampler: Input should be 'tpe', 'gp' or 'random'"),
        (("search", "demo", "--name", "a/b"), "name: String should match"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(swept, arguments, told):
    sweeps, _, _ = swept
    command = (sys.executable, "-c", "from autohier.cli.main import main; main()", *arguments)
    ended = subprocess.run(command, cwd=sweeps.folder, text=True, capture_output=True, check=False)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
