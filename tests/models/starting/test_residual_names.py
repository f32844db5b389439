"""Checkpoints of PYSKL's and MMAction2's residual networks: PoseC3D, and a 2D ResNet to inflate."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.models import build_recognizer
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.name_tables import rename_tensors

BLOCKS = (4, 6, 3)
KERNELS = {1: ((1, 1, 1), (1, 3, 3), (1, 1, 1)), 2: ((3, 1, 1), (1, 3, 3), (1, 1, 1))}
"""Kernels of a bottleneck in the first stack, and in the others ("inflate" 0, 1, 1)."""
STRIDES = ((1, 2, 2), (1, 2, 2), (2, 2, 2))


def posec3d_state(base=8, maps=17):
    """Return random weights by the names of PYSKL's ``ResNet3dSlowOnly`` on heatmaps."""
    generator = torch.Generator().manual_seed(1)
    state = {}

    def module(name, read, written, kernel):
        weight = torch.randn(written, read, *kernel, generator=generator, dtype=torch.float64)
        state[f"{name}.conv.weight"] = weight / weight[0].numel() ** 0.5
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.bn.{part}"] = 0.5 + torch.rand(written, generator=generator, dtype=torch.float64)
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(3)

    module("backbone.conv1", maps, base, (1, 7, 7))
    read = base
    for stack, count in enumerate(BLOCKS, start=1):
        inner = base * 2 ** (stack - 1)
        for block in range(count):
            path = f"backbone.layer{stack}.{block}"
            for number, kernel in enumerate(KERNELS[min(stack, 2)], start=1):
                module(
                    f"{path}.conv{number}",
                    read if number == 1 else inner,
                    inner * (4 if number == 3 else 1),
                    kernel,
                )
            if block == 0:
                module(f"{path}.downsample", read, 4 * inner, (1, 1, 1))
            read = 4 * inner
    state["cls_head.fc_cls.weight"], state["cls_head.fc_cls.bias"] = torch.zeros(60, read), torch.zeros(60)
    return state


def posec3d_feature(state, x):
    """Return the pooled feature that PYSKL computes, layer by layer."""

    def module(name, x, stride=(1, 1, 1)):
        weight = state[f"{name}.conv.weight"]
        x = F.conv3d(x, weight, stride=stride, padding=[size // 2 for size in weight.shape[2:]])
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{name}.bn.{part}"] for part in parts))

    x = F.max_pool3d(F.relu(module("backbone.conv1", x)), (1, 3, 3), 1, (0, 1, 1))
    for stack, count in enumerate(BLOCKS, start=1):
        for block in range(count):
            path, stride = f"backbone.layer{stack}.{block}", STRIDES[stack - 1] if block == 0 else (1, 1, 1)
            out = F.relu(module(f"{path}.conv1", x))
            out = module(f"{path}.conv3", F.relu(module(f"{path}.conv2", out, stride)))
            x = F.relu(out + (module(f"{path}.downsample", x, stride) if block == 0 else x))
    return x.mean(dim=(2, 3, 4))


@torch.no_grad()
def test_the_network_computes_what_posec3d_does():
    state = posec3d_state()
    network = build_recognizer("pose-slowonly", num_classes=5, width=0.25, seed=0).double().eval()
    fit = fit_weights(network.recognizer, rename_tensors("pose-slowonly", state)[0])
    assert fit.initial == ()
    clips = torch.randn(2, 17, 4, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    features = network.recognizer.forward_stacks(clips)
    torch.testing.assert_close(features[-1], posec3d_feature(state, clips), rtol=1e-9, atol=1e-9)


def test_other_maps_leave_the_stem_at_its_initial_values():
    network = build_recognizer("pose-slowonly", num_classes=5, width=0.25, in_channels=20, seed=0)
    fit = fit_weights(network.recognizer, rename_tensors("pose-slowonly", posec3d_state())[0])
    assert fit.initial == ("conv1.weight",)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.conv1.conv.weight", "conv1.weight"),
        ("backbone.conv1.bn.running_var", "bn1.running_var"),
        ("backbone.layer3.5.conv2.conv.weight", "layer3.5.conv2.weight"),
        ("layer1.0.conv3.bn.bias", "layer1.0.bn3.bias"),
        ("backbone.layer2.0.downsample.conv.weight", "layer2.0.downsample.0.weight"),
        ("backbone.layer2.0.downsample.bn.weight", "layer2.0.downsample.1.weight"),
        ("cls_head.fc_cls.weight", "cls_head.fc_cls.weight"),
    ],
)
def test_a_module_with_its_norm_becomes_two(theirs, ours):
    state = {"conv1.conv.weight": torch.zeros(1), theirs: torch.ones(1)}
    assert ours in rename_tensors("inflated-resnet50", state)[0]


def test_slow_fast_takes_both_pathways_and_the_laterals():
    network = build_recognizer("slowfast-resnet50", num_classes=5, width=0.125, slow_stride=4, seed=0)
    theirs = {}
    for name, tensor in network.recognizer.state_dict().items():
        pathway, rest = name.split(".", 1)
        if pathway == "laterals":
            index = int(rest[0])
            module = f"layer{index}_lateral" if index else "conv1_lateral"
            theirs[f"backbone.slow_path.{module}.conv.weight"] = torch.rand_like(tensor)
            continue
        # layer1.0.bn2.bias is layer1.0.conv2.bn.bias there, and layer1.0.downsample.1.bias is
        # layer1.0.downsample.bn.bias.
        *path, module, part = rest.split(".")
        inner = {"0": "conv", "1": "bn"}.get(module) or f"conv{module[-1]}.{module[:-1]}"
        full = ".".join(["backbone", f"{pathway}_path", *path, inner, part])
        theirs[full] = torch.rand_like(tensor) if tensor.is_floating_point() else tensor
    fit = fit_weights(network.recognizer, rename_tensors("slowfast-resnet50", theirs)[0])
    assert fit.initial == ()
    own = network.recognizer.state_dict()
    for ours, name in (
        ("slow.layer3.5.conv2.weight", "slow_path.layer3.5.conv2.conv.weight"),
        ("fast.layer1.0.downsample.1.bias", "fast_path.layer1.0.downsample.bn.bias"),
        ("fast.bn1.running_mean", "fast_path.conv1.bn.running_mean"),
        ("laterals.0.weight", "slow_path.conv1_lateral.conv.weight"),
        ("laterals.3.weight", "slow_path.layer3_lateral.conv.weight"),
    ):
        assert torch.equal(own[ours], theirs[f"backbone.{name}"])
