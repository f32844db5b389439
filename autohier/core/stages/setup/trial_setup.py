"""Opening a trial: shared inputs and context of its stages, from a config and the prepared clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from autohier.config.key_defaults import names_at_key_default
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.recognizers import RecognizerSettings
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.builders import clip_shape, network_options, require_people
from autohier.core.stages.callbacks import RefitCallback, TrialCallback
from autohier.core.stages.checks.memory import require_memory
from autohier.core.stages.clip_readings import Contents
from autohier.core.stages.context import StageContext
from autohier.core.stages.executor import Executor
from autohier.core.stages.inputs import BaseInputs, NetworkInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.starting_weights import Start, read_starts
from autohier.core.stages.store.single_flight import NO_LEASES, Leases
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import open_device
from autohier.data.inputs.shapes import num_values
from autohier.data.names import plain_name
from autohier.data.protocols import Protocol
from autohier.data.splits import assign_folds, default_held_out, left_out_text, num_left_out_clips
from autohier.data.store.reader import ClipStore
from autohier.data.store.table import ClipTable
from autohier.data.superclasses import assignments_by_count
from autohier.data.validation_choice import choose_validation
from autohier.digest import digest_file
from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class TrialSetup:
    """A config, ready to run."""

    config: TrialConfig
    base: BaseInputs
    """Inputs that its stages share; those of the first fold if the trial has folds."""
    context: StageContext
    fold_bases: tuple[BaseInputs, ...] = ()
    """Inputs that the stages of each fold share; empty if the trial has no folds."""
    rates: tuple[tuple[float, ...], ...] = ()
    """Learning rate of every epoch of pass 1, pass 2, prune 1, ...; empty if schedules decide."""

    @property
    def data_loader(self) -> DataLoader:
        """The clips that its stages read."""
        return self.context.data_loader(self.base, self.config.optimisation)

    def check_network(self, num_levels: int, *, memory_bytes: int | None) -> int:
        """Check the network before any training, and return the number of its parameters.

        Memory is allocated only if the network starts from given weights.

        Args:
            num_levels: number of heads before the last one.
            memory_bytes: memory of the machine that trains it; None if unknown.

        Raises:
            InputError: if the recognizer is unknown, has fewer stacks than there are levels, or the weights
                are of another architecture; or if network and clips need more than the memory.
        """
        network, config = self.base.network, self.config
        num_outputs, heads = [2] * num_levels + [network.num_classes], config.pass_2.heads
        num_parameters = self.context.count_parameters(network, num_outputs[:-1], heads)
        data_loader = self.data_loader
        num_clips = len(data_loader.split.train) * config.optimisation.repeats
        batch_size = min(config.optimisation.batch_size, num_clips)
        require_memory(
            num_parameters,
            batch_size * num_values(clip_shape(config.clips, network.options)),
            memory_bytes,
            hint=_sizes_text(config),
        )
        if self.context.weights_path is not None:
            self.context.build_headed(network, num_outputs, seed=config.seed, heads=heads)
        return num_parameters

    def load_network(self, result: StageResult) -> nn.Module:
        """Load the network of a finished stage onto the device.

        Raises:
            StageDamagedError: if its weights are missing or damaged.
        """
        own = self.of_kind(result.kind)
        network = own.context.build(
            own.base.network, result.hierarchy, seed=self.config.seed, heads=result.heads
        )
        self.context.store.load_into(network, result.kind, result.key)
        return self.context.device.prepare(network)

    def of_kind(self, kind: StageKind) -> TrialSetup:
        """Return the trial with the network and the clips that a kind of stage trains."""
        own = kind.own_config(self.config)
        if own == self.config:
            return self
        weights_sha256 = self.base.network.weights_sha256 if own.recognizer.weights_path else None
        paths = own.recognizer.start_paths
        start = read_starts(paths, own.recognizer.name)
        network = _network_inputs(own, self.context.clips.manifest, weights_sha256, start)
        bases = [
            base.model_copy(update={"clips": own.clips, "network": network})
            for base in (self.base, *self.fold_bases)
        ]
        context = replace(self.context, start_paths=paths)
        return replace(self, config=own, base=bases[0], context=context, fold_bases=tuple(bases[1:]))

    def given_superclasses(self) -> dict[int, tuple[int, ...]]:
        """Return the dataset's own superclasses, by superclass count; empty if the config derives all."""
        if self.config.hierarchy == "derived":
            return {}
        return assignments_by_count(self.context.clips.manifest.levels)

    def describe_start(self) -> str:
        """Return what pass 1 starts from, a line for each pathway; empty if it starts from random weights.

        A warning follows if the starting weights were trained on clips that the trial validates or tests on.

        Raises:
            InputError: if the starting weights do not fit.
        """
        return self.context.describe_start(self.base.network, self.fold_bases or [self.base])

    def describe_left_out(self) -> str:
        """Return how many training clips are left out as duplicates; empty if the protocol keeps them."""
        return left_out_text(self.num_left_out) if self.config.protocol.drop_duplicates else ""

    @property
    def num_left_out(self) -> int:
        """Number of training clips that are left out, as they have the content of a test clip."""
        clips, protocol = self.context.clips, self.config.protocol
        if not protocol.drop_duplicates:
            return 0
        return num_left_out_clips(clips.clips, clips.manifest.protocol(protocol.name))

    @property
    def num_validation(self) -> int | None:
        """Number of validation clips; None if folds validate on every training clip."""
        is_single = self.config.protocol.validation != "folds"
        return len(self.data_loader.split.validation) if is_single else None

    @property
    def num_training(self) -> int:
        """Number of clips that the trial trains on, in the smallest of its folds."""
        setups = self.folds(self.context.callback) or [self]
        return min(len(setup.data_loader.split.train) for setup in setups)

    def folds(self, callback: TrialCallback) -> list[TrialSetup]:
        """Return one trial for every fold, each reporting to this callback."""
        context = replace(self.context, callback=callback)
        return [replace(self, base=base, context=context, fold_bases=()) for base in self.fold_bases]

    def with_callback(self, callback: TrialCallback) -> TrialSetup:
        """Return the trial with another callback."""
        return replace(self, context=replace(self.context, callback=callback))

    def rates_of(self, position: int) -> tuple[float, ...]:
        """Return the learning rates of the stage at a position; pass 1 has position 0."""
        return self.rates[position] if self.rates else ()

    def with_all_training_clips(self, rates: tuple[tuple[float, ...], ...] = ()) -> TrialSetup:
        """Return the trial on training and validation clips together, for a config that is chosen already.

        Callbacks receive NaN for its validation measurements, as the validation clips are trained on.

        Args:
            rates: see TrialSetup; for schedules that follow the validation loss.
        """
        base = self.base.model_copy(update={"all_training_clips": True})
        context = replace(self.context, callback=RefitCallback(self.context.callback))
        return replace(self, base=base, fold_bases=(), context=context, rates=rates)


def _sizes_text(config: TrialConfig) -> str:
    """Return a hint with the settings that decide how much memory a trial needs."""
    sizes = {
        "recognizer.width": getattr(config.recognizer, "width", None),
        "clips.num_frames": config.clips.num_frames,
        "optimisation.batch_size": config.optimisation.batch_size,
    }
    return "reduce what is too large of " + ", ".join(
        f"{name}={value}" for name, value in sizes.items() if value
    )


def open_trial(
    config: TrialConfig,
    *,
    clips: ClipStore,
    stages: StageStore,
    callback: TrialCallback,
    device: str = "auto",
    num_threads: int = 1,
    leases: Leases = NO_LEASES,
    executor: Executor | None = None,
) -> TrialSetup:
    """Set up a trial.

    Args:
        config: what will run.
        clips: the prepared dataset.
        stages: the store of finished stages.
        callback: receives every stage and epoch.
        device: "auto", "cpu", "cuda", ...
        num_threads: CPU threads of the trial.
        leases: decides which process trains a stage, if several processes share the store.
        executor: computes in other processes, on its own device; None computes in this one.

    Raises:
        InputError: if the config does not fit the clips.
    """
    _require_fitting(config, clips)
    weights_path = config.recognizer.weights_path
    if weights_path is not None and not weights_path.is_file():
        raise InputError("recognizer.weights must name a file", got=weights_path, hint="correct the path")
    start_paths = config.recognizer.start_paths
    start = read_starts(start_paths, config.recognizer.name)
    numerics = config.numerics
    opened = (
        executor.open_device()
        if executor
        else open_device(
            device,
            precision=numerics.precision,
            deterministic=numerics.deterministic,
            compile_network=numerics.compile,
            num_threads=num_threads,
        )
    )
    rule = clips.manifest.protocol(config.protocol.name)
    resolved = resolve_protocol(config.protocol, clips).protocol
    config = config.model_copy(update={"protocol": resolved})
    protocols = _protocols(resolved, clips.clips, rule)
    base = BaseInputs(
        data=clips.fingerprint,
        protocol=protocols[0],
        clips=config.clips,
        network=_network_inputs(
            config, clips.manifest, digest_file(weights_path) if weights_path else None, start
        ),
        numerics=opened.numerics_class,
        seed=config.seed,
    )
    context = StageContext(
        stages, clips, opened, callback, num_threads, weights_path, start_paths, leases, executor
    )
    context.data_loader(base, config.optimisation)  # raises now if the split is impossible
    folds = tuple(base.model_copy(update={"protocol": protocol}) for protocol in protocols)
    return TrialSetup(config, base, context, folds if resolved.validation == "folds" else ())


def _network_inputs(
    config: TrialConfig, contents: Contents, weights_sha256: str | None, start: Start
) -> NetworkInputs:
    recognizer = config.recognizer
    options = network_options(recognizer, config.clips, contents)
    return NetworkInputs(
        name=recognizer.name,
        options=options,
        at_key_default=_options_at_key_default(recognizer),
        weights_sha256=weights_sha256,
        inflation=recognizer.inflation_kind if weights_sha256 else "centre",
        start_sha256=start.digest_for(options.get("layout")),
        num_classes=config.num_classes,
    )


@dataclass(frozen=True, slots=True)
class ResolvedProtocol:
    """Protocol whose validation is decided."""

    protocol: ProtocolSettings
    reason: str
    """Reason for what ``auto`` became, in words; empty if the user decided."""


def resolve_protocol(protocol: ProtocolSettings, clips: ClipStore) -> ResolvedProtocol:
    """Decide what ``validation = "auto"`` is for a store; other protocols stay as they are.

    Raises:
        InputError: if the store has no such protocol.
    """
    if protocol.validation != "auto":
        return ResolvedProtocol(protocol, "")
    if protocol.held_out is not None:
        return ResolvedProtocol(
            protocol.model_copy(update={"validation": "clean"}), "protocol.held_out is set"
        )
    choice = choose_validation(
        clips.clips,
        clips.manifest.protocol(protocol.name),
        num_classes=len(clips.manifest.class_names),
        num_folds=protocol.num_folds,
    )
    changes = {"validation": choice.validation, "num_folds": choice.num_folds or protocol.num_folds}
    return ResolvedProtocol(protocol.model_copy(update=changes), choice.reason)


def _options_at_key_default(recognizer: RecognizerSettings) -> tuple[str, ...]:
    return tuple(name for name in names_at_key_default(recognizer) if name in recognizer.options())


def _require_fitting(config: TrialConfig, clips: ClipStore) -> None:
    if plain_name(config.dataset) != clips.manifest.dataset:
        raise InputError(
            f"the clips must be of {config.dataset}", got=clips.manifest.dataset, hint="correct --data"
        )
    if len(clips.manifest.class_names) != config.num_classes:
        raise InputError(
            f"num_classes must be that of the data, {len(clips.manifest.class_names)}",
            got=config.num_classes,
            hint=f"add --set num_classes={len(clips.manifest.class_names)}, or correct the search space",
        )
    if config.hierarchy == "given" and not clips.manifest.levels:
        raise InputError(
            f"{clips.manifest.dataset} must have superclasses of its own for hierarchy = 'given'",
            got="none",
            hint="leave hierarchy at 'derived'",
        )
    require_people(config.recognizer, config.clips, clips, clips.manifest)


def _protocols(protocol: ProtocolSettings, clips: ClipTable, rule: Protocol) -> list[ProtocolSettings]:
    """Return the split of a trial, or of each of its folds."""
    if protocol.validation == "folds":
        return [protocol.holding_out(values) for values in assign_folds(clips, rule, protocol.num_folds)]
    if protocol.validation in {"paper", "listed"}:
        return [protocol.model_copy(update={"num_folds": ProtocolSettings().num_folds})]
    return [protocol.holding_out(protocol.held_out or default_held_out(clips, rule))]
