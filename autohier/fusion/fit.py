"""Fitting a fusion: check that finished trials are compatible, and fit weights to their validation clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from autohier.config.fusion import Fusion, Member
from autohier.core.late_fusion import Fused, likeliest_weights, num_unshared, share_clips
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError
from autohier.fusion.members import Log, MemberOpener, first_difference, predict_member

Weights = Literal["search", "equal"] | tuple[float, ...]


def fuse(members: Sequence[Member], weights: Weights, opener: MemberOpener, log: Log) -> tuple[Fusion, Fused]:
    """Fuse finished trials on their validation clips, which costs one evaluation of each.

    A trial whose network another member has already, e.g. as its sweep was copied, is left out.

    Args:
        members: at least two.
        weights: "search" maximizes the likelihood of the clips' classes (see core.late_fusion), "equal"
            weighs all members alike; or one weight per member, of which only the proportions matter.
        opener: opens a member.
        log: called with lines of progress, and with the number of omitted clips.

    Returns:
        The fusion to store, and the predictions on the validation clips that all members share.

    Raises:
        InputError: if trials are incompatible, or the number of weights is not that of the members.
        MissingDataError: if clips or a stage store do not exist.
        TrialError: if a stage is missing from the store, and training it again fails.
    """
    members = _without_copies(members, weights, log)
    _check_weights(weights, [member.name for member in members])
    _check_members(members, [opener(member) for member in members])
    predictions = [predict_member(member, "validation", opener=opener, log=log) for member in members]
    if num_unshared(predictions):
        log(f"omitted: {num_unshared(predictions)} validation clips that not all members have")
    shared = share_clips(predictions)
    normalized, accuracies = _normalize(weights, shared), [each.accuracy for each in shared]
    fused = Fused.of(shared, normalized, accuracies)
    fusion = Fusion(
        members=tuple(
            member.model_copy(update={"weight": weight, "accuracy": accuracy})
            for member, weight, accuracy in zip(members, normalized, accuracies, strict=True)
        ),
        weighting=weights if isinstance(weights, str) else "given",
        accuracy=fused.predictions.accuracy,
        num_clips=len(fused.predictions.clip_ids),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return fusion, fused


def _normalize(weights: Weights, shared: Sequence[Predictions]) -> tuple[float, ...]:
    if weights == "search":
        return likeliest_weights(shared)
    given = (1.0,) * len(shared) if weights == "equal" else weights
    return tuple(weight / sum(given) for weight in given)


def _check_weights(weights: Weights, names: Sequence[str]) -> None:
    if len(names) < 2:
        raise InputError("a fusion must have at least two members", got=len(names), hint="name more trials")
    if isinstance(weights, str):
        return
    usable = all(weight >= 0 for weight in weights) and 0 < sum(weights) < math.inf
    if len(weights) != len(names) or not usable:
        raise InputError(
            f"--weights must be search, equal or {len(names)} numbers, none negative and not all 0, for "
            f"{', '.join(names)}",
            got=",".join(f"{weight:g}" for weight in weights),
            hint="write e.g. --weights " + ",".join(["2", *["1"] * (len(names) - 1)]),
        )


def _without_copies(members: Sequence[Member], weights: Weights, log: Log) -> list[Member]:
    """Return the members with different networks. A network that counts twice would weigh twice."""
    names, places = [], []
    for member in members:
        names.append(member.name)
        places.append(f"{member.sweep}:{member.selector}")
    if len(set(places)) < len(places):
        raise InputError("fusion members must differ", got=", ".join(names), hint="name each trial once")
    if len(set(names)) < len(names):  # copies of one name
        names = places
    first: dict[object, int] = {}
    for number, member in enumerate(members):
        other = first.setdefault(member.stage_keys, number)
        if other == number:
            continue
        if not isinstance(weights, str):
            raise InputError(
                "fusion members must have different networks to be given weights",
                got=f"the same stages in {names[other]} and {names[number]}",
                hint="name one of them, with one weight",
            )
        log(f"omitted: {names[number]} has the same network as {names[other]}, which counts once")
    return [members[number] for number in first.values()]


def _check_members(members: Sequence[Member], trials: Sequence[TrialSetup]) -> None:
    """Check that predictions can be averaged, and that no member trained on clips that another held out."""
    names = [member.name for member in members]
    properties = [_shared_properties(trial) for trial in trials]
    for name, values in zip(names[1:], properties[1:], strict=True):
        for key, own in values.items():
            if difference := first_difference(name, own, names[0], properties[0][key]):
                raise InputError(
                    f"fusion members must have the same {key}",
                    got=difference,
                    hint="search one of them again with the other's protocol"
                    if key in {"protocol", "validation"}
                    else "fuse trials of one dataset",
                )


def _shared_properties(trial: TrialSetup) -> dict[str, Sequence[str]]:
    """Return the properties that all members of a fusion must share."""
    manifest = trial.context.clips.manifest
    protocol = trial.config.protocol
    held_out = [base.protocol.held_out for base in trial.fold_bases or (trial.base,)]
    validation = [f"{protocol.validation} validation on {list(values or ())}" for values in held_out]
    if protocol.validation == "paper":
        validation = [f"paper validation sampled with seed {trial.base.seed}"]
    return {
        "dataset": [manifest.dataset],
        "classes": manifest.class_names,
        "protocol": [protocol.name],
        "validation": validation,
    }
