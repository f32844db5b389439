"""``autohier live VIDEO|CAMERA --model DIR``: recognize actions while a video is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autohier.cli.echo import echo
from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs
from autohier.cli.interruptible import ended_by_signals
from autohier.cli.options import DeviceName, NumThreads
from autohier.cli.pose_models import (
    BlazePoseFile,
    DetectorFile,
    MaxPersons,
    PoseModelFiles,
    RtmoFile,
    RtmPoseFile,
)

if TYPE_CHECKING:
    from autohier.data.video.live_source import LiveSource
    from autohier.deploy.live.part_times import PartTimes
    from autohier.deploy.live.recognizer import LiveLabel
    from autohier.reports.clips.live_video import LiveResult
    from autohier.reports.live import LabelRow


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO|CAMERA",
            help="Video, named pipe, URL of a stream, or camera of Linux: 0 or /dev/video0.",
        ),
    ],
    *,
    model: Annotated[Path, typer.Option(metavar="DIR", help="Folder that autohier export wrote.")],
    blazepose: BlazePoseFile = None,
    rtmo: RtmoFile = None,
    rtmpose: RtmPoseFile = None,
    detector: DetectorFile = None,
    persons: MaxPersons = 2,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="N|SECONDS",
            help="Length of the window that is recognized, in frames or seconds, e.g. 60 or 2.5s; by default "
            "the median length of the model's training clips.",
        ),
    ] = None,
    every: Annotated[int, typer.Option(metavar="N", min=1, help="Frames between two recognitions.")] = 15,
    smooth: Annotated[
        int, typer.Option(metavar="N", min=1, help="Last windows whose probabilities are averaged.")
    ] = 3,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Number of classes that are shown.")] = 3,
    whole_frame: Annotated[
        bool, typer.Option("--whole-frame", help="Read windows without poses uncropped.")
    ] = False,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Mirror the pictures first, e.g. of a camera for selfies.")
    ] = False,
    drop: Annotated[
        bool | None,
        typer.Option(
            "--drop/--no-drop",
            help="Leave out frames that come faster than they are used; by default for streams and cameras. "
            "With --drop, a video is read at its own speed.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="MP4 to write, with the skeletons and the classes."),
    ] = None,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
    runtime: Annotated[
        Literal["auto", "torch", "onnx"],
        typer.Option(help="What computes the recognition, as in predict."),
    ] = "auto",
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Recognize actions in a video, a stream or a camera while it is read.

    A pose model finds the persons of every frame, and every few frames the model recognizes the last ones:
    what it would predict for a clip of these. Ctrl-C ends the recognition, and the video that is written.
    """
    from autohier.data.video.live_source import find_source, read_live
    from autohier.data.video.read_ahead import ReadAhead
    from autohier.deploy.live.recognizer import LiveRecognizer, LiveSettings
    from autohier.deploy.live.requirements import blazepose_layout, default_window
    from autohier.deploy.live.window import WindowLength
    from autohier.deploy.prediction import LoadedModel
    from autohier.errors import InputError
    from autohier.files import check_new_file
    from autohier.machine import usable_cores
    from autohier.reports.clips.live_video import LiveRun
    from autohier.text import plural

    is_for_programs(as_json=as_json, as_csv=as_csv)
    if out is not None:
        check_new_file(out, option="--out")
        if out.suffix.lower() != ".mp4":
            raise InputError("--out must end in .mp4", got=out, hint=f"write --out {out.with_suffix('.mp4')}")
    found = find_source(source)
    num_threads = threads or usable_cores()
    given = None if window is None else WindowLength.parse(window)
    loaded = LoadedModel(model, runtime=runtime, device=device, num_threads=num_threads)
    files = PoseModelFiles(blazepose, rtmo, rtmpose, detector)
    estimator = (
        None
        if files.is_empty
        else files.open(lambda: blazepose_layout(loaded.description), num_threads=num_threads)
    )
    settings = LiveSettings(
        window=given or default_window(loaded.description),
        every=every,
        smooth=smooth,
        max_persons=persons,
        whole_frame=whole_frame,
    )
    recognizer = LiveRecognizer(loaded, estimator, settings, top=top)
    drops = found.is_live if drop is None else drop
    reader = ReadAhead(read_live(found), drops=drops, paced=drops and found.kind != "camera")
    output = _Output(as_json=as_json, as_csv=as_csv)
    output.say(
        f"recognizing the last {settings.window} of {found} every {plural(every, 'frame')}; Ctrl-C ends"
    )
    run = LiveRun(reader, recognizer, out=out, mirrored=mirror, on_label=output.show)
    with ended_by_signals(run.stop):
        result = run.run()
    output.finish(found, result, recognizer.times, out)
    if result.error is not None:
        raise result.error
    if result.last_fault and not result.num_labels:
        raise InputError(
            "at least one window must be readable",
            got=result.last_fault,
            hint="look at the video that --out writes, or try another pose model",
        )


class _Output:
    """Labels and speeds, as text, JSON or CSV."""

    def __init__(self, *, as_json: bool, as_csv: bool) -> None:
        from autohier.reports.live import LabelRow
        from autohier.reports.output import csv_text

        self._as_json, self._as_csv = as_json, as_csv
        self._rows: list[LabelRow] = []
        self._last = ""
        if as_csv:
            echo(csv_text(LabelRow, []).rstrip("\n"))

    def say(self, line: str) -> None:
        """Print a line about the recognition, apart from the output for programs."""
        echo(line, err=self._as_json or self._as_csv)

    def show(self, label: LiveLabel) -> None:
        """Print a label; as text only if it differs from the one before."""
        from autohier.reports.live import LabelRow, label_line, label_row
        from autohier.reports.output import csv_text

        if self._as_json:
            self._rows.append(label_row(label))
        elif self._as_csv:
            echo(csv_text(LabelRow, [label_row(label)]).split("\n", 1)[1].rstrip("\n"))
        elif (now := label.classes[0] if label.classes else label.fault) != self._last:
            self._last = now
            echo(label_line(label))

    def finish(self, source: LiveSource, result: LiveResult, times: PartTimes, out: Path | None) -> None:
        """Print what was done and how fast."""
        from autohier.reports.live import LiveSummary, part_speeds, summary_lines
        from autohier.reports.output import json_text

        written = str(out) if out is not None and result.num_frames else None
        summary = LiveSummary(str(source), result.num_frames, result.num_dropped, result.seconds, written)
        speeds = part_speeds(times)
        if self._as_json:
            echo(json_text({"labels": self._rows, "speeds": speeds, "summary": summary}))
        for line in summary_lines(summary, speeds):
            self.say(line)
