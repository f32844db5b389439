"""Data loader of a few numbers instead of clips."""

from __future__ import annotations

import torch

from autohier.data.inputs.named import map_clips
from autohier.data.inputs.share import WHOLE


class FakeDataLoader:
    """Points on a line with their classes; ``sets`` shifts the points of each evaluation set."""

    def __init__(self, points, labels, *, shifts=(0.0,), batch_size=4):
        self.points = torch.tensor(points, dtype=torch.float32)[:, None]
        self.labels = torch.tensor(labels)
        self.shifts = shifts
        self.batch_size = batch_size
        self.device = torch.device("cpu")
        self.seeds = []

    def num_clips(self, part):  # noqa: ARG002
        return len(self.labels)

    @property
    def clips_per_epoch(self):
        return len(self.labels)

    @property
    def num_training_batches(self):
        return -(-len(self.labels) // self.batch_size)

    def training_epoch(self, seed, share=WHOLE):
        self.seeds.append(seed)
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(seed))
        for indices in order.split(self.batch_size):
            yield self._points(indices[share.positions(len(indices))]), self.labels[indices]

    def evaluation_set(self, part, set_index, num_sets, *, mirrored=False, share=WHOLE):  # noqa: ARG002
        own = share.slice_of(len(self.labels)) or range(1)
        for indices in torch.tensor(own).split(-(-self.batch_size // share.width)):
            points = map_clips(lambda each: each + self.shifts[set_index], self._points(indices))
            yield map_clips(torch.neg, points) if mirrored else points, self.labels[indices]

    def _points(self, indices):
        return map_clips(lambda each: each[indices], self.points)
