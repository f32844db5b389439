"""Optimizers: they compute what torch's do, and import no compiler."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from autohier.core.training.optimizers import adam, sgd

TRAINED = """
import sys
from pathlib import Path
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial, prepare_tiny_clips
from autohier.config.search.loading import load_space
from autohier.core.trial import run_trial
from autohier.data.store.reader import ClipStore
folder = Path(sys.argv[1])
prepare_tiny_clips(folder)
changes = ["pass_1.epochs=1", "pass_2.epochs=1", "pruning.epochs=1", "optimisation.optimizer=sgd"]
space = load_space(str(SPACE_FILE), [*changes, "optimisation.clip_norm=1"])
config = space.config(space.initial[0].as_params(), seed=0)
outcome = run_trial(open_tiny_trial(config, ClipStore.open(folder / "demo"), folder / "stages"))
assert len(outcome.stages) > 2
print(*sorted({"torch._dynamo", "sympy"} & sys.modules.keys()))
"""


@pytest.mark.slow
def test_a_trial_imports_no_compiler(tmp_path) -> None:
    """Importing torch's compiler takes two seconds and a hundred megabytes in every process of a sweep."""
    path = [path for path in sys.path if path]
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{TRAINED}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1:] == [""]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_steps_are_those_of_torch(kind: str) -> None:
    torch.manual_seed(0)
    networks = [nn.Linear(3, 2)]
    networks.append(copy.deepcopy(networks[0]))
    if kind == "adam":
        ours = adam(networks[0].parameters(), learning_rate=0.1, weight_decay=0.01)
        theirs: torch.optim.Optimizer = torch.optim.Adam(
            networks[1].parameters(), lr=0.1, weight_decay=0.01, fused=True
        )
    else:
        ours = sgd(networks[0].parameters(), learning_rate=0.1, weight_decay=0.01)
        theirs = torch.optim.SGD(
            networks[1].parameters(), lr=0.1, weight_decay=0.01, momentum=0.9, nesterov=True, fused=True
        )
    for step in range(4):
        x = torch.randn(5, 3)
        for network, optimizer in zip(networks, (ours, theirs), strict=True):
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
        if step == 1:  # as an interrupted training continues
            ours.load_state_dict(copy.deepcopy(ours.state_dict()))
    assert all(torch.equal(*pair) for pair in zip(*(each.parameters() for each in networks), strict=True))
    assert not networks[0].weight.grad_fn
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]
