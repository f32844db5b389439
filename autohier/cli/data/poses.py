"""``autohier poses VIDEO...``: find the poses of videos that have none, with a model that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autohier.cli.echo import echo
from autohier.cli.options import NumThreads
from autohier.cli.pose_models import (
    BlazePoseFile,
    DetectorFile,
    MaxPersons,
    PoseModelFiles,
    RtmoFile,
    RtmPoseFile,
)

if TYPE_CHECKING:
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
    blazepose: BlazePoseFile = None,
    rtmo: RtmoFile = None,
    rtmpose: RtmPoseFile = None,
    detector: DetectorFile = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pose files; by default 'poses' in the only folder of videos."
        ),
    ] = None,
    layout: Annotated[
        Literal["coco-17", "blazepose-33"],
        typer.Option(help="Joint layout of the pose files (BlazePose only)."),
    ] = "coco-17",
    persons: MaxPersons = 2,
    pickle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="PYSKL pickle to write all poses to, too, as the source of a dataset."
        ),
    ] = None,
    threads: NumThreads = None,
) -> None:
    """Find the poses of videos and write a pose file for each, which prepare and predict read.

    The models are not part of autohier: name their files. The same command continues an interrupted one.
    """
    from autohier.cli.data.prepare_progress import ProgressLines
    from autohier.data.shipped_layouts import BLAZEPOSE_33
    from autohier.data.skeleton import COCO_17
    from autohier.errors import InputError
    from autohier.machine import usable_cores
    from autohier.poses.finding import find_poses, write_pickle
    from autohier.poses.videos import find_videos, is_custom, pose_folder
    from autohier.text import plural, shell_words

    num_threads = threads or usable_cores()
    folder = pose_folder(sources, out)
    videos = find_videos(sources, folder)
    if pickle is not None and (len(sources) != 1 or not sources[0].is_dir()):
        raise InputError(
            "--pickle needs the folder of a dataset, with classes", hint="name that folder alone"
        )
    if layout != COCO_17.name and blazepose is None:
        raise InputError("--layout is for --blazepose", hint="leave it out; the model decides")
    estimator = PoseModelFiles(blazepose, rtmo, rtmpose, detector).open(
        lambda: COCO_17 if layout == COCO_17.name else BLAZEPOSE_33, num_threads=num_threads
    )
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
    next_command = shell_words("autohier", "check", "custom", "--source", sources[0])
    after = f"; next: {next_command}" if out is None and is_custom(sources[0]) else ""
    echo(f"{len(found):,} of {plural(len(results), 'video')} have a pose file in {folder}{after}")
    if not found:
        raise InputError("at least one video must show a person", got=f"none of {len(results):,}")
    if pickle is not None:
        num_clips, faults = write_pickle(sources[0], videos, pickle, estimator.layout)
        for fault in faults:
            echo(f"WARNING: left out of the pickle: {fault}", err=True)
        echo(f"{plural(num_clips, 'clip')} in {pickle}")


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
