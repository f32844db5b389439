"""Keys of stages: what a stage depends on changes its key, and nothing else does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from autohier.config.trial.trial_config import TrialConfig
from autohier.data.store.reader import ClipStore
from support.sources.tiny_clips import (
    CLASS_NAMES,
    OVERRIDES,
    ColourReader,
    prepare_tiny_clips,
    tiny_config,
)
from support.stages.trial_keys import keys

CHAIN = ("pass 1", "pass 2", "prune 1", "prune 2")

FROM_PASS_1 = {
    "protocol.name": "protocol.name=cross-view",
    "protocol.validation": "protocol.validation=paper",
    "protocol.held_out": "protocol.held_out=[7]",
    "protocol.drop_duplicates": "protocol.drop_duplicates=true",
    "protocol.clips_per_class": "protocol.clips_per_class=2",
    "clips.num_frames": "clips.num_frames=3",
    "clips.resize_px": "clips.resize_px=15",
    "clips.crop_px": "clips.crop_px=13",
    "clips.min_scale": "clips.min_scale=0.5",
    "clips.flip": "clips.flip=false",
    "clips.test_sets": "clips.test_sets=1",
    "clips.test_flip": "clips.test_flip=true",
    "clips.test_offsets": "clips.test_offsets=drawn",
    "clips.pixel_scale": "clips.pixel_scale=symmetric",
    "recognizer.name": "recognizer.name=inflated-resnet34",
    "recognizer.width": "recognizer.width=0.25",
    "recognizer.initialisation": "recognizer.initialisation=fan-out",
    "optimisation.batch_size": "optimisation.batch_size=11",
    "optimisation.learning_rate": "optimisation.learning_rate=4e-3",
    "optimisation.weight_decay": "optimisation.weight_decay=1e-4",
    "optimisation.optimizer": "optimisation.optimizer=sgd",
    "optimisation.repeats": "optimisation.repeats=2",
    "optimisation.clip_norm": "optimisation.clip_norm=40",
    "optimisation.dropout": "optimisation.dropout=0.5",
    "optimisation.label_smoothing": "optimisation.label_smoothing=0.1",
    "optimisation.class_weights": "optimisation.class_weights=balanced",
    "optimisation.warmup_epochs": "optimisation.warmup_epochs=1",
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
        "clips.sampling": "clips.sampling=padded",
        "clips.rotation_degrees": "clips.rotation_degrees=5",
        "clips.scaling": "clips.scaling=0.2",
        "clips.joint_drop": "clips.joint_drop=0.1",
        "clips.frame_joint_drop": "clips.frame_joint_drop=0.1",
        "clips.flip": "clips.flip=true",
        "clips.test_sets": "clips.test_sets=1",
        "clips.test_flip": "clips.test_flip=true",
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
        "clips.frame_joint_drop": "clips.frame_joint_drop=0.1",
        "clips.flip": "clips.flip=true",
        "clips.test_sets": "clips.test_sets=1",
        "clips.test_flip": "clips.test_flip=true",
        "recognizer.name": "recognizer.name=pose-slowonly",
        "recognizer.width": "recognizer.width=0.25",
        "recognizer.initialisation": "recognizer.initialisation=fan-out",
        "recognizer.stem_pool": "recognizer.stem_pool=false",
        "recognizer.last_frame_stride": "recognizer.last_frame_stride=1",
    },
}
"""Read from pass 1 on, too."""
FROM_PASS_2 = {
    "hierarchy": "hierarchy=given",
    "pass_2.epochs": "pass_2.epochs=2",
    "pass_2.heads": "pass_2.heads=last",
    "pass_2.learning_rate": "pass_2.learning_rate=1e-3",
    "pass_2.start": "pass_2.start=initial",
    "params.superclasses": "params.superclasses=3",
    "params.weight_ratio": "params.weight_ratio=1.0",
}
FROM_PRUNE_1 = {
    "pruning.epochs": "pruning.epochs=2",
    "pruning.learning_rate": "pruning.learning_rate=1e-3",
    "pruning.norm": "pruning.norm=layer-mean",
    "pruning.floor": "pruning.floor=2",
    "params.scope": "params.scope=global",
    "params.ratio": "params.ratio=0.1",
}
NOWHERE = {
    "pruning.ties": "pruning.ties=hold",
    "optimisation.momentum": "optimisation.momentum=0.8",  # Adam has none
    "optimisation.nesterov": "optimisation.nesterov=false",
    "optimisation.lr_steps": "optimisation.lr_steps=[0.5]",  # for multi-step
    "pass_1.attention_epochs": "pass_1.attention_epochs=3",  # for stages of another recipe
    "protocol.num_folds": "protocol.num_folds=3",
    "params.passes": "params.passes=1",
    "numerics.precision": "numerics.precision=bf16",  # the CPU computes in float32 all the same
    "numerics.compile": "numerics.compile=true",  # and compiles nothing
}
KNOWN_FROM_THE_CLIPS = {"dataset", "num_classes", "clips.modality"}
TESTED_APART = {
    "recipe",  # no stage reads it: it decides which stages run
    "optimisation.schedule_options",
    "recognizer.weights",
    "recognizer.inflation",
    "recognizer.start",
    "clips.input",
    "params.variant",
    "params.settings",
    "objective",
    "second_objective",  # no stage reads it: it decides when the chain ends
    "max_multiply_adds",  # no stage reads it: it decides which pass is kept
}


def changed(override: str) -> TrialConfig:
    name, _, value = override.partition("=")
    if name == "seed":
        return tiny_config(seed=int(value))
    if name.startswith("params."):
        drawn: dict[str, Any] = {name.removeprefix("params."): value}
        return tiny_config(**drawn)
    return tiny_config(override)


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
        before, after = keys(tiny_config(), tiny_clips), keys(changed(override), tiny_clips)
        assert len(before) == len(CHAIN)
        same = [ours == theirs for ours, theirs in zip(before, after, strict=True)]
        assert same == [index < first for index in range(len(CHAIN))]

    @pytest.mark.parametrize("override", NOWHERE.values())
    def test_what_no_stage_reads_changes_no_key(self, tiny_clips: ClipStore, override: str) -> None:
        before, after = keys(tiny_config(), tiny_clips), keys(changed(override), tiny_clips)
        assert after == before[: len(after)]

    def test_every_setting_has_its_place_above(self) -> None:
        # A new setting belongs into one of these tables: does a stage read it, and which is the first?
        dumped = tiny_config().model_dump()
        names = {
            f"{group}.{name}" if isinstance(value, dict) else group
            for group, value in dumped.items()
            for name in (value if isinstance(value, dict) else [""])
        }
        tables = (FROM_PASS_1, FROM_PASS_2, FROM_PRUNE_1, NOWHERE, KNOWN_FROM_THE_CLIPS, TESTED_APART)
        listed = [name for table in tables for name in table]
        assert sorted(listed) == sorted(names)
        assert all(
            override.startswith(f"{name}=") for table in tables[:4] for name, override in table.items()
        )

    @pytest.mark.parametrize(
        ("clip_input", "override"),
        [
            (clip_input, override)
            for clip_input, table in OF_OTHER_FORMS.items()
            for override in table.values()
        ],
    )
    def test_so_does_a_setting_of_another_form(
        self, tiny_clips: ClipStore, clip_input: str, override: str
    ) -> None:
        before, after = (
            keys(tiny_config(*OVERRIDES[clip_input], *more), tiny_clips) for more in ((), (override,))
        )
        assert not set(before) & set(after)

    @pytest.mark.parametrize("clip_input", OF_OTHER_FORMS)
    def test_every_setting_of_another_form_has_its_place_too(self, clip_input: str) -> None:
        config = tiny_config(*OVERRIDES[clip_input])
        groups = {"clips": config.clips, "recognizer": config.recognizer}
        names = {f"{group}.{name}" for group, parts in groups.items() for name in type(parts).model_fields}
        apart = {"clips.input", "clips.modality", "recognizer.start"}
        assert sorted([*OF_OTHER_FORMS[clip_input], *apart]) == sorted(names)

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("rgbpose-conv3d", ("laterals='pose-to-rgb'", "frame_ratio=3", "initialisation='fan-out'")),
            ("two-stream", ("depth=34", "skeleton_width=0.125")),
        ],
    )
    def test_options_of_two_pathways_are_in_every_key(
        self, tiny_clips: ClipStore, name: str, changes: tuple[str, ...]
    ) -> None:
        clips = "num_frames=2, resize_px=16, crop_px=16, test_sets=2"
        more = {
            "rgbpose-conv3d": "input='frames+heatmaps', num_map_frames=8, map_px=4",
            "two-stream": "input='frames+skeletons', num_skeleton_frames=4",
        }[name]
        both = ("loss_weights=[1, 2]", "prediction_weights=[1, 2]", "width=0.5")
        found = []
        for change in ("", *changes, *both):
            recognizer = f"recognizer={{name='{name}'{change and ', '}{change}}}"
            own = more.replace("=8", "=6") if change == "frame_ratio=3" else more
            found.append(keys(tiny_config(f"clips={{{clips}, {own}}}", recognizer), tiny_clips))
        assert len({key for chain in found for key in chain}) == len(found) * len(CHAIN)

    def test_a_relu_behind_branches_is_in_every_key(self, tiny_clips: ClipStore) -> None:
        recognizer, clips = "recognizer={name='ctr-gcn', width=0.125}", OVERRIDES["skeletons"]
        changed = tiny_config(*clips, recognizer, "recognizer.branch_relu=true")
        before, after = (keys(each, tiny_clips) for each in (tiny_config(*clips, recognizer), changed))
        assert not set(before) & set(after)

    def test_forms_share_no_key(self, tiny_clips: ClipStore) -> None:
        found = [keys(tiny_config(*OVERRIDES[clip_input]), tiny_clips) for clip_input in OVERRIDES]
        assert len({key for chain in found for key in chain}) == len(OVERRIDES) * len(CHAIN)

    def test_all_keys_of_a_chain_differ(self, tiny_clips: ClipStore) -> None:
        assert len(set(keys(tiny_config(passes=5), tiny_clips))) == 7

    def test_threads_change_no_key(self, tiny_clips: ClipStore) -> None:
        assert keys(tiny_config(), tiny_clips, num_threads=2) == keys(tiny_config(), tiny_clips)

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
        assert keys(tiny_config(override), tiny_clips) == keys(tiny_config(), tiny_clips)

    def test_without_its_weights_pass_2_does_not_depend_on_pass_1(self, tiny_clips: ClipStore) -> None:
        before = keys(tiny_config("pass_2.start=initial"), tiny_clips)
        after = keys(tiny_config("pass_2.start=initial", "pass_1.epochs=9"), tiny_clips)
        assert before[0] != after[0]
        assert before[1:] == after[1:]

    def test_the_clips_count_and_not_where_they_lie(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        elsewhere = ClipStore.open(Path(shutil.copytree(tiny_clips.folder, tmp_path / "copy")))
        other = prepare_tiny_clips(tmp_path, ColourReader(class_names=(*CLASS_NAMES[:-1], "azure")))
        before = keys(tiny_config(), tiny_clips)
        assert keys(tiny_config(), elsewhere) == before
        assert not set(keys(tiny_config(), other)) & set(before)

    def test_2d_weights_count_and_not_where_they_lie(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        for name, value in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
            save_file({"conv1.weight": torch.tensor([value])}, tmp_path / f"{name}.safetensors")
        none, a, b, c = (
            keys(
                tiny_config(*([f"recognizer.weights={tmp_path / name}.safetensors"] if name else [])),
                tiny_clips,
            )
            for name in ("", "a", "b", "c")
        )
        assert a == b
        assert len({none[0], a[0], c[0]}) == 3
        assert not set(none) & set(a)
        assert not set(a) & set(c)

    def test_inflation_counts_if_there_are_2d_weights(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        save_file({"conv1.weight": torch.ones(1)}, tmp_path / "a.safetensors")
        weights = f"recognizer.weights={tmp_path / 'a.safetensors'}"
        centre, mean, written = (
            keys(tiny_config(weights, *more), tiny_clips)
            for more in ((), ("recognizer.inflation=mean",), ("recognizer.inflation=centre",))
        )
        assert not set(centre) & set(mean)
        assert written == centre
        assert keys(tiny_config("recognizer.inflation=mean"), tiny_clips) == keys(tiny_config(), tiny_clips)

    def test_starting_weights_count_and_neither_their_heads_nor_where_they_lie(
        self, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        for name, value, head in (("a", 1.0, 1.0), ("b", 1.0, 2.0), ("c", 2.0, 1.0)):
            tensors = {"recognizer.conv1.weight": torch.tensor([value])}
            save_file(tensors | {"heads.stack4.bias": torch.tensor([head])}, tmp_path / f"{name}.safetensors")
        torch.save({"state_dict": {"conv1.weight": torch.ones(1)}}, tmp_path / "d.pth")
        none, *same, other = (
            keys(tiny_config(*([f"recognizer.start={tmp_path / name}"] if name else [])), tiny_clips)
            for name in ("", "a.safetensors", "b.safetensors", "d.pth", "c.safetensors")
        )
        assert same == [same[0]] * 3
        assert not set(none) & set(same[0])
        assert not set(other) & {*none, *same[0]}

    def test_starting_weights_of_other_joints_count_as_others(
        self, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        """Tensors of joints stay initial then, so equal weights are another start."""
        found = {}
        for layout in ("", "kinect-v2-25", "body-25-3d"):
            about = {"autohier": json.dumps({"options": {"layout": layout}})} if layout else None
            path = tmp_path / f"{layout or 'unknown'}.safetensors"
            save_file({"recognizer.data_bn.weight": torch.ones(75)}, path, metadata=about)
            config = tiny_config(*OVERRIDES["skeletons"], f"recognizer.start={path}")
            found[layout] = keys(config, tiny_clips)
        assert found[""] == found["kinect-v2-25"]
        assert not set(found[""]) & set(found["body-25-3d"])
