"""Check that training a network can fit in memory, before anything is allocated."""

from __future__ import annotations

from autohier.errors import InputError

BYTES_PER_PARAMETER = 16
"""Weight, gradient and the two moments of Adam, in float32."""
_BYTES_PER_VALUE = 4
_GB = 1e9


def require_memory(num_parameters: int, num_inputs: int, memory_bytes: int | None, *, hint: str) -> None:
    """Check that a network and one batch of clips fit in memory; their activations come on top.

    Args:
        num_parameters: of the network.
        num_inputs: numbers in one batch of clips.
        memory_bytes: memory of the machine; None accepts any size.
        hint: how to reduce the sizes.

    Raises:
        InputError: if they do not fit.
    """
    network, batch = num_parameters * BYTES_PER_PARAMETER, num_inputs * _BYTES_PER_VALUE
    if memory_bytes is not None and network + batch > memory_bytes:
        raise InputError(
            f"the network and a batch of clips must fit in the {memory_bytes / _GB:,.0f} GB of this machine",
            got=f"{network / _GB:,.1f} GB for training {num_parameters / 1e6:,.0f} M parameters and "
            f"{batch / _GB:,.1f} GB of clips",
            hint=hint,
        )
