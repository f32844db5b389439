"""Tests of a sweep over recognizers and pruning settings: records, shared stages and output."""

from __future__ import annotations

import pandas as pd
import pytest

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.plans.check import check_plan
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan
from support.sweep_runs.sweeps import finish

VARIED = """
[search.variants.plain]
[search.variants.narrow]
recognizer.width = 0.0625
pass_1.epochs = 1

[search.settings]
pruning.norm = ["l2", "layer-mean"]
"""
INITIAL = """
[[initial]]
source = "hand"
variant = "{}"
settings = {{pruning.norm = "{}"}}
superclasses = [2, 3]
weight_ratio = 0.5
scope = "layerwise"
ratio = 0.25
passes = 1
"""
SAMPLED = (("plain", "l2"), ("narrow", "l2"), ("plain", "layer-mean"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, sweeps_in):
    """A sweep of two variants, one of them pruned in two ways: sweeps, folder and output."""
    folder = tmp_path_factory.mktemp("varied")
    space = folder / "varied.toml"
    own, initial = (
        SPACE_FILE.read_text().split("[[initial]]")[0],
        [INITIAL.format(*values) for values in SAMPLED],
    )
    space.write_text("".join((own, VARIED, *initial)))
    sweeps = sweeps_in(folder)
    out = finish(
        sweeps.search(
            "varied",
            *("--trials", "3", "--parallel", "2", "--scheduler", "none", "--choose", "highest"),
            space=space,
        )
    )
    return sweeps, folder / "sweeps" / "varied", out


def read(folder, kind):
    return pd.read_parquet(folder / "records" / kind)


def test_every_trial_is_recorded_with_its_hyperparameters(swept):
    _, folder, _ = swept
    trials = read(folder, "trials").set_index("trial")
    assert list(trials.variant) == [variant for variant, _ in SAMPLED]
    assert list(trials.params) == [f'{{"pruning.norm":"{norm}"}}' for _, norm in SAMPLED]
    assert trials.state.eq("COMPLETE").all()
    assert trials.loc["t0001"].dense_parameters < trials.loc["t0000"].dense_parameters
    epochs = read(folder, "epochs")
    lengths = epochs[epochs.kind == "pass-1"].groupby("trial").size()
    assert list(lengths) == [2, 1, 2]


def test_trials_share_equal_stages_only(swept):
    sweeps, folder, _ = swept
    keys = read(folder, "stages").pivot_table(index="trial", columns="label", values="key", aggfunc="first")
    plain, narrow, other_norm = (keys.loc[trial] for trial in ("t0000", "t0001", "t0002"))
    assert not set(plain) & set(narrow)
    assert list(plain == other_norm) == [True, True, False]  # pass 1, pass 2, prune 1
    # The two variants' and the winner's refit.
    assert len(list((sweeps.folder / "sweeps" / "stages" / "pass-1").iterdir())) == 3


def test_trials_train_their_own_pass_1(swept):
    _, _, out = swept
    assert "shared by all trials" not in out
    assert "t0000 pass 1, epoch 1: " in out
    assert "t0001 pass 1, epoch 1: " in out


def test_variants_appear_in_the_output_and_in_the_status(swept):
    sweeps, folder, out = swept
    best = read(folder, "trials").sort_values(["accuracy", "multiply_adds"], ascending=[False, True]).iloc[0]
    assert "t0001 started: variant narrow, pruning.norm l2, superclasses 2/3, weight_ratio 0.5" in out
    assert f"best config: {best.trial} (hand): variant {best.variant}, pruning.norm " in out
    assert f"({best.trial} pass 1, refit; cross-subject)" in out
    status = finish(sweeps.start("status", "varied"))
    assert f"best config: {best.trial} (hand): variant {best.variant}" in status


def test_every_recognizer_is_checked_before_the_sweep(tmp_path, tiny_data):
    graph = "search.variants.graph={clips={input='skeletons'}, recognizer={name='st-gcn'}}"
    deep = ("search.levels=3", "search.counts=[2, 3, 4]", "initial=[]")
    space = load_space(str(SPACE_FILE), ["search.variants.plain={}", graph, *deep])
    plan = make_plan(tmp_path, space=space, data_folder=str(tiny_data))
    expected = "variant graph: a recognizer of 3 stacks carries 1 to 3 heads, but got 4"
    with pytest.raises(InputError, match=expected):
        check_plan(plan)
    stacks = "search.settings.recognizer.stacks=[[4, 3, 3], [4, 6]]"
    skeletons = ("clips={input='skeletons'}", "recognizer={name='st-gcn'}", "initial=[]", stacks)
    expected = r"recognizer\.stacks \[4, 6\]: a recognizer of 2 stacks carries 1 to 2 heads, but got 3"
    with pytest.raises(InputError, match=expected):
        check_plan(plan.model_copy(update={"space": load_space(str(SPACE_FILE), skeletons)}))


def test_given_superclasses_outside_the_search_space_are_refused_before_the_sweep(tmp_path, tiny_data):
    space = load_space(str(SPACE_FILE), ["hierarchy=given", "search.counts=[4, 5]", "initial=[]"])
    plan = make_plan(tmp_path, space=space, data_folder=str(tiny_data))
    with pytest.raises(InputError, match=r"3 of hue, 2 of nothing.*none among \[4,5\]: --set search\.counts"):
        check_plan(plan)
