"""Checkpoints of CTR-GCN and AAGCN: the networks compute what the published ones do."""

import re

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.core.stages.setup.starting_weights import read_start
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.name_tables import rename_tensors
from support.networks.published_graphs import PublishedLayers, PublishedWeights, pooled

JOINTS, PERSONS = 17, 2
CHANNELS = [3, *[8] * 4, *[16] * 3, *[32] * 3]
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
BLOCKS = tuple(zip(CHANNELS[:-1], CHANNELS[1:], STRIDES, strict=True))


def small(name, layout="coco-17", seed=0, **options):
    network = build_recognizer(name, num_classes=5, width=0.125, layout=layout, seed=seed, **options)
    return network.recognizer.double().eval()


def clips():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, PERSONS, 9, JOINTS, 3, dtype=torch.float64, generator=generator)


def add_residual(weights, block, path):
    read, written, stride = BLOCKS[block]
    if block and (stride > 1 or read != written):
        weights.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", read, written)


def ctr_gcn_state():
    """Return weights by the names of the authors' CTR-GCN, with 8 base channels."""
    weights = PublishedWeights(1)
    weights.norm("data_bn", PERSONS * JOINTS * 3)
    for block, (read, written, _) in enumerate(BLOCKS):
        path = f"l{block + 1}"
        num_relations = 8 if read <= 16 else read // 8
        weights.tensor(f"{path}.gcn1.PA", 3, JOINTS, JOINTS, scale=0.3)
        weights.tensor(f"{path}.gcn1.alpha", 1)
        for partition in range(3):
            at = f"{path}.gcn1.convs.{partition}"
            weights.convolution(f"{at}.conv1", read, num_relations, 1, 1)
            weights.convolution(f"{at}.conv2", read, num_relations, 1, 1)
            weights.convolution(f"{at}.conv3", read, written, 1, 1)
            weights.convolution(f"{at}.conv4", num_relations, written, 1, 1)
        if read != written:
            weights.shortcut(f"{path}.gcn1.down.0", f"{path}.gcn1.down.1", read, written)
        weights.norm(f"{path}.gcn1.bn", written)
        weights.branches(f"{path}.tcn1", written, written, 5, 4)
        add_residual(weights, block, path)
    weights.tensor("fc.weight", 60, 32)
    weights.tensor("fc.bias", 60)
    return weights.state


def ctr_gcn_feature(state, batch):
    """Return the pooled feature that the authors' CTR-GCN computes."""
    net = PublishedLayers(state)
    x = net.persons(batch)
    for block, (_, _, stride) in enumerate(BLOCKS):
        path, entering = f"l{block + 1}", x
        total = 0
        for partition in range(3):
            at = f"{path}.gcn1.convs.{partition}"
            to_NRU, from_NRV = net.conv(f"{at}.conv1", x).mean(2), net.conv(f"{at}.conv2", x).mean(2)
            relations = torch.tanh(to_NRU[..., :, None] - from_NRV[..., None, :])
            topology = net.conv(f"{at}.conv4", relations) * state[f"{path}.gcn1.alpha"]
            topology = topology + state[f"{path}.gcn1.PA"][partition]
            total = total + net.conv(f"{at}.conv3", x) @ topology.transpose(2, 3)
        out = net.normed(f"{path}.gcn1.bn", total)
        x = F.relu(out + net.shortcut(f"{path}.gcn1.down.0", f"{path}.gcn1.down.1", x))
        x = net.branches(f"{path}.tcn1", x, stride, 4)
        if block:
            x = x + net.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", entering, stride)
        x = F.relu(x)
    return pooled(x, PERSONS)


AUTHORS, PYSKL = "authors", "pyskl"


def aagcn_names(origin, block):
    """Return the names of a block, its two units and its graph."""
    if origin == AUTHORS:
        return f"l{block + 1}", "gcn1", "tcn1", "PA"
    return f"backbone.gcn.{block}", "gcn", "tcn", "A"


def aagcn_state(origin):
    """Return weights by the names of the authors' or PYSKL's AAGCN, with 8 base channels."""
    weights = PublishedWeights(2)
    backbone, head = ("", "fc") if origin == AUTHORS else ("backbone.", "cls_head.fc_cls")
    weights.norm(f"{backbone}data_bn", PERSONS * JOINTS * 3)
    for block, (read, written, _) in enumerate(BLOCKS):
        path, gcn, tcn, graph = aagcn_names(origin, block)
        unit = f"{path}.{gcn}"
        weights.tensor(f"{unit}.{graph}", 3, JOINTS, JOINTS, scale=0.3)
        weights.tensor(f"{unit}.alpha", 1)
        for partition in range(3):
            weights.convolution(f"{unit}.conv_d.{partition}", read, written, 1, 1)
            weights.convolution(f"{unit}.conv_a.{partition}", read, written // 4, 1, 1)
            weights.convolution(f"{unit}.conv_b.{partition}", read, written // 4, 1, 1)
        weights.convolution(f"{unit}.conv_ta", written, 1, 9)
        weights.convolution(f"{unit}.conv_sa", written, 1, JOINTS)
        weights.convolution(f"{unit}.fc1c", written, written // 2)
        weights.convolution(f"{unit}.fc2c", written // 2, written)
        if read != written:
            weights.shortcut(f"{unit}.down.0", f"{unit}.down.1", read, written)
        weights.norm(f"{unit}.bn", written)
        weights.convolution(f"{path}.{tcn}.conv", written, written, 9, 1)
        weights.norm(f"{path}.{tcn}.bn", written)
        add_residual(weights, block, path)
    weights.tensor(f"{head}.weight", 60, 32)
    weights.tensor(f"{head}.bias", 60)
    if origin == PYSKL:
        weights.tensor("backbone.A", 3, JOINTS, JOINTS)
    return weights.state


def aagcn_feature(state, batch, origin):
    """Return the pooled feature that AAGCN computes, in the authors' repository as in PYSKL."""
    net = PublishedLayers(state)

    def scores(name, x_NCL):
        weight = state[f"{name}.weight"]
        return torch.sigmoid(F.conv1d(x_NCL, weight, state[f"{name}.bias"], padding=weight.shape[2] // 2))

    def linear(name, x):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    x = net.persons(batch, "data_bn" if origin == AUTHORS else "backbone.data_bn")
    for block, (_, written, stride) in enumerate(BLOCKS):
        path, gcn, tcn, graph = aagcn_names(origin, block)
        unit, entering, total = f"{path}.{gcn}", x, 0
        for partition in range(3):
            from_NETV, to_NETW = (net.conv(f"{unit}.{each}.{partition}", x) for each in ("conv_a", "conv_b"))
            products = torch.einsum("netv,netw->nvw", from_NETV, to_NETW)
            attention = torch.tanh(products / (written // 4 * x.shape[2]))
            weights_NVW = state[f"{unit}.{graph}"][partition] + state[f"{unit}.alpha"] * attention
            total = total + net.conv(
                f"{unit}.conv_d.{partition}", torch.einsum("nctv,nvw->nctw", x, weights_NVW)
            )
        out = net.normed(f"{unit}.bn", total)
        x = F.relu(out + net.shortcut(f"{unit}.down.0", f"{unit}.down.1", x))
        x = x + x * scores(f"{unit}.conv_sa", x.mean(2))[:, :, None]
        x = x + x * scores(f"{unit}.conv_ta", x.mean(3))[..., None]
        hidden = F.relu(linear(f"{unit}.fc1c", x.mean(dim=(2, 3))))
        x = x + x * torch.sigmoid(linear(f"{unit}.fc2c", hidden))[..., None, None]
        x = net.normed(f"{path}.{tcn}.bn", net.conv(f"{path}.{tcn}.conv", x, stride))
        if block:
            x = x + net.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", entering, stride)
        x = F.relu(x)
    return pooled(x, PERSONS)


def without_head(state):
    return {name: each for name, each in state.items() if not name.startswith(("fc.", "cls_head."))}


@torch.no_grad()
def test_the_network_computes_what_the_authors_ctr_gcn_does():
    state, network, batch = ctr_gcn_state(), small("ctr-gcn"), clips()
    named, origin = rename_tensors("ctr-gcn", state)
    fit = fit_weights(network, named)
    assert (origin, fit.initial) == ("the authors' CTR-GCN", ())
    assert fit.num_parameters > 0.9 * sum(each.numel() for each in without_head(state).values())
    expected = ctr_gcn_feature(state, batch)
    torch.testing.assert_close(network.forward_stacks(batch)[-1], expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(
    ("origin", "packages"), [(AUTHORS, "the authors' AAGCN"), (PYSKL, "PYSKL or MMAction2")]
)
def test_the_network_computes_what_the_published_aagcn_does(origin, packages):
    state, network, batch = aagcn_state(origin), small("aagcn"), clips()
    named, found = rename_tensors("aagcn", state)
    fit = fit_weights(network, named)
    assert (found, fit.initial) == (packages, ())
    expected = aagcn_feature(state, batch, origin)
    torch.testing.assert_close(network.forward_stacks(batch)[-1], expected, rtol=1e-9, atol=1e-9)


def test_a_backbone_saved_alone_fits_too():
    whole = aagcn_state(PYSKL)
    alone = {name.removeprefix("backbone."): each for name, each in whole.items() if "backbone" in name}
    bare, _ = rename_tensors("aagcn", alone)
    named = without_head(rename_tensors("aagcn", whole)[0])
    assert bare.keys() == named.keys()
    assert all(torch.equal(bare[name], named[name]) for name in bare)


def pyskl_ctr_gcn_state():
    """Return weights by the names of PYSKL's CTR-GCN, whose shapes are those of the authors'."""
    state = {
        re.sub(r"^l(\d+)", lambda found: f"backbone.net.{int(found[1]) - 1}", name): each
        for name, each in ctr_gcn_state().items()
        if not name.startswith(("fc.", "data_bn."))
    }
    state = {name.replace("gcn1.PA", "gcn1.A"): each for name, each in state.items()}
    norm = {f"backbone.{name}": each for name, each in ctr_gcn_state().items() if name.startswith("data_bn.")}
    graph = {"backbone.A": torch.zeros(3, JOINTS, JOINTS, dtype=torch.float64)}
    return state | norm | graph | {"cls_head.fc_cls.weight": torch.zeros(60, 32)}


def pyskl_ctr_gcn_feature(state, batch):
    """Return the pooled feature that PYSKL's CTR-GCN computes: joint v gathers from joint u."""
    state = {name.removeprefix("backbone."): each for name, each in state.items()}
    net = PublishedLayers(state)
    x = net.persons(batch)
    for block, (_, _, stride) in enumerate(BLOCKS):
        path, entering = f"net.{block}", x
        total = 0
        for partition in range(3):
            at = f"{path}.gcn1.convs.{partition}"
            one_NRU, two_NRV = net.conv(f"{at}.conv1", x).mean(2), net.conv(f"{at}.conv2", x).mean(2)
            relations = torch.tanh(one_NRU[..., :, None] - two_NRV[..., None, :])
            topology = net.conv(f"{at}.conv4", relations) * state[f"{path}.gcn1.alpha"]
            topology = topology + state[f"{path}.gcn1.A"][partition]
            total = total + torch.einsum("ncuv,nctu->nctv", topology, net.conv(f"{at}.conv3", x))
        out = net.normed(f"{path}.gcn1.bn", total)
        x = F.relu(out + net.shortcut(f"{path}.gcn1.down.0", f"{path}.gcn1.down.1", x))
        x = F.relu(net.branches(f"{path}.tcn1", x, stride, 4))
        if block:
            x = x + net.shortcut(f"{path}.residual.conv", f"{path}.residual.bn", entering, stride)
        x = F.relu(x)
    return pooled(x, PERSONS)


@torch.no_grad()
def test_the_network_computes_what_pyskls_ctr_gcn_does():
    state, network, batch = pyskl_ctr_gcn_state(), small("ctr-gcn", branch_relu=True), clips()
    named, origin = rename_tensors("ctr-gcn", state)
    assert (origin, fit_weights(network, named).initial) == ("PYSKL", ())
    expected = pyskl_ctr_gcn_feature(state, batch)
    torch.testing.assert_close(network.forward_stacks(batch)[-1], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("state", "relu", "fault"),
    [
        (pyskl_ctr_gcn_state, False, "that of PYSKL, which has one: add --set recognizer.branch_relu=true"),
        (ctr_gcn_state, True, "that of the authors, which has none: add --set recognizer.branch_relu=false"),
    ],
)
def test_weights_of_a_network_with_other_relus_are_refused(state, relu, fault):
    with pytest.raises(InputError, match=f"a ReLU behind its temporal branches, but got {fault}"):
        fit_weights(small("ctr-gcn", branch_relu=relu), rename_tensors("ctr-gcn", state())[0])


def test_agcn_without_attention_is_refused_by_the_names_that_it_lacks():
    # 2s-AGCN has the same convolutions, but neither a factor of the attention nor attention to channels.
    lacking = ("alpha", "conv_sa", "conv_ta", "fc1c", "fc2c")
    state = {
        name: each for name, each in aagcn_state(AUTHORS).items() if not set(name.split(".")) & {*lacking}
    }
    with pytest.raises(InputError, match=r"90 tensors missing \(blocks\.0\.spatial\.strength, "):
        fit_weights(small("aagcn"), rename_tensors("aagcn", state)[0])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("l3.gcn1.convs.1.conv3.weight", "blocks.2.spatial.conv.weight"),
        ("l3.gcn1.convs.2.conv4.bias", "blocks.2.spatial.conv.refinement_bias"),
        ("l5.gcn1.convs.0.conv2.weight", "blocks.4.spatial.embedding.weight"),
        ("l1.tcn1.branches.2.4.running_var", "blocks.0.temporal.branches_bn.running_var"),
        ("l1.gcn1.PA", "blocks.0.spatial.partitions"),
    ],
)
def test_a_missing_part_is_reported_by_the_tensor_that_it_belongs_to(name, ours):
    state = ctr_gcn_state()
    del state[name]
    with pytest.raises(InputError, match=rf"1 tensor missing \({ours}\)"):
        fit_weights(small("ctr-gcn"), rename_tensors("ctr-gcn", state)[0])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("l3.gcn1.convs.1.conv3.weight", (8, 9, 1, 1)),
        ("l3.gcn1.convs.1.conv3.weight", ()),
        ("l3.gcn1.convs.0.conv3.bias", ()),
        ("l3.gcn1.convs.0.conv1.weight", (8,)),
        ("l3.gcn1.convs.1.conv4.weight", (8, 9, 1, 1)),
        ("l3.tcn1.branches.1.0.weight", (2, 9, 1, 1)),
        ("l3.tcn1.branches.0.3.bn.weight", ()),
        ("l3.gcn1.PA", (JOINTS, JOINTS)),
        ("l3.residual.conv.weight", (8, 8, 1, 1)),
    ],
)
def test_tensors_of_odd_shapes_are_refused_by_name(name, shape):
    state = ctr_gcn_state() | {name: torch.zeros(shape, dtype=torch.float64)}
    with pytest.raises(InputError, match=r"blocks\.2\."):
        fit_weights(small("ctr-gcn"), rename_tensors("ctr-gcn", state)[0])


def test_other_joints_leave_what_they_size_at_its_initial_values():
    network = small("aagcn", "kinect-v1-20")
    before = {name: each.clone() for name, each in network.state_dict().items()}
    fit = fit_weights(network, rename_tensors("aagcn", aagcn_state(PYSKL))[0])
    # The norm of the coordinates, and in ten blocks the partitions and the weight of the attention to joints.
    assert len(fit.initial) == 4 + 10 + 10
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in fit.initial)


@torch.no_grad()
@pytest.mark.parametrize("name", ["ctr-gcn", "aagcn"])
def test_a_file_round_trip_gives_the_same_network(name, tmp_path):
    state = ctr_gcn_state() if name == "ctr-gcn" else aagcn_state(PYSKL)
    wrapped = {"state_dict": {f"module.{each}": tensor for each, tensor in state.items()}, "meta": {}}
    torch.save(wrapped, tmp_path / "theirs.pth")
    first, second = small(name), small(name, seed=9)
    start = read_start(tmp_path / "theirs.pth", name)
    assert not any("fc" in each.split(".") or "cls_head" in each for each in start.tensors)
    start.fit_into(first, "coco-17")
    ours = {f"recognizer.{each}": tensor for each, tensor in first.state_dict().items()}
    torch.save(ours, tmp_path / "ours.pth")
    read_start(tmp_path / "ours.pth", name).fit_into(second, "coco-17")
    batch = clips()
    assert torch.equal(first.forward_stacks(batch)[-1], second.forward_stacks(batch)[-1])
