"""Limbs of a joint layout, each of which has a heatmap."""

from __future__ import annotations

from autohier.data.joint_layout import JointLayout


def limbs_of(layout: JointLayout) -> tuple[tuple[int, int], ...]:
    """Return a layout's bones, plus hip to hip if the hips have different parents: PYSKL's 17 for COCO."""
    hips = ("left hip", "right hip")
    if not set(hips) <= set(layout.joint_names):
        return layout.edges
    parents = dict(layout.edges)
    left, right = (layout.joint_names.index(hip) for hip in hips)
    return layout.edges if parents.get(left) == parents.get(right) else (*layout.edges, (left, right))
