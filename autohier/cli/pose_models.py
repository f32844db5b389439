"""Options that name a pose model, and the estimator that they open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from autohier.data.joint_layout import JointLayout
    from autohier.poses.estimator import PoseEstimator

BlazePoseFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="BlazePose model (MediaPipe package, or folder of .tflite files); one person per video.",
    ),
]
RtmoFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="RTMO model in ONNX; several persons per video."),
]
RtmPoseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="RTMPose model in ONNX; reads the persons that --detector finds."),
]
DetectorFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Person detector in ONNX for --rtmpose, e.g. YOLOX with non-maximum suppression.",
    ),
]
MaxPersons = Annotated[
    int, typer.Option(metavar="N", min=1, help="Maximum number of persons of a video, the surest first.")
]


@dataclass(frozen=True, slots=True)
class PoseModelFiles:
    """Files of pose models, as the options name them."""

    blazepose: Path | None
    rtmo: Path | None
    rtmpose: Path | None
    detector: Path | None

    @property
    def is_empty(self) -> bool:
        """True if no option names a file."""
        return not any((self.blazepose, self.rtmo, self.rtmpose, self.detector))

    def open(self, layout: Callable[[], JointLayout], *, num_threads: int) -> PoseEstimator:
        """Open the estimator.

        Args:
            layout: returns the joints of BlazePose to find.
            num_threads: CPU threads.

        Raises:
            InputError: if the options do not name one, or its files cannot be read.
        """
        from autohier.errors import InputError
        from autohier.poses.blazepose import load_blazepose
        from autohier.poses.onnx_models import open_onnx_model
        from autohier.poses.rtm import Rtmo, RtmPose

        named = [path for path in (self.blazepose, self.rtmo, self.rtmpose) if path is not None]
        if len(named) != 1 or (self.rtmpose is None) != (self.detector is None):
            raise InputError(
                "one pose model must be named",
                hint="write --blazepose FILE, --rtmo FILE, or --rtmpose FILE --detector FILE",
            )
        if self.blazepose is not None:
            return load_blazepose(self.blazepose, layout(), num_threads=num_threads)
        model = open_onnx_model(named[0], num_threads=num_threads)
        if self.detector is None:
            return Rtmo(model)
        return RtmPose(model, open_onnx_model(self.detector, num_threads=num_threads))
