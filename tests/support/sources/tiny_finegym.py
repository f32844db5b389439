"""Small files in the layout of Gym99: lists, trimmed clips and whole videos."""

from __future__ import annotations

from pathlib import Path

from support.sources.tiny_datasets import numbered_frames, write_video

TRAIN, VAL = "gym99_train_element_v1.0.txt", "gym99_val_element.txt"


def write_gym99_lists(folder: Path, train: dict[str, int], val: dict[str, int], *, ending: str = "") -> None:
    """Write both lists, with an ending after each clip's id."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, labels in ((TRAIN, train), (VAL, val)):
        lines = [f"{clip_id}{ending} {label}\n" for clip_id, label in labels.items()]
        (folder / name).write_text("".join(lines))


def write_gym99_video(folder: Path, name: str, *, num_frames: int = 6) -> Path:
    """Write a video of small frames that encode their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    write_video(path, numbered_frames(num_frames, 64, 48))
    return path


def write_gym99_clip(folder: Path, clip_id: str) -> None:
    """Write a trimmed clip, and add it to the training list in the parent folder."""
    write_gym99_video(folder / "subactions", clip_id)
    (folder.parent / VAL).touch()
    with (folder.parent / TRAIN).open("a") as file:
        file.write(f"{clip_id} 98\n")
