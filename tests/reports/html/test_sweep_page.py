"""The page of a sweep: finished, running and with failed trials; it loads nothing and trusts no name."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from autohier.cli.results import sweep_pages
from autohier.config.search.loading import load_space
from autohier.core.stages.kinds.hac import PASS_2
from autohier.core.training.metrics import Evaluation
from autohier.data.datasets.registry import open_dataset
from autohier.data.store.reader import ClipStore
from autohier.errors import MissingDataError
from autohier.records.reader import Records, read_records
from autohier.records.recorders.trial_progress import ProgressWriter
from autohier.records.rows import evaluation_row
from autohier.records.trial_rows import started_row, unfinished_row
from autohier.records.writer import RecordWriter
from autohier.reports.figures.charts import Axis, draw_importances, draw_parallel
from autohier.reports.figures.classes import kept_stage
from autohier.reports.figures.rendering import svg
from autohier.reports.html.class_sections import class_summary
from autohier.reports.html.elements import Html, table, text
from autohier.reports.html.findings import stage_uses
from autohier.reports.html.hard_clips import confirmed_hard_clips, predicted_hard_clips
from autohier.reports.html.sweep_page import PageSource, sweep_page
from autohier.sweep.locking.sweep_lock import hold_sweep
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.fakes.fake_outcomes import (
    NUM_CLASSES,
    START,
    fake_config,
    fake_confusion,
    fake_row,
)
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial
from support.sweep_runs.finished_sweeps import finish_sweep
from support.sweep_runs.measured_sweeps import write_sweep
from support.sweep_runs.plans import make_plan, make_provenance
from support.sweep_runs.tensorboard_pages import open_tensorboard

SECTIONS = [
    *("headline", "leaderboard", "history", "parallel", "importances", "front", "sharing"),
    *("superclasses", "confusion", "classes", "clips", "gradients", "ablation", "provenance"),
]
EVIL = "<script>alert('x')</script>"
TAG = '"><img src=x>'
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A parsed page: ids, sources, text; every tag must be closed in order."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def sections(self) -> list[str]:
        return [name for name in self.ids if not name.startswith("figure-")]

    @property
    def figures(self) -> list[str]:
        return [name.removeprefix("figure-") for name in self.ids if name.startswith("figure-")]


def read_page(path: Path) -> Page:
    content = path.read_text("utf-8")
    page = Page(content)
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", content)
    return page


@pytest.fixture
def finished(tmp_path: Path) -> SweepFolder:
    folder = write_sweep(tmp_path, (90, 96), (60, 66))
    (best, _) = read_records(folder.records).trials
    tests = [
        evaluation_row(best, stage, Evaluation(1.0, (right / 120,), fake_confusion(right)), START)
        for stage, right in (("pass 1, refit", 37), ("prune 1, refit", 61))
    ]
    RecordWriter(folder.records).write_test_results(best.trial, tests)
    return folder


def test_the_page_of_a_finished_sweep(autohier: Autohier, finished: SweepFolder, tmp_path: Path) -> None:
    shown = autohier("report", "done", "--sweeps", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == f"{finished.path}/report.html\n"
    page = read_page(finished.path / "report.html")
    assert page.sections == SECTIONS
    assert page.figures == ["history", "parallel", "front", "superclasses", "confusion"]
    assert "importances need at least 20 complete or stopped trials, but got 2" in page.text
    # 61 of 120 test clips; the other networks that were tested are not on the page.
    assert "Result: 50.8% on the test split" in page.text
    assert "30.8%" not in page.text
    assert "mean class accuracy" in page.text
    # The first trial kept its first pruning pass, which has 90% of the parameters.
    assert "passes 3 prune 1 900 k" in page.text
    assert "search space, as TOML that reads back" in page.text


def test_accuracies_of_folds_differ_from_those_of_all_clips(tmp_path: Path) -> None:
    """Two folds, of 2 clips of class 0 and of 4 of class 1: accuracies 1/2 and 4/4, whose mean is 75%."""
    stage = kept_stage(read_records(write_sweep(tmp_path, (90, 96), (60, 66)).records))
    assert stage is not None
    confusion_KK = np.array([[1, 1, 0], [0, 4, 0], [0, 0, 0]])
    folds = replace(
        stage, accuracy=0.75, stack_mean_class_accuracies=(0.9, 0.75), stack_top5_accuracies=(1.0, 1.0)
    )
    assert class_summary(folds, confusion_KK).endswith(
        "on 6 validation clips: accuracy 75.0%, top-5 100.0%, mean class accuracy 75.0%, as means of the "
        "folds. The table counts the clips of all folds together: accuracy 83.3%, mean class accuracy 75.0%."
    )
    one = replace(folds, accuracy=5 / 6)
    assert class_summary(one, confusion_KK).endswith(
        "accuracy 83.3%, top-5 100.0%, mean class accuracy 75.0%"
    )


def test_the_page_of_a_running_sweep(autohier: Autohier, tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "new")
    folder.write_plan(make_plan(tmp_path, name="new"), make_provenance())
    RecordWriter(folder.records).write_trial(fake_row("t0000"))
    ProgressWriter(folder.records, "t0000", fake_config()).on_stage_start(PASS_2, 0, reused=False)
    target = tmp_path / "page.html"
    with hold_sweep(folder.lock_file):
        assert autohier("report", "new", "--sweeps", tmp_path, "--out", target).code == 0
    page = read_page(target)
    assert page.sections == [SECTIONS[0], "running", *SECTIONS[1:]]
    assert page.figures == []
    assert "running (process " in page.text
    assert f"pass 2 0 of {fake_config().pass_2.epochs}" in page.text
    assert page.text.count("No trial is complete yet") >= 5
    assert "a file, not a folder" in autohier("report", "new", "--sweeps", tmp_path, "--out", tmp_path).error


def test_the_page_of_a_sweep_with_failed_trials(autohier: Autohier, tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, *((60 + number % 7, 66 - number % 5) for number in range(20)))
    writer = RecordWriter(folder.records)
    stopped = unfinished_row(fake_row("t0020"), "PRUNED", reason=EVIL, at=START)
    failed = unfinished_row(fake_row("t0021"), "FAIL", reason=EVIL, failure="out of memory", at=START)
    writer.write_ended(stopped, ())
    writer.write_ended(failed, ())
    assert autohier("report", "done", "--sweeps", tmp_path).code == 0
    page = read_page(folder.path / "report.html")
    assert page.sections == SECTIONS
    assert page.figures == ["history", "parallel", "importances", "front", "superclasses", "confusion"]
    assert f"t0021 failed before its first epoch: {EVIL}" in page.text
    assert "1 stopped, 1 failed (1 out of memory)" in page.text
    assert "test accuracy of the best trial: not evaluated yet" in page.text


def test_names_cannot_put_markup_into_the_page(
    autohier: Autohier, finished: SweepFolder, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    names = tuple(f"{EVIL}$x^{number}" for number in range(NUM_CLASSES))
    data = tmp_path / "data"
    changes = {"class_names": names, "levels": open_dataset("demo").levels}
    tiny_clips.manifest.model_copy(update=changes).write(data / "demo" / "manifest.json")
    plan, provenance = finished.read_plan()
    space = plan.space.model_copy(update={"name": EVIL, "description": EVIL})
    changed = provenance.model_copy(update={"command": ("autohier", EVIL)})
    finished.write_plan(plan.model_copy(update={"space": space}), changed)
    records = read_records(finished.records)
    (row, *_) = records.trials
    RecordWriter(finished.records).write_trial(replace(row, dataset=EVIL, source=EVIL, protocol=TAG))
    assert autohier("report", "done", "--sweeps", tmp_path, "--data", data).code == 0
    page = read_page(finished.path / "report.html")
    assert page.sections == SECTIONS
    assert f"{EVIL}$x^0" in page.text
    assert page.tags.count("img") == len(page.figures)


def test_hard_clips_are_those_that_most_runs_get_wrong(
    tiny_clips: ClipStore, tiny_data: Path, tmp_path: Path
) -> None:
    space = load_space(str(SPACE_FILE))
    plan = make_plan(tiny_data, space=space, stage_folder=str(tmp_path))
    config = space.config(space.initial[0].as_params(), seed=0)
    started = started_row(config, trial="t0000", number=0, trial_index=0, source="initial", at=START)
    best = replace(started, state="COMPLETE", accuracy=0.5, kept_pass=0)
    records = Records(trials=(best,))
    validation = open_tiny_trial(config, tiny_clips, tmp_path).data_loader.split.validation
    ids = sorted(tiny_clips.clips.clip_id[row] for row in validation)
    num_clips = len(ids)
    assert confirmed_hard_clips(records, plan, tiny_clips, 3) == ()
    wrong = {"c0000": {0, 2}, "c0001": {2}, "c0002": {2, 1}}
    runs = [
        replace(
            best,
            trial=name,
            number=None,
            role="nominee",
            right_clips="".join("0" if place in places else "1" for place in range(num_clips)),
        )
        for name, places in wrong.items()
    ]
    found = confirmed_hard_clips(replace(records, trials=(best, *runs)), plan, tiny_clips, 2)
    assert [clip.note for clip in found] == ["wrong in 3 of 3 runs", "wrong in 1 of 3 runs"]
    assert [clip.clip_id for clip in found] == [ids[2], ids[0]]
    shorter = [replace(run, right_clips=run.right_clips[1:]) for run in runs]
    assert confirmed_hard_clips(replace(records, trials=(best, *shorter)), plan, tiny_clips, 2) == ()


def test_hard_clips_of_the_best_trial_are_its_clearest_errors(
    tiny_clips: ClipStore, tiny_data: Path, tmp_path: Path
) -> None:
    folder, (outcome,) = finish_sweep(tmp_path, "done", tiny_data)
    plan, _ = folder.read_plan()
    records = read_records(folder.records)
    kept = kept_stage(records)
    assert kept is not None
    found = predicted_hard_clips(records, plan, tiny_clips, kept, 1000)
    num_clips = int(outcome.kept.confusion_KK.sum())
    assert len(found) == num_clips - int(outcome.kept.confusion_KK.trace())
    shares = [float(re.findall(r"([\d.]+)%", clip.note)[1]) for clip in found]
    assert shares == sorted(shares)
    source = PageSource(folder, plan, make_provenance(), records)
    page = sweep_page(source, num_hard_clips=2, predict=True, num_gradient_clips=2)
    assert Page(page).figures[-3:] == ["clip-1", "clip-2", "gradients"]
    pictures = open_tensorboard(folder.tensorboard)("images/tags")["hardest-clips"]
    assert [pictures[f"clips/{place}"]["displayName"] for place in (1, 2)] == [
        each.clip_id for each in found[:2]
    ]
    assert found[0].class_name in pictures["clips/1"]["description"]
    (tmp_path / "stages" / "pass-2" / kept.key).rename(tmp_path / "elsewhere")
    with pytest.raises(MissingDataError, match="network of t0000 must be in the stage store"):
        predicted_hard_clips(records, plan, tiny_clips, kept, 2)


def test_shared_stages_count_once(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, (90, 96), (90, 84))
    records = read_records(folder.records)
    uses = {each.kind: each for each in stage_uses(records)}
    # Both trials share pass 1 and pass 2, of two epochs and three seconds each.
    assert (uses["pass-1"].num_used, uses["pass-1"].num_distinct) == (2, 1)
    assert (uses["pass-2"].epochs_used, uses["pass-2"].epochs_distinct) == (4, 2)
    assert uses["pass-2"].seconds_saved == 3.0
    assert (uses["prune"].num_distinct, uses["prune"].seconds_saved) == (2, 0.0)


def test_a_page_at_the_end_is_for_sweeps_that_took_a_minute(
    finished: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = read_records(finished.records)
    assert sweep_pages.write_page_at_end(finished, records) == ""
    long = replace(records, trials=tuple(replace(row, seconds_computed=60.0) for row in records.trials))
    assert sweep_pages.write_page_at_end(finished, long).endswith("report.html")
    assert (finished.path / "report.html").is_file()
    monkeypatch.setattr(sweep_pages, "PAGE", "records")
    assert sweep_pages.write_page_at_end(finished, long).startswith(
        "WARNING: no page: --out must name a file"
    )


def test_charts_show_any_text_and_are_reproducible() -> None:
    axes = [Axis("$x^", ("a$b^", "c", "a$b^")), Axis("one", (1, 1, 1)), Axis("ratio", (0.0, 0.5, 0.1))]
    pictures = [svg(draw_parallel(axes, [0.5, None, 0.7])) for _ in range(2)]
    assert pictures[0] == pictures[1]
    for picture in (pictures[0], svg(draw_importances({"$a_^": 0.5, "<b>": 0.2}))):
        ET.fromstring(picture)  # noqa: S314  our own picture


def test_text_is_escaped_once() -> None:
    assert text('<b> & "\x1b') == "&lt;b&gt; &amp; &quot;\\x1b"
    assert text(Html("<b>")) == "<b>"
    assert "<td>&lt;i&gt;</td>" in table(("a",), [("<i>",)])
