"""Split of a store that a stage trains, validates and tests on, from its protocol."""

from __future__ import annotations

from autohier.core.stages.network_description import TrainingClips
from autohier.data.splits import Split, Validation, few_per_class, split_clips
from autohier.data.store.reader import ClipStore


def split_for(store: ClipStore, clips: TrainingClips) -> Split:
    """Return the split that trains on the described clips of a store.

    Raises:
        InputError: if the store has no such protocol, or a part would be empty.
    """
    protocol = clips.protocol
    split = split_clips(
        store.clips,
        store.manifest.protocol(protocol.name),
        validation=one_split(protocol.validation),
        held_out=protocol.held_out or (),
        seed=clips.seed,
        drop_duplicates=protocol.drop_duplicates,
    )
    if clips.all_training_clips:
        split = split.training_on_all()
    if protocol.clips_per_class is not None:
        split = few_per_class(store.clips, split, protocol.clips_per_class, seed=clips.seed)
    return split


def one_split(validation: str) -> Validation:
    """Return the validation of a single split: one fold holds out its subjects like ``clean``."""
    return "paper" if validation == "paper" else "listed" if validation == "listed" else "clean"
