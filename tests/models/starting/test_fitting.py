"""Fitting starting weights into a recognizer: what is set, what stays, and what is refused."""

import pytest
import torch

from autohier.config.trial.recognizers import find_recognizer_settings
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.starting.fitting import fit_weights
from autohier.models.starting.state_files import read_state_dict
from support.networks.small_recognizers import CASES, build_small, small_batch


def small(**options):
    return build_recognizer("inflated-resnet18", num_classes=5, width=0.125, **options).recognizer


@pytest.mark.parametrize("name", CASES)
def test_a_network_of_other_classes_and_seed_starts_with_the_same_features(name):
    trained = build_small(name).recognizer
    options, _ = CASES[name]
    other = build_recognizer(name, num_classes=3, seed=9, **options).recognizer
    fit = fit_weights(other, trained.state_dict())
    assert fit.initial == ()
    assert fit.num_loaded == len(trained.state_dict())
    batch = small_batch(name)
    with torch.no_grad():
        pairs = zip(trained.eval().forward_stacks(batch), other.eval().forward_stacks(batch), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_data_tensors_exist():
    for name in CASES:
        recognizer = build_small(name).recognizer
        assert recognizer.data_tensors() <= recognizer.state_dict().keys()


@pytest.mark.parametrize(
    "name", [name for name in CASES if find_recognizer_settings(name).reads == "skeletons"]
)
def test_a_network_on_other_joints_starts_with_all_that_does_not_depend_on_them(name):
    options, _ = CASES[name]
    networks = [
        build_recognizer(name, num_classes=3, seed=seed, **options | {"layout": layout}).recognizer
        for seed, layout in enumerate(("kinect-v2-25", "kinect-v1-20"))
    ]
    one, other = (network.state_dict() for network in networks)
    fit = fit_weights(networks[1], one, other_layout=True)
    assert set(fit.initial) == networks[1].data_tensors()
    kept = networks[1].state_dict()
    assert all(torch.equal(kept[each], other[each]) for each in fit.initial)
    assert all(torch.equal(kept[each], one[each]) for each in kept if each not in fit.initial)


@pytest.mark.parametrize("name", ["ctr-gcn", "aagcn", "ms-g3d"])
def test_the_norm_of_the_coordinates_stays_initial_with_other_numbers_of_persons(name):
    options = CASES[name][0]
    two, three = (
        build_recognizer(name, num_classes=3, seed=0, **options | {"num_persons": number}).recognizer
        for number in (2, 3)
    )
    initial = fit_weights(three, two.state_dict()).initial
    assert initial == tuple(f"data_bn.{part}" for part in ("weight", "bias", "running_mean", "running_var"))


def test_heads_of_every_origin_are_ignored():
    state = small(seed=1).state_dict()
    heads = ("heads.stack4.weight", "fc.weight", "cls_head.fc_cls.bias", "classifier.1.weight")
    network = small(seed=0)
    fit_weights(network, state | dict.fromkeys(heads, torch.zeros(3)))
    assert torch.equal(network.state_dict()["bn1.weight"], state["bn1.weight"])


def test_missing_unexpected_and_misshapen_tensors_are_all_named_and_nothing_changes():
    network = small(seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = small(seed=1).state_dict()
    del state["layer1.0.conv1.weight"]
    state["layer1.0.conv2.weight"] = torch.zeros(8, 8, 3, 3)
    state |= {f"extra.{index}": torch.zeros(1) for index in range(5)}
    with pytest.raises(
        InputError,
        match=r"1 tensor missing \(layer1\.0\.conv1\.weight\); 5 tensors unexpected \(extra\.0, extra\.1, "
        r"extra\.2, \.\.\.\); 1 tensor of another shape \(layer1\.0\.conv2\.weight is \(8, 8, 3, 3\), not "
        r"\(8, 8, 3, 3, 3\)\)",
    ):
        fit_weights(network, state)
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


def test_counters_of_norms_may_be_missing():
    state = {name: each for name, each in small(seed=1).state_dict().items() if "batches" not in name}
    fit_weights(small(seed=0), state)


@torch.no_grad()
@pytest.mark.parametrize(("theirs", "ours"), [(3, 1), (1, 3)])
def test_colours_and_grey_are_converted(theirs, ours):
    trained, network = small(in_channels=theirs, seed=1).double(), small(in_channels=ours, seed=0).double()
    assert fit_weights(network, trained.state_dict()).initial == ()
    grey = torch.randn(2, 1, 2, 16, 16, dtype=torch.float64)
    pairs = [
        each.eval().forward_stacks(grey.expand(-1, channels, -1, -1, -1))
        for each, channels in ((trained, theirs), (network, ours))
    ]
    for one, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wrap", ["state_dict", "model_state_dict", "model", None])
def test_wrapped_and_parallel_checkpoints_are_read(tmp_path, wrap):
    state = {"module.a": torch.ones(1), "module.b": torch.zeros(2)}
    path = tmp_path / "any.pth"
    torch.save({wrap: state, "meta": {"epoch": 3, "config": "text"}} if wrap else state, path)
    assert {name: len(each) for name, each in read_state_dict(path, hint="").items()} == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "content", [{}, {"state_dict": {}}, {"state_dict": {"a": 1}}, [1], {1: torch.ones(1)}]
)
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    path = tmp_path / "any.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"any\.pth must hold a state dict"):
        read_state_dict(path, hint="")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, 2).to_sparse(),
        torch.ones(3, dtype=torch.complex64),
        torch.ones(3, device="meta"),
    ],
    ids=["sparse", "complex", "meta"],
)
def test_tensors_that_no_network_has_are_refused(tmp_path, tensor):
    path = tmp_path / "any.pth"
    torch.save({"conv.weight": tensor}, path)
    with pytest.raises(InputError, match=r"must hold dense tensors of real numbers, .* in conv\.weight"):
        read_state_dict(path, hint="")
