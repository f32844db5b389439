"""The contract of learning-rate schedules, checked on every registered one and on the example package's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from autohier.config.search.loading import load_space
from autohier.config.trial.schedules import SCHEDULES, find_schedule_settings
from autohier.config.trial.training import OptimisationSettings
from autohier.core.stages.builders import schedule_builder
from autohier.core.training.schedules import Schedule, ScheduleBuilder, recorded_rates
from autohier.errors import InputError
from autohier.extensions import Extension
from support.fakes.fake_packages import installed_example, run_with_example

EPOCHS, NUM_BATCHES = 4, 3
LOSSES = (1.0, 1.0, 1.0, 1.0)
WARM_UPS = ("warm-up, plateau", "warm-up, cosine")
every_schedule = pytest.mark.parametrize("name", [*SCHEDULES.names, "linear", "recorded", *WARM_UPS])


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, which offers "linear"."""
    with installed_example("autohier-schedule", tmp_path_factory.mktemp("example")):
        yield


@pytest.fixture
def builder(name: str) -> ScheduleBuilder:
    if name == "recorded":
        return partial(recorded_rates, rates=(0.1, 0.05, 0.02, 0.01))
    if name in WARM_UPS:
        return schedule_builder(OptimisationSettings(schedule=name.split(", ")[1], warmup_epochs=2))
    return schedule_builder(OptimisationSettings(schedule=name))


def open_schedule(builder: ScheduleBuilder) -> tuple[Schedule, torch.optim.Optimizer]:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    return builder(optimizer, epochs=EPOCHS, num_batches=NUM_BATCHES), optimizer


def run_epoch(schedule: Schedule, optimizer: torch.optim.Optimizer, loss: float) -> list[float]:
    """Return the rate of every step of one epoch."""
    rates = []
    for _ in range(NUM_BATCHES):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.after_step()
    schedule.after_epoch(loss)
    return rates


@every_schedule
def test_rates_are_positive_and_finite_and_the_whole_stage_runs(builder: ScheduleBuilder) -> None:
    schedule, optimizer = open_schedule(builder)
    rates = [rate for loss in LOSSES for rate in run_epoch(schedule, optimizer, loss)]
    assert len(rates) == EPOCHS * NUM_BATCHES
    assert all(math.isfinite(rate) and 0 < rate <= 0.1 for rate in rates)


@every_schedule
@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_restored_schedule_continues_with_the_same_rates(builder: ScheduleBuilder, done: int) -> None:
    whole, whole_optimizer = open_schedule(builder)
    expected = [run_epoch(whole, whole_optimizer, loss) for loss in LOSSES]
    cut, cut_optimizer = open_schedule(builder)
    for loss in LOSSES[:done]:
        run_epoch(cut, cut_optimizer, loss)
    state = json.loads(json.dumps(cut.state()))
    resumed, resumed_optimizer = open_schedule(builder)
    resumed_optimizer.load_state_dict(cut_optimizer.state_dict())
    resumed.load_state(state)
    assert [run_epoch(resumed, resumed_optimizer, loss) for loss in LOSSES[done:]] == expected[done:]


@pytest.mark.parametrize(
    ("steps", "epochs", "falls"),
    [
        ((0.6, 0.8), 20, (12, 16)),  # RGBPose-Conv3D
        ((0.75, 0.917), 120, (90, 110)),  # SlowOnly of MMAction2 on Gym99
        ((0.54, 0.85), 65, (35, 55)),  # CTR-GCN
        ((0.6, 0.8), 2, (1, 2)),
    ],
)
def test_multi_step_lowers_the_rate_after_its_shares_of_the_epochs(
    steps: tuple[float, ...], epochs: int, falls: tuple[int, int]
) -> None:
    settings = OptimisationSettings(schedule="multi-step", lr_steps=steps, lr_factor=0.5)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.8)
    schedule = schedule_builder(settings)(optimizer, epochs=epochs, num_batches=1)
    rates = []
    for _ in range(epochs):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.after_step()
        schedule.after_epoch(1.0)
    first, second = falls
    assert rates == [0.8] * first + [0.4] * (second - first) + [0.2] * (epochs - second)


def test_recorded_rates_are_not_warmed_up_again() -> None:
    optimisation = OptimisationSettings(warmup_epochs=2)
    schedule, optimizer = open_schedule(schedule_builder(optimisation, rates=(0.05, 0.1, 0.1, 0.01)))
    assert [run_epoch(schedule, optimizer, loss)[0] for loss in LOSSES] == [0.05, 0.1, 0.1, 0.01]


def test_one_cycle_leaves_sgd_without_momentum_so() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.0)
    schedule = schedule_builder(OptimisationSettings(schedule="one-cycle"))(
        optimizer, epochs=2, num_batches=3
    )
    run_epoch(schedule, optimizer, 1.0)
    assert optimizer.param_groups[0]["momentum"] == 0.0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimisation.momentum=0"], r"nesterov needs momentum above 0, but got 0; set nesterov=false"),
        (
            ["optimisation.schedule=one-cycle", "optimisation.warmup_epochs=3"],
            r"one-cycle has a warm-up of its",
        ),
        (["optimisation.optimizer=lamb"], r"must be one of adam, sgd, but got 'lamb'"),
        (["optimisation.lr_steps=[]"], r"lr_steps must hold at least 1 value"),
        (["optimisation.lr_steps=[1.5]"], r"lr_steps must be less than 1, but got 1.5"),
        (["optimisation.clip_norm=0"], r"clip_norm must be greater than 0, but got 0"),
        (["optimisation.dropout=1"], r"dropout must be less than 1, but got 1"),
        (["optimisation.repeats=0"], r"repeats must be greater than 0, but got 0"),
    ],
)
def test_settings_of_the_optimizer_are_checked(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_space("demo", overrides)


def test_linear_ends_at_its_share() -> None:
    optimisation = OptimisationSettings(schedule="linear", schedule_options=(("end", 0.1),))
    schedule, optimizer = open_schedule(schedule_builder(optimisation))
    # 0.1 (1 - e/3 * 0.9) in epoch e of four.
    rates = [run_epoch(schedule, optimizer, loss)[0] for loss in LOSSES]
    assert rates == pytest.approx([0.1, 0.07, 0.04, 0.01])


def test_a_schedule_of_a_package_has_options_of_its_own() -> None:
    space = load_space("demo", ["optimisation.schedule=linear", "optimisation.schedule_options.end=0.5"])
    assert space.optimisation.schedule_settings.model_dump() == {"end": 0.5}
    assert not space.optimisation.follows_validation
    with pytest.raises(InputError, match=r"schedule_options: unknown setting 'edn': did you mean 'end'"):
        load_space("demo", ["optimisation.schedule=linear", "optimisation.schedule_options.edn=0.5"])


@pytest.mark.parametrize(
    ("schedule", "follows"),
    [("plateau", True), ("cosine", False), ("multi-step", False), ("one-cycle", False)],
)
def test_only_plateau_follows_the_validation_loss(schedule: str, follows: bool) -> None:
    assert OptimisationSettings(schedule=schedule).follows_validation is follows


def test_an_unknown_schedule_is_an_input_error_with_the_nearest_name() -> None:
    with pytest.raises(
        InputError, match=r"unknown learning-rate schedule 'plateu': did you mean 'plateau'\?"
    ):
        load_space("demo", ["optimisation.schedule=plateu"])


def test_settings_must_be_those_of_a_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES._own, "wrong", Extension("builtins:len", dict))
    with pytest.raises(InputError, match=r"^the settings of learning-rate schedule 'wrong' must be a"):
        find_schedule_settings("wrong")


def test_reading_the_options_of_a_package_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from autohier.config.trial.training import OptimisationSettings\n"
        "print(OptimisationSettings(schedule='linear').schedule_settings.end, 'torch' in sys.modules)"
    )
    printed = run_with_example("autohier-schedule", tmp_path / "site", "-c", code)
    assert printed == "0.01 False\n"
