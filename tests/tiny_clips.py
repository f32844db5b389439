"""A small real store: clips of one noisy colour each, which a tiny network tells apart within seconds.

Three hues, each dark and bright, so that what is confused is mostly the two of one hue. Who stands there
lifts the left arm by the hue and the right one by the level.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.core.stages.leases import NO_LEASES, Leases
from autohier.core.stages.opening import OpenTrial, open_trial
from autohier.core.stages.reporter import Reporter, Reporters
from autohier.core.stages.store import StageStore
from autohier.data.datasets.demo import body
from autohier.data.datasets.reader import ClipSource, Remark
from autohier.data.levels import GivenLevel
from autohier.data.preparation import prepare_dataset
from autohier.data.preprocessing.projection import PinholeCamera
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V2_25, JointLayout, Skeleton
from autohier.data.store.paths import store_folder
from autohier.data.store.reader import ClipStore
from autohier.settings.loading import load_space
from autohier.settings.space import Setting

SPACE_FILE = Path(__file__).with_name("tiny_space.toml")

HUES = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
LEVELS = {"dark": 110, "bright": 150}
CLASS_NAMES = tuple(f"{level} {hue}" for level in LEVELS for hue in HUES)
"""Class k is dark for k < 3 and of hue k % 3."""
TRAINING_SUBJECTS, VALIDATION_SUBJECTS, TEST_SUBJECTS = (1, 3, 7), (9,), (2, 4)
"""As the demo's cross-subject protocol divides them."""
REPLICATIONS = 4
CLIPS_PER_SUBJECT = len(CLASS_NAMES) * REPLICATIONS
SIZE_PX, NUM_FRAMES = 16, 4
CAMERA = PinholeCamera(240.0, 240.0, 80.0, 80.0, image_width_px=160, image_height_px=160)
"""Of skeletons."""

FORMS = {
    "frames": (),
    "skeletons": (
        "clips={form='skeletons', num_frames=4, num_persons=1, test_sets=2}",
        "recognizer={name='st-gcn++', width=0.125}",
        "optimisation.batch_size=36",
    ),
    "heatmaps": (
        "clips={form='heatmaps', num_frames=4, num_persons=1, size_px=16, flip=false, test_sets=2}",
        "recognizer={name='pose-slowonly-shallow', width=0.125}",
        "optimisation.batch_size=36",
    ),
}
"""What makes the tiny space one of another form of clips."""


@dataclass(frozen=True, slots=True)
class ColourReader:
    """Invents its clips instead of reading them. Implements data.datasets.reader.DatasetReader."""

    class_names: tuple[str, ...] = CLASS_NAMES
    name: str = "demo"
    modality: str = "rgb"
    joint_layout: JointLayout = KINECT_V2_25
    channels: int = 3
    sided: bool = False
    protocols: tuple[Protocol, ...] = PROTOCOLS["demo"]
    levels: tuple[GivenLevel, ...] = (
        GivenLevel.of_groups("hue", ["red", "green", "blue"] * 2),
        GivenLevel.of_groups("nothing", [0] * 5 + [1]),
    )
    remarks: tuple[Remark, ...] = ()

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
        # Three metres away, and turned to the camera.
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


def tiny_setting(*overrides: str, seed: int = 0, **choice: object) -> Setting:
    """The tiny space's known setting; overrides as ``--set`` takes them, drawn values by name."""
    space = load_space(str(SPACE_FILE), overrides)
    drawn = space.known[0].as_choice()
    return space.setting(type(drawn)(**(drawn.model_dump() | choice)), seed=seed)


def open_tiny_trial(
    setting: Setting,
    clips: ClipStore,
    stages: Path,
    *reporters: Reporter,
    num_threads: int = 1,
    leases: Leases = NO_LEASES,
) -> OpenTrial:
    """A trial on the CPU."""
    return open_trial(
        setting,
        clips=clips,
        stages=StageStore(stages),
        reporter=Reporters(*reporters),
        device="cpu",
        num_threads=num_threads,
        leases=leases,
    )
