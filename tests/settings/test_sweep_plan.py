"""What a sweep may be called."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from plans import make_plan


@pytest.mark.parametrize("name", ["stages", "fusions"])
def test_folders_beside_sweeps_keep_their_names(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is where {name} lie, choose another name"):
        make_plan(Path(), name=name)
