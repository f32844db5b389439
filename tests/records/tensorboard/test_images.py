"""Pictures of trials: their sizes, and pixels whose colours must differ."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from autohier.records.tensorboard.confusion_matrix import confusion_picture
from autohier.records.tensorboard.drawing import superclass_order
from autohier.records.tensorboard.event_files import Picture
from autohier.records.tensorboard.hierarchy_diagram import hierarchy_picture
from support.fakes.fake_outcomes import FLAT, NESTED, fake_confusion


def _pixels(picture: Picture) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.png)))


def test_superclass_order_makes_superclasses_contiguous() -> None:
    # Class k is in superclass k % 2 of the coarse and k % 4 of the fine level.
    assert superclass_order(NESTED.assignments) == [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11]
    assert superclass_order(FLAT.assignments) == list(range(12))


@pytest.mark.parametrize("assignments", [FLAT.assignments, NESTED.assignments])
@pytest.mark.parametrize("names", [(), tuple(f"action {k}" for k in range(12))])
def test_a_confusion_matrix_has_the_declared_size(
    assignments: Sequence[Sequence[int]], names: tuple[str, ...]
) -> None:
    picture = confusion_picture(fake_confusion(80), assignments, names)
    assert _pixels(picture).shape == (picture.height_px, picture.width_px, 4)


def test_confusions_within_superclasses_form_blocks() -> None:
    # All clips of class k are taken for k + 2, in the same half: the two other quarters are blank.
    confusion_KK = np.roll(np.eye(12, dtype=np.int64), 2, axis=1)
    picture = confusion_picture(confusion_KK, NESTED.assignments[::2])
    dark = _pixels(picture)[..., 0] < 100
    # Dark pixels are text, frames and the cells that hold all clips of a class; select whole cells.
    rows_px, columns_px = (range(0, length - 9, 2) for length in dark.shape)
    cells = [(y, x) for y in rows_px for x in columns_px if dark[y : y + 9, x : x + 9].all()]
    rows, columns = np.array([cell for cell in cells if cell[1] < 580]).T
    middle_row, middle_column = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    assert ((rows < middle_row) == (columns < middle_column)).all()


def test_a_class_without_clips_is_drawn() -> None:
    confusion_KK = fake_confusion(80)
    confusion_KK[3] = 0
    assert confusion_picture(confusion_KK, FLAT.assignments).png


@pytest.mark.parametrize("num_classes", [2, 12, 120])
def test_a_hierarchy_has_a_row_per_class(num_classes: int) -> None:
    assignments = [[k % 2 for k in range(num_classes)], list(range(num_classes))]
    picture = hierarchy_picture(assignments)
    assert picture.height_px >= 16 * num_classes
    assert _pixels(picture).shape[:2] == (picture.height_px, picture.width_px)


def test_superclasses_differ_in_colour() -> None:
    pixels = _pixels(hierarchy_picture([[0] * 6 + [1] * 6, list(range(12))]))
    column = pixels[:, 20]
    upper, lower = column[len(column) // 3], column[-len(column) // 4]
    assert not np.array_equal(upper, lower)


def test_pictures_are_deterministic() -> None:
    assert hierarchy_picture(NESTED.assignments) == hierarchy_picture(NESTED.assignments)
