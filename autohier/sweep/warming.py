"""Results of an earlier sweep, as observations for a new one."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.errors import InputError
from autohier.settings.choice import Choice
from autohier.settings.space import Space
from autohier.settings.sweep import SweepPlan
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.folder import SweepFolder
from autohier.sweep.ledger import WARM_FROM
from autohier.sweep.storage import open_storage

_TRAINED = sorted(Space.model_fields.keys() - {"name", "description", "search", "known"})
"""Of a space: what changes a setting's accuracy."""


def results_of(path: Path, space: Space, clips_fingerprint: str | None = None) -> list[FrozenTrial]:
    """What a sweep found, in the parameters of a new space: complete trials, and what they say of others.

    Settings that the new space cannot draw are left out, and so are those that it would train in another way,
    as its variants or training settings are others.

    Args:
        path: folder of the earlier sweep.
        space: of the new one.
        clips_fingerprint: of the new one's clips, where these are known.

    Raises:
        InputError: where there is no such sweep, or its accuracies are not comparable with the new ones.
    """
    folder = SweepFolder(path.resolve())
    plan = check_comparable(folder, space)
    if (
        None not in (clips_fingerprint, plan.clips_fingerprint)
        and clips_fingerprint != plan.clips_fingerprint
    ):
        raise InputError(
            "--warm-from must name a sweep of the same prepared clips, or its accuracies say nothing",
            got=f"{folder.path}, whose clips were others",
            remedy="leave it out",
        )
    storage = open_storage(plan.storage, folder.journal_file, mend=False)
    try:
        study = optuna.load_study(study_name=plan.study_name, storage=storage)
    except KeyError as error:
        raise InputError(
            "--warm-from must name a sweep that has begun",
            got=path,
            remedy="resume it first, or leave it out",
        ) from error
    results = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        choice = decode(plan.space, trial.params)
        if not space.why_not(choice) and _trained(plan.space, choice) == _trained(space, choice):
            results.append(
                create_trial(
                    value=trial.value,
                    params=encode(space, choice),
                    distributions=distributions(space),
                    user_attrs={WARM_FROM: f"{folder.path} {trial.number}"},
                )
            )
    return results


def check_comparable(folder: SweepFolder, space: Space) -> SweepPlan:
    """The plan of an earlier sweep.

    Raises:
        InputError: where there is no such sweep, or its accuracies are not comparable with those of a space.
    """
    plan, _ = folder.read_plan()
    for name in _TRAINED:
        was, now = getattr(plan.space, name), getattr(space, name)
        if was != now:
            raise InputError(
                f"--warm-from must name a sweep of the same {name}, or its accuracies say nothing",
                got=f"{was} in {folder.path}, not {now}",
                remedy="leave it out: finished stages that fit are found all the same",
            )
    return plan


def _trained(space: Space, choice: Choice) -> list[object]:
    varied = space.varied(choice)
    return [getattr(varied, name) for name in _TRAINED]
