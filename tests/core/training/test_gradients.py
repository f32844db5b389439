"""Gradient maps: by hand on a linear network, and where the first stack of real networks ends.

Legend: B clips, C channels, T frames, S superclasses.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autohier.core.training.gradients import head_gradients
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.recognizer import Pathway, PrunableFilters, Recognizer
from support.networks.small_recognizers import build_small, small_batch

NUM_FRAMES = 4
POOL_T = torch.tensor([0.4, 0.3, 0.2, 0.1])
"""Weight of every frame in a feature, so that the map of the first head is not even."""


class Linear(Recognizer):
    """Two stacks of one convolution over time each, without activation."""

    stack_channels = (2, 2)

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(1, 2, 1, bias=False), nn.BatchNorm1d(2, eps=0.0)
        self.conv2, self.bn2 = nn.Conv1d(2, 2, 3, padding=1, bias=False), nn.BatchNorm1d(2, eps=0.0)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        x_BCT = self.bn1(self.conv1(batch))
        y_BCT = self.bn2(self.conv2(x_BCT))
        return [x_BCT @ POOL_T, y_BCT @ POOL_T]

    def prunable_filters(self) -> list[PrunableFilters]:
        return [
            PrunableFilters("conv1", self.conv1, self.bn1),
            PrunableFilters("conv2", self.conv2, self.bn2),
        ]


class Branches(Linear):
    """Linear network whose first stack ends in two branches; one keeps every other frame."""

    def __init__(self) -> None:
        super().__init__()
        self.side, self.side_bn = nn.Conv1d(2, 2, 1, stride=2, bias=False), nn.BatchNorm1d(2)
        self.late, self.late_bn = nn.Conv1d(2, 2, 1, bias=False), nn.BatchNorm1d(2)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        x_BCT = self.bn1(self.conv1(batch)).relu_()
        y_BCT = self.late_bn(self.late(x_BCT))
        feature = self.side_bn(self.side(x_BCT)).mean(dim=2) + y_BCT @ POOL_T
        return [feature, self.bn2(self.conv2(y_BCT)).mean(dim=2)]

    def prunable_filters(self) -> list[PrunableFilters]:
        return [
            *super().prunable_filters()[:1],
            PrunableFilters("side", self.side, self.side_bn),
            PrunableFilters("late", self.late, self.late_bn),
            *super().prunable_filters()[1:],
        ]


def linear_network(recognizer: type[Linear] = Linear) -> HierarchicalRecognizer:
    torch.manual_seed(0)
    return HierarchicalRecognizer(recognizer(), (2, 3)).eval()


CLIPS = torch.randn(3, 1, NUM_FRAMES, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 2, 1])
ASSIGNMENTS = ((0, 1, 1), (0, 1, 2))


def maps_by_hand(network: HierarchicalRecognizer) -> list[NDArray[np.float64]]:
    """Derive the maps at conv1, with norms that change nothing."""
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    first, second = state["recognizer.conv1.weight"][:, :, 0], state["recognizer.conv2.weight"]
    pool_T = POOL_T.double().numpy()
    totals = [np.zeros(NUM_FRAMES), np.zeros(NUM_FRAMES)]
    for clip_CT, label in zip(CLIPS.double().numpy(), LABELS.tolist(), strict=True):
        x_CT = first @ clip_CT
        padded_CT = np.pad(x_CT, ((0, 0), (1, 1)))
        y_CT = np.array(
            [[(second[f] * padded_CT[:, t : t + 3]).sum() for t in range(NUM_FRAMES)] for f in range(2)]
        )
        for level, (name, feature_CT) in enumerate((("stack1", x_CT), ("stack2", y_CT))):
            weight_SC = state[f"heads.{name}.weight"]
            scores_S = weight_SC @ (feature_CT @ pool_T) + state[f"heads.{name}.bias"]
            shares_S = np.exp(scores_S) / np.exp(scores_S).sum()
            shares_S[ASSIGNMENTS[level][label]] -= 1
            feature_C = shares_S @ weight_SC  # gradient of the cross-entropy at the feature
            own_CT = feature_C[:, None] * pool_T
            if level == 1:
                padded_FT = np.pad(own_CT, ((0, 0), (1, 1)))
                own_CT = np.zeros_like(own_CT)
                for t in range(NUM_FRAMES):
                    for k in range(3):  # frame t is the k-th that filter f sees at frame t + 1 - k
                        own_CT[:, t] += second[:, :, k].T @ padded_FT[:, t + 2 - k]
            totals[level] += np.abs(own_CT).mean(axis=0)
    return [total / len(CLIPS) for total in totals]


def test_a_linear_network_has_the_gradients_derived_by_hand() -> None:
    network = linear_network()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    found = head_gradients(network, [(CLIPS[:2], LABELS[:2]), (CLIPS[2:], LABELS[2:])], ASSIGNMENTS)
    assert [(each.pathway, each.level, each.layers) for each in found] == [
        ("", 0, ("conv1",)),
        ("", 1, ("conv1",)),
    ]
    for own, expected in zip(found, maps_by_hand(network), strict=True):
        np.testing.assert_allclose(own.means, expected, rtol=1e-5)
    # The cross-entropy of the first head reads the pool alone.
    np.testing.assert_allclose(found[0].normalized, [1.0, 0.75, 0.5, 0.25], rtol=1e-6)
    assert found[1].normalized.max() == 1.0
    assert not network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_stack_that_ends_in_branches_has_a_map_for_each_shape() -> None:
    network = linear_network(Branches)
    found = head_gradients(network, [(CLIPS, LABELS)], ASSIGNMENTS)
    assert [(each.level, each.layers, each.means.shape) for each in found] == [
        (0, ("late",), (4,)),
        (0, ("side",), (2,)),
        (1, ("late",), (4,)),
        (1, ("side",), (2,)),
    ]
    # The classes' head does not read this branch.
    assert found[3].normalized.tolist() == [0.0, 0.0]


def test_pathways_have_maps_of_their_own_heads() -> None:
    class Two(Recognizer):
        stack_channels = (2, 2, 2, 2)

        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = Linear(), Linear()

        def pathways(self) -> tuple[Pathway, ...]:
            return (Pathway("one", 2), Pathway("two", 2))

        def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
            return [*self.one.forward_stacks(batch["a"]), *self.two.forward_stacks(batch["b"])]

        def prunable_filters(self) -> list[PrunableFilters]:
            return [
                PrunableFilters(f"{name}.{each.name}", each.convolution, each.norm)
                for name, part in (("one", self.one), ("two", self.two))
                for each in part.prunable_filters()
            ]

    network, alone = HierarchicalRecognizer(Two(), (2, 3)), linear_network()
    single = alone.state_dict()
    for name, value in network.state_dict().items():
        value.copy_(single[re.sub(r"(one|two)[._]", "", name)])
    expected = head_gradients(alone, [(CLIPS, LABELS)], ASSIGNMENTS)
    found = head_gradients(network, [({"a": CLIPS, "b": CLIPS}, LABELS)], ASSIGNMENTS)
    assert [(each.pathway, each.level, each.layers) for each in found] == [
        ("one", 0, ("one.conv1",)),
        ("one", 1, ("one.conv1",)),
        ("two", 0, ("two.conv1",)),
        ("two", 1, ("two.conv1",)),
    ]
    for own, other in zip(found, [*expected, *expected], strict=True):
        np.testing.assert_allclose(own.means, other.means, rtol=1e-6)


def test_inputs_of_one_pathway_have_maps_of_their_own() -> None:
    class Summed(Recognizer):
        stack_channels = (2, 2)

        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = Linear(), Linear()

        def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
            pairs = zip(self.one.forward_stacks(batch["a"]), self.two.forward_stacks(batch["b"]), strict=True)
            return [one + two for one, two in pairs]

        def prunable_filters(self) -> list[PrunableFilters]:
            return [
                PrunableFilters(f"{name}.{each.name}", each.convolution, each.norm)
                for name, part in (("one", self.one), ("two", self.two))
                for each in part.prunable_filters()
            ]

    network, alone = HierarchicalRecognizer(Summed(), (2, 3)), linear_network()
    single = alone.state_dict()
    for name, value in network.state_dict().items():
        value.copy_(single[re.sub(r"(one|two)\.", "", name)])
    # The second input adds nothing to the scores, and what reads it has the same weights.
    expected = head_gradients(alone, [(CLIPS, LABELS)], ASSIGNMENTS)
    batch = {"a": CLIPS, "b": torch.zeros_like(CLIPS)}
    found = head_gradients(network, [(batch, LABELS)], ASSIGNMENTS)
    assert [(each.pathway, each.level, each.layers) for each in found] == [
        ("a", 0, ("one.conv1",)),
        ("b", 0, ("two.conv1",)),
        ("a", 1, ("one.conv1",)),
        ("b", 1, ("two.conv1",)),
    ]
    for own, other in zip(found, [expected[0], expected[0], expected[1], expected[1]], strict=True):
        np.testing.assert_allclose(own.means, other.means, rtol=1e-6)


def test_parts_of_the_body_have_maps_of_their_own() -> None:
    name = "part-attention-i3d"
    network = build_small(name).eval()
    levels = [[index % number for index in range(7)] for number in network.num_outputs]
    found = head_gradients(network, [(small_batch(name), torch.tensor([0, 6]))], levels)
    assert {each.pathway: each.layers for each in found} == {
        part: (f"{part}.conv2c.conv",) for part in ("left_hand", "right_hand", "body")
    }
    assert len({each.means.shape for each in found}) == 1
    assert all(each.means.max() > 0 for each in found)


@pytest.mark.parametrize(
    ("name", "options", "shape", "layers", "size"),
    [
        ("inflated-resnet18", {"width": 0.05}, (3, 2, 32, 32), ("layer1.1.conv2",), (2, 8, 8)),
        ("tcn", {"width": 0.1, "num_blocks": 2}, (1, 6, 25, 3), ("layers.0.1.conv2",), (6,)),
        ("st-gcn++", {"width": 0.1}, (1, 6, 25, 3), ("blocks.3.temporal.transform",), (6, 25)),
    ],
)
def test_the_first_stack_ends_with_its_last_convolution(
    name: str, options: dict[str, Any], shape: tuple[int, ...], layers: tuple[str, ...], size: tuple[int, ...]
) -> None:
    network = build_recognizer(name, num_classes=4, superclasses=(2,), seed=0, **options)
    batch = (torch.randn(2, *shape), torch.tensor([0, 3]))
    found = head_gradients(network, [batch], ((0, 0, 1, 1), range(4)))
    assert {each.layers for each in found} == {layers}
    assert {each.means.shape for each in found} == {size}
    assert all(each.normalized.max() == 1.0 for each in found)


def test_maps_need_clips() -> None:
    with pytest.raises(InputError, match="at least one clip"):
        head_gradients(linear_network(), [], ASSIGNMENTS)
