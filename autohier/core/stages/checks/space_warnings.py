"""Warnings about a search space: settings that are valid and probably not meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.clips import FrameClips, FrameSettings, PartsSkeletonsClips, SkeletonClips
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.recognizers import InflatedResNetSettings, ThreePathwaySettings
from autohier.core.stages.checks.improbable_values import improbable_values
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.persons import earlier_persons_text
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.sampling import row_positions, segment_positions, set_offset
from autohier.data.validation_choice import few_clips_text
from autohier.text import plural

_NUM_CLIPS_INSPECTED = 200
"""Approximate number of clips whose persons are counted."""
_FRAME_FACTOR = 4
"""A skeleton that is read in this many times its longest clip's frames mostly repeats frames."""
_STEPS_PER_EPOCH = 8
_NAME, _WEIGHTS = "recognizer.name", "recognizer.weights"
_NUM_POSE_FRAMES: Final = {
    "frames+heatmaps": "num_map_frames",
    "frames+skeletons": "num_skeleton_frames",
    "parts+skeletons": "num_skeleton_frames",
}
"""Setting of the number of poses of a clip; of other clip inputs it is num_frames."""


def space_warnings(
    space: SearchSpace,
    store: StoreOptions | None,
    *,
    clips: ClipStore | None = None,
    num_training: int | None = None,
    num_validation: int | None = None,
    params: Hyperparameters | None = None,
) -> list[str]:
    """Return the warnings about a space, or about one config of it, each with its fix on a second line.

    Args:
        space: the search space.
        store: options of its prepared clips; None if they are not prepared.
        clips: the prepared clips, whose skeletons are inspected.
        num_training: number of training clips, if it is known.
        num_validation: number of clips of a single validation split; None with folds, or if it is not known.
        params: hyperparameters of the only config that is run; None for all of the space.
    """
    tried = space.flat_params() if params is None else (params,)
    variants = [(flat.variant, space.apply(flat)) for flat in tried]
    searched = space.search.settings if params is None else {}
    persons = _inspect_persons(clips) if clips and any(_reads_skeletons(own) for _, own in variants) else []
    found: dict[str, list[str]] = {}
    for name, variant in variants:
        warnings = [*_start_warnings(space, name, variant), *improbable_values(variant, searched, params)]
        if store is not None:
            warnings += _frame_warnings(variant, store)
        if clips is not None:
            warnings += [*_skeleton_warnings(variant, clips, persons), *_flip_warnings(variant, clips)]
        if num_training is not None:
            warnings += _batch_warnings(variant, searched, num_training)
        for warning in dict.fromkeys(warnings):
            found.setdefault(warning, []).append(name)
    general = [
        earlier_persons_text(clips.folder, clips.manifest) if clips else "",
        "" if num_validation is None else _validation_warning(space, num_validation),
    ]
    return [f"WARNING: {warning}" for warning in general if warning] + [
        f"WARNING: {'' if len(names) == len(variants) else f'variants {_listed(names)}: '}{warning}"
        for warning, names in found.items()
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def _start_warnings(space: SearchSpace, name: str, variant: SearchSpace) -> Iterator[str]:
    """Warn if a variant, of this name in the space, starts from random weights against its recipe."""
    recognizer, assumes = variant.recognizer, space.assumes_2d_weights
    if not (assumes if isinstance(assumes, bool) else name in assumes):
        return
    if not isinstance(recognizer, InflatedResNetSettings) or recognizer.weights or recognizer.start:
        return
    # A --set outside search holds for all variants, and the weights of one network do not fit another.
    needs_own = assumes is not True or any(_NAME in dict(own) for own in space.search.variants.values())
    setting = f"search.variants.VARIANT.{_WEIGHTS}" if needs_own else _WEIGHTS
    random_weights = (
        " Or train from random weights, longer and at a higher rate: --set optimisation.learning_rate=4e-3 "
        "--set optimisation.schedule=one-cycle --set pass_1.epochs=40 --set assumes_2d_weights=false"
        if assumes is True
        else ""
    )
    # The recipe joint trains its bases itself.
    start = (
        ""
        if isinstance(recognizer, ThreePathwaySettings)
        else "; or --start SWEEP, a trained network, see docs/starting-weights.md"
    )
    yield (
        f"the network starts from random weights, but the recipe of {space.name} assumes those of a 2D "
        "ResNet trained on ImageNet\n"
        f"  fix: --set {setting}=FILE, see 'ImageNet weights' in docs/search-spaces.md{start}."
        f"{random_weights}"
    )


def _frame_warnings(space: SearchSpace, store: StoreOptions) -> Iterator[str]:
    clips = space.clips
    if not isinstance(clips, FrameSettings):
        return
    if clips.resize_px > store.size_px:
        yield (
            f"the store keeps frames of {store.size_px} pixels, and clips.resize_px = {clips.resize_px} only "
            "enlarges them\n"
            f"  fix: --set clips.resize_px={store.size_px}, and clips.crop_px below it, or prepare with "
            f"--size {clips.resize_px}"
        )
    if clips.num_frames > store.max_frames:
        yield (
            f"the store keeps {store.max_frames} frames per clip, so clips.num_frames = {clips.num_frames} "
            "reads frames several times\n"
            f"  fix: --set clips.num_frames={store.max_frames} or fewer, or prepare with more --frames"
        )
        return
    in_a_row = isinstance(clips, PartsSkeletonsClips) and clips.sampling == "in-a-row"
    sample = row_positions if in_a_row else segment_positions
    offsets = [set_offset(index, clips.test_sets) for index in range(clips.test_sets)]
    positions = {tuple(sample(store.max_frames, clips.num_frames, offset).tolist()) for offset in offsets}
    if len(positions) < clips.test_sets:
        wanted = clips.num_frames * clips.test_sets
        yield (
            f"the store keeps {store.max_frames} frames per clip, so only {len(positions)} of the "
            f"{clips.test_sets} test sets of {clips.num_frames} frames differ, and training reads as few\n"
            f"  fix: prepare with --frames {wanted}, or --set clips.test_sets={len(positions)}"
        )


def _validation_warning(space: SearchSpace, num_validation: int) -> str:
    few = few_clips_text(num_validation, space.num_classes)
    if not few:
        return ""
    step = f"one clip is {100 / num_validation:.1f} points, so " if num_validation else ""
    return (
        f"trials are compared on {few}; {step}the best trial may be the best by chance\n"
        "  fix: --set protocol.validation=folds, which validates on every training clip once"
    )


def _reads_skeletons(space: SearchSpace) -> bool:
    return not isinstance(space.clips, FrameClips)


def _inspect_persons(clips: ClipStore) -> list[int]:
    """Return the number of visible persons of some clips."""
    rows = range(0, len(clips), max(1, len(clips) // _NUM_CLIPS_INSPECTED))
    return [clips.skeleton(row).num_visible_persons for row in rows]


def _skeleton_warnings(space: SearchSpace, clips: ClipStore, persons: Sequence[int]) -> Iterator[str]:
    own = space.clips
    if isinstance(own, FrameClips) or not persons:
        return
    if num_empty := persons.count(0):
        yield (
            f"{num_empty} of {plural(len(persons), 'inspected clip')} show no person, and networks of poses "
            "read them as empty\n"
            "  fix: find poses with autohier poses and prepare the clips again, or prepare without --keep-all"
        )
    if num_more := sum(number > own.num_persons for number in persons):
        yield (
            f"{num_more} of {plural(len(persons), 'inspected clip')} show more than "
            f"{plural(own.num_persons, 'person')}, up to {max(persons)}; "
            f"clips.num_persons reads {own.num_persons}\n"
            f"  fix: --set clips.num_persons={max(persons)}, unless the other persons are irrelevant"
        )
    elif own.num_persons > max(2, *persons):
        yield (
            f"no inspected clip shows more than {plural(max(persons), 'person')}, and clips.num_persons = "
            f"{own.num_persons} makes the network read empty ones\n"
            f"  fix: --set clips.num_persons={max(1, *persons)}"
        )
    sampling = own.sampling if isinstance(own, SkeletonClips) else "segments"
    if sampling != "segments" and own.test_sets > 1:
        yield (
            f"clips.sampling = {sampling} reads a clip in one way, and clips.test_sets = {own.test_sets} "
            "tests it as many times\n"
            "  fix: --set clips.test_sets=1"
        )
    longest = int(clips.skeleton_lengths().max())
    name = _NUM_POSE_FRAMES.get(own.input, "num_frames")
    num_frames = getattr(own, name)
    if num_frames > _FRAME_FACTOR * longest:
        effect = "reads mostly zeros" if sampling == "padded" else "reads frames several times"
        yield (
            f"the longest clip has {longest} frames, so clips.{name} = {num_frames} {effect}\n"
            f"  fix: --set clips.{name}={longest} or fewer"
        )


def _flip_warnings(space: SearchSpace, clips: ClipStore) -> Iterator[str]:
    for setting, mirrored in (("flip", "clips"), ("test_flip", "the clips of tests")):
        if clips.manifest.sided and getattr(space.clips, setting):
            yield (
                f"clips.{setting} mirrors {mirrored}, but classes may differ in left and right\n"
                f"  fix: --set clips.{setting}=false, unless left and right are one class"
            )


def _batch_warnings(
    variant: SearchSpace, searched: Mapping[str, tuple[object, ...]], num_training: int
) -> Iterator[str]:
    name, own = "optimisation.batch_size", variant.optimisation
    num_clips = num_training * own.repeats
    for size in searched.get(name, (own.batch_size,)):
        if isinstance(size, int) and size > num_clips:
            usual = 2 ** max(0, (num_clips // _STEPS_PER_EPOCH).bit_length() - 1)
            yield (
                f"{name} = {size:,} holds all {num_clips:,} training clips, so that an epoch is one step\n"
                f"  fix: --set {name}={usual}, which makes at least {_STEPS_PER_EPOCH} steps"
            )
