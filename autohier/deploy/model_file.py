"""Description of an exported model: ``model.json``, all that a prediction needs besides the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from autohier.config.file_format import MODEL_FORMAT, check_format
from autohier.config.frozen import FrozenModel, validate
from autohier.config.trial.clips import ClipSettings
from autohier.core.stages.network_description import CompactedNetwork
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import LAYOUTS
from autohier.data.store.manifest import Manifest, StoreOptions
from autohier.errors import InputError, damage_text
from autohier.files import open_regular

MODEL_FILE: Final = "model.json"


class ClipFormat(FrozenModel):
    """Preparation of a network's clips: crop, size, kept frames, joints and units."""

    options: StoreOptions
    """Options of the clip store that the network was trained on."""
    channels: Literal[0, 1, 3]
    """Channels of frames; 0 without frames."""
    joint_layout: str
    """Name of the layout of the joints."""
    declared_layout: JointLayout | None = None
    """The user's own joint layout; None for a shipped one."""
    sided: bool
    """True if a mirrored clip may belong to another class."""

    @classmethod
    def of(cls, manifest: Manifest) -> ClipFormat:
        """Return the format of the clips in a store."""
        return cls(
            options=StoreOptions.model_validate(manifest.model_dump(include=set(StoreOptions.model_fields))),
            channels=manifest.channels,
            joint_layout=manifest.joint_layout,
            declared_layout=manifest.declared_layout,
            sided=manifest.sided,
        )

    @property
    def layout(self) -> JointLayout:
        """Joint layout of the skeletons."""
        return self.declared_layout or LAYOUTS[self.joint_layout]


class ExportedNetwork(FrozenModel):
    """One network of a model; a model of several averages their probabilities."""

    name: str
    """Trial that it comes from, SWEEP:TRIAL."""
    weights: str
    """File of the weights, next to ``model.json``."""
    fusion_weight: NonNegativeFloat = 1.0
    """Weight of its probabilities."""
    clips: ClipSettings
    """Clip input: sampled frames, crop, test sets and flips."""
    prepared: ClipFormat
    """How its clips are prepared."""
    clip_frames: int | None = None
    """Median number of frames of its training clips; None in models of earlier versions."""
    network: CompactedNetwork
    """Recognizer, its options, and the superclass of every class for each head."""
    trained_on: Literal["training clips", "training and validation clips"]
    """Clips that trained it; the latter is a refit."""
    parameters: int
    """Number of its parameters, after compaction."""
    multiply_adds: int
    """Multiply-adds of one forward pass over one frame set."""

    @property
    def needs_poses(self) -> bool:
        """True if a video needs poses: their joints are read, or frames are cropped to their persons."""
        options = self.prepared.options
        reads_them = self.clips.input != "frames" or options.cropped
        return bool(self.prepared.channels) and reads_them and options.without_skeleton == "reject"


class MeasuredAccuracy(FrozenModel):
    """Accuracy over the classes, with its 95% Wilson interval."""

    accuracy: float
    low: float
    high: float
    num_clips: int

    @property
    def text(self) -> str:
        """The accuracy in words, e.g. "79.2% (95% interval 74.7 to 83.0; 360 clips)"."""
        interval = f"95% interval {100 * self.low:.1f} to {100 * self.high:.1f}"
        return f"{self.accuracy:.1%} ({interval}; {self.num_clips:,} clips)"


class Calibration(FrozenModel):
    """Temperature scaling of the probabilities (Guo et al., ICML 2017), fitted on validation clips."""

    temperature: PositiveFloat
    """Divisor of the log-probabilities; above 1 for a model that is too sure of itself."""
    error_before: float
    """Expected calibration error (15 bins) of the model's own probabilities."""
    error_after: float
    """The same after scaling, on the clips that the temperature was fitted on."""
    num_clips: int


class ModelProvenance(FrozenModel):
    """Origin of a model."""

    autohier: str
    """Version of autohier that exported it."""
    torch: str
    """Version of torch that exported it."""
    created_at: str
    """UTC, ISO 8601."""
    stages: tuple[str, ...]
    """Stage keys of the exported networks."""
    clips: tuple[str, ...]
    """Fingerprints of the clip stores of the exported networks."""


class ExportedModel(FrozenModel):
    """Content of ``model.json``."""

    version: Literal[1] = MODEL_FORMAT
    """Format of the file."""
    name: str
    """Name of the fusion, or SWEEP:TRIAL."""
    dataset: str
    """Dataset that it was trained on."""
    protocol: str
    """The dataset's split."""
    validation: str
    """Kind of validation that chose it."""
    classes: tuple[str, ...]
    """Name of every class, in the order of the outputs."""
    networks: tuple[ExportedNetwork, ...] = Field(min_length=1)
    """Its networks."""
    calibration: Calibration
    """Scaling of its probabilities to confidences."""
    validation_result: MeasuredAccuracy
    """Accuracy on the validation clips, before any refit; it chose the model, so it is too high."""
    test_result: MeasuredAccuracy | None = None
    """First recorded accuracy of this network on the test split; None if it was not evaluated."""
    provenance: ModelProvenance
    """Origin of the model."""

    def content(self) -> bytes:
        """Return the content of ``model.json``."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False).encode()


def read_model_file(folder: Path) -> ExportedModel:
    """Read the description in the folder of an exported model.

    Raises:
        InputError: if the folder holds no model, a damaged one, or one of another format.
    """
    path = folder / MODEL_FILE
    try:
        with open_regular(path) as file:
            content = dict(json.loads(file.read()))
    except FileNotFoundError as error:
        raise InputError(
            "a model must be a folder that autohier export wrote",
            got=f"{folder}, without {MODEL_FILE}",
            hint="write 'autohier export SWEEP --out DIR' first",
        ) from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} must describe a model", got=damage_text(error), hint="export it again"
        ) from error
    check_format(content, expected=MODEL_FORMAT, path=path)
    model = validate(ExportedModel, content, origin=str(path))
    for network in model.networks:
        if Path(network.weights).name != network.weights:
            raise InputError(
                f"{path} must name files next to it", got=network.weights, hint="export it again"
            )
    return model
