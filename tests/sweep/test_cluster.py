"""A trial's share of the machines."""

import socket

import pytest

from autohier.errors import InputError
from autohier.sweep.cluster import be_quiet, ray_session, share_of, take_ready_processes
from plans import make_plan

LAPTOP = {"CPU": 4.0}
TWO_GPUS = {"CPU": 16.0, "GPU": 2.0}


def test_on_a_laptop_every_core_holds_a_trial(tmp_path):
    share = share_of(make_plan(tmp_path), [LAPTOP])

    assert (share.cpus, share.gpus, share.parallel) == (1, 0, 4)
    assert share.alone().num_threads == 4


@pytest.mark.parametrize(("gpus", "cpus", "parallel"), [(None, 8, 2), (0.5, 4, 4), (2, 16, 1)])
def test_beside_a_gpu_a_trial_decodes_on_its_part_of_the_cores(tmp_path, gpus, cpus, parallel):
    share = share_of(make_plan(tmp_path, gpus_per_trial=gpus), [TWO_GPUS])

    assert (share.cpus, share.parallel) == (cpus, parallel)


def test_cores_that_are_asked_for_are_given(tmp_path):
    share = share_of(make_plan(tmp_path, cpus_per_trial=2, parallel=3), [TWO_GPUS, LAPTOP])

    assert (share.cpus, share.gpus, share.parallel) == (2, 1, 2)


def test_a_trial_that_fits_no_machine_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a trial of 1 CPUs and 1 GPUs must fit one machine"):
        share_of(make_plan(tmp_path, gpus_per_trial=1), [LAPTOP])


def test_a_cluster_that_nobody_answers_for_is_told_at_once(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{held.getsockname()[1]}"
        for wrong in (address, "127.0.0.1:99999", "127.0.0.1:port"):
            told = f"must be a cluster that can be reached, but got {wrong} \\(.*: start it first"
            with pytest.raises(InputError, match=told), ray_session(make_plan(tmp_path, ray_address=wrong)):
                pass


def test_actors_of_tune_ask_for_no_environment_of_their_own(monkeypatch):
    be_quiet()
    from ray.tune.execution import class_cache

    monkeypatch.setattr(class_cache, "DEFAULT_ENV_VARS", {"A": "1"})
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", {"RAY_CHDIR_TO_TRIAL_DIR"})
    take_ready_processes()
    actor_class = class_cache._ActorClassCache().get(type("Empty", (), {}))
    assert actor_class._default_options["runtime_env"] == {}
