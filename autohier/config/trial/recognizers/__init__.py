"""Settings of recognizers, and the registry that finds a recognizer by name.

Another package adds a recognizer by an entry point (see `autohier.extensions`) whose settings class derives
from `RecognizerSettings`.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

from pydantic import SerializeAsAny

from autohier.config.tagged import TaggedBy
from autohier.config.trial.clips import ClipInputName
from autohier.config.trial.recognizers.base import (
    FramesHeatmapsSettings,
    FramesSkeletonsSettings,
    RecognizerSettings,
    ScaledRecognizerSettings,
    absolute_path,
)
from autohier.config.trial.recognizers.frames import (
    I3dSettings,
    InflatedResNetSettings,
    SlowFastSettings,
    SlowOnlySettings,
    VideoNetworkSettings,
)
from autohier.config.trial.recognizers.pathways import (
    PATHWAYS,
    PartAttentionSettings,
    PathwayName,
    RgbPoseSettings,
    ThreePathwaySettings,
    TwoStreamSettings,
)
from autohier.config.trial.recognizers.poses import (
    AdaptiveGraphSettings,
    CtrGcnSettings,
    MsG3dSettings,
    PoseSlowOnlySettings,
    StGcnSettings,
    TemporalConvSettings,
)
from autohier.errors import InputError
from autohier.extensions import Extension, Registry

__all__ = [
    "PATHWAYS",
    "RECOGNIZERS",
    "RECOGNIZER_TAG",
    "AdaptiveGraphSettings",
    "AnyRecognizerSettings",
    "CtrGcnSettings",
    "FramesHeatmapsSettings",
    "FramesSkeletonsSettings",
    "I3dSettings",
    "InflatedResNetSettings",
    "MsG3dSettings",
    "PartAttentionSettings",
    "PathwayName",
    "PoseSlowOnlySettings",
    "RecognizerSettings",
    "RgbPoseSettings",
    "ScaledRecognizerSettings",
    "SlowFastSettings",
    "SlowOnlySettings",
    "StGcnSettings",
    "TemporalConvSettings",
    "ThreePathwaySettings",
    "TwoStreamSettings",
    "VideoNetworkSettings",
    "absolute_path",
    "find_recognizer_settings",
]


_MODELS: Final = "autohier.models"


_CONVOLUTIONAL: Final = "autohier.models.convolutional"


_GRAPHS: Final = "autohier.models.graphs"


RECOGNIZERS: Final = Registry(
    "autohier.recognizers",
    "recognizer",
    {
        "inflated-resnet18": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet18", InflatedResNetSettings),
        "inflated-resnet34": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet34", InflatedResNetSettings),
        "inflated-resnet50": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet50", InflatedResNetSettings),
        "inflated-resnet101": Extension(
            f"{_CONVOLUTIONAL}.inflated_resnet:resnet101", InflatedResNetSettings
        ),
        "slowonly-resnet50": Extension(f"{_CONVOLUTIONAL}.slow_fast:SlowOnly", SlowOnlySettings),
        "slowfast-resnet50": Extension(f"{_CONVOLUTIONAL}.slow_fast:SlowFast", SlowFastSettings),
        "three-pathway": Extension(f"{_CONVOLUTIONAL}.three_pathway:ThreePathway", ThreePathwaySettings),
        "r3d-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:r3d_18", VideoNetworkSettings),
        "mc3-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:mc3_18", VideoNetworkSettings),
        "r2plus1d-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:r2plus1d_18", VideoNetworkSettings),
        "s3d": Extension(f"{_CONVOLUTIONAL}.s3d:S3D", VideoNetworkSettings),
        "i3d": Extension(f"{_CONVOLUTIONAL}.i3d:I3d", I3dSettings),
        "st-gcn": Extension(f"{_GRAPHS}.st_gcn:st_gcn", StGcnSettings),
        "st-gcn++": Extension(f"{_GRAPHS}.st_gcn:st_gcn_plus_plus", StGcnSettings),
        "ctr-gcn": Extension(f"{_GRAPHS}.ctr_gcn:CtrGcn", CtrGcnSettings),
        "aagcn": Extension(f"{_GRAPHS}.aagcn:Aagcn", AdaptiveGraphSettings),
        "ms-g3d": Extension(f"{_GRAPHS}.ms_g3d:MsG3d", MsG3dSettings),
        "tcn": Extension(f"{_GRAPHS}.temporal:TemporalConvNet", TemporalConvSettings),
        "pose-slowonly": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:PoseSlowOnly", PoseSlowOnlySettings),
        "pose-slowonly-small": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:small", PoseSlowOnlySettings),
        "pose-slowonly-shallow": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:shallow", PoseSlowOnlySettings),
        "two-stream": Extension(f"{_MODELS}.two_stream:TwoStream", TwoStreamSettings),
        "part-attention-i3d": Extension(
            f"{_MODELS}.attention.part_attention:part_attention", PartAttentionSettings
        ),
        "rgbpose-conv3d": Extension(f"{_CONVOLUTIONAL}.rgb_pose:RgbPose", RgbPoseSettings),
    },
)
"""All recognizers: autohier's own and those of installed packages."""


def find_recognizer_settings(name: str) -> type[RecognizerSettings]:
    """Return the settings class of a recognizer.

    Raises:
        InputError: if the name is unknown, or its package does not offer a valid settings class.
    """
    settings = RECOGNIZERS.find(name).settings
    if not isinstance(settings, type) or not issubclass(settings, RecognizerSettings):
        raise InputError(
            f"the settings of recognizer {name!r} must derive from RecognizerSettings",
            got=repr(settings),
            hint="update its package",
        )
    if getattr(settings, "reads", None) not in get_args(ClipInputName):
        raise InputError(
            f"the settings of recognizer {name!r} must name a clip input in 'reads'",
            got=repr(getattr(settings, "reads", None)),
            hint=f"update its package; valid are {', '.join(get_args(ClipInputName))}",
        )
    return settings


RECOGNIZER_TAG: Final = TaggedBy("name", default="inflated-resnet50", find=find_recognizer_settings)


AnyRecognizerSettings = Annotated[SerializeAsAny[RecognizerSettings], RECOGNIZER_TAG]
