"""Exported networks whose graph depends on the clip take any number of clips."""

import pytest
import torch

from support.networks.small_recognizers import build_small, small_batch


@torch.no_grad()
@pytest.mark.parametrize("name", ["ctr-gcn", "aagcn"])
def test_an_exported_network_takes_any_number_of_clips(name):
    recognizer, batch = build_small(name).recognizer.eval(), small_batch(name)

    class Features(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.recognizer = recognizer

        def forward(self, clips):
            return tuple(self.recognizer.forward_stacks(clips))

    dynamic = ({0: torch.export.Dim("batch", min=1)},)
    exported = torch.export.export(Features(), (batch,), dynamic_shapes=dynamic).module()
    for clips in (batch[:1], torch.cat([batch, batch, batch[:1]])):
        for feature, expected in zip(exported(clips), recognizer.forward_stacks(clips), strict=True):
            torch.testing.assert_close(feature, expected)
