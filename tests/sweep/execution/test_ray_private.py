"""Guard of the place that changes Ray's private state: it fails when Ray moves or renames that state."""

import os
import subprocess

from autohier.sweep.execution.ray_private import start_in_own_groups, use_prestarted_workers
from autohier.sweep.execution.session import be_quiet


def test_tune_gives_its_actors_no_environment_of_their_own(monkeypatch):
    be_quiet()
    from ray.tune.execution import class_cache

    def runtime_env():
        actor_class = class_cache._ActorClassCache().get(type("Empty", (), {}))
        return actor_class._default_options["runtime_env"]

    monkeypatch.setattr(class_cache, "DEFAULT_ENV_VARS", {"A": "1"})
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", {"RAY_CHDIR_TO_TRIAL_DIR"})
    assert runtime_env() == {"env_vars": {"A": "1", "RAY_CHDIR_TO_TRIAL_DIR": "0"}}
    use_prestarted_workers()
    assert runtime_env() == {}


def test_processes_that_ray_starts_have_groups_of_their_own():
    be_quiet()
    from ray._private import services

    def group_of_a_process() -> int:
        process = services.start_ray_process(
            ["cat"],
            "raylet",
            fate_share=False,
            pipe_stdin=True,
            stdout_file=subprocess.DEVNULL,
            stderr_file=subprocess.DEVNULL,
        ).process
        try:
            return os.getpgid(process.pid)
        finally:
            process.kill()
            process.wait()

    assert group_of_a_process() == os.getpgid(0)
    with start_in_own_groups():
        assert group_of_a_process() != os.getpgid(0)
    assert group_of_a_process() == os.getpgid(0)
