"""Test results in TensorBoard: what its own HTTP responses show by network and level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from autohier.records.schema import EvaluationRow
from autohier.records.tensorboard.hparams import (
    write_trial_started,
)
from autohier.records.tensorboard.test_results import write_test_results
from support.fakes.fake_outcomes import (
    MINUTE,
    PARAMS,
    START,
)
from support.sweep_runs.tensorboard_pages import open_tensorboard


def _test_result(stage: str, minutes: int, **shares: tuple[float, ...]) -> EvaluationRow:
    names = ("stack_accuracies", "stack_top5_accuracies", "stack_mean_class_accuracies")
    values = shares or dict.fromkeys(names, (0.75, 0.5))
    return EvaluationRow(
        trial="t0000",
        stage=stage,
        protocol="cross-subject",
        validation="clean",
        accuracy=values["stack_accuracies"][-1],
        num_clips=4,
        accuracy_low=0.0,
        accuracy_high=1.0,
        evaluated_at=START + minutes * MINUTE,
        **values,  # type: ignore[arg-type]
    )


def test_test_results_are_shown_by_network_and_level(tmp_path: Path) -> None:
    write_trial_started(tmp_path / "t0000", "t0000", PARAMS, seed=0)
    last_only = _test_result(
        "pass 1",
        1,
        stack_accuracies=(0.25,),
        stack_top5_accuracies=(1.0,),
        stack_mean_class_accuracies=(0.5,),
    )
    first = [last_only, _test_result("pass 2, refit", 2)]
    write_test_results(tmp_path / "t0000", first, 2)
    again = replace(
        _test_result(
            "pass 2, refit",
            3,
            stack_accuracies=(1.0, 0.75),
            stack_top5_accuracies=(1.0, 1.0),
            stack_mean_class_accuracies=(0.25, 0.125),
        ),
        pathways=("rgb", "pose"),
        pathway_accuracies=(0.5, 0.625),
    )
    write_test_results(tmp_path / "t0000", [again, *first], 2)
    request_page = open_tensorboard(tmp_path)
    assert {tag for tag in request_page("scalars/tags")["t0000"] if tag.startswith("test/pass-1/")} == {
        f"test/pass-1/{name}_stack/2" for name in ("accuracy", "top5", "mean_class")
    }

    def points(tag: str) -> list[Any]:
        return [point[1:] for point in request_page("scalars/scalars", run="t0000", tag=f"test/{tag}")]

    assert points("pass-1/accuracy_stack/2") == [[0, 0.25]]
    assert points("pass-2-refit/accuracy_stack/1") == [[0, 0.75], [1, 1.0]]
    assert points("pass-2-refit/mean_class_stack/2") == [[0, 0.5], [1, 0.125]]
    assert points("pass-2-refit/top5_stack/2") == [[0, 0.5], [1, 1.0]]
    assert points("pass-2-refit/accuracy_pathway/pose") == [[1, 0.625]]
