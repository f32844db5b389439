"""A sweep that searches the recognizer and how it is pruned: what its trials share, and what it says."""

from __future__ import annotations

import pandas as pd
import pytest

from autohier.errors import InputError
from autohier.settings.loading import load_space
from autohier.sweep.driver import check_plan
from plans import make_plan
from sweeps import Sweeps, finish
from tiny_clips import SPACE_FILE

VARIED = """
[search.variants.plain]
[search.variants.narrow]
recognizer.width = 0.0625
pass_1.epochs = 1

[search.settings]
pruning.norm = ["l2", "layer-mean"]
"""
KNOWN = """
[[known]]
source = "hand"
variant = "{}"
settings = {{pruning.norm = "{}"}}
superclasses = [2, 3]
weight_ratio = 0.5
scope = "by-layer"
ratio = 0.25
passes = 1
"""
DRAWN = (("plain", "l2"), ("narrow", "l2"), ("plain", "layer-mean"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny_data, ray_address):
    """A sweep of two variants, one of them pruned in two ways; its folder and what its driver said."""
    folder = tmp_path_factory.mktemp("varied")
    space = folder / "varied.toml"
    own, known = SPACE_FILE.read_text().split("[[known]]")[0], [KNOWN.format(*drawn) for drawn in DRAWN]
    space.write_text("".join((own, VARIED, *known)))
    sweeps = Sweeps(folder, tiny_data, ray_address)
    said = finish(
        sweeps.search("varied", "--trials", "3", "--parallel", "2", "--stopping", "none", space=space)
    )
    return sweeps, folder / "sweeps" / "varied", said


def read(folder, kind):
    return pd.read_parquet(folder / "records" / kind)


def test_every_trial_is_recorded_with_what_it_drew(swept):
    _, folder, _ = swept
    trials = read(folder, "trials").set_index("trial")
    assert list(trials.variant) == [variant for variant, _ in DRAWN]
    assert list(trials.settings) == [f'{{"pruning.norm":"{norm}"}}' for _, norm in DRAWN]
    assert trials.state.eq("COMPLETE").all()
    assert trials.loc["t0001"].dense_parameters < trials.loc["t0000"].dense_parameters
    epochs = read(folder, "epochs")
    lengths = epochs[epochs.kind == "pass-1"].groupby("trial").size()
    assert list(lengths) == [2, 1, 2]


def test_trials_share_the_stages_that_are_the_same_and_no_others(swept):
    sweeps, folder, _ = swept
    keys = read(folder, "stages").pivot_table(index="trial", columns="label", values="key", aggfunc="first")
    plain, narrow, other_norm = (keys.loc[trial] for trial in ("t0000", "t0001", "t0002"))
    assert not set(plain) & set(narrow)
    assert list(plain == other_norm) == [True, True, False]  # pass 1, pass 2, prune 1
    # Beside the two variants' there is the winner's refit.
    assert len(list((sweeps.folder / "sweeps" / "stages" / "pass-1").iterdir())) == 3


def test_pass_1_is_no_stage_of_all_and_is_trained_by_the_trials(swept):
    _, _, said = swept
    assert "shared by all trials" not in said
    assert "t0000 pass 1, epoch 1: " in said
    assert "t0001 pass 1, epoch 1: " in said


def test_variants_are_shown_and_the_winner_is_named_by_its_own(swept):
    sweeps, folder, said = swept
    best = read(folder, "trials").sort_values(["accuracy", "multiply_adds"], ascending=[False, True]).iloc[0]
    assert "t0001 started: variant narrow, pruning.norm l2  2/3  rho 0.5" in said
    assert f"best setting: {best.trial} (hand): variant {best.variant}, pruning.norm " in said
    assert f"test split (cross-subject): {best.trial} pass 1, refit " in said
    status = finish(sweeps.start("status", "varied"))
    assert f"best setting: {best.trial} (hand): variant {best.variant}" in status


def test_every_recognizer_is_checked_before_anything_is_paid(tmp_path, tiny_data):
    graph = "search.variants.graph={clips={form='skeletons'}, recognizer={name='st-gcn'}}"
    deep = ("search.levels=3", "search.counts=[2, 3, 4]", "known=[]")
    space = load_space(str(SPACE_FILE), ["search.variants.plain={}", graph, *deep])
    plan = make_plan(tmp_path, space=space, data_folder=str(tiny_data))
    told = "variant graph: a recognizer of 3 stacks carries 1 to 3 heads, but got 4"
    with pytest.raises(InputError, match=told):
        check_plan(plan)
    stacks = "search.settings.recognizer.stacks=[[4, 3, 3], [4, 6]]"
    skeletons = ("clips={form='skeletons'}", "recognizer={name='st-gcn'}", "known=[]", stacks)
    told = r"recognizer\.stacks \[4, 6\]: a recognizer of 2 stacks carries 1 to 2 heads, but got 3"
    with pytest.raises(InputError, match=told):
        check_plan(plan.model_copy(update={"space": load_space(str(SPACE_FILE), skeletons)}))


def test_given_superclasses_that_are_never_drawn_are_told_before_anything_is_paid(tmp_path, tiny_data):
    space = load_space(str(SPACE_FILE), ["hierarchy=given", "search.counts=[4, 5]", "known=[]"])
    plan = make_plan(tmp_path, space=space, data_folder=str(tiny_data))
    with pytest.raises(InputError, match=r"3 of hue, 2 of nothing.*none among \[4,5\]: --set search\.counts"):
        check_plan(plan)
