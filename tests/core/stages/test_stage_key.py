"""Form of stage keys: canonical JSON, frozen key defaults, versions and other processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Annotated, Any

import pytest
import torch

from autohier.config.key_defaults import KeyDefault, names_at_key_default
from autohier.config.trial.clips import FrameClips
from autohier.config.trial.recognizers import PoseSlowOnlySettings
from autohier.core.stages.inputs import NetworkInputs
from autohier.core.stages.kinds.hac import PASS_1, PASS_2
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.stage_key import stage_key
from autohier.core.training.devices import Device
from support.fakes.fake_stages import BASE, INPUTS


def test_a_key_is_the_digest_of_canonical_json() -> None:
    content = {
        "kind": "pass-2",
        "version": 5,
        "settings": {
            "assignments": [[0, 1, 0, 1], [0, 1, 2, 3]],
            "clips": BASE.clips.model_dump(mode="json", exclude={"test_flip", "test_offsets", "pixel_scale"}),
            "epochs": 2,
            "network": {
                "name": "inflated-resnet18",
                "options": {"in_channels": 3, "initialisation": "fan-in", "width": 0.125},
                "num_classes": 4,
                "weights_sha256": None,
            },
            "optimisation": {
                "batch_size": 16,
                "learning_rate": 1e-4,
                "schedule": {"name": "plateau", "options": {"lr_factor": 0.1, "lr_patience": 2}},
                "weight_decay": 0.0,
            },
            "protocol": BASE.protocol.model_dump(mode="json", exclude={"drop_duplicates", "clips_per_class"}),
            "weights": [1 / 3, 1.0],
        },
        "parents": ["1" * 64],
        "data": "d" * 64,
        "seed": 0,
        "numerics": {"device": "cpu", "precision": "float32"},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert stage_key(PASS_2, INPUTS["pass-2"]) == hashlib.sha256(text.encode()).hexdigest()


def test_the_placement_of_heads_is_in_the_key_of_pass_2_unless_it_is_that_of_hac() -> None:
    inputs = INPUTS["pass-2"]
    before = stage_key(PASS_2, inputs)
    assert stage_key(PASS_2, inputs.model_copy(update={"heads": "stacks"})) == before
    assert stage_key(PASS_2, inputs.model_copy(update={"heads": "last"})) != before


class ClipsWithNewSetting(FrameClips):
    blur: Annotated[float, KeyDefault(0.0)] = 0.5
    """A setting that is new: 0 computes as before, and users get 0.5."""


def test_a_new_setting_with_a_key_default_leaves_keys_as_they_are() -> None:
    def key(clips: FrameClips) -> str:
        base = BASE.model_copy(update={"clips": clips})
        return stage_key(PASS_2, INPUTS["pass-2"].model_copy(update={"base": base}))

    before = key(FrameClips())
    assert key(ClipsWithNewSetting(blur=0.0)) == before
    assert key(ClipsWithNewSetting()) != before


def test_an_option_of_a_recognizer_at_its_key_default_is_left_out() -> None:
    def key(**changes: object) -> str:
        base = BASE.model_copy(update={"network": BASE.network.model_copy(update=changes)})
        return stage_key(PASS_1, INPUTS["pass-1"].model_copy(update={"base": base}))

    options = BASE.network.options | {"dropout": 0.0}
    assert key(options=options, at_key_default=("dropout",)) == key()
    assert key(options=options) != key()


def test_pose_conv3d_without_its_stem_pool_keeps_the_key_of_earlier_stages() -> None:
    def key(options: dict[str, Any], at_key_default: tuple[str, ...] = ()) -> str:
        network = NetworkInputs(
            name="pose-slowonly",
            options=options | {"in_channels": 17},
            at_key_default=at_key_default,
            weights_sha256=None,
            num_classes=4,
        )
        base = BASE.model_copy(update={"network": network})
        return stage_key(PASS_1, INPUTS["pass-1"].model_copy(update={"base": base}))

    def key_of(settings: PoseSlowOnlySettings) -> str:
        return key(settings.options(), names_at_key_default(settings))

    earlier = key({"width": 1.0, "initialisation": "fan-in"})
    assert key_of(PoseSlowOnlySettings(name="pose-slowonly", stem_pool=False)) == earlier
    assert key_of(PoseSlowOnlySettings(name="pose-slowonly")) != earlier


def test_another_user_default_leaves_keys_as_they_are() -> None:
    class OtherDefault(FrameClips):
        num_frames: int = 16

    def key(clips: FrameClips) -> str:
        base = BASE.model_copy(update={"clips": clips})
        return stage_key(PASS_2, INPUTS["pass-2"].model_copy(update={"base": base}))

    assert key(OtherDefault(num_frames=8)) == key(FrameClips(num_frames=8))
    assert key(OtherDefault()) == key(FrameClips(num_frames=16))


def test_library_versions_are_not_in_the_numerics_class() -> None:
    device = Device(torch.device("cpu"), bf16=False, deterministic=True, compile_network=False)
    assert sorted(device.numerics_class) == ["compiled", "deterministic", "device", "precision"]


@pytest.mark.parametrize("kind", INPUTS)
def test_another_version_of_a_stage_has_another_key(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {kind: stage_key(find_stage_kind(kind), inputs) for kind, inputs in INPUTS.items()}
    monkeypatch.setattr(type(find_stage_kind(kind)), "version", 99)
    after = {kind: stage_key(find_stage_kind(kind), inputs) for kind, inputs in INPUTS.items()}
    assert {other for other in INPUTS if before[other] != after[other]} == {kind}


COMMAND = """
import sys
from autohier.core.stages import inputs
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.stage_key import stage_key

for kind, name, text in zip(*[iter(sys.argv[1:])] * 3):
    print(stage_key(find_stage_kind(kind), getattr(inputs, name).model_validate_json(text)))
"""


def test_other_processes_give_the_same_keys() -> None:
    arguments = [
        text
        for kind, inputs in INPUTS.items()
        for text in (kind, type(inputs).__name__, inputs.model_dump_json())
    ]
    other = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert other.stdout.split() == [
        stage_key(find_stage_kind(kind), inputs) for kind, inputs in INPUTS.items()
    ]
