"""Results of an earlier sweep, as observations for a new one."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.errors import InputError
from autohier.settings.space import Space
from autohier.settings.sweep import SweepPlan
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.folder import SweepFolder
from autohier.sweep.ledger import WARM_FROM
from autohier.sweep.storage import open_storage


def results_of(path: Path, space: Space) -> list[FrozenTrial]:
    """What a sweep found, in the parameters of a new space: complete trials, and what they say of others.

    Settings that the new space cannot draw are left out.

    Args:
        path: folder of the earlier sweep.
        space: of the new one.

    Raises:
        InputError: where there is no such sweep, or its accuracies are not comparable with the new ones.
    """
    folder = SweepFolder(path)
    plan = check_comparable(path, space)
    storage = open_storage(plan.storage, folder.journal_file, mend=False)
    study = optuna.load_study(study_name=plan.study_name, storage=storage)
    results = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        choice = decode(plan.space, trial.params)
        if not space.why_not(choice):
            results.append(
                create_trial(
                    value=trial.value,
                    params=encode(space, choice),
                    distributions=distributions(space),
                    user_attrs={WARM_FROM: f"{plan.name} {trial.number}"},
                )
            )
    return results


def check_comparable(path: Path, space: Space) -> SweepPlan:
    """The plan of an earlier sweep.

    Raises:
        InputError: where there is no such sweep, or its accuracies are not comparable with those of a space.
    """
    plan, _ = SweepFolder(path).read_plan()
    for name in ("dataset", "num_classes", "protocol"):
        if getattr(plan.space, name) != getattr(space, name):
            raise InputError(
                f"--warm-from must name a sweep of the same {name.replace('_', ' ')}, {getattr(space, name)}",
                got=f"{getattr(plan.space, name)} in {path}",
                remedy="leave it out: finished stages that fit are found all the same",
            )
    return plan
