"""Golden stage keys: of a stage of each kind, and of pass 1 with each recognizer.

Stored stages are found by their keys, so a key that changes unnoticed costs users all of their training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.kinds.hac import PASS_1
from autohier.core.stages.kinds.registry import STAGE_KINDS, find_stage_kind
from autohier.core.stages.stage_key import stage_key
from support.stages.key_inputs import KIND_INPUTS, recognizer_inputs

FOLDER = Path(__file__).parent / "golden"
ACCEPT = "AUTOHIER_ACCEPT_GOLDEN"
KINDS, NAMES = STAGE_KINDS.names, RECOGNIZERS.names


def check_golden(file: str, keys: Mapping[str, str]) -> None:
    path = FOLDER / file
    if os.environ.get(ACCEPT):
        path.write_text(json.dumps(keys, indent=1) + "\n", encoding="utf-8")
    golden = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(name for name in keys.keys() | golden.keys() if keys.get(name) != golden.get(name))
    assert not changed, (
        f"stage keys of {', '.join(changed)} changed, so that stored stages are not reused: give a new "
        "setting a KeyDefault, or raise the version of the stage kind, note it in CHANGELOG.md, run this "
        f"test with {ACCEPT}=1, and commit {file}"
    )


def test_keys_of_all_stage_kinds_are_those_of_the_golden_file() -> None:
    keys = {name: stage_key(find_stage_kind(name), KIND_INPUTS[name]) for name in KINDS}
    check_golden("stage_keys.json", keys)


def test_keys_with_all_recognizers_are_those_of_the_golden_file() -> None:
    check_golden("recognizer_keys.json", {name: stage_key(PASS_1, recognizer_inputs(name)) for name in NAMES})


def test_a_changed_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ACCEPT, raising=False)
    monkeypatch.setattr(f"{__name__}.FOLDER", tmp_path)
    (tmp_path / "keys.json").write_text(json.dumps({"one": "a", "gone": "b", "same": "c"}))
    with pytest.raises(AssertionError, match="stage keys of gone, new, one changed"):
        check_golden("keys.json", {"one": "x", "new": "y", "same": "c"})


def test_accepting_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCEPT, "1")
    monkeypatch.setattr(f"{__name__}.FOLDER", tmp_path)
    check_golden("keys.json", {"one": "x"})
    assert (tmp_path / "keys.json").read_text() == '{\n "one": "x"\n}\n'


def test_no_two_stages_share_a_key() -> None:
    inputs: list[tuple[str, StageInputs]] = [*KIND_INPUTS.items()]
    inputs += [("pass-1", recognizer_inputs(name)) for name in NAMES]
    assert len({stage_key(find_stage_kind(kind), each) for kind, each in inputs}) == len(inputs)
