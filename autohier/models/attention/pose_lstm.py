"""LSTM on the joints of a clip, of linear layers, whose cost and channels are known.

Legend: B clips, M persons, T frames, V joints, C coordinates, N numbers read of a frame, H hidden channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from autohier.data.layout_files import resolve_layout
from autohier.errors import InputError
from autohier.models.recognizer import PrunableFilters, Recognizer

_NUM_COORDINATES = 3


class PoseLstm(Recognizer):
    """Network on skeletons [B, M, T, V, 3]: LSTM layers, each of which is a stack of H channels.

    A stack's feature is the hidden state of its layer after the last frame. No filter can be pruned.

    Args:
        layout: name or description of the `JointLayout` of the V joints.
        num_persons: M.
        hidden: H.
        num_layers: number of layers.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self, *, layout: str | Mapping[str, object], num_persons: int, hidden: int = 512, num_layers: int = 3
    ) -> None:
        super().__init__()
        if min(num_persons, hidden, num_layers) < 1:
            raise InputError(
                "num_persons, hidden and num_layers must be at least 1", got=(num_persons, hidden, num_layers)
            )
        num_read = num_persons * resolve_layout(layout).num_joints * _NUM_COORDINATES
        self.layers = nn.ModuleList(
            LstmLayer(hidden if index else num_read, hidden) for index in range(num_layers)
        )
        self.stack_channels = (hidden,) * num_layers

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return the last hidden state of every layer, [B, H] each."""
        x_BTN, features = batch.transpose(1, 2).flatten(2), []
        for layer in self.layers:
            x_BTN = layer(x_BTN)
            features.append(x_BTN[:, -1])
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return nothing: no norm follows the linear layers."""
        return []

    def data_tensors(self) -> frozenset[str]:
        """Return the name of the weights that read the joints."""
        return frozenset({"layers.0.read.weight"})


class LstmLayer(nn.Module):
    """LSTM layer (Hochreiter and Schmidhuber, 1997) with one bias per gate; forget gates start open.

    Args:
        num_read: N.
        hidden: H.
    """

    def __init__(self, num_read: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Linear(num_read, 4 * hidden)
        self.recur = nn.Linear(hidden, 4 * hidden, bias=False)
        nn.init.ones_(self.read.bias[hidden : 2 * hidden])

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Return the hidden state after every frame, [B, T, H].

        The first frame follows on a state of zeros, to which no layer needs to be applied.
        """
        hidden_BH: Tensor | None = None
        cell_BH: Tensor | None = None
        states = []
        for read_B4H in self.read(x_BTN).unbind(dim=1):
            gates_B4H = read_B4H if hidden_BH is None else read_B4H + self.recur(hidden_BH)
            enter_BH, forget_BH, new_BH, leave_BH = gates_B4H.chunk(4, dim=1)
            entered_BH = enter_BH.sigmoid() * new_BH.tanh()
            cell_BH = entered_BH if cell_BH is None else forget_BH.sigmoid() * cell_BH + entered_BH
            hidden_BH = leave_BH.sigmoid() * cell_BH.tanh()
            states.append(hidden_BH)
        return torch.stack(states, dim=1)
