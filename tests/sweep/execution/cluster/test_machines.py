"""Tests of the watch over a cluster's machines: refused ones get no trial, and the console says why once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = pytest.mark.usefixtures("ray_address")


@contextmanager
def watched(
    tmp_path: Path,
    data: Path,
    lines: list[str],
    *,
    fits: Callable[[Mapping[str, float]], bool] = lambda resources: resources.get("CPU", 0) >= 1,
    refuse_others: bool = False,
    **changes: Any,
) -> Iterator[Any]:
    """Watch the machines of the test's cluster, with demands that they meet but for the changes."""
    from autohier.sweep.execution.cluster.machine_check import installed_versions
    from autohier.sweep.execution.cluster.machines import checked_machines, make_demands

    clips = ClipStore.open(data / "demo")
    versions = installed_versions(("autohier",)) | changes.get("versions", {})
    demands = make_demands(
        tmp_path / "machines", clips.folder, clips.fingerprint, tmp_path, versions, needs_gpu=False
    )
    with checked_machines(demands, fits, lines.append, refuse_others=refuse_others) as machines:
        yield machines


def node_of_an_actor(**options: Any) -> str | None:
    """Return the machine on which an actor starts; None if it starts on none."""
    import ray

    class Finder:
        def node(self) -> str:
            return str(ray.get_runtime_context().get_node_id())

    actor = ray.remote(num_cpus=1)(Finder).options(**options).remote()
    try:
        reference = actor.node.remote()
        return ray.get(reference) if ray.wait([reference], timeout=5)[0] else None
    finally:
        ray.kill(actor)


def test_a_machine_that_passes_is_admitted(tmp_path: Path, tiny_data: Path) -> None:
    import ray

    lines: list[str] = []
    with watched(tmp_path, tiny_data, lines) as machines:
        (resources,) = machines.admitted(StopRequest())
        verdict = ray.get(machines.table.verdict.remote(ray.get_runtime_context().get_node_id()))
    assert resources["CPU"] == 2
    assert verdict == ""
    assert lines == []
    assert not (tmp_path / "machines").exists()


def test_a_cluster_without_an_admitted_machine_is_refused(tmp_path: Path, tiny_data: Path) -> None:
    from autohier.sweep.execution.cluster.placement import admitted_only

    lines: list[str] = []
    expected = r"a machine must pass the check .*, but got \S+: autohier \S+ is not the driver's 0\.0"
    with watched(tmp_path, tiny_data, lines, versions={"autohier": "0.0"}) as machines:
        with pytest.raises(InputError, match=expected):
            machines.admitted(StopRequest())
        assert node_of_an_actor(label_selector=admitted_only()) is None
    assert len(lines) == 1
    assert "gets no trial: autohier" in lines[0]
    assert admitted_only() == {}


def test_the_error_names_all_of_many_refused_machines(tmp_path: Path, tiny_data: Path) -> None:
    from autohier.sweep.execution.cluster.machines import by_reason

    full = [f"gpu-{number:02}.cluster.example" for number in range(40)]
    reasons = dict.fromkeys(full, "only 3 MB are free in /tmp") | {"gpu-40": "no answer"}
    text = by_reason(reasons)
    assert text == f"40 machines ({', '.join(full)}): only 3 MB are free in /tmp; gpu-40: no answer"
    with (
        watched(tmp_path, tiny_data, [], versions={"autohier": "0.0"}) as machines,
        patch("autohier.sweep.execution.cluster.machines.by_reason", lambda _: text),
        pytest.raises(InputError, match="a machine must pass the check") as caught,
    ):
        machines.admitted(StopRequest())
    assert f"but got {text}: see 'Shared storage'" in str(caught.value)


def test_a_machine_too_small_for_a_trial_is_refused_to_processes_without_cores(
    tmp_path: Path, tiny_data: Path
) -> None:
    import ray

    from autohier.sweep.execution.cluster.admission import TOO_SMALL
    from autohier.sweep.execution.cluster.placement import admitted_only
    from support.waiting import wait_until

    node = ray.get_runtime_context().get_node_id()
    with watched(tmp_path, tiny_data, [], fits=lambda _: False, refuse_others=True) as machines:
        wait_until(lambda: ray.get(machines.table.verdict.remote(node)) == TOO_SMALL, "the verdict on it")
        assert admitted_only() == {"ray.io/node-id": f"!in({node})"}


def test_the_check_can_be_interrupted(tmp_path: Path, tiny_data: Path) -> None:
    stop = StopRequest()
    stop.make()
    with watched(tmp_path, tiny_data, []) as machines, pytest.raises(SweepInterruptedError):
        machines.admitted(stop)


def test_a_machine_that_joins_later_is_checked_too(
    tmp_path: Path, tiny_data: Path, ray_cluster: Cluster
) -> None:
    import ray

    from support.waiting import wait_until

    with watched(tmp_path, tiny_data, []) as machines:
        machines.admitted(StopRequest())
        added = ray_cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        try:
            wait_until(
                lambda: ray.get(machines.table.verdict.remote(added.node_id)) == "", "the verdict on it"
            )
        finally:
            ray_cluster.remove_node(added)


def test_a_machine_with_a_notice_is_drained(tmp_path: Path, tiny_data: Path, ray_cluster: Cluster) -> None:
    import time

    import ray
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    from autohier.sweep.execution.cluster.admission import DRAINED
    from support.waiting import wait_until

    class Idle:
        """Keeps the machine from ending before its deadline."""

    preemption, lines = 2, list[str]()
    added = ray_cluster.add_node(num_cpus=1, resources={"added": 1}, object_store_memory=100 << 20)
    holder = ray.remote(num_cpus=0, resources={"added": 1})(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    try:
        with watched(tmp_path, tiny_data, lines) as machines:
            machines.admitted(StopRequest())
            deadline_ms = int(time.time() * 1000) + 600_000
            GcsClient(ray_cluster.address).drain_node(added.node_id, preemption, "notice", deadline_ms)
            wait_until(lambda: ray.get(machines.table.verdict.remote(added.node_id)) == DRAINED, "the drain")
        assert len(lines) == 1
        assert lines[0].endswith(DRAINED)
    finally:
        ray.kill(holder)
        ray_cluster.remove_node(added)


def test_trials_run_on_admitted_machines_and_others_hand_them_back(
    tmp_path: Path, ray_cluster: Cluster
) -> None:
    """A trial that reaches a refused machine runs again elsewhere, and no failure is counted."""
    import functools

    import ray
    from ray import tune

    from autohier.sweep.execution.cluster.admission import AdmissionTable, pass_gate
    from autohier.sweep.execution.cluster.placement import refuse_machines
    from autohier.sweep.execution.cluster.trial_placement import AdmittedPlacement

    def trial(config: dict[str, int], table: Any) -> None:
        node = ray.get_runtime_context().get_node_id()
        with (tmp_path / f"starts-{config['index']}").open("a") as starts:
            starts.write(f"{node}\n")
        pass_gate(table)
        tune.report({"done": True})

    own = ray.get_runtime_context().get_node_id()
    added = ray_cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
    joined = added.node_id  # Ray Tune pickles its callbacks
    try:
        table = ray.remote(num_cpus=0)(AdmissionTable).remote()
        ray.get(table.update.remote({own: "", joined: "no shared folder"}))
        run = tune.with_resources(functools.partial(trial, table=table), AdmittedPlacement([{"CPU": 1}]))

        class Refuse(tune.Callback):  # type: ignore[misc]
            """Refuses the machine once a trial came back from it, as the driver does."""

            def on_trial_recover(self, **_: Any) -> None:
                refuse_machines([joined])

        config = tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0, callbacks=[Refuse()])
        tuner = tune.Tuner(run, param_space={"index": tune.grid_search([0, 1, 2, 3])}, run_config=config)
        assert tuner.fit().num_errors == 0
        starts = [path.read_text().split() for path in sorted(tmp_path.glob("starts-*"))]
        assert [nodes[-1] for nodes in starts] == [own] * 4
        assert joined in {nodes[0] for nodes in starts}
        # Nothing is placed there any more.
        tuner = tune.Tuner(run, param_space={"index": tune.grid_search([4, 5, 6])}, run_config=config)
        assert tuner.fit().num_errors == 0
        assert [(tmp_path / f"starts-{index}").read_text().split() for index in (4, 5, 6)] == [[own]] * 3
    finally:
        refuse_machines(())
        ray_cluster.remove_node(added)
