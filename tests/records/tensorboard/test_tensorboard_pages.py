"""TensorBoard's own HTTP responses on the event files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from autohier.config.search.ranges import SearchRanges
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.stages.kinds.hac import PASS_1, PASS_2
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.records.statistics import wilson_interval
from autohier.records.tensorboard.callback import TensorBoardCallback
from autohier.records.tensorboard.hparams import (
    METRICS,
    metrics_of,
    write_experiment,
    write_trial_finished,
    write_trial_started,
)
from autohier.records.trial_rows import complete_row
from support.fakes.fake_outcomes import (
    MINUTE,
    PARAMS,
    START,
    fake_config,
    fake_epoch,
    fake_outcome,
    fake_row,
    replay,
)
from support.sweep_runs.tensorboard_pages import Request, open_tensorboard

COLUMNS = ["superclasses", "M1", "M2", "weight_ratio", "scope", "ratio", "passes", "seed"]
FAILING = Hyperparameters(superclasses=(3, 6), weight_ratio=2.0, scope="global", ratio=0.0, passes=0)
NAMES = tuple(f"action {k}" for k in range(12))
SUCCESS, FAILURE, UNKNOWN = "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN"


def _write_curves(run_folder: Path, params: Hyperparameters = PARAMS) -> None:
    callback = TensorBoardCallback(run_folder, params, NAMES)
    replay(fake_outcome(72, (78, 81), params=params), callback)
    callback.close()


def _write_sweep(root: Path) -> None:
    # t0000 is complete, t0001 failed before its first epoch, t0002 was stopped in the first epoch of pass 2.
    write_experiment(root, SearchRanges(levels=2))
    write_trial_started(root / "t0000", "t0000", PARAMS, seed=0)
    _write_curves(root / "t0000")
    row = complete_row(fake_row("t0000"), fake_outcome(72, (78, 81)), START + MINUTE)
    write_trial_finished(root / "t0000", "COMPLETE", metrics_of(row))
    write_trial_started(root / "t0001", "t0001", FAILING, seed=1)
    write_trial_finished(root / "t0001", "FAIL", {})
    write_trial_started(root / "t0002", "t0002", PARAMS, seed=2)
    callback = TensorBoardCallback(root / "t0002", PARAMS)
    pass_1 = fake_outcome(72, (78,)).stages[0]
    for metrics in pass_1.epochs:
        callback.on_epoch_end(PASS_1, 0, metrics, reused=False)
    callback.on_stage_end(pass_1)
    callback.on_epoch_end(PASS_2, 0, fake_epoch(0, 30, 3), reused=False)
    callback.close()
    write_trial_finished(root / "t0002", "PRUNED", {"trial/pass_1_accuracy": 0.6})
    # t0003 is still in the first epoch of pass 1.
    write_trial_started(root / "t0003", "t0003", PARAMS, seed=3)
    callback = TensorBoardCallback(root / "t0003", PARAMS)
    callback.on_epoch_end(PASS_1, 0, fake_epoch(0, 24, 1), reused=False)
    callback.close()


def _session_groups(request_page: Request) -> dict[str, Any]:
    metric_columns = [{"metric": {"tag": name}} for name in METRICS]
    body = {
        "experimentName": "",
        "allowedStatuses": [UNKNOWN, SUCCESS, FAILURE, "STATUS_RUNNING"],
        "colParams": [{"hparam": name} for name in COLUMNS] + metric_columns,
        "startIndex": 0,
        "sliceSize": 100,
    }
    groups = request_page("hparams/session_groups", body)["sessionGroups"]
    return {group["name"]: group for group in groups}


@pytest.fixture(scope="module")
def request_page(tmp_path_factory: pytest.TempPathFactory) -> Request:
    root = tmp_path_factory.mktemp("tensorboard")
    _write_sweep(root)
    return open_tensorboard(root)


def test_the_experiment_declares_every_column(request_page: Request) -> None:
    experiment = request_page("hparams/experiment", {"experimentName": ""})
    assert sorted(info["name"] for info in experiment["hparamInfos"]) == sorted(COLUMNS)
    assert [info["name"]["tag"] for info in experiment["metricInfos"]] == list(METRICS)
    domains = {info["name"]: info.get("domainDiscrete") for info in experiment["hparamInfos"]}
    assert domains["scope"] == ["global", "layerwise"]
    assert domains["passes"] == list(range(8))
    assert domains["ratio"] == list(SearchRanges().ratios)


def test_every_trial_is_listed_with_its_hyperparameters(request_page: Request) -> None:
    listed = {name: group["hparams"] for name, group in _session_groups(request_page).items()}
    shared = {"superclasses": "2/4", "M1": 2, "M2": 4, "weight_ratio": 0.5, "scope": "layerwise"}
    assert listed == {
        "t0000": {**shared, "ratio": 0.1, "passes": 3, "seed": 0},
        "t0001": {
            "superclasses": "3/6",
            "M1": 3,
            "M2": 6,
            "weight_ratio": 2.0,
            "scope": "global",
            "ratio": 0.0,
            "passes": 0,
            "seed": 1,
        },
        "t0002": {**shared, "ratio": 0.1, "passes": 3, "seed": 2},
        "t0003": {**shared, "ratio": 0.1, "passes": 3, "seed": 3},
    }


def test_every_trial_has_its_final_state(request_page: Request) -> None:
    sessions = {name: group["sessions"] for name, group in _session_groups(request_page).items()}
    assert {name: [session["status"] for session in own] for name, own in sessions.items()} == {
        "t0000": [SUCCESS],
        "t0001": [FAILURE],
        "t0002": [SUCCESS],
        "t0003": [UNKNOWN],  # as TensorBoard calls a run without an end
    }


def test_every_trial_has_the_metrics_that_it_measured(request_page: Request) -> None:
    measured = {
        name: {metric["name"]["tag"]: metric["value"] for metric in group.get("metricValues", [])}
        for name, group in _session_groups(request_page).items()
    }
    assert measured["t0000"] == pytest.approx(
        {
            "best_validation": 81 / 120,
            "trial/state": 2,
            "stage/multiply_adds": 1_000_000_000,
            "trial/accuracy": 81 / 120,
            "trial/accuracy_low": wilson_interval(81 / 120, 120)[0],
            "trial/accuracy_high": wilson_interval(81 / 120, 120)[1],
            "trial/kept_pass": 1,
            "trial/top5_accuracy": (81 + 120) / 240,
            "trial/mean_class_accuracy": 81 / 120,
            "trial/pass_1_accuracy": 72 / 120,
            "trial/pass_2_accuracy": 78 / 120,
            "trial/parameters": 900_000,
            "trial/multiply_adds": 1_000_000_000,
        }
    )
    nothing = {"best_validation": 0, "trial/kept_pass": 0, "stage/multiply_adds": 0}
    nothing |= {"trial/accuracy_low": 0, "trial/accuracy_high": 1}
    assert measured["t0001"] == {**nothing, "trial/state": 0}
    assert measured["t0002"] == pytest.approx(
        {
            **nothing,
            "trial/state": 1,
            "trial/pass_1_accuracy": 0.6,
            "best_validation": 72 / 120,
            "stage/multiply_adds": 2_000_000_000,  # of pass 1, as the fake outcome has it
        }
    )
    assert measured["t0003"] == pytest.approx({**nothing, "trial/state": 3, "best_validation": 24 / 120})


def test_parallel_coordinates_leave_out_no_trial(request_page: Request) -> None:
    """TensorBoard draws trials with a value in each shown column, by default the first five metrics."""
    shown = set(list(METRICS)[:5])
    for group in _session_groups(request_page).values():
        assert shown <= {metric["name"]["tag"] for metric in group["metricValues"]}


def test_a_trial_that_ended_early_has_the_interval_of_its_last_stage() -> None:
    stages = fake_outcome(72, (78,)).stages[:1]
    metrics = metrics_of(fake_row("t0000"), stages)
    low, high = wilson_interval(72 / 120, 120)
    assert (metrics["trial/accuracy_low"], metrics["trial/accuracy_high"]) == (low, high)
    assert metrics_of(fake_row("t0000")).keys().isdisjoint(("trial/accuracy_low", "trial/accuracy_high"))


def test_a_trial_that_failed_in_its_first_epoch_is_compared_too(tmp_path: Path) -> None:
    """The pages of the HPARAMS tab leave out trials without a value."""
    for name, num_epochs in (("t0000", 0), ("t0001", 1)):
        recorder = TrialRecorder(
            *(tmp_path / "records", tmp_path / "board", fake_config()),
            trial=name,
            number=0,
            trial_index=0,
            source="sampled",
        )
        curves = TensorBoardCallback(tmp_path / "board" / name, PARAMS)
        for callback in (recorder.history, curves):
            callback.on_stage_start(PASS_1, 0, reused=False)
            for epoch in range(num_epochs):
                callback.on_epoch_end(PASS_1, 0, fake_epoch(epoch, 24, 1), reused=False)
        curves.close()
        recorder.fail("the loss is not finite", "not a number")
    write_experiment(tmp_path / "board", SearchRanges(levels=2))
    groups = _session_groups(open_tensorboard(tmp_path / "board"))
    best = {
        name: {each["name"]["tag"]: each["value"] for each in group["metricValues"]}["best_validation"]
        for name, group in groups.items()
    }
    assert best == {"t0000": 0, "t0001": pytest.approx(24 / 120)}


def test_every_metric_is_described(request_page: Request) -> None:
    experiment = request_page("hparams/experiment", {"experimentName": ""})
    assert {info["name"]["tag"]: info["description"] for info in experiment["metricInfos"]} == METRICS


def test_curves_continue_over_all_stages(request_page: Request) -> None:
    curve = request_page("scalars/scalars", run="t0000", tag="loss/train")
    # Three stages of two epochs, with the fake losses 2 and 1.
    assert [(step, value) for _, step, value in curve] == [(n, [2.0, 1.0][(n - 1) % 2]) for n in range(1, 7)]
    stages = request_page("scalars/scalars", run="t0000", tag="stage/parameters")
    assert [(step, value) for _, step, value in stages] == [(2, 1e6), (4, 1e6), (6, 9e5)]


def test_a_stack_has_one_tag_in_every_stage(request_page: Request) -> None:
    def steps(tag: str) -> list[int]:
        return [step for _, step, _ in request_page("scalars/scalars", run="t0000", tag=tag)]

    # Pass 1 (steps 1 and 2) has only the last of the three stacks.
    assert steps("accuracy_stack/3") == steps("loss_stack/3") == [1, 2, 3, 4, 5, 6]
    assert steps("accuracy_stack/1") == steps("loss_stack/2") == [3, 4, 5, 6]


def test_all_scalar_tags_exist(request_page: Request) -> None:
    tags = request_page("scalars/tags")
    measures = ("accuracy_stack", "top5_stack", "mean_class_stack")
    stacks = {f"{group}/{stack}" for group in ("loss_stack", *measures) for stack in (1, 2, 3)}
    epochs = {"loss/train", "loss/validation", "learning_rate", *stacks}
    ends = {f"stage/{name}" for name in ("accuracy", "mean_class_accuracy", "parameters", "multiply_adds")}
    levels = {f"stage/{measure}/{level}" for measure in measures for level in (1, 2, 3)}
    assert set(tags["t0000"]) == epochs | ends | levels | set(METRICS)
    # It was stopped in pass 2, before the other levels had been evaluated at the end of a stage.
    last = {f"stage/{measure}/3" for measure in measures}
    begun = set(list(METRICS)[:6])
    assert set(tags["t0002"]) == epochs | ends | last | begun | {"trial/pass_1_accuracy"}
    assert set(tags["t0001"]) == begun
    for curves in tags.values():
        assert all(
            about["description"] for tag, about in curves.items() if not tag.startswith(("trial/", "test/"))
        )
    assert "of one level" in tags["t0000"]["top5_stack/2"]["description"]
    pictures = request_page("images/tags")["t0000"]
    assert {name for name, about in pictures.items() if "superclasses" in about["description"]} == set(
        pictures
    )


def test_every_level_is_measured_after_each_stage(request_page: Request) -> None:
    def points(tag: str) -> list[Any]:
        curve = request_page("scalars/scalars", run="t0000", tag=tag)
        return [[step, pytest.approx(value)] for _, step, value in curve]

    # Stages of two epochs with 72, 78 and 81 of 120 clips right, and half of the others among five guesses.
    assert points("stage/accuracy_stack/3") == [[2, 0.6], [4, 0.65], [6, 0.675]]
    assert points("stage/top5_stack/3") == [[2, 0.8], [4, 0.825], [6, 0.8375]]
    assert points("stage/mean_class_stack/1") == [[4, 1.0], [6, 1.0]]


def test_pictures_can_be_decoded(request_page: Request) -> None:
    tags = request_page("images/tags")
    assert set(tags["t0000"]) == {"confusion", "hierarchy"}
    assert set(tags["t0002"]) == {"confusion"}
    confusions = request_page("images/images", run="t0000", tag="confusion", sample="0")
    assert [picture["step"] for picture in confusions] == [2, 4, 6]
    blob = request_page(f"images/individualImage?{confusions[-1]['query']}")
    with Image.open(io.BytesIO(blob)) as picture:
        picture.load()
        assert 600 < picture.width <= 700


def test_a_trial_that_runs_again_is_shown_once(tmp_path: Path) -> None:
    write_experiment(tmp_path, SearchRanges(levels=2))
    run = tmp_path / "t0000"
    write_trial_started(run, "t0000", PARAMS, seed=0)
    _write_curves(run)
    write_trial_finished(run, "FAIL", {"trial/pass_1_accuracy": 0.1})
    write_trial_started(run, "t0000", PARAMS, seed=0)
    _write_curves(run)
    write_trial_finished(run, "COMPLETE", {"trial/accuracy": 0.7})
    write_experiment(tmp_path, SearchRanges(levels=2))
    request_page = open_tensorboard(tmp_path)
    (group,) = _session_groups(request_page).values()
    assert [session["status"] for session in group["sessions"]] == [SUCCESS]
    found = [metric["name"]["tag"] for metric in group["metricValues"]]
    assert found == [*list(METRICS)[:6], "trial/accuracy"]
    assert [point[1] for point in request_page("scalars/scalars", run="t0000", tag="loss/train")] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_epochs_of_a_restarted_stage_are_shown_once(tmp_path: Path) -> None:
    run = tmp_path / "t0000"
    write_trial_started(run, "t0000", PARAMS, seed=0)
    pass_1, pass_2 = fake_outcome(72, (78,)).stages
    callback = TensorBoardCallback(run, PARAMS)
    callback.on_stage_start(PASS_1, 0, reused=True)
    for metrics in pass_1.epochs:
        callback.on_epoch_end(PASS_1, 0, metrics, reused=False)
    callback.on_stage_end(pass_1)
    callback.on_stage_start(PASS_2, 0, reused=False)
    callback.on_epoch_end(PASS_2, 0, fake_epoch(0, 30, 3), reused=False)
    callback.on_stage_start(PASS_2, 0, reused=False)
    for metrics in pass_2.epochs:
        callback.on_epoch_end(PASS_2, 0, metrics, reused=False)
    callback.on_stage_end(pass_2)
    callback.close()
    request_page = open_tensorboard(tmp_path)
    curve = request_page("scalars/scalars", run="t0000", tag="accuracy_stack/3")
    # 72 and 78 of 120 clips; the abandoned epoch with 30 is gone.
    assert [point[1:] for point in curve] == [
        [step, pytest.approx(accuracy)] for step, accuracy in enumerate([0.6, 0.6, 0.65, 0.65], start=1)
    ]
    ends = request_page("scalars/scalars", run="t0000", tag="stage/accuracy")
    assert [point[1] for point in ends] == [2, 4]


def test_an_epoch_is_visible_before_the_trial_ends(tmp_path: Path) -> None:
    write_trial_started(tmp_path / "t0000", "t0000", PARAMS, seed=0)
    callback = TensorBoardCallback(tmp_path / "t0000", PARAMS)
    callback.on_epoch_end(PASS_1, 0, fake_epoch(0, 60, 1), reused=False)
    curve = open_tensorboard(tmp_path)("scalars/scalars", run="t0000", tag="accuracy_stack/3")
    callback.close()
    assert [(step, value) for _, step, value in curve] == [(1, 0.5)]


def test_variants_and_searched_hyperparameters_have_columns(tmp_path: Path) -> None:
    tables = {"optimisation.lr_factor": (0.1, 0.2), "pruning.norm": ("l2", "layer-mean")}
    write_experiment(tmp_path, SearchRanges(levels=2, variants={"joint": (), "bone": ()}, settings=tables))
    sampled = {"variant": "bone", "settings": (("optimisation.lr_factor", 0.2), ("pruning.norm", "l2"))}
    write_trial_started(tmp_path / "t0000", "t0000", PARAMS.model_copy(update=sampled), seed=0)
    request_page = open_tensorboard(tmp_path)
    experiment = request_page("hparams/experiment", {"experimentName": ""})
    domains = {info["name"]: info.get("domainDiscrete") for info in experiment["hparamInfos"]}
    assert domains.keys() - set(COLUMNS) == {"variant", *tables}
    assert domains["variant"] == ["joint", "bone"]
    assert domains["optimisation.lr_factor"] == [0.1, 0.2]
    assert domains["pruning.norm"] == ["l2", "layer-mean"]
    (group,) = _session_groups(request_page).values()
    shown = group["hparams"]
    assert {name: shown[name] for name in ("variant", *tables)} == {
        "variant": "bone",
        "optimisation.lr_factor": 0.2,
        "pruning.norm": "l2",
    }
