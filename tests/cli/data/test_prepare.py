"""``autohier prepare``: its output and its exit codes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from autohier.cli.data import prepare_progress
from autohier.cli.data.prepare import describe, prepare
from autohier.cli.data.prepare_progress import ProgressLines
from autohier.data.prepare.summary import PrepareProgress, PrepareSummary
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError
from support.sources.tiny_datasets import write_ntu_clip, write_utd_clip
from support.waiting import PATIENCE_S, wait_until

app = typer.Typer()
app.command()(prepare)


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_writes_a_store_into_the_data_folder(tmp_path: Path) -> None:
    write_utd_clip(tmp_path / "source", "a1_s1_t1")
    output = invoke(
        "utd_mhad",
        *("--source", tmp_path / "source", "--data", tmp_path / "data"),
        *("--size", 16, "--frames", 3, "--workers", 1),
    )
    store = ClipStore.open(tmp_path / "data" / "utd-mhad-depth")
    assert (len(store), store.manifest.size_px, store.num_kept(0)) == (1, 16, 3)
    assert re.search(r"utd-mhad-depth: 1 clip, 0\.\d MB, in \d s\n", output)
    assert "WARNING: utd-mhad cross-subject has 1 train / 0 test clips; published are 431 / 430" in output
    assert "preparing 1/1" in output


def test_the_demo_needs_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(folder: Path, **_: object) -> None:
        write_ntu_clip(folder, "S001C001P001R001A001")

    monkeypatch.setattr("autohier.data.prepare.demo_source.generate_demo", generate)
    invoke("demo", "--data", tmp_path, "--workers", 1)
    store = ClipStore.open(tmp_path / "demo")
    assert (store.manifest.dataset, store.manifest.size_px) == ("demo", 64)
    assert (tmp_path / "demo-source" / "S001C001P001R001A001.skeleton").exists()


def test_other_datasets_need_a_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ntu60 needs a folder of source files: add --source DIR"):
        invoke("ntu60", "--data", tmp_path)


def test_errors_are_raised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'ntu60'"):
        invoke("ntu600", "--source", tmp_path)
    with pytest.raises(MissingDataError, match="the source must be a folder"):
        invoke("ntu60", "--source", tmp_path / "none", "--data", tmp_path)


def test_the_summary_counts_rejected_clips_and_warns_of_split_sizes() -> None:
    summary = PrepareSummary(
        store_folder=Path("data/ntu60"),
        num_clips=56_000,
        num_rejected=3,
        rejected_by_kind=(("a video must be whole", 2), ("a skeleton must contain a body", 1)),
        split_findings=("ntu60 cross-subject has too few",),
        num_bytes=23_000_000_000,
        elapsed_s=7200.4,
        fingerprint="f",
    )
    assert describe(summary) == [
        "data/ntu60: 56,000 clips, 23,000.0 MB, in 7,200 s",
        "3 clips rejected; listed in data/ntu60/rejected.parquet:",
        "  2 files break this rule: a video must be whole",
        "  1 file breaks this rule: a skeleton must contain a body",
        "WARNING: ntu60 cross-subject has too few",
    ]


def test_the_summary_of_a_part_counts_uncropped_clips() -> None:
    summary = PrepareSummary(
        store_folder=Path("data/ntu60"),
        num_clips=64,
        num_rejected=1,
        rejected_by_kind=(("a clip must have a skeleton file", 5), ("a video must be whole", 1)),
        split_findings=(),
        num_bytes=1_000_000,
        elapsed_s=2.0,
        fingerprint=None,
    )
    assert describe(summary) == [
        "data/ntu60: 64 clips, 1.0 MB, in 2 s",
        "1 clip rejected, 5 kept uncropped without a skeleton:",
        "  5 files break this rule: a clip must have a skeleton file",
        "  1 file breaks this rule: a video must be whole",
        "other parts are not prepared yet; the last to finish writes the store",
    ]


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    with ProgressLines(Console(file=out, force_terminal=terminal, width=120)) as lines:
        lines.show_generated(1, 2)
        lines.show_prepared(PrepareProgress(50, 200, 3, 0, 10.0))
        lines.show_prepared(PrepareProgress(200, 200, 3, 0, 40.0))
    return out.getvalue()


def test_progress_without_a_terminal_is_a_line_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(terminal=False) == "generating 1/2\npreparing 200/200 5.0 clips/s, 0 s left, 3 rejected\n"
    monkeypatch.setattr(prepare_progress, "_LINE_EVERY_S", 0.0)
    assert "preparing 50/200 5.0 clips/s, 30 s left, 3 rejected\n" in shown(terminal=False)


def test_the_last_line_is_printed_once_with_the_clips_prepared_before() -> None:
    out = io.StringIO()
    with ProgressLines(Console(file=out, force_terminal=False, width=120)) as lines:
        for elapsed_s in (0.0, 0.5, 1.0):
            lines.show_prepared(PrepareProgress(1200, 1200, 0, 1200, elapsed_s))
    assert out.getvalue() == "preparing 1200/1200 1,200 prepared before\n"


def test_a_terminal_shows_a_bar() -> None:
    text = shown(terminal=True)
    assert "200/200" in text
    assert "5.0 clips/s" in text


COMMAND = (
    "import typer; from autohier.cli.data.prepare import prepare; "
    "app = typer.Typer(); app.command()(prepare); app()"
)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process_and_resumes(tmp_path: Path, how: signal.Signals) -> None:
    source, data = tmp_path / "source", tmp_path / "data"
    write_ntu_clip(source, "S001C001P001R000A001", num_frames=10)
    for number in range(1, 256):  # four shards, so that two workers are busy when the signal comes
        for ending in ("_rgb.avi", ".skeleton"):
            os.link(
                source / f"S001C001P001R000A001{ending}", source / f"S001C001P001R{number:03d}A001{ending}"
            )
    command = [
        sys.executable,
        "-c",
        COMMAND,
        "demo",
        "--source",
        str(source),
        "--data",
        str(data),
        "--workers",
        "2",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_until(lambda: list(data.glob("demo/shards/*.json")), "a shard is prepared")
        process.send_signal(how)
        _, err = process.communicate(timeout=PATIENCE_S)
    if how == signal.SIGINT:
        assert process.returncode == 130, err
        assert "finished shards are kept: run the same command to resume" in err
        assert "Traceback" not in err
    wait_until(lambda: not group_is_alive(process.pid), "all processes end")
    assert not (data / "demo" / "manifest.json").exists()
    output = invoke("demo", "--source", source, "--data", data, "--workers", 1)
    assert "256 clips" in output


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
