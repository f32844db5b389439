"""Recognizers by name: seeds, heads and what users get wrong."""

import subprocess
import sys

import pytest
import torch

from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer


def build(**options):
    return build_recognizer("inflated-resnet18", **{"num_classes": 6, "width": 0.125, **options})


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_one_seed_gives_one_network():
    assert same(build(seed=4).state_dict(), build(seed=4).state_dict())
    assert not same(build(seed=4).state_dict(), build(seed=5).state_dict())


def test_a_seed_neither_reads_nor_moves_the_random_state_of_the_process():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    build(seed=4)
    assert torch.equal(torch.rand(3), expected)


def test_without_a_seed_it_draws_from_the_process():
    torch.manual_seed(11)
    first = build().state_dict()
    assert not same(first, build().state_dict())
    torch.manual_seed(11)
    assert same(first, build().state_dict())


def test_superclasses_change_nothing_of_what_the_flat_network_starts_from():
    flat = build(seed=4).state_dict()
    headed = build(seed=4, superclasses=(2, 3)).state_dict()
    assert set(headed) - set(flat) == {
        f"heads.stack{stack}.{part}" for stack in (2, 3) for part in ("weight", "bias")
    }
    assert same(flat, {name: headed[name] for name in flat})


def test_heads_stand_on_the_last_stacks():
    network = build(superclasses=(2, 3), seed=0)
    assert isinstance(network, HierarchicalRecognizer)
    heads = {name: (head.in_features, head.out_features) for name, head in network.heads.items()}
    # An eighth of 128, 256 and 512 channels.
    assert heads == {"stack2": (16, 2), "stack3": (32, 3), "stack4": (64, 6)}
    assert list(network.heads) == ["stack2", "stack3", "stack4"]


@torch.no_grad()
def test_scores_are_the_heads_of_their_own_stacks_features():
    network = build(superclasses=(2,), seed=0).eval()
    batch = torch.randn(2, 3, 2, 32, 32)
    features = network.recognizer.forward_stacks(batch)
    superclass_scores, class_scores = network(batch)
    assert torch.equal(superclass_scores, network.heads["stack3"](features[2]))
    assert torch.equal(class_scores, network.heads["stack4"](features[3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"superclasses": (2, 2, 2, 2)}, "carries 1 to 4 heads, but got 5: give at most 3"),
        ({"superclasses": (0,)}, "at least one output, but got \\(0, 6\\)"),
        ({"widht": 1.0}, "got 'widht': did you mean 'width'"),
        ({"stride": 2}, "got 'stride': valid are width, in_channels, initialisation"),
        ({"depth": 50}, "got 'depth'"),
        ({"width": 0.0}, "width must be positive and finite, but got 0.0"),
        ({"width": float("nan")}, "width must be positive and finite, but got nan"),
        ({"in_channels": 0}, "in_channels must be at least 1, but got 0"),
        ({"initialisation": "fan_in"}, "fan-in or fan-out, but got 'fan_in'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"'inflated-resnet5'.* did you mean 'inflated-resnet50'"):
        build_recognizer("inflated-resnet5", num_classes=6)
    with pytest.raises(InputError, match=r"valid are inflated-resnet18, .*inflated-resnet101"):
        build_recognizer("x3d", num_classes=6)


def test_importing_it_brings_in_no_other_room():
    script = (
        "import sys, autohier.models; print(*(name for name in sys.modules if name.startswith('autohier.')))"
    )
    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in imported.stdout.split()}
    assert rooms == {"models", "data", "errors"}
