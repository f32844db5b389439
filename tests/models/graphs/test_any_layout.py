"""Graph networks take every joint layout, number of coordinates and number of persons."""

import pytest
import torch

from autohier.data.skeleton import LAYOUTS
from autohier.models import build_recognizer

NETWORKS = {
    "st-gcn": {},
    "st-gcn++": {},
    "ctr-gcn": {"num_persons": 3},
    "aagcn": {"num_persons": 3},
    "ms-g3d": {"num_persons": 3, "num_scales": 3, "num_window_scales": 2, "windows": (3,)},
    "tcn": {"num_frames_seen": 3},
}


@torch.no_grad()
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_three_persons_of_two_coordinates_in_any_layout(name, layout):
    options = {"width": 0.1, "layout": layout, "in_channels": 2, **NETWORKS[name]}
    network = build_recognizer(name, num_classes=7, superclasses=(2,), **options)
    batch = torch.randn((2, 3, 1, LAYOUTS[layout].num_joints, 2), generator=torch.Generator().manual_seed(1))
    scores = network(batch)
    assert [each.shape for each in scores] == [(2, 2), (2, 7)]
    assert all(each.isfinite().all() for each in scores)
