"""Sources of many clips, classes or lists, and small files with large content: cost is bounded."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from autohier.data.datasets.registry import open_dataset
from autohier.data.store.table import tabulate_sources
from autohier.data.validate.splits import check_split
from autohier.errors import AutohierError
from support.fuzz.law import check_law
from support.fuzz.reading import Bench
from support.fuzz.sources import BY_NAME
from support.sources.tiny_finegym import write_gym99_lists, write_gym99_video
from support.sources.tiny_pyskl import annotation, write_pyskl

MANY = 10_000


def table(row: Callable[[int], str], *columns: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        lines = [f"v/{k}.mp4,{row(k)}\n" for k in range(MANY)]
        (folder / "clips.csv").write_text(",".join(("path", *columns)) + "\n" + "".join(lines))
        return folder

    return write


def pickled(label: Callable[[int], int], num_lists: int, num_clips: int = MANY) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        entries = [annotation("a", 0), *({"frame_dir": f"c{k}", "label": label(k)} for k in range(num_clips))]
        split = {f"{k}_train": [f"c{k}"] for k in range(num_lists)}
        return write_pyskl(folder / "poses.pkl", entries, split)

    return write


def gym_lists(folder: Path) -> Path:
    names = [f"video{k}_E_000001_000002_A_0000_0001" for k in range(MANY)]
    write_gym99_lists(folder, dict.fromkeys(names, 3), {"other_E_000001_000002_A_0000_0001": 3})
    write_gym99_video(folder, names[0])
    return folder


def ntu_names(folder: Path) -> Path:
    for k in range(MANY // 10):
        (folder / f"S{k % 999:03}C001P{k // 999:03}R001A001.skeleton").touch()
    return folder


@pytest.mark.parametrize(
    ("dataset", "write"),
    [
        ("custom", table(str, "label")),
        ("custom", table(lambda k: f"class {k}", "label")),
        ("custom", table(lambda k: f"0,{k},{k},{k}", "label", "subject", "camera", "setup")),
        ("custom", table(lambda k: f"0,name {k}", "label", "subject")),
        ("pyskl", pickled(lambda k: k, 1, 4 * MANY)),
        ("pyskl", pickled(lambda k: k % 3, 20)),
        ("pyskl", pickled(lambda k: k % 3, MANY)),
        ("gym99", gym_lists),
        ("ntu60", ntu_names),
    ],
)
def test_cost_is_linear_in_the_number_of_clips(
    dataset: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    source = write(folder)
    modality = "skeleton" if dataset == "ntu60" else None

    def find() -> list[AutohierError]:
        reader = open_dataset(dataset, modality=modality, source=source)
        table = tabulate_sources(reader.find_clips(source))
        assert all(check_split(table, rule) for rule in reader.protocols)
        return []

    # Each list and its counterpart contain all clips.
    check_law(dataset.removesuffix("60"), find, num_bytes=MANY * 15_000, source=folder)


def compressed(variable: str, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    savemat(file, {variable: np.ones(shape, dtype="u1")}, do_compression=True)
    return file.getvalue()


def poses(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, keypoint=np.ones(shape, dtype="u1"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("case", "content", "mib"),
    [
        ("custom poses", partial(poses, (2**19 - 1, 1, 17, 2)), 64),  # above the limit
        ("custom poses", partial(poses, (2**18, 1, 17, 2)), 200),
        ("custom poses", partial(poses, (1, 2**18, 17, 2)), 200),
        ("utd-mhad skeleton", partial(compressed, "d_skel", (20, 3, 2**18)), 64),
        ("utd-mhad depth", partial(compressed, "d_depth", (2**13, 2**13, 1)), 64),  # a frame above 8K
        ("utd-mhad depth", partial(compressed, "d_depth", (240, 320, 1000)), 200),
    ],
)
def test_small_files_with_large_content(
    case: str, content: Callable[[], bytes], mib: int, tmp_path: Path
) -> None:
    bench = Bench(replace(BY_NAME[case], free_mib=mib, per_byte=0), tmp_path / "source")
    bench.try_content(content())
