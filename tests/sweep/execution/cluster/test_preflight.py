"""Demands of a sweep on the machines of a cluster."""

from pathlib import Path

from autohier.config.search.loading import load_space
from autohier.sweep.execution.cluster.preflight import demands_of
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from support.sweep_runs.plans import make_plan


def test_a_machine_needs_all_that_trials_read(tmp_path):
    table = "search.settings={'recognizer.start'=['/weights/one', '/weights/two.pth']}"
    space = load_space("demo", (table, "initial=[]"))
    plan = make_plan(tmp_path, space=space, clips_fingerprint="abc", stage_folder=str(tmp_path / "stages"))
    demands = demands_of(SweepFolder(tmp_path / "sweep"), plan, Share(1, 0.5, 2, 4), {"torch": "2"})
    assert demands.weights == (Path("/weights/one"), Path("/weights/two.pth"))
    assert (demands.fingerprint, demands.stage_folder) == ("abc", tmp_path / "stages")
    assert (demands.clip_folder, demands.needs_gpu) == (tmp_path / "demo", True)
    assert not demands_of(SweepFolder(tmp_path / "sweep"), plan, Share(1, 0, 2, 4), {}).needs_gpu
