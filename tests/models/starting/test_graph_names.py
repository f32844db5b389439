"""Checkpoints of PYSKL's and MMAction2's ST-GCN: the network computes what theirs does."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.name_tables import rename_tensors

JOINTS = 17
CHANNELS = [3, *[8] * 4, *[16] * 3, *[32] * 3]
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class Checkpoint:
    """Random weights by PYSKL's names, as ``RecognizerGCN`` saves them, with 8 base channels."""

    def __init__(self, *, plus):
        self.generator = torch.Generator().manual_seed(int(plus))
        self.plus = plus
        self.state = {"cls_head.fc.weight": torch.zeros(60, 32), "cls_head.fc.bias": torch.zeros(60)}
        self.norm("backbone.data_bn", 3 * JOINTS)
        for block, stride in enumerate(STRIDES):
            read, written, path = CHANNELS[block], CHANNELS[block + 1], f"backbone.gcn.{block}"
            self.spatial(f"{path}.gcn", read, written)
            self.temporal(f"{path}.tcn", written)
            if block and (stride > 1 or read != written):
                self.convolution(f"{path}.residual.conv", read, written)
                self.norm(f"{path}.residual.bn", written)

    def convolution(self, name, read, written, frames=1):
        weight = torch.randn(written, read, frames, 1, generator=self.generator, dtype=torch.float64)
        self.state[f"{name}.weight"] = weight / (read * frames) ** 0.5
        self.state[f"{name}.bias"] = torch.randn(written, generator=self.generator, dtype=torch.float64) / 10

    def norm(self, name, size):
        for part in ("weight", "bias", "running_mean", "running_var"):
            sampled = torch.rand(size, generator=self.generator, dtype=torch.float64)
            self.state[f"{name}.{part}"] = 0.5 + sampled
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def spatial(self, path, read, written):
        for name in ("A",) if self.plus else ("A", "PA"):
            graph = torch.rand(3, JOINTS, JOINTS, generator=self.generator, dtype=torch.float64)
            self.state[f"{path}.{name}"] = graph / JOINTS**0.5
        self.norm(f"{path}.bn", written)
        self.convolution(f"{path}.conv", read, 3 * written)
        if self.plus and read != written:
            self.convolution(f"{path}.down.0", read, written)
            self.norm(f"{path}.down.1", written)

    def temporal(self, path, written):
        if not self.plus:
            self.convolution(f"{path}.conv", written, written, 9)
            self.norm(f"{path}.bn", written)
            return
        narrow = written // 6
        sizes = [written - 5 * narrow, *[narrow] * 5]
        for branch, size in enumerate(sizes[:5]):
            self.convolution(f"{path}.branches.{branch}.0", written, size)
            self.norm(f"{path}.branches.{branch}.1", size)
            if branch < 4:
                self.convolution(f"{path}.branches.{branch}.3.conv", size, size, 3)
        self.convolution(f"{path}.branches.5", written, sizes[5])
        self.norm(f"{path}.transform.0", written)
        self.convolution(f"{path}.transform.2", written, written)
        self.norm(f"{path}.bn", written)


def pyskl_state(plus):
    return Checkpoint(plus=plus).state


def pyskl_feature(state, clips_BMTVC, plus):
    """Return the pooled feature that PYSKL computes, layer by layer."""

    def conv(name, x, stride=1, dilation=1):
        weight = state[f"{name}.weight"]
        padding = dilation * (weight.shape[2] - 1) // 2
        return F.conv2d(x, weight, state[f"{name}.bias"], (stride, 1), (padding, 0), (dilation, 1))

    def normed(name, x):
        shape = (1, -1, *[1] * (x.ndim - 2))
        mean, var, gamma, beta = (
            state[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * gamma + beta

    num_clips, num_persons, num_frames = clips_BMTVC.shape[:3]
    x = clips_BMTVC.permute(0, 1, 3, 4, 2).reshape(num_clips * num_persons, JOINTS * 3, num_frames)
    x = normed("backbone.data_bn", x).view(-1, JOINTS, 3, num_frames).permute(0, 2, 3, 1)
    for block, stride in enumerate(STRIDES):
        path, entering = f"backbone.gcn.{block}", x
        graph = state[f"{path}.gcn.A"] if plus else state[f"{path}.gcn.A"] * state[f"{path}.gcn.PA"]
        by_partition = conv(f"{path}.gcn.conv", x).unflatten(1, (3, -1))
        x = normed(f"{path}.gcn.bn", torch.einsum("nkctv,kvw->nctw", by_partition, graph))
        if plus:
            has_down = f"{path}.gcn.down.0.weight" in state
            x += normed(f"{path}.gcn.down.1", conv(f"{path}.gcn.down.0", entering)) if has_down else entering
        x = F.relu(x)
        tcn = f"{path}.tcn"
        if plus:
            parts = []
            for branch in range(5):
                part = F.relu(normed(f"{tcn}.branches.{branch}.1", conv(f"{tcn}.branches.{branch}.0", x)))
                if branch < 4:
                    parts.append(conv(f"{tcn}.branches.{branch}.3.conv", part, stride, branch + 1))
                else:
                    parts.append(F.max_pool2d(part, (3, 1), (stride, 1), (1, 0)))
            joined = torch.cat([*parts, conv(f"{tcn}.branches.5", x, stride)], dim=1)
            out = conv(f"{tcn}.transform.2", F.relu(normed(f"{tcn}.transform.0", joined)))
        else:
            out = conv(f"{tcn}.conv", x, stride)
        out = normed(f"{tcn}.bn", out)
        if f"{path}.residual.conv.weight" in state:
            out += normed(f"{path}.residual.bn", conv(f"{path}.residual.conv", entering, stride))
        elif block:
            out += entering
        x = F.relu(out)
    return x.mean(dim=(2, 3)).view(num_clips, num_persons, -1).mean(dim=1)


@torch.no_grad()
@pytest.mark.parametrize("name", ["st-gcn", "st-gcn++"])
def test_the_network_computes_what_that_of_pyskl_does(name):
    state = pyskl_state(name == "st-gcn++")
    network = build_recognizer(name, num_classes=5, width=0.125, layout="coco-17", seed=0).double().eval()
    named, origin = rename_tensors(name, state)
    fit = fit_weights(network.recognizer, named)
    assert (origin, fit.initial) == ("PYSKL or MMAction2", ())
    clips = torch.randn(2, 2, 8, JOINTS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    expected = pyskl_feature(state, clips, name == "st-gcn++")
    torch.testing.assert_close(network.recognizer.forward_stacks(clips)[-1], expected, rtol=1e-9, atol=1e-9)


def test_a_backbone_saved_alone_fits_too():
    state = pyskl_state(plus=False)
    alone = {name.removeprefix("backbone."): each for name, each in state.items() if "backbone" in name}
    whole, _ = rename_tensors("st-gcn", state)
    bare, _ = rename_tensors("st-gcn", alone)
    assert bare.keys() == {name for name in whole if not name.startswith("cls_head")}
    assert all(torch.equal(bare[name], whole[name]) for name in bare)


def test_other_joints_leave_what_they_size_at_its_initial_values():
    network = build_recognizer("st-gcn", num_classes=5, width=0.125, layout="kinect-v1-20", seed=0)
    before = {name: each.clone() for name, each in network.recognizer.state_dict().items()}
    fit = fit_weights(network.recognizer, rename_tensors("st-gcn", pyskl_state(plus=False))[0])
    # 10 blocks with partitions and importances, 4 tensors of the norm; its counter is no size.
    assert len(fit.initial) == 24
    assert fit.initial_text.startswith(
        "data_bn.weight, data_bn.bias, data_bn.running_mean, data_bn.running_var"
    )
    assert fit.initial_text.endswith("blocks.*.spatial.importance (10), blocks.*.spatial.partitions (10)")
    after = network.recognizer.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in fit.initial)
    others = [name for name in after if name.endswith("conv.weight")]
    assert not any(torch.equal(after[name], before[name]) for name in others)


def test_st_gcn_is_not_st_gcn_plus_plus():
    network = build_recognizer("st-gcn++", num_classes=5, width=0.125, layout="coco-17")
    with pytest.raises(InputError, match=r"tensors missing \(blocks.0.spatial.shortcut.*unexpected \(blocks"):
        fit_weights(network.recognizer, rename_tensors("st-gcn++", pyskl_state(plus=False))[0])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("backbone.gcn.0.gcn.A", ()),
        ("backbone.gcn.0.gcn.A", (0, JOINTS, JOINTS)),
        ("backbone.gcn.0.gcn.conv.weight", ()),
        ("backbone.gcn.0.tcn.branches.1.0.weight", (1, 9, 1, 1)),
        ("backbone.gcn.0.tcn.branches.0.0.bias", ()),
        ("backbone.gcn.0.tcn.branches.1.0.bias", ()),
    ],
)
def test_tensors_of_odd_shapes_are_refused_by_name(name, shape):
    network = build_recognizer("st-gcn++", num_classes=5, width=0.125, layout="coco-17")
    state = pyskl_state(plus=True)
    assert name in state
    tensors, _ = rename_tensors("st-gcn++", state | {name: torch.zeros(shape)})
    if name.endswith(".A"):  # the filters of all partitions stay as in the file
        with pytest.raises(InputError, match=r"of another shape \(blocks\.0\.spatial\.conv\.weight is"):
            fit_weights(network.recognizer, tensors)
    else:
        with pytest.raises(InputError, match=r"of another shape \(blocks\.0\."):
            fit_weights(network.recognizer, tensors)
