"""Trained models by the names that commands take: a trial, a fusion or an exported model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autohier.config.fusion import Member
from autohier.core.prediction import find_kept_pass
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import refit, to_refit
from autohier.data.splits import split_masks
from autohier.data.store.reader import ClipStore
from autohier.deploy.model_file import MODEL_FILE, ClipFormat, read_model_file
from autohier.deploy.networks.torch_network import TorchNetwork, load_torch_networks
from autohier.errors import InputError
from autohier.fusion.evaluate import Model
from autohier.fusion.members import Log, MemberOpener, first_difference


@dataclass(frozen=True, slots=True)
class ModelNetwork:
    """One network of a model, open."""

    name: str
    fusion_weight: float
    contents: ClipFormat
    """How the clips were prepared that it was trained on."""
    network: TorchNetwork


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model of one or several networks, whose probabilities are averaged."""

    name: str
    dataset: str
    protocol: str
    classes: tuple[str, ...]
    """Name of every class, in the order of the outputs."""
    own_clips: frozenset[str]
    """Fingerprints of the stores that its networks were trained on."""
    training_ids: frozenset[str]
    """Ids of the clips that train under the protocol; empty for an exported model, which does not know."""
    is_refit: bool
    """True if its networks were refit on training and validation clips."""
    open_networks: Callable[[], Iterator[ModelNetwork]]
    """Opens its networks one after the other: use each before the next is opened, as opening one sets up
    this process for it."""


def exported_model(folder: Path, *, device: str, num_threads: int) -> TrainedModel:
    """Open a model that ``autohier export`` wrote.

    Raises:
        InputError: if the folder holds no model, a damaged one, or one of another format.
    """
    model = read_model_file(folder)

    def networks() -> Iterator[ModelNetwork]:
        loaded = load_torch_networks(folder, model, device=device, num_threads=num_threads)
        for each, network in zip(model.networks, loaded, strict=True):
            yield ModelNetwork(each.name, each.fusion_weight, each.prepared, network)

    return TrainedModel(
        name=model.name,
        dataset=model.dataset,
        protocol=model.protocol,
        classes=model.classes,
        own_clips=frozenset(model.provenance.clips),
        training_ids=frozenset(),
        is_refit=all(each.trained_on == "training and validation clips" for each in model.networks),
        open_networks=networks,
    )


def is_exported(name: str) -> bool:
    """Return True if a name is the path of a folder that ``autohier export`` wrote."""
    return (Path(name) / MODEL_FILE).is_file()


def finished_model(model: Model, *, refitted: bool, opener: MemberOpener, log: Log) -> TrainedModel:
    """Open a trial or a fusion.

    Args:
        model: the trial or the fusion.
        refitted: use networks that are refit on all training clips; trains those that are missing.
        opener: opens a member.
        log: called with lines of progress.

    Raises:
        MissingDataError: if the clips of a member do not exist.
        InputError: if the members differ in their classes.
    """
    stores = [ClipStore.open(Path(member.clip_folder)) for member in model.members]
    classes = stores[0].manifest.class_names
    first, *others = model.members
    for member, store in zip(others, stores[1:], strict=True):
        if difference := first_difference(member.name, store.manifest.class_names, first.name, classes):
            raise InputError(
                "fusion members must have the same classes",
                got=difference,
                hint="prepare their clips from the same files",
            )
    protocol = model.members[0].config.protocol.name

    def networks() -> Iterator[ModelNetwork]:
        for member in model.members:
            trial = opener(member)
            kept = find_kept_pass(trial, member.kept_pass, member.stage_keys[-1])
            stage = kept
            if refitted:
                log(f"{member.name}: finding its refit on all training clips, or training it")
                stage = refit(to_refit(trial, kept), kept)[-1]
            yield trial_network(member, trial, stage)

    return TrainedModel(
        name=model.name if len(model.members) > 1 else model.members[0].name,
        dataset=stores[0].manifest.dataset,
        protocol=protocol,
        classes=classes,
        own_clips=frozenset(store.fingerprint for store in stores),
        training_ids=frozenset[str]().union(*(_training_ids(store, protocol) for store in stores)),
        is_refit=refitted,
        open_networks=networks,
    )


def trial_network(member: Member, trial: TrialSetup, stage: StageResult) -> ModelNetwork:
    """Load the network of one stage of an open trial onto the trial's device."""
    device, contents = trial.context.device, ClipFormat.of(trial.context.clips.manifest)
    network = TorchNetwork(
        trial.load_network(stage),
        member.config.clips,
        contents,
        device.torch_device,
        trial.context.num_threads,
        member.config.optimisation.batch_size,
        device.autocast,
    )
    return ModelNetwork(member.name, member.weight, contents, network)


def _training_ids(store: ClipStore, protocol: str) -> set[str]:
    is_train, _ = split_masks(store.clips, store.manifest.protocol(protocol))
    return {store.clips.clip_id[row] for row in np.flatnonzero(is_train)}
