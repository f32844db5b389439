"""Export of a finished trial or a fusion as a folder that predicts new clips without its sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from autohier.config.fusion import Member
from autohier.core.late_fusion import average, share_clips
from autohier.core.prediction import find_kept_pass, predict_validation
from autohier.core.stages.compacted import read_compacted, write_compacted
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import Predictions
from autohier.core.trial import refit, to_refit
from autohier.data.inputs.named import ClipBatch
from autohier.deploy.measurements.calibration import fit_temperature
from autohier.deploy.model_card import write_model_card
from autohier.deploy.model_file import (
    MODEL_FILE,
    ClipFormat,
    ExportedModel,
    ExportedNetwork,
    MeasuredAccuracy,
    ModelProvenance,
)
from autohier.deploy.networks.exported_programs import Program, require_packages, write_program
from autohier.errors import InputError
from autohier.files import publish_folder, write_atomically
from autohier.fusion.evaluate import Model
from autohier.fusion.members import Log, MemberOpener, first_difference
from autohier.records.parts import read_whole_tests
from autohier.records.statistics import wilson_interval
from autohier.version import __version__

_CHECKED_CLIPS = 7


@dataclass(frozen=True, slots=True)
class _Part:
    """One exported network, and what is needed of it for the whole model."""

    network: ExportedNetwork
    stage: str
    clips: str
    classes: tuple[str, ...]
    validation: Predictions
    accuracy: float


def export_model(
    model: Model,
    folder: Path,
    *,
    refitted: bool,
    opener: MemberOpener,
    log: Log,
    programs: Sequence[Program] = (),
    multiple: int = 1,
) -> ExportedModel:
    """Write a model as a folder: ``model.json``, weights, a model card and programs for other runtimes.

    Costs an evaluation of the validation clips per network, and the refit if the stage store lacks it.
    Networks of fusion weight 0 are left out.

    Args:
        model: a trial or a fusion.
        folder: folder to write, which must not exist.
        refitted: export networks that are refit on all training clips.
        opener: opens a member.
        log: called with lines of progress.
        programs: formats to write besides the weights.
        multiple: see `autohier.core.pruning.compact`.

    Raises:
        InputError: if the folder exists, members differ in their classes, or packages are missing.
        ExportError: if a program cannot be written or has other outputs.
        MissingDataError: if the clips or the stage store do not exist.
        TrialError: if a stage is missing from the store, and training it fails.
        OSError: if the folder cannot be written.
    """
    if folder.exists():
        raise InputError("--out must name a folder that does not exist", got=folder, hint="choose another")
    require_packages(programs)
    with publish_folder(folder) as temporary:
        members = [member for member in model.members if member.weight or len(model.members) == 1]
        parts = [
            _export_member(
                member,
                temporary,
                f"network{index}",
                refitted=refitted,
                opener=opener,
                log=log,
                programs=programs,
                multiple=multiple,
            )
            for index, member in enumerate(members, start=1)
        ]
        exported = _describe(model, members, parts, refitted=refitted)
        write_atomically(temporary / MODEL_FILE, exported.content())
        write_model_card(temporary, exported, programs)
    return exported


def _export_member(
    member: Member,
    folder: Path,
    name: str,
    *,
    refitted: bool,
    opener: MemberOpener,
    log: Log,
    programs: Sequence[Program],
    multiple: int,
) -> _Part:
    trial = opener(member)
    log(f"{member.name}: predicting validation clips")
    kept = find_kept_pass(trial, member.kept_pass, member.stage_keys[-1])
    validation = predict_validation(trial, kept)
    stage = kept
    if refitted:
        log(f"{member.name}: finding its refit on all training clips, or training it")
        stage = refit(to_refit(trial, kept), kept)[-1]
    weights = folder / f"{name}.safetensors"
    saving = write_compacted(trial.context.store, stage.kind, stage.key, weights, multiple=multiple)
    network, description = read_compacted(weights)
    clips = _some_clips(trial)
    for program in programs:
        log(f"{member.name}: writing {name}.{program} and comparing its scores")
        write_program(network, clips, folder / f"{name}.{program}", program)
    manifest = trial.context.clips.manifest
    return _Part(
        ExportedNetwork(
            name=member.name,
            weights=weights.name,
            fusion_weight=member.weight,
            clips=member.config.clips,
            prepared=ClipFormat.of(manifest),
            clip_frames=_median_frames(trial),
            network=description,
            trained_on="training and validation clips" if refitted else "training clips",
            parameters=saving.compacted.parameters,
            multiply_adds=saving.compacted.multiply_adds,
        ),
        stage=stage.key,
        clips=trial.context.clips.fingerprint,
        classes=manifest.class_names,
        validation=validation,
        accuracy=member.accuracy,
    )


def _median_frames(trial: TrialSetup) -> int:
    """Return the median number of frames of the training clips."""
    return int(np.median(trial.context.clips.clips.num_frames[trial.data_loader.rows("train")]))


def _some_clips(trial: TrialSetup) -> ClipBatch:
    """Return a few validation clips as the network reads them, on the CPU."""
    data_loader = replace(trial.data_loader, batch_size=_CHECKED_CLIPS, device=torch.device("cpu"))
    clips, _ = next(iter(data_loader.evaluation_set("validation", 0, 1)))
    return clips


def _describe(
    model: Model, members: Sequence[Member], parts: Sequence[_Part], *, refitted: bool
) -> ExportedModel:
    classes = parts[0].classes
    for part in parts:
        if difference := first_difference(part.network.name, part.classes, parts[0].network.name, classes):
            raise InputError(
                "networks of a model must have the same classes",
                got=difference,
                hint="prepare their clips from the same files",
            )
    validation = [part.validation for part in parts]
    fused = validation[0]
    if len(parts) > 1:
        fused = average(share_clips(validation), [part.network.fusion_weight for part in parts])
    config = members[0].config
    return ExportedModel(
        name=model.name if len(model.members) > 1 else members[0].name,
        dataset=config.dataset,
        protocol=config.protocol.name,
        validation=config.protocol.validation,
        classes=classes,
        networks=tuple(part.network for part in parts),
        calibration=fit_temperature(fused),
        validation_result=measured(fused.accuracy, len(fused.clip_ids)),
        test_result=_recorded_test(model, refitted=refitted),
        provenance=ModelProvenance(
            autohier=__version__,
            torch=torch.__version__,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            stages=tuple(part.stage for part in parts),
            clips=tuple(part.clips for part in parts),
        ),
    )


def _recorded_test(model: Model, *, refitted: bool) -> MeasuredAccuracy | None:
    """Return the first recorded test result of this network, or None; runs no evaluation."""
    network = model.network + (", refit" if refitted else "")
    rows = [
        row
        for row in read_whole_tests(model.records)
        if (row.trial, row.stage) == (model.name, network) and row.refit_seed is None
    ]
    first = min(rows, key=lambda row: row.evaluated_at, default=None)
    return None if first is None else measured(first.accuracy, first.num_clips)


def measured(accuracy: float, num_clips: int) -> MeasuredAccuracy:
    """Return an accuracy with its 95% Wilson interval."""
    low, high = wilson_interval(accuracy, num_clips)
    return MeasuredAccuracy(accuracy=accuracy, low=low, high=high, num_clips=num_clips)
