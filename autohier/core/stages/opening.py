"""Opening a trial: what its stages stand on and work with, from a setting and the prepared clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from autohier.core.stages.forms import network_options, require_people
from autohier.core.stages.inputs import Basis, NetworkInputs
from autohier.core.stages.leases import NO_LEASES, Leases
from autohier.core.stages.reporter import RefitReporter, Reporter
from autohier.core.stages.result import StageResult
from autohier.core.stages.running import StageContext
from autohier.core.stages.store import StageStore
from autohier.core.training.devices import open_device
from autohier.core.training.feed import Feed
from autohier.data.levels import assignments_by_count
from autohier.data.protocols import Protocol
from autohier.data.splits import deal_folds, default_held_out
from autohier.data.store.paths import plain_name
from autohier.data.store.reader import ClipStore, ClipTable
from autohier.digest import digest_file
from autohier.errors import InputError
from autohier.settings.parts import ProtocolSettings
from autohier.settings.space import Setting


@dataclass(frozen=True, slots=True)
class OpenTrial:
    """A setting, ready to run."""

    setting: Setting
    basis: Basis
    """What its stages stand on; of the first fold where there are folds."""
    context: StageContext
    fold_bases: tuple[Basis, ...] = ()
    """What the stages of each fold stand on; none where the trial has no folds."""
    rates: tuple[tuple[float, ...], ...] = ()
    """Of pass 1, pass 2, prune 1, ..., the learning rate of every epoch; none where schedules decide."""

    @property
    def feed(self) -> Feed:
        """The clips that its stages read."""
        return self.context.feed(self.basis, self.setting.optimisation.batch_size)

    def check_network(self, num_levels: int) -> int:
        """Build the network once, before anything is trained; its parameters.

        Raises:
            InputError: for an unknown recognizer, more levels than it has stacks before the last, or
                weights of another architecture.
        """
        network = self.context.build_headed(self.basis.network, [2] * num_levels, seed=self.setting.seed)
        return sum(parameter.numel() for parameter in network.parameters())

    def load_network(self, result: StageResult) -> nn.Module:
        """The network of a finished stage, on the device.

        Raises:
            StageDamagedError: where its weights are gone or damaged.
        """
        network = self.context.build(self.basis.network, result.hierarchy, seed=self.setting.seed)
        self.context.store.load_into(network, result.kind, result.key)
        return self.context.device.prepare(network)

    def given_levels(self) -> dict[int, tuple[int, ...]]:
        """The data's own superclasses by their number, where the setting wants them."""
        if self.setting.hierarchy == "derived":
            return {}
        return assignments_by_count(self.context.clips.manifest.levels)

    def folds(self, reporter: Reporter) -> list[OpenTrial]:
        """A trial for every fold, that tells this reporter."""
        context = replace(self.context, reporter=reporter)
        return [replace(self, basis=basis, context=context, fold_bases=()) for basis in self.fold_bases]

    def rates_of(self, position: int) -> tuple[float, ...]:
        """Of the stage there, pass 1 being 0."""
        return self.rates[position] if self.rates else ()

    def with_all_training_clips(self, rates: tuple[tuple[float, ...], ...] = ()) -> OpenTrial:
        """The same on training and validation clips together: for a setting that is chosen already.

        Its validation clips are seen in training, so what it measures on them says nothing, and is not told.

        Args:
            rates: see OpenTrial; for a schedule that follows what it measures.
        """
        everything = self.basis.model_copy(update={"all_training_clips": True})
        context = replace(self.context, reporter=RefitReporter(self.context.reporter))
        return replace(self, basis=everything, fold_bases=(), context=context, rates=rates)


def open_trial(
    setting: Setting,
    *,
    clips: ClipStore,
    stages: StageStore,
    reporter: Reporter,
    device: str = "auto",
    num_threads: int = 1,
    leases: Leases = NO_LEASES,
) -> OpenTrial:
    """Bring together what a trial works with.

    Args:
        setting: what will run.
        clips: the prepared dataset.
        stages: where finished stages are found and put.
        reporter: told of every stage and epoch.
        device: "auto", "cpu", "cuda", ...
        num_threads: the trial's share of the processor.
        leases: where other processes work with the same stages, who computes which.

    Raises:
        InputError: where setting and clips do not fit together.
    """
    if plain_name(setting.dataset) != clips.manifest.dataset:
        raise InputError(
            f"the clips must be of {setting.dataset}", got=clips.manifest.dataset, remedy="mend --data"
        )
    if len(clips.manifest.class_names) != setting.num_classes:
        raise InputError(
            f"num_classes must be that of the data, {len(clips.manifest.class_names)}",
            got=setting.num_classes,
            remedy="mend num_classes in the space",
        )
    if setting.hierarchy == "given" and not clips.manifest.levels:
        raise InputError(
            f"{clips.manifest.dataset} must bring superclasses for hierarchy = 'given'",
            got="none",
            remedy="leave hierarchy at 'derived'",
        )
    require_people(setting.recognizer, setting.clips, clips, clips.manifest)
    weights_path = Path(setting.recognizer.weights) if setting.recognizer.weights else None
    if weights_path is not None and not weights_path.is_file():
        raise InputError("recognizer.weights must name a file", got=weights_path, remedy="mend the path")
    numerics = setting.numerics
    opened = open_device(
        device,
        precision=numerics.precision,
        deterministic=numerics.deterministic,
        compile_network=numerics.compile,
        num_threads=num_threads,
    )
    rule = clips.manifest.protocol(setting.protocol.name)
    protocols = _protocols(setting.protocol, clips.clips, rule)
    basis = Basis(
        data=clips.fingerprint,
        protocol=protocols[0],
        clips=setting.clips,
        network=NetworkInputs(
            name=setting.recognizer.name,
            options=network_options(setting.recognizer, setting.clips, clips.manifest),
            weights_sha256=digest_file(weights_path) if weights_path else None,
            num_classes=setting.num_classes,
        ),
        numerics=opened.numerics_class,
        seed=setting.seed,
    )
    context = StageContext(stages, clips, opened, reporter, num_threads, weights_path, leases)
    context.feed(basis, setting.optimisation.batch_size)  # an impossible split is told of now
    folds = tuple(basis.model_copy(update={"protocol": protocol}) for protocol in protocols)
    return OpenTrial(setting, basis, context, folds if setting.protocol.validation == "folds" else ())


def _protocols(protocol: ProtocolSettings, clips: ClipTable, rule: Protocol) -> list[ProtocolSettings]:
    """The split of a trial, or of each of its folds."""
    if protocol.validation == "folds":
        return [protocol.holding_out(values) for values in deal_folds(clips, rule, protocol.num_folds)]
    if protocol.validation == "paper":
        return [ProtocolSettings(name=protocol.name, validation="paper")]
    return [protocol.holding_out(protocol.held_out or default_held_out(clips, rule))]
