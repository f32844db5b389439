"""Keys of stages: what a stage depends on changes its key, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autohier.core.stages import inputs as inputs_module
from autohier.core.stages.inputs import stage_key
from autohier.core.stages.result import StageKind
from autohier.core.training.devices import Device
from autohier.core.trial import run_trial
from autohier.data.store.reader import ClipStore
from autohier.settings.space import Setting
from fake_stages import INPUTS, FakeStages
from tiny_clips import CLASS_NAMES, FORMS, ColourReader, open_tiny_trial, prepare_tiny_clips, tiny_setting

CHAIN = ("pass 1", "pass 2", "prune 1", "prune 2")

FROM_PASS_1 = {
    "protocol.name": "protocol.name=cross-view",
    "protocol.validation": "protocol.validation=paper",
    "protocol.held_out": "protocol.held_out=[7]",
    "clips.num_frames": "clips.num_frames=3",
    "clips.resize_px": "clips.resize_px=15",
    "clips.crop_px": "clips.crop_px=13",
    "clips.min_scale": "clips.min_scale=0.5",
    "clips.flip": "clips.flip=false",
    "clips.test_sets": "clips.test_sets=1",
    "recognizer.name": "recognizer.name=inflated-resnet34",
    "recognizer.width": "recognizer.width=0.25",
    "recognizer.initialisation": "recognizer.initialisation=fan-out",
    "optimisation.batch_size": "optimisation.batch_size=11",
    "optimisation.learning_rate": "optimisation.learning_rate=4e-3",
    "optimisation.weight_decay": "optimisation.weight_decay=1e-4",
    "optimisation.schedule": "optimisation.schedule=cosine",
    "optimisation.lr_patience": "optimisation.lr_patience=3",
    "optimisation.lr_factor": "optimisation.lr_factor=0.2",
    "pass_1.epochs": "pass_1.epochs=3",
    "numerics.deterministic": "numerics.deterministic=false",
    "seed": "seed=1",
}
OF_OTHER_FORMS = {
    "skeletons": {
        "clips.num_frames": "clips.num_frames=3",
        "clips.num_persons": "clips.num_persons=2",
        "clips.stream": "clips.stream=bone",
        "clips.rotation_degrees": "clips.rotation_degrees=5",
        "clips.scaling": "clips.scaling=0.2",
        "clips.joint_drop": "clips.joint_drop=0.1",
        "clips.flip": "clips.flip=true",
        "clips.test_sets": "clips.test_sets=1",
        "recognizer.name": "recognizer.name=st-gcn",
        "recognizer.width": "recognizer.width=0.25",
        "recognizer.stacks": "recognizer.stacks=[3, 4, 3]",
    },
    "heatmaps": {
        "clips.num_frames": "clips.num_frames=3",
        "clips.num_persons": "clips.num_persons=2",
        "clips.maps": "clips.maps=limbs",
        "clips.size_px": "clips.size_px=24",
        "clips.min_area": "clips.min_area=0.7",
        "clips.flip": "clips.flip=true",
        "clips.test_sets": "clips.test_sets=1",
        "recognizer.name": "recognizer.name=pose-slowonly",
        "recognizer.width": "recognizer.width=0.25",
        "recognizer.initialisation": "recognizer.initialisation=fan-out",
    },
}
"""Read from pass 1 on, too."""
FROM_PASS_2 = {
    "hierarchy": "hierarchy=given",
    "pass_2.epochs": "pass_2.epochs=2",
    "pass_2.learning_rate": "pass_2.learning_rate=1e-3",
    "pass_2.start": "pass_2.start=initial",
    "choice.superclasses": "choice.superclasses=3",
    "choice.weight_ratio": "choice.weight_ratio=1.0",
}
FROM_PRUNE_1 = {
    "pruning.epochs": "pruning.epochs=2",
    "pruning.learning_rate": "pruning.learning_rate=1e-3",
    "pruning.norm": "pruning.norm=layer-mean",
    "pruning.floor": "pruning.floor=2",
    "choice.scope": "choice.scope=altogether",
    "choice.ratio": "choice.ratio=0.1",
}
NOWHERE = {
    "pruning.ties": "pruning.ties=hold",
    "protocol.num_folds": "protocol.num_folds=3",
    "choice.passes": "choice.passes=1",
    "numerics.precision": "numerics.precision=bf16",  # the CPU computes in float32 all the same
    "numerics.compile": "numerics.compile=true",  # and compiles nothing
}
TOLD_BY_THE_CLIPS = {"dataset", "num_classes", "clips.modality"}
TESTED_APART = {"recognizer.weights", "clips.form", "choice.variant", "choice.settings"}


def changed(override: str) -> Setting:
    name, _, value = override.partition("=")
    if name == "seed":
        return tiny_setting(seed=int(value))
    if name.startswith("choice."):
        drawn: dict[str, Any] = {name.removeprefix("choice."): value}
        return tiny_setting(**drawn)
    return tiny_setting(override)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    stages = FakeStages()
    stages.install(monkeypatch)
    return stages


def keys(setting: Setting, clips: ClipStore, num_threads: int = 1) -> list[str]:
    """Of every stage of a trial, none of which is trained."""
    trial = open_tiny_trial(setting, clips, Path("nowhere"), num_threads=num_threads)
    return [stage.key for stage in run_trial(trial).stages]


@pytest.mark.usefixtures("fakes")
class TestKeysOfATrial:
    @pytest.mark.parametrize(
        ("override", "first"),
        [
            *((override, 0) for override in FROM_PASS_1.values()),
            *((override, 1) for override in FROM_PASS_2.values()),
            *((override, 2) for override in FROM_PRUNE_1.values()),
        ],
    )
    def test_a_setting_changes_every_key_from_the_first_stage_that_reads_it(
        self, tiny_clips: ClipStore, override: str, first: int
    ) -> None:
        before, after = keys(tiny_setting(), tiny_clips), keys(changed(override), tiny_clips)
        assert len(before) == len(CHAIN)
        same = [ours == theirs for ours, theirs in zip(before, after, strict=True)]
        assert same == [index < first for index in range(len(CHAIN))]

    @pytest.mark.parametrize("override", NOWHERE.values())
    def test_what_no_stage_reads_changes_no_key(self, tiny_clips: ClipStore, override: str) -> None:
        before, after = keys(tiny_setting(), tiny_clips), keys(changed(override), tiny_clips)
        assert after == before[: len(after)]

    def test_every_setting_has_its_place_above(self) -> None:
        # A new setting belongs into one of these tables: does a stage read it, and which is the first?
        dumped = tiny_setting().model_dump()
        names = {
            f"{group}.{name}" if isinstance(value, dict) else group
            for group, value in dumped.items()
            for name in (value if isinstance(value, dict) else [""])
        }
        tables = (FROM_PASS_1, FROM_PASS_2, FROM_PRUNE_1, NOWHERE, TOLD_BY_THE_CLIPS, TESTED_APART)
        listed = [name for table in tables for name in table]
        assert sorted(listed) == sorted(names)
        assert all(
            override.startswith(f"{name}=") for table in tables[:4] for name, override in table.items()
        )

    @pytest.mark.parametrize(
        ("form", "override"),
        [(form, override) for form, table in OF_OTHER_FORMS.items() for override in table.values()],
    )
    def test_so_does_a_setting_of_another_form(self, tiny_clips: ClipStore, form: str, override: str) -> None:
        before, after = (keys(tiny_setting(*FORMS[form], *more), tiny_clips) for more in ((), (override,)))
        assert not set(before) & set(after)

    @pytest.mark.parametrize("form", OF_OTHER_FORMS)
    def test_every_setting_of_another_form_has_its_place_too(self, form: str) -> None:
        setting = tiny_setting(*FORMS[form])
        groups = {"clips": setting.clips, "recognizer": setting.recognizer}
        names = {f"{group}.{name}" for group, parts in groups.items() for name in type(parts).model_fields}
        assert sorted([*OF_OTHER_FORMS[form], "clips.form", "clips.modality"]) == sorted(names)

    def test_forms_share_no_key(self, tiny_clips: ClipStore) -> None:
        found = [keys(tiny_setting(*FORMS[form]), tiny_clips) for form in FORMS]
        assert len({key for chain in found for key in chain}) == len(FORMS) * len(CHAIN)

    def test_all_keys_of_a_chain_differ(self, tiny_clips: ClipStore) -> None:
        assert len(set(keys(tiny_setting(passes=5), tiny_clips))) == 7

    def test_threads_change_no_key(self, tiny_clips: ClipStore) -> None:
        assert keys(tiny_setting(), tiny_clips, num_threads=2) == keys(tiny_setting(), tiny_clips)

    @pytest.mark.parametrize(
        "override",
        [
            "protocol.held_out=[9]",
            "pass_2.learning_rate=3e-3",
            "pruning.learning_rate=0.003",
            "optimisation.weight_decay=0",
            "recognizer.width=125e-3",
        ],
    )
    def test_writing_a_default_out_changes_no_key(self, tiny_clips: ClipStore, override: str) -> None:
        assert keys(tiny_setting(override), tiny_clips) == keys(tiny_setting(), tiny_clips)

    def test_without_its_weights_pass_2_does_not_depend_on_pass_1(self, tiny_clips: ClipStore) -> None:
        before = keys(tiny_setting("pass_2.start=initial"), tiny_clips)
        after = keys(tiny_setting("pass_2.start=initial", "pass_1.epochs=9"), tiny_clips)
        assert before[0] != after[0]
        assert before[1:] == after[1:]

    def test_the_clips_count_and_not_where_they_lie(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        elsewhere = ClipStore.open(Path(shutil.copytree(tiny_clips.folder, tmp_path / "copy")))
        other = prepare_tiny_clips(tmp_path, ColourReader(class_names=(*CLASS_NAMES[:-1], "azure")))
        before = keys(tiny_setting(), tiny_clips)
        assert keys(tiny_setting(), elsewhere) == before
        assert not set(keys(tiny_setting(), other)) & set(before)

    def test_2d_weights_count_and_not_where_they_lie(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        for name, value in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
            save_file({"conv1.weight": torch.tensor([value])}, tmp_path / f"{name}.safetensors")
        none, a, b, c = (
            keys(
                tiny_setting(*([f"recognizer.weights={tmp_path / name}.safetensors"] if name else [])),
                tiny_clips,
            )
            for name in ("", "a", "b", "c")
        )
        assert a == b
        assert len({none[0], a[0], c[0]}) == 3
        assert not set(none) & set(a)
        assert not set(a) & set(c)


def test_what_leads_to_the_assignments_is_not_in_the_key(
    tiny_clips: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Classes k and k + 3 are taken for one another, so three superclasses hold one such pair each; how often
    # they are does not matter.
    confusion_KK = np.eye(6, dtype=np.int64) * 5 + np.roll(np.eye(6, dtype=np.int64), 3, axis=1)
    setting, found = tiny_setting("pass_2.start=initial", superclasses=(3,)), []
    for weak in (1, 4):
        stages = FakeStages(confusion_KK=confusion_KK * weak)
        stages.install(monkeypatch)
        found.append(keys(setting, tiny_clips))
        pass_2 = next(inputs for inputs in stages.inputs if "assignments" in type(inputs).model_fields)
        assert pass_2.model_dump()["assignments"] == ((0, 1, 2, 0, 1, 2), (0, 1, 2, 3, 4, 5))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "other",
    [
        Device(torch.device("cuda"), bf16=False, deterministic=True, compile_network=False),
        Device(torch.device("cpu"), bf16=True, deterministic=True, compile_network=False),
        Device(torch.device("cpu"), bf16=False, deterministic=False, compile_network=False),
        Device(torch.device("cpu"), bf16=False, deterministic=True, compile_network=True),
    ],
)
@pytest.mark.parametrize("kind", INPUTS)
def test_what_changes_the_last_bits_changes_every_key(kind: StageKind, other: Device) -> None:
    one = Device(torch.device("cpu"), bf16=False, deterministic=True, compile_network=False)
    assert _key_on(kind, one) != _key_on(kind, other)


def _key_on(kind: StageKind, device: Device) -> str:
    inputs = INPUTS[kind]
    basis = inputs.basis.model_copy(update={"numerics": device.numerics_class})
    return stage_key(kind, inputs.model_copy(update={"basis": basis}))


@pytest.mark.parametrize("kind", INPUTS)
def test_the_key_is_the_digest_of_kind_version_and_inputs(kind: StageKind) -> None:
    named = {"kind": kind, "version": 4, "inputs": INPUTS[kind].model_dump(mode="json")}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    assert stage_key(kind, INPUTS[kind]) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("kind", INPUTS)
def test_another_version_of_a_stage_has_another_key(kind: StageKind, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {kind: stage_key(kind, inputs) for kind, inputs in INPUTS.items()}
    monkeypatch.setitem(inputs_module._VERSIONS, kind, inputs_module._VERSIONS[kind] + 1)
    after = {kind: stage_key(kind, inputs) for kind, inputs in INPUTS.items()}
    assert {other for other in INPUTS if before[other] != after[other]} == {kind}


COMMAND = """
import sys
from autohier.core.stages import inputs

for kind, name, text in zip(*[iter(sys.argv[1:])] * 3):
    print(inputs.stage_key(kind, getattr(inputs, name).model_validate_json(text)))
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
    assert other.stdout.split() == [stage_key(kind, inputs) for kind, inputs in INPUTS.items()]
