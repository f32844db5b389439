"""``autohier poses VIDEO...``: find the poses of videos that have none, with a model that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autohier.cli.echo import echo
from autohier.cli.options import NumThreads

if TYPE_CHECKING:
    from autohier.poses.estimator import PoseEstimator
    from autohier.poses.finding import VideoResult


def poses(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO...",
            help="Videos, or folders of them: the source of a custom dataset, or any other.",
        ),
    ],
    *,
    blazepose: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Find poses with BlazePose, one person per video: MediaPipe's package, or a folder with its "
            ".tflite files.",
        ),
    ] = None,
    rtmo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Find poses with RTMO in ONNX, which finds several persons."),
    ] = None,
    rtmpose: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Find poses with RTMPose in ONNX, behind --detector."),
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Detector of persons for --rtmpose, in ONNX, e.g. YOLOX with its suppression.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pose files; by default 'poses' in the only folder of videos."
        ),
    ] = None,
    layout: Annotated[
        Literal["coco-17", "blazepose-33"],
        typer.Option(help="Joints of BlazePose that are written."),
    ] = "coco-17",
    persons: Annotated[
        int, typer.Option(metavar="N", min=1, help="Persons of a video that are kept, the surest first.")
    ] = 2,
    pickle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all poses as a pickle of PYSKL, too, for the source of a dataset."
        ),
    ] = None,
    threads: NumThreads = None,
) -> None:
    """Find the poses of videos and write a pose file for each, which prepare and predict read.

    The models are not part of autohier: name their files. The same command continues an interrupted one.
    """
    from autohier.cli.data.prepare_progress import ProgressLines
    from autohier.errors import InputError
    from autohier.machine import usable_cores
    from autohier.poses.finding import find_poses, write_pickle
    from autohier.poses.videos import find_videos, pose_folder
    from autohier.text import plural

    num_threads = threads or usable_cores()
    folder = pose_folder(sources, out)
    videos = find_videos(sources, folder)
    if pickle is not None and (len(sources) != 1 or not sources[0].is_dir()):
        raise InputError(
            "--pickle needs the folder of a dataset, with classes", hint="name that folder alone"
        )
    estimator = _open(blazepose, rtmo, rtmpose, detector, layout=layout, num_threads=num_threads)
    results: list[VideoResult] = []
    with ProgressLines() as lines:
        for result in find_poses(
            videos,
            estimator,
            max_persons=persons,
            on_frame=lambda done, total: lines.show_poses(len(results), len(videos), done, total),
        ):
            results.append(result)
            lines.say(_line(result))
    found = [each for each in results if not each.fault]
    echo(f"poses of {len(found):,} of {plural(len(results), 'video')} in {folder}")
    if not found:
        raise InputError("at least one video must show a person", got=f"none of {len(results):,}")
    if pickle is not None:
        echo(f"{plural(write_pickle(sources[0], videos, pickle), 'clip')} in {pickle}")


def _open(
    blazepose: Path | None,
    rtmo: Path | None,
    rtmpose: Path | None,
    detector: Path | None,
    *,
    layout: str,
    num_threads: int,
) -> PoseEstimator:
    """Open the estimator that the options name.

    Raises:
        InputError: if they do not name one, or its files cannot be read.
    """
    from autohier.data.shipped_layouts import BLAZEPOSE_33
    from autohier.data.skeleton import COCO_17
    from autohier.errors import InputError
    from autohier.poses.blazepose import load_blazepose
    from autohier.poses.onnx_models import open_onnx_model
    from autohier.poses.rtm import Rtmo, RtmPose

    named = [path for path in (blazepose, rtmo, rtmpose) if path is not None]
    if len(named) != 1 or (rtmpose is None) != (detector is None):
        raise InputError(
            "one pose model must be named",
            hint="write --blazepose FILE, --rtmo FILE, or --rtmpose FILE --detector FILE",
        )
    if layout != COCO_17.name and blazepose is None:
        raise InputError("--layout is for --blazepose", hint="leave it out; the model decides")
    if blazepose is not None:
        joints = COCO_17 if layout == COCO_17.name else BLAZEPOSE_33
        return load_blazepose(blazepose, joints, num_threads=num_threads)
    model = open_onnx_model(named[0], num_threads=num_threads)
    return (
        Rtmo(model)
        if detector is None
        else RtmPose(model, open_onnx_model(detector, num_threads=num_threads))
    )


def _line(result: VideoResult) -> str:
    from autohier.text import plural

    if result.is_earlier:
        return f"{result.video}: has a pose file already"
    if result.fault:
        return f"{result.video}: {result.fault}"
    return (
        f"{result.video}: {plural(result.num_persons, 'person')} in {result.num_with_person:,} of "
        f"{plural(result.num_frames, 'frame')}"
    )
