"""Sweep plans refuse invalid names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from support.sweep_runs.plans import make_plan


@pytest.mark.parametrize("name", ["stages", "fusions"])
def test_names_of_other_folders_are_reserved(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is the folder of all {name}; choose another name"):
        make_plan(Path(), name=name)
