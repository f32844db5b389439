"""The contract of recipes, checked without running a stage.

The study, the records and the reports read the results of any recipe in the same way, so a recipe must

- request a flat stage of the classes first ("pass 1"), from no ancestors, and other flat stages next, if any;
- request one stage with superclasses then ("pass 2"), and pruning passes 1, 2, ...;
- ask ``ends`` after pass 2 and after every pruning pass, and end the chain when, and only when, it says so;
- name all earlier stages of the trial as the ancestors of a request;
- return the results of all requests, in order;
- use registered stage kinds only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import UnmeasuredStage, open_recipe
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.errors import InputError

_MAX_REQUESTS = 100
"""A chain that is longer than this although it should have ended is endless."""


def check_recipe(config: TrialConfig) -> None:
    """Check the recipe of a config for chains of different lengths.

    Raises:
        InputError: if the recipe breaks the contract, or cannot be imported.
    """
    for num_passes in (0, 1, 3):
        fault = next(_faults(config, num_passes), None)
        if fault:
            raise InputError(
                f"the recipe {config.recipe!r} must follow the contract of recipes",
                got=f"{fault}, in a trial with {num_passes} pruning passes",
                hint="fix or update the package that registers it, or choose another recipe",
            )


def _faults(config: TrialConfig, num_passes: int) -> Iterator[str]:
    requests: list[StageRequest[UnmeasuredStage]] = []
    answers: list[UnmeasuredStage] = []
    asked: list[tuple[float, ...]] = []

    def ends(values: Sequence[float]) -> bool:
        asked.append(tuple(values))
        return len(values) > num_passes

    def run(request: StageRequest[UnmeasuredStage]) -> UnmeasuredStage:
        if len(requests) == _MAX_REQUESTS:
            raise InputError(
                f"the recipe {config.recipe!r} must end the chain when 'ends' returns True",
                got=f"more than {_MAX_REQUESTS} stages",
                hint="fix or update the package that registers it",
            )
        requests.append(request)
        answers.append(UnmeasuredStage(request, accuracy=len(requests) / _MAX_REQUESTS))
        return answers[-1]

    results = run_recipe(open_recipe(config, ends), run)
    if [*results] != answers:
        yield "it does not return the results of all requests in order"
    num_flat = max(1, next((i for i, each in enumerate(requests) if not each.kind.is_flat), len(requests)))
    if len(requests) != num_flat + 1 + num_passes:
        yield f"it requests {len(requests)} stages instead of {num_flat + 1 + num_passes}"
    for index, request in enumerate(requests):
        yield from _request_faults(request, index, answers, num_flat)
    values = [answer.measure(config.objective) for answer in answers[num_flat:]]
    if [*dict.fromkeys(asked)] != [tuple(values[:length]) for length in range(1, len(values) + 1)]:
        yield "it does not ask 'ends' with the objective's values of its chain, after every stage of it"


def _request_faults(
    request: StageRequest[UnmeasuredStage], index: int, answers: list[UnmeasuredStage], num_flat: int
) -> Iterator[str]:
    kind, which, pass_index = request.kind, f"stage {index + 1} ({request.kind.name})", index - num_flat
    if kind.is_flat != (pass_index < 0):
        yield f"{which} has {'no ' if kind.is_flat else ''}superclasses"
    if kind.is_pruning != (pass_index > 0):
        yield f"{which} is {'' if kind.is_pruning else 'not '}a pruning pass"
    if request.pass_index != max(0, pass_index):
        yield f"{which} has pass index {request.pass_index} instead of {max(0, pass_index)}"
    if [*request.ancestors] != answers[:index]:
        yield f"{which} does not name all earlier stages as its ancestors"
    try:
        registered = find_stage_kind(kind.name)
    except InputError:
        registered = None
    if registered != kind:
        yield f"{which} is of a kind that no package registers"
