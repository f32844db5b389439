"""The batch script of Slurm, run for real with fake programs: its words, its signals and its exit codes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from pydantic import ValidationError

from autohier.config.launch import LaunchSettings
from autohier.launch.slurm import slurm_job
from support.fakes.slurm_programs import NUMBER, FakePrograms

NASTY = "a b'c\"d $(touch pwned) `touch pwned` ; touch pwned & $HOME %j é"
PORT = 10_000 + NUMBER % 2000 * 10


@pytest.fixture
def programs(tmp_path: Path) -> FakePrograms:
    return FakePrograms.write(tmp_path / "programs")


def write_script(programs: FakePrograms, folder: Path, **tables: dict[str, object]) -> Path:
    values = {
        "search": {"space": "demo", "name": "job", "out": str(folder / "out"), **tables.get("search", {})},
        "machines": tables.get("machines", {}),
        "environment": tables.get("environment", {}),
        "slurm": {"environment": str(programs.folder), **tables.get("slurm", {})},
    }
    file = slurm_job(LaunchSettings.model_validate(values))
    path = folder / file.name
    path.write_text(file.content)
    for each in file.folders:
        each.mkdir(parents=True, exist_ok=True)
    return path


def read(path: Path) -> tuple[list[str], dict[str, str]]:
    words, environment = json.loads(path.read_text())
    return words, environment


def test_ray_runs_on_each_machine_with_its_part_of_the_allocation(
    programs: FakePrograms, tmp_path: Path
) -> None:
    script = write_script(programs, tmp_path)
    process = programs.start(script, FAKE_SEARCH_CODE="0", SLURM_GPUS_ON_NODE="2")
    out, _ = process.communicate()
    assert process.returncode == 0, out
    head, environment = read(programs.folder / "ray-n1.json")
    assert head[:3] == ["start", "--head", f"--temp-dir=/tmp/r-{NUMBER}/r"]  # inside a private folder
    assert {"--node-name=n1", "--num-cpus=6", "--num-gpus=2", f"--port={PORT}", "--block"} <= set(head)
    assert f"--memory={(8192 - 1176) << 20}" in head
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["OMP_NUM_THREADS"] == "1"
    address = next(word.partition("=")[2] for word in head if word.startswith("--node-ip-address="))
    worker, _ = read(programs.folder / "ray-n2.json")
    assert worker[1] == f"--address={address}:{PORT}"
    assert not [word for word in worker if word.startswith("--port=")]
    waited, _ = read(programs.folder / "launch.json")
    assert waited[:4] == ["launch", "wait", "--ray-address", f"{address}:{PORT}"]
    assert waited[4:6] == ["--machines", "n1,n2"]
    assert not Path(f"/tmp/r-{NUMBER}").exists()  # noqa: S108
    assert list((tmp_path / "out/.launch").iterdir()) == []


@pytest.mark.parametrize(("variables", "gpus"), [({"CUDA_VISIBLE_DEVICES": "0,3"}, 2), ({}, 0)])
def test_gpus_are_counted_if_slurm_does_not_say(
    programs: FakePrograms, tmp_path: Path, variables: dict[str, str], gpus: int
) -> None:
    unset = {"SLURM_GPUS_ON_NODE": "", "CUDA_VISIBLE_DEVICES": ""}
    process = programs.start(write_script(programs, tmp_path), FAKE_SEARCH_CODE="0", **(unset | variables))
    process.communicate()
    assert f"--num-gpus={gpus}" in read(programs.folder / "ray-n1.json")[0]


def test_memory_may_be_given_for_each_core(programs: FakePrograms, tmp_path: Path) -> None:
    memory = {"SLURM_MEM_PER_NODE": "", "SLURM_MEM_PER_CPU": "1000"}
    programs.start(write_script(programs, tmp_path), FAKE_SEARCH_CODE="0", **memory).communicate()
    assert f"--memory={(6000 - 1176) << 20}" in read(programs.folder / "ray-n1.json")[0]


def test_the_folder_of_local_clips_may_name_variables_of_the_job(
    programs: FakePrograms, tmp_path: Path
) -> None:
    script = write_script(programs, tmp_path, machines={"local_clips": "$SCRATCH/clips.${SLURM_JOB_ID}"})
    programs.start(script, FAKE_SEARCH_CODE="0", SCRATCH="/a b").communicate()
    for name in ("ray-n1.json", "search.json"):
        _, environment = read(programs.folder / name)
        assert environment["AUTOHIER_LOCAL_CLIPS"] == f"/a b/clips.{NUMBER}"


@pytest.mark.parametrize("folder", ["scratch", "/a b", "/$(touch pwned)", '/"', "/`id`", ""])
def test_a_folder_of_local_clips_that_a_shell_would_run_is_refused(folder: str) -> None:
    with pytest.raises(ValidationError, match=r"machines\.local_clips"):
        LaunchSettings.model_validate(
            {"search": {"space": "demo", "name": "job"}, "machines": {"local_clips": folder}}
        )


def test_token_is_secret_and_of_this_job(programs: FakePrograms, tmp_path: Path) -> None:
    process = programs.start(write_script(programs, tmp_path))
    programs.wait_for_search()
    _, environment = read(programs.folder / "search.json")
    token = Path(environment["RAY_AUTH_TOKEN_PATH"])
    assert token == tmp_path / f"out/.launch/slurm-{NUMBER}/token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    assert len(token.read_text()) == 64
    programs.send(process, signal.SIGTERM)
    process.communicate()
    assert not token.exists()


def test_nasty_names_are_words_and_never_code(programs: FakePrograms, tmp_path: Path) -> None:
    folder = tmp_path / NASTY
    folder.mkdir()
    setup = folder / "setup.sh"
    setup.write_text("export SOURCED=$UNSET_VARIABLE-yes\n")
    script = write_script(
        programs,
        folder,
        search={"data": str(folder / "data"), "options": ["--set", f"description={NASTY}"]},
        environment={"NOTE": NASTY},
        slurm={"setup_script": str(setup)},
    )
    out, _ = programs.start(script, FAKE_SEARCH_CODE="0").communicate()
    words, environment = read(programs.folder / "search.json")
    assert words[:4] == ["search", "demo", "--trials", "32"]
    assert words[words.index("--out") + 1] == str(folder / "out")
    assert words[words.index("--data") + 1] == str(folder / "data")
    assert words[words.index("--set") + 1] == f"description={NASTY}"
    assert words[-2] == "--ray-address"
    assert (environment["NOTE"], environment["SOURCED"]) == (NASTY, "-yes")
    assert list(tmp_path.rglob("pwned")) == [], out


@pytest.mark.parametrize("code", [0, 1, 2])
def test_exit_code_of_the_search_is_passed_on(programs: FakePrograms, tmp_path: Path, code: int) -> None:
    process = programs.start(write_script(programs, tmp_path), FAKE_SEARCH_CODE=str(code))
    out, _ = process.communicate()
    assert process.returncode == code
    assert ("the logs of Ray are in" in out) == (code != 0)
    assert list((tmp_path / "out/.launch").glob("*/token")) == []
    assert not (programs.folder / "requeued").exists()


def test_time_limit_stops_the_search_and_queues_the_job_again(programs: FakePrograms, tmp_path: Path) -> None:
    process = programs.start(write_script(programs, tmp_path), SLURM_RESTART_COUNT="3")
    programs.wait_for_search()
    programs.send(process, signal.SIGUSR1)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("queued again (4 of at most 50 times)" in line for line in lines)
    assert (programs.folder / "requeued").read_text() == f"requeue {NUMBER}\n"
    programs.send(process, signal.SIGTERM)  # as Slurm does after a requeue
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SLURM_RESTART_COUNT": "50"}, "queued again 50 times already, the limit"),
        ({"FAKE_REQUEUE_CODE": "1"}, "Slurm does not queue the job again"),
    ],
)
def test_job_that_is_not_queued_again_says_why(
    programs: FakePrograms, tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    process = programs.start(write_script(programs, tmp_path), **variables)
    programs.wait_for_search()
    programs.send(process, signal.SIGUSR1)
    out, _ = process.communicate()
    assert process.returncode == 143
    assert reason in out
    assert "submit this file again" in out


def test_cancelled_job_is_not_queued_again(programs: FakePrograms, tmp_path: Path) -> None:
    process = programs.start(write_script(programs, tmp_path))
    programs.wait_for_search()
    programs.send(process, signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert not (programs.folder / "requeued").exists()


def test_ray_that_does_not_start_ends_the_job(programs: FakePrograms, tmp_path: Path) -> None:
    process = programs.start(write_script(programs, tmp_path), FAKE_RAY_CODE="1")
    out, _ = process.communicate()
    assert process.returncode == 1
    assert "no Ray today" in out
    assert "Ray did not start on n1" in out
    assert list((tmp_path / "out/.launch").glob("*/token")) == []


def test_missing_machines_end_the_job(programs: FakePrograms, tmp_path: Path) -> None:
    process = programs.start(write_script(programs, tmp_path), FAKE_WAIT_CODE="2")
    process.communicate()
    assert process.returncode == 2
    assert not (programs.folder / "search.json").exists()
