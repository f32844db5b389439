"""Tests of a whole sweep as a user runs it: output, records and TensorBoard pages."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from autohier.sweep.locking.sweep_lock import hold_sweep
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.sweeps import finish
from support.sweep_runs.tensorboard_pages import open_tensorboard
from support.waiting import PATIENCE_S

EXPLODES = """
[[initial]]
source = "weights that overflow"
superclasses = [2, 3]
weight_ratio = 1e30
scope = "layerwise"
ratio = 0.25
passes = 1
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory, sweeps_in):
    """A sweep of five trials, the second of which diverges: sweeps, folder and output."""
    folder = tmp_path_factory.mktemp("swept")
    space = folder / "tiny.toml"
    space.write_text(SPACE_FILE.read_text() + EXPLODES)
    sweeps = sweeps_in(folder)
    options = (
        "--trials",
        "5",
        "--parallel",
        "2",
        "--choose",
        "highest",
        "--set",
        "search.weight_ratios=[0.5, 1.0, 1e30]",
    )
    out = finish(sweeps.search("whole", *options, "--set", "search.max_passes=2", space=space))
    return sweeps, folder / "sweeps" / "whole", out


def read(folder, kind):
    return pd.read_parquet(folder / "records" / kind)


def test_it_prints_the_winner_and_the_next_commands(swept):
    _, _, out = swept
    assert "pass 1, shared by all trials: " in out
    assert "pass 1, epoch 1: " in out
    assert "protocol cross-subject, clean validation (held-out training subjects)" in out
    assert "best config: t000" in out
    assert re.search(r"Result: [\d.]+% on the test split \(95% interval .*; cross-subject; 1 refit\)", out)
    assert re.search(r"\nrefit of t000\d pass 1, epoch 1\n", out)
    assert "tensorboard --logdir sweeps/whole/tensorboard" in out
    assert "autohier resume sweeps/whole --trials 10" in out


def test_a_loss_that_is_not_a_number_fails_only_its_trial(swept):
    _, folder, out = swept
    trials = read(folder, "trials").set_index("trial")
    failed = trials[trials.state == "FAIL"]
    assert "t0001" in failed.index
    assert failed.loc["t0001"].source == "weights that overflow"
    assert "must be finite" in failed.loc["t0001"].reason
    assert failed.loc["t0001"].failure == "not a number"
    assert "t0001 failed (not a number): the losses of epoch 1 must be finite" in out
    assert trials.drop(failed.index).state.isin(["COMPLETE", "PRUNED"]).all()
    assert (failed.weight_ratio == 1e30).all()


def test_the_records_hold_accuracies_and_costs(swept):
    _, folder, out = swept
    trials, stages, epochs = (read(folder, kind) for kind in ("trials", "stages", "epochs"))
    assert sorted(trials.trial) == [f"t{ask:04d}" for ask in range(5)]
    best = trials.sort_values(["accuracy", "multiply_adds"], ascending=[False, True]).iloc[0]
    assert f"best config: {best.trial} " in out
    assert best.parameters <= best.dense_parameters
    chain = stages[stages.trial == best.trial]
    assert list(chain.label)[:2] == ["pass 1", "pass 2"]
    assert best.accuracy == chain.accuracy[1:].max()
    assert best.epochs_computed + best.epochs_reused == chain.num_epochs.sum()
    assert len(epochs[epochs.trial == best.trial]) == chain.num_epochs.sum()


def test_pass_1_was_computed_before_the_trials_and_once(swept):
    sweeps, folder, _ = swept
    stages = read(folder, "stages")
    pass_1 = stages[stages.kind == "pass-1"]
    assert pass_1.key.nunique() == 1
    assert pass_1.reused.all()
    # The other one is the winner's refit, on all training clips.
    assert len(list((sweeps.folder / "sweeps" / "stages" / "pass-1").iterdir())) == 2


def test_only_the_winner_is_evaluated_on_the_test_split(swept):
    _, folder, _ = swept
    tests = read(folder, "tests")
    assert tests.trial.nunique() == 1
    assert list(tests.stage)[:2] == ["pass 1", "pass 2"]
    # Two test subjects of 24 clips each.
    assert (tests.num_clips == 48).all()
    assert tests.accuracy.between(tests.accuracy_low, tests.accuracy_high).all()


def test_tensorboard_lists_every_trial_with_its_hyperparameters(swept):
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
        sampled = groups[name]["hparams"]
        assert sampled["superclasses"] == row.superclasses
        assert sampled["scope"] == row.scope
        assert np.isclose(sampled["weight_ratio"], row.weight_ratio)
        assert np.isclose(sampled["ratio"], row.ratio)
        assert sampled["passes"] == row.passes
        measured = {entry["name"]["tag"]: entry["value"] for entry in groups[name].get("metricValues", [])}
        if row.state == "COMPLETE":
            assert np.isclose(measured["trial/accuracy"], row.accuracy)
            assert measured["trial/multiply_adds"] == pytest.approx(row.multiply_adds, rel=1e-6)
        else:
            assert "trial/accuracy" not in measured


def test_tensorboard_has_the_curves_and_pictures_of_a_trial(swept):
    _, folder, _ = swept
    ask = open_tensorboard(folder / "tensorboard")
    scalars = ask("scalars/tags")["t0000"]
    assert {"loss/train", "loss/validation", "learning_rate", "loss_stack/1", "accuracy_stack/3"} <= set(
        scalars
    )
    assert {"confusion", "hierarchy"} <= set(ask("images/tags")["t0000"])
    tests = read(folder, "tests")
    for _, row in tests.iterrows():
        tag = f"test/{row.stage.replace(', ', '-').replace(' ', '-')}/mean_class_stack/3"
        ((_, step, value),) = ask("scalars/scalars", run=row.trial, tag=tag)
        assert (step, value) == (0, pytest.approx(row.stack_mean_class_accuracies[-1]))
    epochs = read(folder, "epochs")
    curve = ask("scalars/scalars", run="t0000", tag="loss/train")
    assert [value for _, _, value in curve] == pytest.approx(
        list(epochs[epochs.trial == "t0000"].loss), rel=1e-6
    )


def test_status_agrees_with_the_driver(swept):
    sweeps, _, out = swept
    status = finish(sweeps.start("status", "whole"))
    assert "not running" in status
    assert "5 of 5 trials finished" in status
    best = next(line for line in out.splitlines() if line.startswith("best config"))
    assert best in status


def test_a_finished_sweep_can_be_extended(swept):
    sweeps, folder, _ = swept
    before = read(folder, "trials").set_index("trial")
    finish(sweeps.start("resume", "whole", "--trials", "6"))
    after = read(folder, "trials").set_index("trial")
    assert sorted(after.index) == [f"t{ask:04d}" for ask in range(6)]
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    assert after.loc["t0005"].epochs_reused >= 2


def test_a_second_sweep_of_the_same_configs_trains_nothing(swept):
    sweeps, folder, _ = swept
    changes = ("--set", "search.weight_ratios=[0.5]", "--set", "search.max_passes=2")
    for name in ("again", "once-more"):
        # Without early stopping: on a busy machine others might be ahead of the first of five.
        finish(sweeps.search(name, "--trials", "1", "--scheduler", "none", *changes))
    again, once_more = (read(folder.with_name(name), "trials").iloc[0] for name in ("again", "once-more"))
    assert once_more.epochs_computed == 0
    assert once_more.epochs_reused == again.epochs_computed + again.epochs_reused > 0
    assert once_more.accuracy == again.accuracy


def test_a_second_driver_is_refused(swept):
    sweeps, folder, _ = swept
    with hold_sweep(folder / "driver.lock"):
        second = sweeps.start("resume", "whole", "--trials", "99")
        _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "a sweep has one driver at a time, but got one held by process" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("resume", "nosuch"), "a sweep must exist, but got "),
        (("status", "nosuch"), "a sweep must exist"),
        (("search", "demo", "--name", "whole"), "a new sweep must have a name of its own"),
        (("search", "ntu60", "--data", "nowhere"), "ntu60 is not prepared"),
        (
            ("search", "demo", "--sampler", "grid"),
            "unknown sampler 'grid': valid are",
        ),
        (("search", "demo", "--name", "a/b"), "name must begin with a letter or a digit"),
    ],
)
def test_a_user_error_is_one_line(swept, autohier, monkeypatch, arguments, expected):
    sweeps, _, _ = swept
    monkeypatch.chdir(sweeps.folder)
    assert expected in autohier(*arguments).error


def test_a_process_that_ends_with_a_user_error_prints_one_line(swept):
    sweeps, _, _ = swept
    process = sweeps.start("resume", "whole", "--trials", "1")
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "cannot be below the old one" in err
    assert err.count("\n") == 1
