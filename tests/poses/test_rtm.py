"""RTMO, RTMPose and their detector, on small models with the same inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.errors import InputError
from autohier.poses.onnx_models import open_onnx_model
from autohier.poses.rtm import Rtmo, RtmPose
from support.fakes.pose_models import offsets_px, spot, write_detector, write_rtmo, write_rtmpose


def opened(path):
    return open_onnx_model(path, num_threads=1)


@pytest.mark.parametrize("place", [(40, 30), (250, 150), (150, 100)])
def test_rtmo_finds_a_spot_where_it_is(tmp_path, place):
    """The frame is 300 x 200, the picture 96 x 64, so that a pixel of it is 3.125 pixels of the frame."""
    rtmo = Rtmo(opened(write_rtmo(tmp_path / "rtmo.onnx")))
    (person,) = rtmo.find(spot(*place))
    assert person.joints_V2.shape == (17, 2)
    np.testing.assert_allclose(person.joints_V2, np.array(place) + 0.5 + offsets_px() * 3.125, atol=4)
    np.testing.assert_allclose(person.scores_V, 0.9)
    assert rtmo.layout.name == "coco-17"


@pytest.mark.parametrize("place", [(40, 30), (250, 150)])
def test_rtmpose_finds_a_spot_in_the_box_of_the_detector(tmp_path, place):
    """The box of 25 pixels is enlarged to 31.25 x 41.7; a pixel of the picture is 0.651 of the frame."""
    estimator = RtmPose(
        opened(write_rtmpose(tmp_path / "pose.onnx")), opened(write_detector(tmp_path / "detector.onnx"))
    )
    (person,) = estimator.find(spot(*place))
    np.testing.assert_allclose(person.joints_V2, np.array(place) + 0.5 + offsets_px() * 0.651, atol=1)
    np.testing.assert_allclose(person.scores_V, 1)


def test_colours_are_read_in_the_order_of_training(tmp_path):
    """Detectors read blue first, RTMPose red first."""
    seen = {}

    class Spy:
        def __init__(self, model, name):
            self.__dict__.update(model=model, name=name, width_px=model.width_px, height_px=model.height_px)
            self.path = model.path

        def run(self, picture):
            seen[self.name] = picture
            return self.model.run(picture)

    red = spot(150, 100) * np.array([1, 0, 0], np.uint8)
    pose, detector = opened(write_rtmpose(tmp_path / "p.onnx")), opened(write_detector(tmp_path / "d.onnx"))
    RtmPose(Spy(pose, "pose"), Spy(detector, "detector")).find(np.maximum(red, spot(150, 100) // 2))
    brightest = {name: picture.reshape(-1, 3).max(axis=0) for name, picture in seen.items()}
    blue, green, red = brightest["detector"].astype(float)
    assert (blue, green) == pytest.approx((red / 2, red / 2), abs=2)
    # RTMPose subtracts the mean color of its training images and divides by their deviation.
    red, green, blue = brightest["pose"] * [58.395, 57.12, 57.375] + [123.675, 116.28, 103.53]
    assert 240 < red <= 255
    assert (green, blue) == pytest.approx((red / 2, red / 2), abs=2)


def test_other_classes_are_no_persons(tmp_path):
    detector = opened(write_detector(tmp_path / "d.onnx", label=16))
    assert RtmPose(opened(write_rtmpose(tmp_path / "p.onnx")), detector).find(spot(150, 100)) == []


def test_models_of_more_joints_have_their_layout(tmp_path):
    rtmo = Rtmo(opened(write_rtmo(tmp_path / "26.onnx", num_joints=26)))
    rtmo.find(spot(150, 100))
    assert rtmo.layout.name == "halpe-26"
    with pytest.raises(InputError, match=r"the 17 joints of COCO or the 26 of Halpe, but got 5 joints"):
        Rtmo(opened(write_rtmo(tmp_path / "5.onnx", num_joints=5))).find(spot(150, 100))


def test_other_models_are_refused_with_their_outputs(tmp_path):
    pose, detector = opened(write_rtmpose(tmp_path / "p.onnx")), opened(write_detector(tmp_path / "d.onnx"))
    with pytest.raises(
        InputError, match=r"p\.onnx must be a detector .* but got the outputs simcc_x \[1, 17, 96\]"
    ):
        Rtmo(pose).find(spot(150, 100))
    with pytest.raises(
        InputError, match=r"d\.onnx must be an RTMO model .* dets \[1, 1, 5\], labels \[1, 1\]"
    ):
        Rtmo(detector).find(spot(150, 100))
    with pytest.raises(InputError, match=r"d\.onnx must be an RTMPose model"):
        RtmPose(detector, detector).find(spot(150, 100))
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(InputError, match=r"text\.onnx must be an ONNX model, but got damaged content"):
        opened(tmp_path / "text.onnx")
    with pytest.raises(InputError, match=r"a pose model must be a file, but got .*missing"):
        opened(tmp_path / "missing")
