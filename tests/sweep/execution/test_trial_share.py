"""Tests of a trial's share of the machines."""

import pytest

from autohier.errors import InputError
from autohier.sweep.execution.trial_share import count_trials, share_of
from support.sweep_runs.plans import make_plan

LAPTOP = {"CPU": 4.0}
GIB = 1 << 30
TWO_GPUS = {"CPU": 16.0, "GPU": 2.0}


def test_on_a_laptop_each_core_runs_a_trial(tmp_path):
    share = share_of(make_plan(tmp_path), [LAPTOP])

    assert (share.cpus, share.gpus, share.parallel) == (1, 0, 4)
    assert share.alone().num_threads == 4


@pytest.mark.parametrize(("gpus", "cpus", "parallel"), [(None, 8, 2), (0.5, 4, 4), (2, 16, 1)])
def test_a_trial_with_a_gpu_gets_its_part_of_the_cores(tmp_path, gpus, cpus, parallel):
    share = share_of(make_plan(tmp_path, gpus_per_trial=gpus), [TWO_GPUS])

    assert (share.cpus, share.parallel) == (cpus, parallel)


def test_a_given_number_of_cores_is_used(tmp_path):
    share = share_of(make_plan(tmp_path, cpus_per_trial=2, parallel=3), [TWO_GPUS, LAPTOP])

    assert (share.cpus, share.gpus, share.parallel) == (2, 1, 2)


def test_each_trial_has_a_gigabyte_of_memory(tmp_path):
    def parallel(memory_gib: float, **options: int) -> int:
        return share_of(make_plan(tmp_path, **options), [{**LAPTOP, "memory": memory_gib * GIB}]).parallel

    assert [parallel(gib) for gib in (0.1, 1.9, 2.5, 100)] == [1, 1, 2, 4]
    assert parallel(1, parallel=3) == 3  # the user knows better


def test_the_number_of_trials_follows_the_machines(tmp_path):
    plan = make_plan(tmp_path)
    share = share_of(plan, [TWO_GPUS])
    machines = {"none": [], "too small": [LAPTOP], "one": [TWO_GPUS], "two": [TWO_GPUS, TWO_GPUS, LAPTOP]}
    counts = {name: count_trials(plan, share, nodes) for name, nodes in machines.items()}
    assert counts == {"none": 0, "too small": 0, "one": 2, "two": 4}
    fixed = make_plan(tmp_path, parallel=3)
    assert [count_trials(fixed, share, machines[name]) for name in ("one", "two")] == [2, 3]


def test_a_trial_that_fits_no_machine_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a trial of 1 CPU and 1 GPU must fit one machine"):
        share_of(make_plan(tmp_path, gpus_per_trial=1), [LAPTOP])
    machines = r"got 64 machines of 16 CPUs and 2 GPUs, 1 machine of 4 CPUs and 0 GPUs: lower"
    with pytest.raises(InputError, match=machines):
        share_of(make_plan(tmp_path, gpus_per_trial=4), [*[TWO_GPUS] * 64, LAPTOP])
