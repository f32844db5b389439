"""Centre inflation: the inflated network computes on every frame what the 2D network does."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import save_file
from torch import nn

from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.inflated_resnet import InflatedResNet
from autohier.models.convolutional.inflation import inflate_state_dict, load_2d_weights

BASIC, BOTTLENECK = [3, 3], [1, 3, 1]
NETWORKS = {18: (BASIC, 1, (2, 2, 2, 2)), 50: (BOTTLENECK, 4, (3, 4, 6, 3))}


def plain_2d_state(depth, *, channels=8):
    """Return random weights of a 2D ResNet with torchvision's names; its stem has ``channels`` channels."""
    kernels, expansion, num_blocks = NETWORKS[depth]
    generator = torch.Generator().manual_seed(depth)
    state = {}

    def convolution(name, read, written, kernel):
        weight = torch.randn(written, read, kernel, kernel, generator=generator, dtype=torch.float64)
        state[f"{name}.weight"] = weight / (read * kernel**2) ** 0.5

    def norm(name, size):
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.5, 0.5),
            ("running_mean", -0.5, 0.5),
            ("running_var", 0.5, 2.0),
        ):
            sampled = torch.rand(size, generator=generator, dtype=torch.float64)
            state[f"{name}.{part}"] = low + (high - low) * sampled
        state[f"{name}.num_batches_tracked"] = torch.tensor(9)

    convolution("conv1", 3, channels, 7)
    norm("bn1", channels)
    read = channels
    for stack in range(4):
        inner = channels * 2**stack
        for block in range(num_blocks[stack]):
            path = f"layer{stack + 1}.{block}"
            sizes = [read, *[inner] * (len(kernels) - 1), inner * expansion]
            for number, kernel in enumerate(kernels, start=1):
                convolution(f"{path}.conv{number}", sizes[number - 1], sizes[number], kernel)
                norm(f"{path}.bn{number}", sizes[number])
            if block == 0 and (stack > 0 or read != sizes[-1]):
                convolution(f"{path}.downsample.0", read, sizes[-1], 1)
                norm(f"{path}.downsample.1", sizes[-1])
            read = sizes[-1]
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, read), torch.zeros(1000)
    return state


def plain_2d_stacks(state, depth, images_NCHW):
    """Return the output of each stack of the 2D ResNet, computed layer by layer."""
    kernels, _, num_blocks = NETWORKS[depth]

    def normed(name, x):
        mean, variance, gamma, beta = (
            state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * gamma + beta

    x = F.conv2d(images_NCHW, state["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(normed("bn1", x).clamp_min(0), 3, stride=2, padding=1)
    stacks = []
    for stack in range(4):
        for block in range(num_blocks[stack]):
            path, shortcut = f"layer{stack + 1}.{block}", x
            stride = 2 if stack > 0 and block == 0 else 1
            if f"{path}.downsample.0.weight" in state:
                shortcut = F.conv2d(x, state[f"{path}.downsample.0.weight"], stride=stride)
                shortcut = normed(f"{path}.downsample.1", shortcut)
            for number, kernel in enumerate(kernels, start=1):
                # The first 3x3 convolution of a block has its stride.
                steps = stride if number == kernels.index(3) + 1 else 1
                weight = state[f"{path}.conv{number}.weight"]
                x = normed(f"{path}.bn{number}", F.conv2d(x, weight, stride=steps, padding=kernel // 2))
                if number < len(kernels):
                    x = x.clamp_min(0)
            x = (x + shortcut).clamp_min(0)
        stacks.append(x)
    return stacks


@torch.no_grad()
@pytest.mark.parametrize("depth", NETWORKS)
def test_every_frame_gets_the_features_of_the_2d_network(depth):
    state = plain_2d_state(depth)
    network = InflatedResNet(depth, width=0.125).double().eval()
    inflate_state_dict(network, state)
    seen = []
    for stack in (network.layer1, network.layer2, network.layer3, network.layer4):
        stack.register_forward_hook(lambda _, __, out: seen.append(out))
    clips = torch.randn(2, 3, 3, 40, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    features = network.forward_stacks(clips)
    for frame in range(3):
        expected = plain_2d_stacks(state, depth, clips[:, :, frame])
        for out, expected_NCHW in zip(seen, expected, strict=True):
            torch.testing.assert_close(out[:, :, frame], expected_NCHW, rtol=1e-9, atol=1e-9)
    for feature_BC, out in zip(features, seen, strict=True):
        torch.testing.assert_close(feature_BC, out.flatten(2).mean(dim=2), rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("depth", NETWORKS)
def test_the_mean_of_a_kernel_sees_a_still_video_as_the_2d_network_does(depth):
    # With T frames, padding reaches one frame further in each 3x3x3 convolution; the middle is out of reach.
    state, num_convolutions = plain_2d_state(depth), {18: 16, 50: 16}[depth]
    network = InflatedResNet(depth, width=0.125).double().eval()
    inflate_state_dict(network, state, inflation="mean")
    kernel = network.layer2[0].get_submodule("conv1" if depth == 18 else "conv2").weight
    for frame in range(3):
        name = "layer2.0.conv1.weight" if depth == 18 else "layer2.0.conv2.weight"
        torch.testing.assert_close(kernel[:, :, frame], state[name] / 3)
    seen = []
    network.layer4.register_forward_hook(lambda _, __, out: seen.append(out))
    image = torch.randn(1, 3, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network.forward_stacks(image.expand(-1, -1, 2 * num_convolutions + 1, -1, -1))
    expected = plain_2d_stacks(state, depth, image[:, :, 0])[-1]
    torch.testing.assert_close(seen[0][:, :, num_convolutions], expected, rtol=1e-9, atol=1e-9)


def test_an_unknown_inflation_is_refused():
    with pytest.raises(InputError, match=r"inflation must be centre or mean, but got 'max'"):
        inflate_state_dict(InflatedResNet(18, width=0.125), plain_2d_state(18), inflation="max")


@torch.no_grad()
def test_one_input_channel_is_treated_as_a_grey_image():
    state = plain_2d_state(18)
    network = InflatedResNet(18, width=0.125, in_channels=1).double().eval()
    inflate_state_dict(network, state)
    grey = torch.randn(1, 1, 1, 32, 32, dtype=torch.float64)
    expected = plain_2d_stacks(state, 18, grey[:, :, 0].expand(-1, 3, -1, -1))
    for feature_BC, expected_NCHW in zip(network.forward_stacks(grey), expected, strict=True):
        torch.testing.assert_close(feature_BC, expected_NCHW.mean(dim=(2, 3)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["resnet.safetensors", "resnet.pth"])
def test_weights_are_loaded_from_files_and_the_heads_stay(tmp_path, name):
    state = {key: tensor.float() for key, tensor in plain_2d_state(18).items()}
    path = tmp_path / name
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    options = {"num_classes": 5, "width": 0.125, "seed": 0}
    plain = build_recognizer("inflated-resnet18", **options).state_dict()
    loaded = build_recognizer("inflated-resnet18", weights=path, **options).state_dict()
    assert torch.equal(loaded["heads.stack4.weight"], plain["heads.stack4.weight"])
    kernel = loaded["recognizer.layer2.0.conv1.weight"]
    assert torch.equal(kernel[:, :, 1], state["layer2.0.conv1.weight"])
    assert not kernel[:, :, [0, 2]].any()
    assert torch.equal(loaded["recognizer.bn1.running_var"], state["bn1.running_var"])


def test_names_of_mmaction2_are_understood(tmp_path):
    state = plain_2d_state(18)
    theirs = {}
    for name, tensor in state.items():
        # layer1.0.bn2.bias is layer1.0.conv2.bn.bias there, layer2.0.downsample.1.bias ...downsample.bn.bias
        *path, module, part = name.split(".")
        if name.startswith("fc."):
            theirs[f"cls_head.fc_cls.{part}"] = tensor
        elif module in ("0", "1"):
            theirs[".".join(["backbone", *path, {"0": "conv", "1": "bn"}[module], part])] = tensor
        else:
            kind, number = module[:-1], module[-1]
            theirs[".".join(["backbone", *path, f"conv{number}", kind, part])] = tensor
    path = tmp_path / "tsn.pth"
    torch.save({"meta": {}, "state_dict": theirs}, path)
    network = InflatedResNet(18, width=0.125)
    load_2d_weights(network, path)
    kernel = network.layer2[0].conv1.weight.detach()[:, :, 1]
    assert torch.equal(kernel, state["layer2.0.conv1.weight"].float())


def test_files_without_num_batches_tracked_fit():
    state = {
        name: tensor for name, tensor in plain_2d_state(18).items() if not name.endswith("batches_tracked")
    }
    network = InflatedResNet(18, width=0.125)
    inflate_state_dict(network, state)
    assert torch.equal(network.bn1.weight.detach(), state["bn1.weight"].float())


@pytest.mark.parametrize(
    ("depth", "width", "message"),
    [
        (34, 0.125, "mismatches: layer1.2.conv1.weight is missing, layer1.2.bn1.weight is missing"),
        (18, 0.25, r"conv1.weight has shape \(8, 3, 7, 7\), not \(16, 3, 1, 7, 7\)"),
        (50, 0.125, r"layer1.0.conv3.weight is missing"),
    ],
)
def test_weights_of_another_architecture_are_refused_and_change_nothing(depth, width, message):
    network = InflatedResNet(depth, width=width)
    before = network.conv1.weight.clone()
    with pytest.raises(InputError, match=message):
        inflate_state_dict(network, plain_2d_state(18))
    assert torch.equal(network.conv1.weight, before)


def test_unexpected_tensors_are_refused():
    state = {**plain_2d_state(18), "se.weight": torch.zeros(1)}
    with pytest.raises(InputError, match=r"1 mismatches: se.weight is unexpected"):
        inflate_state_dict(InflatedResNet(18, width=0.125), state)


@pytest.mark.parametrize("name", ["noise.safetensors", "noise.pth", "noise.bin"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"root:x:0:0:root", bytes(range(256)) * 9])
def test_a_file_without_weights_is_reported(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name} must "):
        load_2d_weights(InflatedResNet(18, width=0.125), path)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"absent.pth must be"):
        load_2d_weights(InflatedResNet(18, width=0.125), tmp_path / "absent.pth")


def test_a_pickled_network_is_refused_without_unpickling(tmp_path):
    path = tmp_path / "whole.pth"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(InputError, match=r"whole.pth must be .* that contains only tensors"):
        load_2d_weights(InflatedResNet(18, width=0.125), path)


def test_a_checkpoint_may_nest_the_weights(tmp_path):
    path, state = tmp_path / "checkpoint.pth", plain_2d_state(18)
    torch.save({"epoch": 3, "state_dict": state}, path)
    network = InflatedResNet(18, width=0.125)
    load_2d_weights(network, path)
    assert torch.equal(network.bn1.weight.detach(), state["bn1.weight"].float())


def test_a_checkpoint_without_weights_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 3}, path)
    with pytest.raises(InputError, match=r"checkpoint.pth must hold a state dict"):
        load_2d_weights(InflatedResNet(18, width=0.125), path)
