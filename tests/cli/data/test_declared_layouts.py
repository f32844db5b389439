"""Networks on joints of a layout that a file declares, from the source to a tested trial."""

from pathlib import Path

import pytest

from support.command_line import Autohier
from support.sources.tiny_pyskl import annotation, write_pyskl

DECLARED = """
name = "upper-7"
dimensions = {dimensions}
joints = ["chest", "neck", "head", "left elbow", "left hand", "right elbow", "right hand"]
parents = ["", "chest", "neck", "neck", "left elbow", "neck", "right elbow"]
centre = "neck"
"""
"""The example of the page on own data."""
SMALL = (
    *("superclasses=2", "weight_ratio=0.5", "scope=layerwise", "ratio=0.1", "passes=1"),
    *("optimisation.batch_size=12", "pass_1.epochs=1", "pass_2.epochs=1", "pruning.epochs=1"),
)
READS = "num_frames=4, num_persons=1, test_sets=1"
NETWORKS = {
    "joint": (f"clips={{input='skeletons', modality='skeleton', {READS}}}",),
    "bone-graph": (
        f"clips={{input='skeletons', modality='skeleton', stream='bone', {READS}}}",
        "recognizer={name='st-gcn++', width=0.125}",
    ),
    "limbs": (
        f"clips={{input='heatmaps', modality='skeleton', maps='limbs', size_px=16, flip=false, {READS}}}",
        "recognizer={name='pose-slowonly-shallow', width=0.125}",
    ),
}


def seven_joints(name: str, label: int, dimensions: int) -> dict[str, object]:
    """Return an annotation with the first seven joints of a body, in pixels or in meters."""
    entry = annotation(name, label, num_joints=17 if dimensions == 2 else 25)
    parts = {part: entry[part][:, :, :7] for part in ("keypoint", "keypoint_score") if part in entry}
    return entry | parts


@pytest.mark.slow
@pytest.mark.parametrize(("dimensions", "network"), [(2, "joint"), (3, "bone-graph"), (2, "limbs")])
def test_a_trial_on_a_declared_layout_is_trained_and_tested(
    autohier: Autohier, tmp_path: Path, dimensions: int, network: str
) -> None:
    names = [f"S001C001P{subject:03}R001A{action:03}" for subject in range(1, 9) for action in range(1, 5)]
    entries = [seven_joints(name, int(name[-1]) - 1, dimensions) for name in names]
    source = write_pyskl(tmp_path / "own.pkl", entries, {"xsub_train": names[:24], "xsub_val": names[24:]})
    layout = tmp_path / "upper.toml"
    layout.write_text(DECLARED.format(dimensions=dimensions))
    where = ("--data", tmp_path / "data")
    ended = autohier("prepare", "pyskl", "--source", source, "--name", "own", "--layout", layout, *where)
    assert ended.code == 0, ended.err
    own = ("dataset=own", "num_classes=4", "initial=[]", "protocol.name=xsub", "search.levels=1")
    options = [
        part for each in ("variant=joint", *own, *NETWORKS[network], *SMALL) for part in ("--set", each)
    ]
    options += ["--test", "--out", str(tmp_path / "out"), "--threads", "1", "--device", "cpu"]
    ended = autohier("train", "utd_mhad_skeleton", *where, *options)
    assert ended.code == 0, ended.err
    assert "of 8 clips" in ended.out.splitlines()[-3]
