import copy

import pytest
import torch
from torch import nn

from autohier.core.pruning import compact, load_compacted
from autohier.errors import InputError


def network():
    """Build a convolution, a norm, a grouped and a depthwise convolution, and a classifier."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(2, 6, 1, bias=False),
        nn.BatchNorm1d(6),
        nn.Conv1d(6, 4, 1, groups=2),
        nn.Conv1d(4, 4, 3, groups=4, padding=1),
        nn.Flatten(),
        nn.Linear(4 * 5, 3),
    ).eval()


def compacted():
    """Return the network compacted without the first and last channels of its convolutions."""
    pruned = network()
    with torch.no_grad():
        for layer in pruned[:4]:
            for parameter in layer.parameters():
                parameter[[0, -1]] = 0.0
    return compact(pruned, (2, 5))


def test_layers_shrink_to_the_tensors():
    small, loaded = compacted(), network()
    load_compacted(loaded, small.state_dict())
    assert repr(loaded) == repr(small) != repr(network())
    assert loaded[3].groups == loaded[2].out_channels == 2
    assert all(tensor.equal(loaded.state_dict()[name]) for name, tensor in small.state_dict().items())
    clips = torch.randn(2, 2, 5)
    assert loaded(clips).equal(small(clips))


def test_the_network_can_be_trained_and_owns_its_tensors():
    tensors, loaded = compacted().state_dict(), network()
    loaded[1].requires_grad_(requires_grad=False)
    load_compacted(loaded, tensors)
    assert [parameter.requires_grad for parameter in loaded.parameters()] == [True, False, False] + 6 * [True]
    before = tensors["0.weight"].clone()
    loaded(torch.randn(2, 2, 5)).sum().backward()
    torch.optim.SGD(loaded.parameters(), lr=1.0).step()
    assert tensors["0.weight"].equal(before)


def test_tensors_of_full_size_are_loaded_without_changes():
    loaded, unpruned = network(), network()
    load_compacted(loaded, unpruned.state_dict())
    assert repr(loaded) == repr(unpruned)


def test_a_shared_layer_is_loaded_under_both_names():
    def shared():
        layer = nn.Conv1d(3, 3, 1)
        return nn.Sequential(nn.Conv1d(1, 3, 1), layer, layer, nn.Conv1d(3, 1, 1))

    pruned, loaded = shared(), shared()
    with torch.no_grad():
        for parameter in pruned[:2].parameters():
            parameter[1] = 0.0
    load_compacted(loaded, compact(pruned, (1, 2)).state_dict())
    assert loaded[1] is loaded[2]
    assert loaded[1].in_channels == loaded[1].out_channels == 2


@pytest.mark.parametrize(
    ("name", "shape", "fault"),
    [
        ("0.weight", (7, 2, 1), r"0.weight has shape \(7, 2, 1\), not \(6, 2, 1\) or a part of it"),
        ("0.weight", (0, 2, 1), r"0.weight has shape \(0, 2, 1\), not \(6, 2, 1\)"),
        ("0.weight", (4, 3, 1), r"0.weight has shape \(4, 3, 1\), not \(6, 2, 1\)"),
        ("0.weight", (4, 2, 3), r"0.weight has shape \(4, 2, 3\), not \(6, 2, 1\)"),
        ("0.weight", (4, 2), r"0.weight has shape \(4, 2\), not \(6, 2, 1\)"),
        ("1.running_var", (6,), r"1.running_var has shape \(6,\), not \(4,\)"),
        ("1.num_batches_tracked", (2,), r"1.num_batches_tracked has shape \(2,\), not \(\)"),
        ("2.weight", (3, 2, 1), r"2.weight has shape \(3, 2, 1\), not \(4, 3, 1\)"),
        ("3.weight", (2, 2, 3), r"3.weight has shape \(2, 2, 3\), not \(4, 1, 3\)"),
        ("5.weight", (2, 10), r"5.weight has shape \(2, 10\), not \(3, 20\)"),
        ("6.weight", (1,), "6.weight is unexpected"),
    ],
)
def test_mismatched_tensors_are_refused_and_change_nothing(name, shape, fault):
    loaded = network()
    before = copy.deepcopy(loaded)
    with pytest.raises(InputError, match=rf"after compaction, but got .*{fault}.*: build the network as"):
        load_compacted(loaded, compacted().state_dict() | {name: torch.zeros(shape)})
    assert repr(loaded) == repr(before)
    assert all(tensor.equal(before.state_dict()[key]) for key, tensor in loaded.state_dict().items())


def test_a_missing_tensor_is_named_in_the_error():
    tensors = compacted().state_dict()
    del tensors["1.bias"]
    with pytest.raises(InputError, match=r"got 1 mismatches: 1\.bias is missing"):
        load_compacted(network(), tensors)
