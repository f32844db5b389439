"""Contract suite of recognizers: the tests that every registered recognizer passes.

A package that offers a recognizer derives a test class from `RecognizerContract` and names a small network::

    class TestFrameMlp(RecognizerContract):
        @pytest.fixture
        def small(self) -> SmallRecognizer:
            return SmallRecognizer("frame-mlp", {"layout": "coco-17", "hidden": 8}, (2, 2, 8, 17, 3))

Legend: B clips, C channels, F filters of one convolution, S outputs of one head, T frames.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autohier.config.trial.recognizers import RECOGNIZERS, find_recognizer_settings
from autohier.core.pruning import FilterMasks, compact
from autohier.core.training.devices import open_device
from autohier.data.inputs.named import ClipBatch, map_clips, new_clips, rows_of
from autohier.data.inputs.shapes import ClipShape, shapes_of
from autohier.models import PrunableFilters, build_recognizer
from autohier.models.hierarchical import HeadPlacement, HierarchicalRecognizer
from autohier.models.layers import Norm, filter_rows

_NUM_CLASSES = 7
_SUPERCLASSES = (2, 3)
_FRAME_AXIS = 2


@dataclass(frozen=True)
class SmallRecognizer:
    """A registered recognizer with options that make it small enough to run in milliseconds."""

    name: str
    """Registered name."""
    options: Mapping[str, Any]
    """Options of the builder, also those that follow from the data."""
    batch_shape: ClipShape
    """Shape of a batch of at least two clips; by name for a recognizer that reads named inputs."""
    superclasses: tuple[int, ...] = field(default=_SUPERCLASSES)
    """Superclass counts; fewer than the recognizer has stacks, unless all heads read the last one."""
    heads: HeadPlacement = "stacks"
    """Features that the heads read."""

    def build(self) -> HierarchicalRecognizer:
        """Build the network, always with the same weights."""
        return build_recognizer(
            self.name,
            num_classes=_NUM_CLASSES,
            superclasses=self.superclasses,
            heads=self.heads,
            seed=3,
            **self.options,
        )

    @property
    def num_clips(self) -> int:
        """Number of clips of the batch."""
        return shapes_of(self.batch_shape)[0][0]

    @property
    def clip_shape(self) -> ClipShape:
        """Shape of one clip."""
        if isinstance(self.batch_shape, Mapping):
            return {name: shape[1:] for name, shape in self.batch_shape.items()}
        return self.batch_shape[1:]

    def batch(self) -> ClipBatch:
        """Return clips of noise, always the same."""
        noise = partial(torch.randn, generator=torch.Generator().manual_seed(1))
        return new_clips(noise, self.clip_shape, self.num_clips)


def randomise_norms(network: nn.Module) -> nn.Module:
    """Give every batch norm the statistics and affine parameters of a network that has been trained."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.running_mean, module.bias.data):
                if tensor is not None:
                    tensor.normal_(0.0, 0.1, generator=generator)
            for tensor in (module.running_var, module.weight.data):
                if tensor is not None:
                    tensor.uniform_(0.5, 1.5, generator=generator)
    return network


@torch.no_grad()
def randomise_zeros(network: nn.Module) -> nn.Module:
    """Give parameters that start at zero, e.g. the strength of an attention, those of a trained network."""
    generator = torch.Generator().manual_seed(4)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.normal_(0.0, 0.1, generator=generator)
    return network


@torch.no_grad()
def imitate_training(network: nn.Module, batch: ClipBatch) -> nn.Module:
    """Give a network affine parameters, nonzero weights and statistics like those of a trained one.

    The statistics are those of the batch, so that activations neither vanish nor saturate an attention.
    """
    randomise_zeros(randomise_norms(network)).train()
    norms = [each for each in network.modules() if isinstance(each, Norm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network


class RecognizerContract:
    """Tests of one recognizer; a subclass overrides the fixture `small`."""

    @pytest.fixture
    def small(self) -> SmallRecognizer:
        """Return the recognizer under test."""
        pytest.fail(f"{type(self).__name__} must override the fixture `small`")

    @pytest.fixture
    def network(self, small: SmallRecognizer) -> HierarchicalRecognizer:
        """Return the network under test."""
        return small.build()

    @pytest.fixture
    def batch(self, small: SmallRecognizer) -> ClipBatch:
        """Return a batch for the network under test."""
        return small.batch()

    def test_the_builder_takes_every_setting(self, small: SmallRecognizer) -> None:
        """The builder has a parameter for every setting, and one for what follows from the data."""
        settings = find_recognizer_settings(small.name)
        from_data = {"layout"} if settings.reads == "skeletons" else {"in_channels"}
        if settings.reads == "frames+heatmaps":
            from_data = {"in_channels", "num_maps"}
        if settings.reads in ("frames+skeletons", "parts+skeletons"):
            from_data = {"in_channels", "layout"}
        parameters = inspect.signature(RECOGNIZERS.find(small.name).load()).parameters
        assert {*settings(name=small.name).options(), *from_data} <= set(parameters)

    def test_a_seed_reproduces_the_weights(self, small: SmallRecognizer) -> None:
        """Two networks of one seed have equal weights and buffers."""
        one, other = small.build().state_dict(), small.build().state_dict()
        assert list(one) == list(other)
        assert all(torch.equal(one[name], other[name]) for name in one)

    def test_there_is_one_feature_per_stack(
        self, small: SmallRecognizer, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """Features have the announced channels, for any number of frames."""
        recognizer = network.recognizer
        expected = [(small.num_clips, channels) for channels in recognizer.stack_channels]
        longer = map_clips(lambda clips: torch.cat([clips, clips], dim=_FRAME_AXIS), batch)
        for clips in (batch, longer):
            assert [tuple(feature.shape) for feature in recognizer.forward_stacks(clips)] == expected

    def test_there_is_one_score_per_output(
        self, small: SmallRecognizer, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """Every level has a score for each superclass or class, in training one of every pathway."""
        expected = [(small.num_clips, size) for size in (*small.superclasses, _NUM_CLASSES)]
        number = len(network.pathways)
        of_pathways = [(*shape, number) for shape in expected] if number > 1 else expected
        assert [tuple(scores.shape) for scores in network(batch)] == of_pathways
        assert [tuple(scores_BS.shape) for scores_BS in network.eval()(batch)] == expected

    def test_prunable_filters_are_named_once_by_their_paths(self, network: HierarchicalRecognizer) -> None:
        """Names lead to the listed convolutions, whose channels lie within their norms."""
        filters = network.recognizer.prunable_filters()
        assert len({each.name for each in filters}) == len(filters) > 0
        for each in filters:
            assert network.recognizer.get_submodule(each.name) is each.convolution
            assert each.convolution.out_channels == len(filter_rows(each.convolution))
            assert 0 <= each.first_channel <= each.norm.num_features - each.convolution.out_channels

    def test_each_norm_reads_what_its_convolution_wrote(
        self, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """No operation lies between a prunable convolution and its norm."""
        written: dict[str, Tensor] = {}
        read: dict[str, Tensor] = {}
        filters = network.recognizer.prunable_filters()
        for each in filters:
            each.convolution.register_forward_hook(
                lambda _, __, out, name=each.name: written.update({name: out})
            )
            each.norm.register_forward_hook(lambda _, args, __, name=each.name: read.update({name: args[0]}))
        network(batch)
        assert set(written) == {each.name for each in filters}
        for each in filters:
            out = written[each.name]
            assert torch.equal(read[each.name][:, each.first_channel :][:, : out.shape[1]], out)

    @pytest.mark.parametrize("training", [True, False])
    def test_a_masked_filter_writes_zeros(
        self, network: HierarchicalRecognizer, batch: ClipBatch, *, training: bool
    ) -> None:
        """A masked filter writes zeros behind its norm, even if the norm has running statistics."""
        randomise_norms(network).train(training)
        filters = network.recognizer.prunable_filters()
        last = {name: count - 1 for name, count in _num_filters(filters).items()}
        masks = {name: torch.arange(count) != last[name] for name, count in _num_filters(filters).items()}
        FilterMasks(masks).apply(filters)
        normed: dict[str, Tensor] = {}
        for each in filters:
            # Cloned, because activation functions may work in place.
            each.norm.register_forward_hook(
                lambda _, __, out, each=each: normed.update(
                    {each.name: out.detach().clone()[:, each.first_channel :]}
                )
            )
        network(batch)
        assert set(normed) == set(last)
        for name, out in normed.items():
            assert (out[:, last[name]] == 0).all()
            assert last[name] == 0 or (out[:, 0] != 0).any()

    def test_gradients_reach_every_parameter(self, network: HierarchicalRecognizer, batch: ClipBatch) -> None:
        """No parameter is unused. In training, a bias before a norm would have a gradient of zero."""
        imitate_training(network, batch).eval()
        loss: Any = torch.stack([scores_BS.square().mean() for scores_BS in network(batch)]).sum()
        loss.backward()
        unused = [
            name
            for name, parameter in network.named_parameters()
            if parameter.grad is None or not parameter.grad.any()
        ]
        assert unused == []

    def test_the_class_head_trains_all_stacks(
        self, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """Only the superclass heads get no gradient from the class scores."""
        network(batch)[-1].square().mean().backward()
        untrained = [name for name, parameter in network.named_parameters() if parameter.grad is None]
        superclass_heads = list(network.heads)[: -len(network.pathways)]
        assert untrained == [
            f"heads.{stack}.{part}" for stack in superclass_heads for part in ("weight", "bias")
        ]

    @torch.no_grad()
    def test_evaluation_is_reproducible_and_changes_nothing(
        self, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """Evaluating twice gives the same bits and leaves every buffer as it is."""
        randomise_norms(network).eval()
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        first, second = network(batch), network(batch)
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
        assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())

    @torch.no_grad()
    def test_in_evaluation_clips_are_independent(
        self, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """A clip alone gets the scores that it gets in a batch."""
        batch = map_clips(Tensor.double, batch)
        imitate_training(network.double(), batch).eval()
        for scores_BS, scores_1S in zip(network(batch), network(rows_of(batch, slice(1))), strict=True):
            torch.testing.assert_close(scores_BS[:1], scores_1S, rtol=1e-10, atol=1e-10)

    @torch.no_grad()
    def test_memory_layout_does_not_change_the_scores(
        self, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """channels_last clips and weights give the scores of contiguous ones."""
        batch = map_clips(Tensor.double, batch)
        imitate_training(network.double(), batch).eval()
        contiguous = network(batch)
        device = open_device(
            "cpu", precision="float32", deterministic=True, compile_network=False, num_threads=1
        )
        last = map_clips(lambda clips: clips.to(memory_format=torch.channels_last_3d), batch)
        moved = device.prepare(network)(last)
        for one, other in zip(contiguous, moved, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)

    @torch.no_grad()
    def test_a_compacted_network_has_the_same_outputs(
        self, small: SmallRecognizer, network: HierarchicalRecognizer, batch: ClipBatch
    ) -> None:
        """Removing every second filter gives a smaller network with the outputs of the masked one."""
        imitate_training(network, batch).eval()
        filters = network.recognizer.prunable_filters()
        masks = {name: torch.arange(count) % 2 == 0 for name, count in _num_filters(filters).items()}
        FilterMasks(masks).apply(filters)
        compacted = compact(network, small.clip_shape)
        assert _num_parameters(compacted) < _num_parameters(network)
        for one, other in zip(network(batch), compacted(batch), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def _num_filters(filters: list[PrunableFilters]) -> dict[str, int]:
    return {each.name: len(filter_rows(each.convolution)) for each in filters}


def _num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
