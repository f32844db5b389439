"""Published recipes in the shipped spaces, with the numbers of their sources."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.clips import FramesHeatmapsClips, HeatmapClips, SkeletonClips
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.recognizers import PATHWAYS, ThreePathwaySettings
from autohier.config.trial.trial_config import TrialConfig

NTU_SPACES = ("ntu60_skeleton", "ntu120_skeleton")


def config_of(space: str, variant: str) -> TrialConfig:
    return load_space(space).config(FLAT_PARAMS.model_copy(update={"variant": variant}), seed=0)


@pytest.mark.parametrize("space", NTU_SPACES)
@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("pyskl-joint", "st-gcn++"),
        *((f"pyskl-{name}", name) for name in ("st-gcn", "ctr-gcn", "aagcn", "ms-g3d")),
    ],
)
def test_graph_networks_have_the_recipe_of_pyskl(space: str, variant: str, name: str) -> None:
    config = config_of(space, variant)
    recipe, clips = config.optimisation, config.clips
    assert config.recognizer.name == name
    assert isinstance(clips, SkeletonClips)
    assert (clips.num_frames, clips.num_persons, clips.test_sets) == (100, 2, 10)
    assert (clips.rotation_degrees, clips.scaling, clips.flip) == (0, 0, False)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, True)
    assert recipe.learning_rate / recipe.batch_size == 0.1 / (8 * 16)
    assert (recipe.weight_decay, recipe.clip_norm, recipe.dropout, recipe.schedule) == (
        5e-4,
        None,
        0,
        "cosine",
    )
    assert (config.pass_1.epochs, recipe.repeats) == (16, 5)


@dataclass(frozen=True, slots=True)
class AuthorsRecipe:
    """Values of a configuration file that the authors of a graph network published."""

    batch_size: int
    learning_rate: float
    weight_decay: float
    steps: tuple[int, int]
    """Epochs after which the rate falls."""
    epochs: int
    warmup_epochs: int = 0
    num_frames: int = 300
    sampling: str = "repeated"
    rotation_degrees: float = 0


# Uason-Chen/CTR-GCN 59c1d2d, config/nturgbd{,120}-cross-subject/default.yaml: random_rot is 0.3 rad.
CTR_GCN = AuthorsRecipe(
    64, 0.1, 4e-4, (35, 55), 65, 5, num_frames=64, sampling="segments", rotation_degrees=17
)
# kenziyuliu/MS-G3D 98a85a9, config/nturgbd{,120}-cross-subject/train_joint.yaml.
# Its data_gen/preprocess.py repeats clips.
MS_G3D, MS_G3D_120 = (AuthorsRecipe(32, 0.05, 5e-4, *own) for own in (((30, 40), 50), ((30, 50), 60)))
# lshiwjx/2s-AGCN f05d2c0, config/nturgbd-cross-subject/train_joint_aagcn.yaml.
# Its data_gen/preprocess.py repeats clips.
AAGCN = AuthorsRecipe(64, 0.1, 1e-4, (30, 40), 50, 5)
# open-mmlab/mmskeleton 83b0d5f, configs/recognition/st_gcn_aaai18/ntu-rgbd-xsub/train.yaml.
ST_GCN = AuthorsRecipe(64, 0.1, 1e-4, (10, 50), 80, sampling="padded")


@pytest.mark.parametrize(
    ("space", "name", "published"),
    [
        ("ntu60_skeleton", "ctr-gcn", CTR_GCN),
        ("ntu60_skeleton", "ms-g3d", MS_G3D),
        ("ntu60_skeleton", "aagcn", AAGCN),
        ("ntu60_skeleton", "st-gcn", ST_GCN),
        ("ntu120_skeleton", "ctr-gcn", CTR_GCN),
        ("ntu120_skeleton", "ms-g3d", MS_G3D_120),
    ],
)
def test_graph_networks_have_the_recipes_of_their_authors(
    space: str, name: str, published: AuthorsRecipe
) -> None:
    config = config_of(space, f"authors-{name}")
    recipe, clips = config.optimisation, config.clips
    assert config.recognizer.name == name
    assert isinstance(clips, SkeletonClips)
    assert (clips.num_persons, clips.test_sets, clips.scaling, clips.flip) == (2, 1, 0, False)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, True)
    assert (recipe.schedule, recipe.lr_factor, recipe.repeats) == ("multi-step", 0.1, 1)
    assert (recipe.clip_norm, recipe.dropout, recipe.label_smoothing) == (None, 0, 0)
    first, second = (int(share * config.pass_1.epochs + 0.5) for share in recipe.lr_steps)
    assert published == AuthorsRecipe(
        recipe.batch_size,
        recipe.learning_rate,
        recipe.weight_decay,
        (first, second),
        config.pass_1.epochs,
        recipe.warmup_epochs,
        clips.num_frames,
        clips.sampling,
        clips.rotation_degrees,
    )


@pytest.mark.parametrize("space", NTU_SPACES)
def test_pose_conv3d_has_the_recipe_of_pyskl(space: str) -> None:
    config = config_of(space, "pyskl-pose-slowonly")
    recipe, clips = config.optimisation, config.clips
    assert config.recognizer.options() == {
        "width": 1.0,
        "initialisation": "fan-in",
        "stem_pool": True,
        "last_frame_stride": 2,
    }
    assert isinstance(clips, HeatmapClips)
    assert (clips.num_frames, clips.num_persons, clips.size_px, clips.min_area) == (48, 2, 56, 0.56)
    assert (clips.test_sets, clips.test_flip, clips.flip) == (10, True, True)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, False)
    assert recipe.learning_rate / recipe.batch_size == 0.4 / (8 * 32)
    assert (recipe.weight_decay, recipe.clip_norm, recipe.dropout, recipe.schedule) == (
        3e-4,
        40,
        0.5,
        "cosine",
    )
    assert (config.pass_1.epochs, recipe.repeats) == (24, 10)


@pytest.mark.parametrize(
    ("variant", "num_frames", "options"),
    [
        ("slowfast-4x16", 32, {"slow_stride": 8, "lateral_kernel": 5}),
        ("slowfast-8x8", 32, {"slow_stride": 4, "lateral_kernel": 5}),
        ("slowonly-8", 8, {}),
    ],
)
def test_slow_fast_has_the_recipe_of_mmaction2(
    variant: str, num_frames: int, options: dict[str, int]
) -> None:
    config = config_of("gym99_slowfast", variant)
    recipe = config.optimisation
    assert config.recognizer.options() == {"width": 1.0, "initialisation": "fan-in", **options}
    assert config.clips.num_frames == num_frames
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, False)
    assert recipe.learning_rate / recipe.batch_size == 0.1 / (8 * 8)
    assert (recipe.weight_decay, recipe.clip_norm, recipe.dropout) == (1e-4, 40, 0.5)
    assert (recipe.schedule, recipe.warmup_epochs, config.pass_1.epochs) == ("cosine", 34, 256)


def test_rgb_pose_has_the_recipe_of_pyskl() -> None:
    space = load_space("ntu60_rgbpose")
    config = config_of("ntu60_rgbpose", "")
    recipe, clips = config.optimisation, config.clips
    assert config.recognizer.name == "rgbpose-conv3d"
    assert isinstance(clips, FramesHeatmapsClips)
    assert (clips.num_frames, clips.num_map_frames, clips.crop_px, clips.map_px) == (8, 32, 224, 56)
    assert (clips.test_sets, clips.test_flip, clips.flip) == (10, False, True)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, False)
    assert recipe.learning_rate / recipe.batch_size == 0.0075 / (8 * 6)
    assert (recipe.weight_decay, recipe.clip_norm, recipe.dropout, config.pass_1.epochs) == (
        1e-4,
        40,
        0.5,
        20,
    )
    assert (recipe.schedule, recipe.lr_steps, recipe.lr_factor) == ("multi-step", (0.6, 0.8), 0.1)
    (searched,) = [values for name, values in space.search.settings.items() if name == "recognizer.laterals"]
    assert set(searched) == {"both", "pose-to-rgb", "rgb-to-pose", "none"}


def test_the_multi_task_baseline_is_a_slow_fast_with_all_heads_on_its_last_feature() -> None:
    config, other = (config_of("gym99_slowfast", name) for name in ("multi-task", "slowfast-4x16"))
    assert (config.pass_2.heads, config.pass_2.start) == ("last", "initial")
    assert config.pass_2.epochs == config.pass_1.epochs
    groups = ("recognizer", "clips", "optimisation", "pass_1")
    assert all(getattr(config, group) == getattr(other, group) for group in groups)


def test_slow_only_has_the_recipe_of_mmaction2_for_gym99() -> None:
    config = config_of("gym99_slowfast", "slowonly-4")
    recipe = config.optimisation
    assert (config.recognizer.name, config.clips.num_frames) == ("slowonly-resnet50", 4)
    assert recipe.learning_rate / recipe.batch_size == 0.03 / (8 * 24)
    assert (recipe.weight_decay, recipe.clip_norm, config.pass_1.epochs) == (1e-4, 40, 120)
    assert (recipe.schedule, recipe.warmup_epochs) == ("multi-step", 0)
    assert [round(share * config.pass_1.epochs) for share in recipe.lr_steps] == [90, 110]


def test_joint_learning_has_the_recipe_of_mmaction2_for_its_bases_and_the_frames_of_the_paper() -> None:
    config, slow_only = config_of("gym99_joint", ""), config_of("gym99_slowfast", "slowonly-4")
    assert config.optimisation == slow_only.optimisation
    assert (config.pass_1, config.pass_2.heads) == (slow_only.pass_1, "last")
    space = load_space("gym99_joint")
    frames, networks, weights = [], [], []
    for initial in space.initial:
        recognizer = space.config(initial.as_params(), seed=0).recognizer
        assert isinstance(recognizer, ThreePathwaySettings)
        frames.append(tuple(recognizer.frames_of(pathway) for pathway in PATHWAYS))
        networks.append([recognizer.network_of(pathway).name for pathway in PATHWAYS])
        weights.append(initial.stack_weights)
    assert frames == [(4, 8, 32), (4, 16, 32)] * 2
    slow, fast = "slowonly-resnet50", "slowfast-resnet50"
    assert networks == [*[[slow, slow, slow]] * 2, *[[slow, slow, fast]] * 2]
    assert weights == [(1 / 4, 2 / 4, 4 / 4)] * 4


@pytest.mark.parametrize("space", [*NTU_SPACES, "gym99_slowfast"])
def test_every_variant_has_an_initial_config(space: str) -> None:
    loaded = load_space(space)
    first = [config.variant for config in loaded.initial[: len(loaded.search.variants)]]
    assert sorted(first) == sorted(loaded.search.variants)


@pytest.mark.parametrize("space", ["ntu60", "ntu120", "n_ucla", "gym99"])
def test_spaces_of_hac_have_its_recipe(space: str) -> None:
    recipe = config_of(space, "").optimisation
    assert (recipe.optimizer, recipe.learning_rate, recipe.weight_decay) == ("adam", 1e-4, 0)
    assert (recipe.schedule, recipe.lr_patience, recipe.lr_factor) == ("plateau", 2, 0.1)
