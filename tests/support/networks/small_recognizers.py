"""Every registered recognizer, small enough to run in milliseconds."""

from autohier.testing.recognizers import SmallRecognizer, randomise_norms

CASES = {
    "inflated-resnet18": ({"width": 0.125}, (2, 3, 4, 32, 32)),
    "inflated-resnet34": ({"width": 0.125, "in_channels": 1}, (2, 1, 2, 32, 32)),
    "inflated-resnet50": ({"width": 0.125, "initialisation": "fan-out"}, (2, 3, 2, 32, 32)),
    "inflated-resnet101": ({"width": 0.0625}, (2, 3, 1, 32, 32)),
    "slowonly-resnet50": ({"width": 0.125}, (2, 3, 4, 32, 32)),
    "slowfast-resnet50": ({"width": 0.125, "slow_stride": 4}, (2, 3, 8, 32, 32)),
    "three-pathway": (
        {
            "width": 0.125,
            "event_frames": 2,
            "set_frames": 4,
            "element_frames": 8,
            "element_network": "slowfast",
            "slow_stride": 4,
            "joint_width": 16,
        },
        (2, 3, 8, 32, 32),
    ),
    "r3d-18": ({"width": 0.125}, (2, 3, 4, 32, 32)),
    "mc3-18": ({"width": 0.125, "in_channels": 1}, (2, 1, 2, 32, 32)),
    "r2plus1d-18": ({"width": 0.125}, (2, 3, 2, 32, 32)),
    "s3d": ({"width": 0.125}, (2, 3, 4, 64, 64)),
    "i3d": ({"width": 0.125}, (2, 3, 4, 64, 64)),
    "st-gcn": ({"width": 0.125, "layout": "coco-17"}, (2, 2, 8, 17, 3)),
    "st-gcn++": ({"width": 0.5, "layout": "kinect-v1-20"}, (2, 1, 12, 20, 3)),
    "ctr-gcn": ({"width": 0.125, "layout": "coco-17"}, (2, 2, 8, 17, 3)),
    "aagcn": ({"width": 0.125, "layout": "kinect-v1-20", "num_persons": 1}, (2, 1, 8, 20, 3)),
    "ms-g3d": (
        {"width": 0.125, "layout": "coco-17", "num_scales": 4, "num_window_scales": 2, "windows": (3,)},
        (2, 2, 8, 17, 3),
    ),
    "tcn": ({"width": 0.125, "layout": "kinect-v1-20", "num_frames_seen": 3}, (2, 2, 8, 20, 3)),
    "pose-slowonly": ({"width": 0.25}, (2, 17, 4, 16, 16)),
    "pose-slowonly-small": ({"width": 0.5, "in_channels": 5}, (2, 5, 4, 16, 16)),
    "pose-slowonly-shallow": ({"width": 0.25, "initialisation": "fan-out"}, (2, 17, 3, 24, 16)),
    "two-stream": (
        {"width": 0.125, "depth": 18, "layout": "coco-17"},
        {"frames": (2, 3, 2, 32, 32), "skeletons": (2, 2, 8, 17, 3)},
    ),
    "part-attention-i3d": (
        {"width": 0.03, "pose_width": 8, "layout": "coco-17", "num_persons": 1},
        {
            **dict.fromkeys(("left_hand", "right_hand", "body"), (2, 3, 2, 32, 32)),
            "skeletons": (2, 1, 4, 17, 3),
        },
    ),
    "rgbpose-conv3d": (
        {"width": 0.125, "num_maps": 5, "frame_ratio": 2},
        {"frames": (2, 3, 2, 32, 32), "heatmaps": (2, 5, 4, 8, 8)},
    ),
}
"""Options and batch shape by name; a new recognizer is one line."""

ON_LAST_STACK = {"three-pathway"}
"""Recognizers with fewer stacks than heads, which all read the last one."""

__all__ = ["CASES", "build_small", "randomise_norms", "small_batch"]


def small_recognizer(name):
    return SmallRecognizer(name, *CASES[name], heads="last" if name in ON_LAST_STACK else "stacks")


def build_small(name):
    """Build a recognizer with heads of 2, 3 and 7 outputs, always with the same weights."""
    return small_recognizer(name).build()


def small_batch(name):
    """Return two clips of noise, always the same."""
    return small_recognizer(name).batch()
