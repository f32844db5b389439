"""Fusing finished trials: they must fit together, and weights are found on their validation clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Literal

from autohier.core.fusion import Fused, likeliest_weights, num_unshared, share_clips
from autohier.core.stages.opening import OpenTrial
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError
from autohier.settings.fusion import Fusion, Member
from autohier.sweep.members import Opener, Say, predict_member

Weights = Literal["search", "equal"] | tuple[float, ...]


def fuse(members: Sequence[Member], weights: Weights, opened: Opener, say: Say) -> tuple[Fusion, Fused]:
    """Fuse finished trials by what they take their validation clips for; costs one evaluation of each.

    Args:
        members: at least two.
        weights: "search" takes those under which the clips are likeliest (see core.fusion), "equal" equal
            ones; or one for each member, of which only the proportions matter.
        opened: opens a member.
        say: told what comes next, and of clips that are left out.

    Returns:
        What is to be kept of it, and what the members take those clips for that all of them have.

    Raises:
        InputError: where trials do not fit together, or there is not a weight for each.
        MissingDataError: where their clips are gone.
        TrialError: where a stage is gone from the store, and computing it again fails.
    """
    _check_weights(weights, [member.name for member in members])
    _check_members(members, [opened(member) for member in members])
    told = [predict_member(member, "validation", opened=opened, say=say) for member in members]
    if num_unshared(told):
        say(f"left out: {num_unshared(told)} validation clips that not all of them have")
    shared = share_clips(told)
    shares, accuracies = _shares(weights, shared), [each.accuracy for each in shared]
    fused = Fused.of(shared, shares, accuracies)
    fusion = Fusion(
        members=tuple(
            member.model_copy(update={"weight": share, "accuracy": accuracy})
            for member, share, accuracy in zip(members, shares, accuracies, strict=True)
        ),
        weighting=weights if isinstance(weights, str) else "given",
        accuracy=fused.together.accuracy,
        num_clips=len(fused.together.clip_ids),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return fusion, fused


def _shares(weights: Weights, shared: Sequence[Predictions]) -> tuple[float, ...]:
    if weights == "search":
        return likeliest_weights(shared)
    plain = (1.0,) * len(shared) if weights == "equal" else weights
    return tuple(weight / sum(plain) for weight in plain)


def _check_weights(weights: Weights, names: Sequence[str]) -> None:
    if len(names) < 2:
        raise InputError("a fusion is of two trials or more", got=len(names), remedy="name others")
    if isinstance(weights, str):
        return
    usable = all(weight >= 0 for weight in weights) and 0 < sum(weights) < math.inf
    if len(weights) != len(names) or not usable:
        raise InputError(
            f"--weights takes search, equal or {len(names)} numbers, none negative and not all 0, for "
            f"{', '.join(names)}",
            got=",".join(f"{weight:g}" for weight in weights),
            remedy="write e.g. --weights " + ",".join(["2", *["1"] * (len(names) - 1)]),
        )


def _check_members(members: Sequence[Member], trials: Sequence[OpenTrial]) -> None:
    """That what members say of a clip can be averaged, and that none was trained on what another held out."""
    names = [member.name for member in members]
    if len({(member.sweep, member.trial) for member in members}) < len(members):
        raise InputError("a trial is fused with others", got=", ".join(names), remedy="name each once")
    known = [_what_must_agree(trial) for trial in trials]
    for name, facts in zip(names[1:], known[1:], strict=True):
        for what, words in facts.items():
            for mine, other in zip_longest(known[0][what], words, fillvalue="nothing"):
                if mine != other:
                    raise InputError(
                        f"trials that are fused must have the same {what}",
                        got=f"{other} in {name}, and {mine} in {names[0]}",
                        remedy="search one of them again with the other's protocol"
                        if what in {"protocol", "validation"}
                        else "fuse trials of one dataset",
                    )


def _what_must_agree(trial: OpenTrial) -> dict[str, Sequence[str]]:
    manifest = trial.context.clips.manifest
    protocol = trial.setting.protocol
    held_out = [basis.protocol.held_out for basis in trial.fold_bases or (trial.basis,)]
    validation = [f"{protocol.validation} validation on {list(values or ())}" for values in held_out]
    if protocol.validation == "paper":
        validation = [f"paper validation drawn with seed {trial.basis.seed}"]
    return {
        "dataset": [manifest.dataset],
        "classes": manifest.class_names,
        "protocol": [protocol.name],
        "validation": validation,
    }
