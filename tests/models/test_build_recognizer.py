"""Building recognizers by name: seeds, heads and errors."""

import subprocess
import sys

import pytest
import torch

from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from support.fakes.fake_packages import installed_package


def build(**options):
    return build_recognizer("inflated-resnet18", **{"num_classes": 6, "width": 0.125, **options})


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_reproduces_the_weights():
    assert same(build(seed=4).state_dict(), build(seed=4).state_dict())
    assert not same(build(seed=4).state_dict(), build(seed=5).state_dict())


def test_a_seed_neither_reads_nor_changes_the_random_state_of_the_process():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    build(seed=4)
    assert torch.equal(torch.rand(3), expected)


def test_without_a_seed_weights_come_from_the_random_state_of_the_process():
    torch.manual_seed(11)
    first = build().state_dict()
    assert not same(first, build().state_dict())
    torch.manual_seed(11)
    assert same(first, build().state_dict())


def test_superclass_heads_leave_the_other_initial_weights_unchanged():
    flat = build(seed=4).state_dict()
    headed = build(seed=4, superclasses=(2, 3)).state_dict()
    assert set(headed) - set(flat) == {
        f"heads.stack{stack}.{part}" for stack in (2, 3) for part in ("weight", "bias")
    }
    assert same(flat, {name: headed[name] for name in flat})


def test_heads_read_the_last_stacks():
    network = build(superclasses=(2, 3), seed=0)
    assert isinstance(network, HierarchicalRecognizer)
    heads = {name: (head.in_features, head.out_features) for name, head in network.heads.items()}
    # 128, 256 and 512 channels at width 1/8.
    assert heads == {"stack2": (16, 2), "stack3": (32, 3), "stack4": (64, 6)}
    assert list(network.heads) == ["stack2", "stack3", "stack4"]


@torch.no_grad()
def test_each_head_scores_the_feature_of_its_stack():
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
        ({"widht": 1.0}, "unknown option 'widht' of inflated-resnet18: did you mean 'width'"),
        (
            {"stride": 2},
            "option 'stride' of .*: valid are in_channels, initialisation, width",
        ),
        ({"depth": 50}, "unknown option 'depth' of inflated-resnet18: did you mean 'width'"),
        ({"width": 0.0}, "width must be positive and finite, but got 0.0"),
        ({"width": float("nan")}, "width must be positive and finite, but got nan"),
        ({"in_channels": 0}, "in_channels must be at least 1, but got 0"),
        ({"initialisation": "fan_in"}, "fan-in or fan-out, but got 'fan_in'"),
    ],
)
def test_an_invalid_option_is_reported(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


def test_an_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(
        InputError, match=r"^unknown recognizer 'inflated-resnet5': did you mean 'inflated-resnet50'"
    ):
        build_recognizer("inflated-resnet5", num_classes=6)
    with pytest.raises(InputError, match=r"valid are aagcn, .*inflated-resnet50"):
        build_recognizer("swin", num_classes=6)


def test_a_builder_must_return_a_recognizer(tmp_path):
    modules = {
        "wave": "from autohier.extensions import Extension\nwave = Extension('wave_network:build')\n",
        "wave_network": "def build():\n    return 3\n",
    }
    points = {"autohier.recognizers": "wave = wave:wave"}
    with (
        installed_package(tmp_path, name="wave", version="1", modules=modules, entry_points=points),
        pytest.raises(InputError, match=r"wave must return an autohier\.models\.Recognizer, but got int"),
    ):
        build_recognizer("wave", num_classes=6)


def test_importing_models_imports_no_recognizer_and_no_higher_room():
    script = (
        "import sys, autohier.models; print(*(name for name in sys.modules if name.startswith('autohier.')))"
    )
    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = imported.stdout.split()
    assert {name.split(".")[1] for name in modules} == {
        *("models", "data", "config", "extensions", "errors", "faults", "text", "version")
    }
    assert "autohier.models.graphs.st_gcn" not in modules
