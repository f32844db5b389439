"""Sweeps on a cluster of virtual machines, on the tiny clips."""

from __future__ import annotations

import subprocess

from support.cluster.ray_cluster import VirtualCluster
from support.sources.tiny_clips import SPACE_FILE


def search(cluster: VirtualCluster, *options: str) -> subprocess.Popen[str]:
    """Start the sweep "a" on the head, without a confirmation; results are in ``sweeps``."""
    return cluster.command(
        *("search", str(SPACE_FILE), "--name", "a", "--confirm", "none", *options),
        *_places(cluster),
    )


def resume(cluster: VirtualCluster, *options: str) -> subprocess.Popen[str]:
    """Continue the sweep."""
    return cluster.command("resume", "a", *options, *_places(cluster))


def _places(cluster: VirtualCluster) -> tuple[str, ...]:
    folder = cluster.network.shared
    return (
        *("--data", str(folder / "data"), "--out", str(folder / "sweeps")),
        *("--ray-address", cluster.address),
    )
