"""The registered stage kinds: autohier's own and those of installed packages."""

from __future__ import annotations

from functools import cache

from autohier.core.stages.kinds.base import StageKind
from autohier.errors import InputError
from autohier.extensions import Extension, Registry

STAGE_KINDS = Registry(
    "autohier.stage_kinds",
    "stage kind",
    {
        "pass-1": Extension("autohier.core.stages.kinds.hac:Pass1"),
        "pass-2": Extension("autohier.core.stages.kinds.hac:Pass2"),
        "prune": Extension("autohier.core.stages.kinds.hac:Prune"),
        "element-base": Extension("autohier.core.stages.kinds.joint:ElementBase"),
        "set-base": Extension("autohier.core.stages.kinds.joint:SetBase"),
        "event-base": Extension("autohier.core.stages.kinds.joint:EventBase"),
        "joint": Extension("autohier.core.stages.kinds.joint:Joint"),
        "body-base": Extension("autohier.core.stages.kinds.attention:BodyBase"),
        "left-hand-base": Extension("autohier.core.stages.kinds.attention:LeftHandBase"),
        "right-hand-base": Extension("autohier.core.stages.kinds.attention:RightHandBase"),
        "pose-base": Extension("autohier.core.stages.kinds.attention:PoseBase"),
        "attention": Extension("autohier.core.stages.kinds.attention:Attention"),
        "fixed-pose": Extension("autohier.core.stages.kinds.attention:FixedPose"),
    },
)


@cache
def find_stage_kind(name: str) -> StageKind:
    """Return the stage kind of this name.

    Raises:
        InputError: if no installed package registers the kind, or its builder returns something else.
    """
    kind = STAGE_KINDS.find(name).load()()
    if not isinstance(kind, StageKind) or kind.name != name:
        raise InputError(
            f"the builder of stage kind {name!r} must be a StageKind of that name",
            got=repr(kind),
            hint="fix the package that registers it",
        )
    return kind
