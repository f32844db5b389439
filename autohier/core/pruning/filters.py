"""Filter choice: which filters a pruning pass zeroes.

Legend: F filters of one convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from autohier.errors import DivergedError, InputError
from autohier.models.layers import TransposedConvolution, filter_rows
from autohier.models.recognizer import PrunableFilters


def choose_filters(
    filters: Sequence[PrunableFilters],
    alive: Mapping[str, Tensor],
    *,
    ratio: float,
    scope: Literal["global", "layerwise"],
    norm: Literal["l2", "layer-mean"] = "l2",
    floor: int = 1,
) -> dict[str, Tensor]:
    """Return the alive masks after one more pass, which zeroes the weakest filters still alive (HAC 3.4).

    HAC does not say whether p% refers to all filters or to the remaining ones. Here it refers to the
    remaining ones, so that (1 - p)^k are alive after k passes; otherwise dead filters, whose norm is 0, would
    be chosen again. The number to zero is rounded to the nearest integer. HAC has no floor: its global
    pruning can empty a layer, and with it the network.

    Args:
        filters: the prunable convolutions, in order.
        alive: bool mask ``[F]`` of the filters still alive, by layer name.
        ratio: share of the alive filters to zero, in [0, 1). 0 prunes nothing, as a control.
        scope: "global" ranks the filters of all convolutions together, "layerwise" ranks each convolution.
        norm: "l2" of the filter's weights, as HAC; "layer-mean" divides it by the mean over the layer's
            alive filters, so that layers initialized small are not emptied first.
        floor: number of alive filters that every layer keeps, at least 1.

    Returns:
        New masks by layer name, on the CPU. Ties are broken by layer order, then by index.

    Raises:
        InputError: if an argument is outside its range or a mask does not fit its convolution.
        DivergedError: if a filter still alive is not finite.
    """
    _check(filters, alive, ratio, floor)
    chosen: dict[str, Tensor] = {}
    for group in [filters] if scope == "global" else [[each] for each in filters]:
        masks = [alive[each.name].detach().cpu() for each in group]
        scores = [_scores(each, mask_F, norm, floor) for each, mask_F in zip(group, masks, strict=True)]
        score, mask = torch.cat(scores), torch.cat(masks)
        num_weakest = min(round(ratio * int(mask.sum())), int(score.isfinite().sum()))
        mask[score.argsort(stable=True)[:num_weakest]] = False
        parts = torch.split(mask, [len(mask_F) for mask_F in masks])
        # Cloned because safetensors refuses tensors that share memory.
        chosen |= {each.name: part_F.clone() for each, part_F in zip(group, parts, strict=True)}
    return chosen


def _scores(each: PrunableFilters, alive_F: Tensor, norm: str, floor: int) -> Tensor:
    """Return norms ``[F]``; infinite for dead filters and the ``floor`` strongest, which cannot be chosen."""
    weight = filter_rows(each.convolution).detach()
    score_F: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1, dtype=torch.float64).cpu()
    if not score_F[alive_F].isfinite().all():
        raise DivergedError(
            "filters must be finite to be ranked", got=f"a NaN or infinite norm in {each.name}"
        )
    mean = score_F[alive_F].mean()
    if norm == "layer-mean" and mean > 0:
        score_F = score_F / mean
    score_F[~alive_F] = torch.inf
    num_alive = int(alive_F.sum())
    score_F[score_F.argsort(stable=True)[max(num_alive - floor, 0) : num_alive]] = torch.inf
    return score_F


def _check(filters: Sequence[PrunableFilters], alive: Mapping[str, Tensor], ratio: float, floor: int) -> None:
    if not filters:
        raise InputError("a recognizer must have filters to prune", got="none")
    if not 0 <= ratio < 1:
        raise InputError("the pruning ratio must lie in [0, 1)", got=ratio, hint="write e.g. 0.1")
    if floor < 1:
        raise InputError("every layer must keep at least one filter", got=f"floor {floor}")
    for each in filters:
        if isinstance(each.convolution, TransposedConvolution) and each.convolution.groups > 1:
            raise InputError(
                "a transposed convolution whose filters are pruned must have one group",
                got=f"{each.convolution.groups} groups of {each.name}",
            )
        shape = (len(filter_rows(each.convolution)),)
        mask_F = alive.get(each.name)
        if mask_F is None or mask_F.shape != shape or mask_F.dtype != torch.bool:
            got = "none" if mask_F is None else f"{mask_F.dtype} of shape {tuple(mask_F.shape)}"
            raise InputError(f"{each.name} must have a bool mask of shape {shape}", got=got)
