"""Starting weights of a trial: reading them from a stage, an exported model or a file, and their digest.

The digest is that of the tensors by the recognizer's names, without heads, and another one for weights of
other joints. If pathways start by themselves, it is also that of their class heads. So it names what a
network starts from: neither the path nor the format of the file matters, and a changed name table changes the
stage keys.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import Tensor

from autohier.config.frozen import validate
from autohier.config.trial.recognizers import RECOGNIZERS, RecognizerSettings
from autohier.config.trial.training import HeadPlacement
from autohier.core.stages.network_description import TrainingClips
from autohier.core.stages.store.file_names import STAGE_FILE
from autohier.core.stages.store.stage_files import find_not_finite, read_description, read_published_weights
from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import resolve_layout
from autohier.digest import digest
from autohier.errors import InputError
from autohier.models import build_recognizer, count_parameters
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.recognizer import Recognizer
from autohier.models.starting.fitting import Fit, fit_weights, is_head
from autohier.models.starting.name_tables import rename_tensors
from autohier.models.starting.state_files import read_state_dict
from autohier.text import plural

_SETTING: Final = "recognizer.start"
_HINT: Final = (
    "name a sweep (SWEEP or SWEEP:TRIAL), the folder of a stage or of an exported model, or a file of "
    "weights of the same recognizer"
)
_MASK: Final = "alive."
"""Prefix of the masks among the tensors of a pruned stage; see core.stages.preparations.prune."""
_METADATA_KEY: Final = "autohier"
"""Metadata of a compacted network; see core.stages.compacted."""


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """Tensors that a recognizer starts from."""

    origin: str
    """What they were read from, in words."""
    tensors: Mapping[str, Tensor]
    """Tensors by the recognizer's names, without heads."""
    sha256: str
    """Digest of the tensors; see `content_digest`."""
    layout: JointLayout | None = None
    """Joints that they were trained on; None if unknown, or for frames and heatmaps."""
    num_pruned: int = 0
    """Number of filters that pruning set to zero."""
    is_compacted: bool = False
    """True if they lack the pruned filters."""
    class_head: Mapping[str, Tensor] = field(default_factory=dict)
    """Weight and bias of its class head; empty if it has several pathways, or is another package's."""
    trained_on: TrainingClips | None = None
    """Clips that they were trained on; None if unknown. What they started from themselves is not known."""

    def digest_for(self, layout: str | Mapping[str, object] | None) -> str:
        """Return a digest of what a recognizer with this option ``layout`` starts from, for its stage key.

        It is `sha256`, unless the joints are known to be others: then `fit_into` leaves out the tensors that
        belong to joints, even if their shapes are equal.
        """
        return digest([self.sha256, "other joints"]) if self._is_of_other_joints(layout) else self.sha256

    def _is_of_other_joints(self, layout: str | Mapping[str, object] | None) -> bool:
        if layout is None or self.layout is None:
            return False
        return not _same_joints(self.layout, resolve_layout(layout))

    def fit_into(
        self, recognizer: Recognizer, layout: str | Mapping[str, object] | None, *, pathway: str = ""
    ) -> Fit:
        """Set the tensors of a recognizer, in place.

        Args:
            recognizer: network to set.
            layout: its option ``layout``; None if it has none.
            pathway: name of the pathway that the recognizer is of another one; its convolutions may read more
                channels. Empty for a whole network.

        Raises:
            InputError: if names or shapes differ.
        """
        other_layout = self._is_of_other_joints(layout)
        try:
            return fit_weights(recognizer, self.tensors, other_layout=other_layout, widen=bool(pathway))
        except InputError as error:
            raise InputError(
                f"{_SETTING}{pathway and f'_{pathway}'} must have the names and shapes of the recognizer",
                got=f"{error.got} in {self.origin}",
                hint=self._hint(recognizer),
            ) from error

    def _hint(self, recognizer: Recognizer) -> str:
        own = recognizer.state_dict()
        if self.is_compacted:
            return "a pruned model is exported without its dead channels; name its sweep or its stage instead"
        if any(name in own and own[name].ndim > each.ndim > 1 for name, each in self.tensors.items()):
            return "name the weights of a 2D network as recognizer.weights, which inflates them"
        return "the recognizer and its options, e.g. recognizer.width, must be those of the weights"

    def text(self, fit: Fit, *, heads: str = "the heads") -> str:
        """Return what a network starts from, and what keeps its initial values, in words."""
        left = ", ".join(filter(None, (heads, fit.initial_text))) or "nothing"
        pruned = f"; {plural(self.num_pruned, 'pruned filter')} start at zero" if self.num_pruned else ""
        return (
            f"{plural(fit.num_loaded, 'tensor')} ({fit.num_parameters / 1e6:.3f} M values) of "
            f"{self.origin}; initial values keep {left}{pruned}"
        )


@dataclass(frozen=True, slots=True)
class Start:
    """Starting weights of a recognizer: of the whole, or of some of its pathways."""

    of_pathways: Mapping[str, StartingWeights]
    """Weights by the name of the pathway, which is empty for the whole; nothing if there are none."""

    def digest_for(self, layout: str | Mapping[str, object] | None) -> str | None:
        """Return a digest of what a recognizer starts from, for its stage key; None if of nothing."""
        digests = {name: weights.digest_for(layout) for name, weights in self.of_pathways.items()}
        if not digests:
            return None
        if "" in digests:
            return digests[""]
        heads = {name: content_digest(weights.class_head) for name, weights in self.of_pathways.items()}
        return digest(["pathways", digests, heads])

    def fit_into(self, network: HierarchicalRecognizer, layout: str | Mapping[str, object] | None) -> str:
        """Set the tensors of a recognizer, in place, and return what was loaded, a line for each pathway.

        The class head of a pathway starts from that of its network if both have the same number of classes.

        Raises:
            InputError: if names or shapes differ.
        """
        lines = []
        for name, weights in self.of_pathways.items():
            own = network.recognizer.get_submodule(name)
            if not isinstance(own, Recognizer):
                raise InputError(f"pathway {name} must be a recognizer to start from weights", got=type(own))
            fit = weights.fit_into(own, layout, pathway=name)
            heads = "the superclass heads" if name and _fit_head(network, name, weights) else "the heads"
            lines.append(f"start{name and f'_{name}'}: {weights.text(fit, heads=heads)}")
        return "\n".join(lines)


def _fit_head(network: HierarchicalRecognizer, pathway: str, weights: StartingWeights) -> bool:
    """Set the class head of a pathway if it has the shape of that of the weights; return True if it has."""
    head = network.class_heads.get(pathway)
    if head is None:  # the pathway shares the heads of the whole network
        return False
    own = {name: tensor.shape for name, tensor in head.state_dict().items()}
    if own != {name: tensor.shape for name, tensor in weights.class_head.items()}:
        return False
    head.load_state_dict(dict(weights.class_head))
    return True


def read_starts(paths: Mapping[str, Path], recognizer: str) -> Start:
    """Read the starting weights of a recognizer; see `read_start`.

    Args:
        paths: `RecognizerSettings.start_paths`.
        recognizer: registered name.
    """
    return Start({name: read_start(path, recognizer) for name, path in paths.items()})


def read_start(path: Path, recognizer: str) -> StartingWeights:
    """Read starting weights.

    Args:
        path: folder of a stage or of an exported model, or a file.
        recognizer: registered name, whose names they get.

    Raises:
        InputError: if there are none, or they cannot be read.
        StageDamagedError: if a stage is incomplete or damaged.
    """
    found = _read_stage(path) if (path / STAGE_FILE).is_file() else _read_other_file(path)
    state, origin = found.state, found.origin
    num_pruned = sum(int((~mask.bool()).sum()) for name, mask in state.items() if name.startswith(_MASK))
    named, packages = rename_tensors(recognizer, {n: t for n, t in state.items() if not n.startswith(_MASK)})
    # A recognizer of autohier may have a module with a name of other packages' heads.
    is_own = packages == "autohier"
    tensors = {name: tensor for name, tensor in named.items() if is_own or not is_head(name)}
    if packages not in ("", "autohier"):
        origin += f" (names of {packages})"
    unusable = find_not_finite(tensors)
    if unusable is not None:
        raise InputError(f"{_SETTING} must have finite values", got=f"others in {unusable} of {path}")
    return StartingWeights(
        origin,
        tensors,
        content_digest(tensors),
        _layout(found.options),
        num_pruned,
        found.is_compacted,
        _class_head(state) if is_own else {},
        found.trained_on,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Content of a stage or a file."""

    state: Mapping[str, Tensor]
    origin: str
    options: Mapping[str, Any]
    is_compacted: bool
    trained_on: TrainingClips | None


def _read_stage(path: Path) -> _Found:
    description = read_description(path)
    base, name = description["inputs"]["base"], path.name[:12]
    clips = {field: base[field] for field in TrainingClips.model_fields if field in base}
    return _Found(
        read_published_weights(path, description),
        f"{description['kind'].replace('-', ' ')} of {base['network']['name']}, stage {name}",
        base["network"]["options"],
        is_compacted=False,
        trained_on=validate(TrainingClips, clips, origin=f"stage {name}"),
    )


def _read_other_file(path: Path) -> _Found:
    file = _find_file(path)
    state, exported = read_state_dict(file, hint=_HINT), _exported_description(file)
    clips = exported.get("trained_on")
    return _Found(
        state,
        str(file),
        exported.get("options", {}),
        is_compacted=bool(exported),
        trained_on=None if clips is None else validate(TrainingClips, clips, origin=str(file)),
    )


def check_network(settings: RecognizerSettings, num_levels: int, heads: HeadPlacement = "stacks") -> None:
    """Check a recognizer before any clips exist: its options, its number of stacks and its starting weights.

    What depends on the clips is checked later, and so is a recognizer of a package that cannot be built
    without clips. Memory is allocated only for starting weights.

    Args:
        settings: of the recognizer.
        num_levels: number of heads before the last one.
        heads: features that the heads read.

    Raises:
        InputError: if an option is out of range, there are more heads than stacks, or the starting weights
            cannot be read or have other names or shapes.
        StageDamagedError: if they are a damaged stage.
    """
    start = read_starts(settings.start_paths, settings.name)
    parameters = inspect.signature(RECOGNIZERS.find(settings.name).load()).parameters
    given = settings.options()
    if any(each.default is each.empty and name not in given for name, each in parameters.items()):
        return
    count_parameters(settings.name, num_classes=2, superclasses=[2] * num_levels, heads=heads, **given)
    if not settings.start_paths:
        return
    network = build_recognizer(settings.name, num_classes=2, seed=0, **given)
    layout = parameters["layout"].default if "layout" in parameters else None
    start.fit_into(network, layout)


def _class_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the class head of a network of autohier with one pathway: that of its last stack."""
    stacks = [int(found[1]) for name in state if (found := re.fullmatch(r"heads\.stack(\d+)\.weight", name))]
    if not stacks:
        return {}
    at = f"heads.stack{max(stacks)}."
    return {name.removeprefix(at): tensor for name, tensor in state.items() if name.startswith(at)}


def content_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: names, types, shapes and values, in the order of the names."""
    state = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        state.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        state.update(tensor.flatten().view(torch.uint8).numpy().data)
    return state.hexdigest()


def _find_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("network*.safetensors")) if path.is_dir() else []
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"{_SETTING} must name one network", got=f"{path} with {names}", hint="name one file"
        )
    raise InputError(f"{_SETTING} must name trained weights", got=f"none at {path}", hint=_HINT)


def _exported_description(file: Path) -> Mapping[str, Any]:
    """Return the description of a network that autohier exported; nothing for other files."""
    if file.suffix != ".safetensors":
        return {}
    with safe_open(file, framework="pt") as opened:
        text = (opened.metadata() or {}).get(_METADATA_KEY)
    try:
        description = json.loads(text) if text else {}
        is_described = isinstance(description["options"], dict) if text else True
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} must be a file that autohier wrote", got=error, hint=_HINT) from error
    return description if is_described else {}


def _layout(options: Mapping[str, Any]) -> JointLayout | None:
    layout = options.get("layout")
    return None if layout is None else resolve_layout(layout)


def _same_joints(one: JointLayout, other: JointLayout) -> bool:
    """Return True if joints of two layouts have the same order, edges and coordinates."""
    parts = ("joint_names", "edges", "graph_centre", "planar")
    return all(getattr(one, part) == getattr(other, part) for part in parts)
