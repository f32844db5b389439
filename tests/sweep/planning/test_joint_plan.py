"""The plan of a sweep whose recipe is joint: every kind of its stages is measured, simulated and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.core.stages.kinds.joint import three_pathways
from autohier.sweep.planning.epoch_costs import find_clips, measure_epoch_costs
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan

JOINT = (
    "recipe=joint",
    "recognizer={name='three-pathway', width=0.125, event_frames=1, set_frames=2, element_frames=2}",
    *("recognizer.joint_width=2", "pass_2.heads=last", "search.max_passes=0", "initial=[]"),
)
KINDS = ("element-base", "set-base", "event-base", "joint", "prune")


def test_every_kind_of_stage_is_measured_with_its_own_network(tiny_data: Path) -> None:
    lines: list[str] = []
    space = load_space(str(SPACE_FILE), JOINT)
    costs, _ = measure_epoch_costs(space, find_clips(space, tiny_data), lines.append)
    assert [text.split(" on ")[0] for text in lines][-5:] == [
        *("measuring element base", "measuring set base", "measuring event base", "measuring joint"),
        "measuring prune 1",
    ]
    assert tuple(costs.own_s) == KINDS
    assert min(costs.own_s.values()) > 0
    assert (costs.pass_1_s, costs.pass_2_s) == (costs.own_s["element-base"], costs.own_s["joint"])


class Constant:
    """A surrogate in which nothing matters."""

    def value(self, *_: object) -> float:
        return 0.5

    def after_epoch(self, *_: object) -> float:
        return 0.5


@pytest.mark.parametrize("setting", ["joint_width", "set_frames"])
def test_trials_share_the_bases_that_a_searched_setting_leaves_alike(tmp_path: Path, setting: str) -> None:
    search = f"search.settings.recognizer.{setting}=[1,2]"
    space = load_space(str(SPACE_FILE), [*JOINT, search, "pass_1.epochs=3", "pass_2.epochs=1"])
    plan = make_plan(tmp_path, space=space, trials=12, scheduler="none")
    own_s = {"element-base": 100.0, "set-base": 10.0, "event-base": 10.0, "joint": 1.0, "prune": 1.0}
    sweep = simulate(plan, Constant(), EpochCosts(1.0, 1.0, 1.0, own_s=own_s), parallel=1)
    configs = [trial.config for trial in sweep.trials]
    num_seeds = len({config.seed for config in configs})
    num_set_bases = len({(config.seed, three_pathways(config).set_frames) for config in configs})
    num_joint = len({(config.seed, config.params.prefix) for config in configs})
    assert sweep.num_stages == 2 * num_seeds + num_set_bases + num_joint
    assert sweep.epochs == 3 * (2 * num_seeds + num_set_bases) + num_joint
    assert sweep.seconds == 3 * (110 * num_seeds + 10 * num_set_bases) + num_joint
    assert sweep.winner_stages == 4
