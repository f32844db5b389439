"""A network that cannot fit in memory is refused before anything is allocated."""

from __future__ import annotations

import pytest

from autohier.core.stages.checks.memory import require_memory
from autohier.errors import InputError

GB = 10**9


@pytest.mark.parametrize(
    ("num_parameters", "num_inputs"), [(10**9, 0), (0, 4 * 10**9), (5 * 10**8, 2 * 10**9)]
)
def test_16_bytes_per_parameter_and_4_per_number_must_fit(num_parameters: int, num_inputs: int) -> None:
    require_memory(num_parameters, num_inputs, 16 * GB, hint="")
    require_memory(num_parameters, num_inputs, None, hint="")
    with pytest.raises(InputError, match=r"must fit in the 16 GB of this machine, but got .*: less width"):
        require_memory(num_parameters + 1, num_inputs, 16 * GB, hint="less width")


def test_the_error_says_both_sizes() -> None:
    text = r"160\.0 GB for training 10,000 M parameters and 2\.0 GB of clips: reduce"
    with pytest.raises(InputError, match=text):
        require_memory(10**10, 5 * 10**8, 16 * GB, hint="reduce")
