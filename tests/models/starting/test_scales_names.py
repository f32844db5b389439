"""Checkpoints of MS-G3D: the network computes what the published ones do, on their graphs."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.core.stages.setup.starting_weights import read_start
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.name_tables import rename_tensors
from support.networks.published_graphs import PublishedLayers, PublishedWeights, pooled

JOINTS, PERSONS = 17, 2
CHANNELS = (3, 8, 16, 32)
STRIDES = (1, 2, 2)
WINDOWS = (3, 5)
SCALES, WINDOW_SCALES = 4, 3
AUTHORS, PYSKL = "authors", "pyskl"


def small(layout="coco-17", seed=0, **options):
    options = {"num_scales": SCALES, "num_window_scales": WINDOW_SCALES, **options}
    network = build_recognizer("ms-g3d", num_classes=5, width=1 / 12, layout=layout, seed=seed, **options)
    return network.recognizer.double().eval()


def clips():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, PERSONS, 9, JOINTS, 3, dtype=torch.float64, generator=generator)


def published_graph(origin, num_frames, num_scales):
    """Return the fixed graph over the joints of num_frames frames, distance by distance: [P, V, V].

    In each, a joint is linked to itself and to the joints at one distance. The authors divide by the roots of
    both joints' numbers of links, PYSKL by those of the joint that gathers.
    """
    linked = torch.eye(JOINTS, dtype=torch.float64)
    for one, other in LAYOUTS["coco-17"].edges:
        linked[one, other] = linked[other, one] = 1
    near = linked.repeat(num_frames, num_frames)
    if num_frames == 1:
        near = near - torch.eye(JOINTS)
    itself = torch.eye(len(near), dtype=torch.float64)
    step, graphs = ((near + itself) > 0).double(), [itself]
    reached = itself
    for _ in range(1, num_scales):
        further = ((reached @ step) > 0).double()
        graphs.append(further - reached + itself)
        reached = further
    numbers = [graph.sum(dim=0) for graph in graphs]
    if origin == PYSKL:
        return torch.stack([graph / number for graph, number in zip(graphs, numbers, strict=True)])
    pairs = zip(graphs, numbers, strict=True)
    return torch.stack([graph / number.sqrt() / number.sqrt()[:, None] for graph, number in pairs])


def add_scales(weights, origin, path, read, written, num_frames, num_scales):
    num_joints = num_frames * JOINTS
    if origin == PYSKL:
        weights.state[f"{path}.A"] = published_graph(origin, num_frames, num_scales)
        weights.tensor(f"{path}.PA", num_scales, num_joints, num_joints, scale=0.1)
    else:
        weights.tensor(f"{path}.A_res", num_scales * num_joints, num_joints, scale=0.1)
    weights.convolution(f"{path}.mlp.layers.0", num_scales * read, written, 1, 1)
    weights.norm(f"{path}.mlp.layers.1", written)


def add_temporal(weights, path, read, written, stride=1):
    weights.branches(path, read, written, 3, 6)
    if stride > 1 or read != written:
        weights.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", read, written)


def ms_g3d_state(origin):
    """Return weights by the names of the authors' or PYSKL's MS-G3D, with 8 base channels."""
    weights = PublishedWeights(3)
    prefix = "backbone." if origin == PYSKL else ""
    weights.norm(f"{prefix}data_bn", PERSONS * JOINTS * 3)
    for stage, stride in enumerate(STRIDES):
        read, written = CHANNELS[stage : stage + 2]
        inner = read if stage else written
        for window, num_frames in enumerate(WINDOWS):
            path = f"{prefix}gcn3d{stage + 1}.gcn3d.{window}"
            add_scales(weights, origin, f"{path}.gcn3d.1", read, inner, num_frames, WINDOW_SCALES)
            weights.convolution(f"{path}.out_conv", inner, written, 1, num_frames, 1)
            weights.norm(f"{path}.out_bn", written)
        path = f"{prefix}sgcn{stage + 1}"
        add_scales(weights, origin, f"{path}.0", read, inner, 1, SCALES)
        add_temporal(weights, f"{path}.1", inner, written, stride)
        add_temporal(weights, f"{path}.2", written, written)
        add_temporal(weights, f"{prefix}tcn{stage + 1}", written, written)
    head = "cls_head.fc_cls" if origin == PYSKL else "fc"
    weights.tensor(f"{head}.weight", 60, 32)
    weights.tensor(f"{head}.bias", 60)
    if origin == PYSKL:
        weights.tensor("backbone.A", JOINTS, JOINTS)
    return weights.state


class Published(PublishedLayers):
    """MS-G3D, layer by layer."""

    def __init__(self, state, origin):
        super().__init__(state)
        self.origin, self.prefix = origin, "backbone." if origin == PYSKL else ""

    def scales(self, path, x, num_frames, num_scales):
        if self.origin == PYSKL:
            graph_PVW = self.state[f"{path}.A"] + self.state[f"{path}.PA"]
        else:
            offset_PWV = self.state[f"{path}.A_res"].view(num_scales, x.shape[3], x.shape[3])
            graph_PVW = (published_graph(AUTHORS, num_frames, num_scales) + offset_PWV).transpose(1, 2)
        gathered = torch.cat([x @ graph_VW for graph_VW in graph_PVW], dim=1)
        return F.relu(self.normed(f"{path}.mlp.layers.1", self.conv(f"{path}.mlp.layers.0", gathered)))

    def temporal(self, path, x, stride=1, *, rectify=True):
        out = self.branches(path, x, stride, 6)
        out = out + self.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", x, stride)
        return F.relu(out) if rectify else out

    def window(self, path, x, num_frames, stride):
        reach = num_frames // 2
        padded = F.pad(x, (0, 0, reach, reach))
        starts = range(0, x.shape[2], stride)
        windows = torch.stack([padded[:, :, at : at + num_frames].flatten(2) for at in starts], dim=2)
        mixed = self.scales(f"{path}.gcn3d.1", windows, num_frames, WINDOW_SCALES)
        mixed = mixed.unflatten(3, (num_frames, JOINTS))
        out = F.conv3d(mixed, self.state[f"{path}.out_conv.weight"], self.state[f"{path}.out_conv.bias"])
        return self.normed(f"{path}.out_bn", out.squeeze(3))

    def feature(self, batch):
        x = self.persons(batch, f"{self.prefix}data_bn")
        for stage, stride in enumerate(STRIDES, start=1):
            path = f"{self.prefix}sgcn{stage}"
            out = self.scales(f"{path}.0", x, 1, SCALES)
            out = self.temporal(f"{path}.1", out, stride)
            out = self.temporal(f"{path}.2", out, rectify=False)
            for window, num_frames in enumerate(WINDOWS):
                out = out + self.window(f"{self.prefix}gcn3d{stage}.gcn3d.{window}", x, num_frames, stride)
            x = self.temporal(f"{self.prefix}tcn{stage}", F.relu(out))
        return pooled(x, PERSONS)


@torch.no_grad()
@pytest.mark.parametrize(
    ("origin", "packages"), [(AUTHORS, "the authors' MS-G3D"), (PYSKL, "PYSKL or MMAction2")]
)
def test_the_network_computes_what_the_published_one_does(origin, packages):
    state, network, batch = ms_g3d_state(origin), small(), clips()
    named, found = rename_tensors("ms-g3d", state)
    fit = fit_weights(network, named)
    assert (found, fit.initial) == (packages, ())
    expected = Published(state, origin).feature(batch)
    # The own graph is in float32, and the offsets are relative to it.
    tolerance = 1e-9 if origin == PYSKL else 1e-5
    torch.testing.assert_close(network.forward_stacks(batch)[-1], expected, rtol=tolerance, atol=tolerance)


def test_the_graph_of_the_file_replaces_the_own_one():
    state, network = ms_g3d_state(PYSKL), small()
    unit = network.stages[0].factorised[0]
    theirs = state["backbone.sgcn1.0.A"]
    # PYSKL's graph is not symmetric, so it is another one.
    assert not torch.allclose(unit.partitions, theirs, atol=1e-3)
    fit_weights(network, rename_tensors("ms-g3d", state)[0])
    torch.testing.assert_close(unit.partitions + unit.offset, theirs + state["backbone.sgcn1.0.PA"])


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("backbone.sgcn2.0.A", r"missing \(stages\.1\.factorised\.0\.offset\)"),
        ("backbone.sgcn2.0.PA", r"2 tensors missing \(stages\.1\.factorised\.0\.offset, .*conv\.weight\)"),
        ("backbone.gcn3d1.gcn3d.1.out_conv.bias", r"missing \(stages\.0\.windows\.1\.collapse\.conv\.bias\)"),
        ("backbone.tcn3.branches.5.1.weight", r"missing \(stages\.2\.temporal\.branches_bn\.weight\)"),
        (
            "backbone.gcn3d2.gcn3d.0.out_conv.weight",
            r"missing \(stages\.1\.windows\.0\..*unexpected \(gcn3d2",
        ),
    ],
)
def test_a_missing_part_is_reported_by_the_tensor_that_it_belongs_to(name, fault):
    state = ms_g3d_state(PYSKL)
    del state[name]
    with pytest.raises(InputError, match=fault):
        fit_weights(small(), rename_tensors("ms-g3d", state)[0])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("sgcn1.0.A_res", (SCALES * JOINTS,)),
        ("sgcn1.0.A_res", (0, 0)),
        ("sgcn1.0.A_res", (SCALES * JOINTS + 1, JOINTS)),
        ("sgcn1.0.mlp.layers.0.weight", (8, 13, 1, 1)),
        ("sgcn1.0.mlp.layers.0.weight", ()),
        ("sgcn1.0.mlp.layers.0.bias", (8, 1)),
        ("gcn3d1.gcn3d.0.out_conv.weight", (8, 8, 3, 1)),
        ("gcn3d1.gcn3d.0.out_conv.weight", (8, 8, 2, 3, 1)),
    ],
)
def test_tensors_of_odd_shapes_are_refused_by_name(name, shape):
    state = ms_g3d_state(AUTHORS) | {name: torch.zeros(shape, dtype=torch.float64)}
    with pytest.raises(InputError, match=r"stages\.0\."):
        fit_weights(small(), rename_tensors("ms-g3d", state)[0])


def test_an_odd_graph_is_refused_by_name():
    state = ms_g3d_state(PYSKL) | {"backbone.sgcn1.0.A": torch.zeros(JOINTS, JOINTS)}
    with pytest.raises(InputError, match=r"unexpected \(stages\.0\.factorised\.0\.partitions\)"):
        fit_weights(small(), rename_tensors("ms-g3d", state)[0])


@pytest.mark.parametrize("option", [{"num_scales": 5}, {"windows": (5, 3)}, {"num_window_scales": 2}])
def test_other_scales_and_windows_are_refused(option):
    with pytest.raises(InputError, match="of another shape"):
        fit_weights(small(**option), rename_tensors("ms-g3d", ms_g3d_state(PYSKL))[0])


def test_other_joints_leave_the_offsets_at_their_initial_values():
    network = small("kinect-v1-20")
    fit = fit_weights(network, rename_tensors("ms-g3d", ms_g3d_state(PYSKL))[0])
    # The norm of the coordinates, and the offsets of three units in each of three stages.
    assert len(fit.initial) == 4 + 9
    assert network.stages[0].factorised[0].offset.abs().max() <= 1e-6


@torch.no_grad()
def test_a_file_round_trip_gives_the_same_network(tmp_path):
    torch.save({"state_dict": ms_g3d_state(PYSKL)}, tmp_path / "theirs.pth")
    first, second = small(), small(seed=9)
    read_start(tmp_path / "theirs.pth", "ms-g3d").fit_into(first, "coco-17")
    ours = {f"recognizer.{name}": tensor for name, tensor in first.state_dict().items()}
    torch.save(ours, tmp_path / "ours.pth")
    read_start(tmp_path / "ours.pth", "ms-g3d").fit_into(second, "coco-17")
    batch = clips()
    assert torch.equal(first.forward_stacks(batch)[-1], second.forward_stacks(batch)[-1])
