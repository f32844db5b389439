"""A small real store: clips of one noisy color each, which a tiny network learns to classify within seconds.

There are three hues, each dark and bright, so that a network mostly confuses the two classes of one hue. The
person in the clip lifts the left arm by the hue and the right arm by the level.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.config.search.loading import load_space
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import CallbackList, TrialCallback
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.single_flight import NO_LEASES, Leases
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.datasets.base import ClipSource, DatasetWarning
from autohier.data.datasets.demo import body
from autohier.data.joint_layout import JointLayout
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V2_25, Skeleton
from autohier.data.store.paths import store_folder
from autohier.data.store.reader import ClipStore
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.transforms.projection import PinholeCamera

SPACE_FILE = Path(__file__).with_name("tiny_space.toml")

HUES = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
LEVELS = {"dark": 110, "bright": 150}
CLASS_NAMES = tuple(f"{level} {hue}" for level in LEVELS for hue in HUES)
"""Class k is dark for k < 3 and of hue k % 3."""
TRAINING_SUBJECTS, VALIDATION_SUBJECTS, TEST_SUBJECTS = (1, 3, 7), (9,), (2, 4)
"""Subjects of the demo's cross-subject protocol."""
REPLICATIONS = 4
CLIPS_PER_SUBJECT = len(CLASS_NAMES) * REPLICATIONS
SIZE_PX, NUM_FRAMES = 16, 4
CAMERA = PinholeCamera(240.0, 240.0, 80.0, 80.0, image_width_px=160, image_height_px=160)
"""Camera of the skeletons."""

OVERRIDES = {
    "frames": (),
    "skeletons": (
        "clips={input='skeletons', num_frames=4, num_persons=1, test_sets=2}",
        "recognizer={name='st-gcn++', width=0.125}",
        "optimisation.batch_size=36",
    ),
    "heatmaps": (
        "clips={input='heatmaps', num_frames=4, num_persons=1, size_px=16, flip=false, test_sets=2}",
        "recognizer={name='pose-slowonly-shallow', width=0.125}",
        "optimisation.batch_size=36",
    ),
    "frames+heatmaps": (
        "clips={input='frames+heatmaps', num_frames=2, resize_px=16, crop_px=16, num_map_frames=4, map_px=4}",
        "clips.num_persons=1",
        "clips.test_sets=2",
        "recognizer={name='rgbpose-conv3d', width=0.03, frame_ratio=2}",
        "optimisation.batch_size=36",
    ),
    "frames+skeletons": (
        "clips={input='frames+skeletons', num_frames=2, resize_px=16, crop_px=16, num_skeleton_frames=4}",
        "clips.num_persons=1",
        "clips.test_sets=2",
        "recognizer={name='two-stream', depth=18, width=0.03}",
        "optimisation.batch_size=36",
    ),
    "parts+skeletons": (
        "clips={input='parts+skeletons', num_frames=2, resize_px=16, crop_px=16, num_skeleton_frames=4}",
        "clips.parts=['left_hand']",  # one of three networks, and its counterpart in mirrored clips
        "clips.num_persons=1",
        "clips.test_sets=2",
        "recognizer={name='part-attention-i3d', width=0.03, pose_width=4, member='left_hand'}",
        "optimisation.batch_size=36",
    ),
}
"""Overrides of the tiny space for each kind of clip input."""


@dataclass(frozen=True, slots=True)
class ColourReader:
    """Reader that generates its clips. Implements data.datasets.base.DatasetReader."""

    class_names: tuple[str, ...] = CLASS_NAMES
    name: str = "demo"
    modality: str = "rgb"
    joint_layout: JointLayout = KINECT_V2_25
    channels: int = 3
    sided: bool = False
    protocols: tuple[Protocol, ...] = PROTOCOLS["demo"]
    levels: tuple[GivenSuperclasses, ...] = (
        GivenSuperclasses.from_groups("hue", ["red", "green", "blue"] * 2),
        GivenSuperclasses.from_groups("nothing", [0] * 5 + [1]),
    )
    warnings: tuple[DatasetWarning, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:  # noqa: ARG002
        subjects = sorted(TRAINING_SUBJECTS + VALIDATION_SUBJECTS + TEST_SUBJECTS)
        return [
            ClipSource(
                clip_id=f"S{subject}R{replication}A{label}",
                label=label,
                subject=subject,
                camera=replication % 3 + 1,
                setup=replication + 1,
                replication=replication,
                video_path=None,
                skeleton_path=None,
            )
            for subject, replication, label in itertools.product(
                subjects, range(REPLICATIONS), range(len(self.class_names))
            )
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        random = np.random.default_rng([clip.label, clip.subject, clip.replication, 1])
        level, hue = divmod(clip.label, len(HUES))
        angles_TV3 = random.normal(0, 0.05, (NUM_FRAMES, body.NUM_JOINTS, 3))
        angles_TV3[:, body.LEFT_SHOULDER, 2] += hue
        angles_TV3[:, body.RIGHT_SHOULDER, 2] -= 2 * level
        motion = body.Motion(angles_TV3, path_T3=np.zeros((NUM_FRAMES, 3)))
        joints_TV3 = body.pose_body(body.make_person(0, clip.subject), motion)
        # At a distance of three meters, facing the camera.
        joints_MTV3_m = (joints_TV3 * (1, 1, -1) + (0, -1, 3)).astype(np.float32)[None]
        return Skeleton(
            joints_MTV3_m,
            CAMERA.project(joints_MTV3_m),
            CAMERA.image_width_px,
            CAMERA.image_height_px,
            KINECT_V2_25.name,
        )

    def count_frames(self, clip: ClipSource) -> int:  # noqa: ARG002
        return NUM_FRAMES

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        random = np.random.default_rng([clip.label, clip.subject, clip.replication])
        level, hue = divmod(clip.label, len(HUES))
        colour = np.array([*HUES.values()][hue]) * [*LEVELS.values()][level] + random.normal(50, 15, 3)
        for _ in indices:
            noise = random.normal(0, 10, (SIZE_PX, SIZE_PX, 3))
            yield (colour + noise).clip(0, 255).astype(np.uint8)


def prepare_tiny_clips(data: Path, reader: ColourReader | None = None) -> ClipStore:
    """Prepare the clips into ``<data>/demo``."""
    folder = store_folder(data, "demo", None)
    prepare_dataset(
        reader or ColourReader(),
        data,
        folder,
        size_px=SIZE_PX,
        max_frames=NUM_FRAMES,
        crop=False,
        num_workers=1,
    )
    return ClipStore.open(folder)


def tiny_config(*overrides: str, seed: int = 0, **params: object) -> TrialConfig:
    """Return the tiny space's initial config, with overrides as for ``--set`` and hyperparameters by name."""
    space = load_space(str(SPACE_FILE), overrides)
    initial = space.initial[0].as_params()
    return space.config(type(initial)(**(initial.model_dump() | params)), seed=seed)


def open_tiny_trial(
    config: TrialConfig,
    clips: ClipStore,
    stages: Path,
    *callbacks: TrialCallback,
    num_threads: int = 1,
    leases: Leases = NO_LEASES,
) -> TrialSetup:
    """Open a trial on the CPU."""
    return open_trial(
        config,
        clips=clips,
        stages=StageStore(stages),
        callback=CallbackList(*callbacks),
        device="cpu",
        num_threads=num_threads,
        leases=leases,
    )
