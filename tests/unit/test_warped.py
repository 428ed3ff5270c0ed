"""A flat picture that was stretched, bent, shifted or tilted is no camera move, whatever two cameras would explain."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.camera import Pose
from models.scores.camera_check import CameraEvidence, Places, describe_master, judge_camera, measure_camera
from models.scores.findings import CameraFinding
from models.scores.matching import Matches, describe, to_working_size
from models.scores.two_view import TwoViews
from models.thresholds import STAGE_VIEWS

PLACE = Path(__file__).parents[1] / "known_cameras/quay"
CLOSE = Pose(distance=0.6)
NOWHERE = np.zeros((0, 2), np.float32)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """The path-traced quay, as it is matched."""
    path = next(PLACE.glob("master.*"))
    return to_working_size(Image.open(path).convert("RGB"))


@pytest.fixture(scope="module")
def places(picture: NDArray[np.uint8]) -> Places:
    """Its places."""
    return describe_master(picture)


def bend(picture: NDArray[np.uint8], places: Places, warp: list[list[float]], asked: Pose = CLOSE) -> CameraFinding:
    """Judge a picture that was warped about its middle by a matrix (3, 3)."""
    height, width = picture.shape[:2]
    to_middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    matrix = np.linalg.inv(to_middle) @ np.array(warp) @ to_middle
    bent = np.asarray(cv2.warpPerspective(picture, matrix, (width, height)), np.uint8)
    return judge_camera(measure_camera(places, describe(bent), asked), asked, STAGE_VIEWS)


@pytest.mark.parametrize(
    "warp",
    [
        [[1.2, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1.4, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0.15, 0], [0, 1, 0], [0, 0, 1]],
    ],
)
def test_a_stretched_or_sheared_master_fails(
    picture: NDArray[np.uint8], places: Places, warp: list[list[float]]
) -> None:
    """No camera makes it, and it says so."""
    camera = bend(picture, places, warp)
    assert (camera.status, camera.motion) == ("fail", "warped")
    assert camera.reason == "the picture is the master, stretched or bent"
    assert camera.error_deg is None


def test_a_tilted_flat_picture_does_not_pass(picture: NDArray[np.uint8], places: Places) -> None:
    """A camera could have made it of a wall: a person has to look."""
    camera = bend(picture, places, [[1, 0, 0], [0, 1, 0], [0, 1.5e-4, 1]])
    assert camera.status in {"review", "fail"}
    assert camera.motion != "orbited"


def test_a_shift_or_a_roll_is_called_so(picture: NDArray[np.uint8], places: Places) -> None:
    """And not an enlarged part of the same size."""
    shift = bend(picture, places, [[1, 0, 40], [0, 1, 0], [0, 0, 1]])
    assert shift.status == "fail"
    assert "times as large" not in shift.reason


def test_a_turn_by_little_is_a_turn(picture: NDArray[np.uint8], places: Places) -> None:
    """A camera that turned by three degrees on its spot came no closer."""
    height = picture.shape[0]
    focal = height / 2 / np.tan(np.radians(20))
    turn = cv2.Rodrigues(np.radians([0.0, 3.0, 0.0]))[0]
    lens = np.diag([focal, focal, 1.0])
    camera = bend(picture, places, (lens @ turn @ np.linalg.inv(lens)).tolist())
    assert camera.status == "fail"
    assert camera.motion in {"pan", "crop"}


@pytest.mark.parametrize(
    ("asked", "translation", "status"),
    [
        (CLOSE, (0.0, 0.0, -1.0), "pass"),
        (CLOSE, (0.0, 0.0, 1.0), "fail"),
        (CLOSE, (1.0, 0.0, 0.0), "review"),
        (Pose(distance=1.5), (0.0, 0.0, 1.0), "pass"),
        (Pose(distance=1.5), (0.0, 0.0, -1.0), "fail"),
    ],
)
def test_a_camera_comes_closer_or_goes_back(asked: Pose, translation: tuple[float, ...], status: str) -> None:
    """The way it went is held against the distance asked for."""
    views = TwoViews(
        motion="dollied", num_matches=90, num_inliers=80, rotation=np.eye(3), translation=np.array(translation)
    )
    evidence = CameraEvidence(views=views, motion="dollied", agreed=Matches(master=NOWHERE, view=NOWHERE))
    camera = judge_camera(evidence, asked, STAGE_VIEWS)
    assert camera.status == status
    assert ("the wrong way" in camera.reason) == (status == "fail")
