# pyright: standard
"""Did the camera do what was asked: angles read from rotations, mirrored views, and how far a camera may be off."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from models.camera import Pose
from models.scores.camera_check import CameraEvidence, Places, judge_camera, measure_camera, read_angles, rotation_of
from models.scores.matching import Features, Matches
from models.scores.two_view import TwoViews
from models.thresholds import STAGE_VIEWS
from tests.unit.sightings import HEIGHT_PX, NUM_PLACES, WIDTH_PX, Doubles, look, observe, see, spread

NOTHING = Matches(master=np.empty((0, 2), np.float32), view=np.empty((0, 2), np.float32))


@given(azimuth=st.floats(-180, 180), elevation=st.floats(-89, 89))
def test_rotation_of_a_pose_looks_at_the_subject(azimuth: float, elevation: float) -> None:
    """The rotation of a pose is that of an upright camera there that looks at the subject."""
    pose = Pose(azimuth_deg=azimuth, elevation_deg=elevation)
    np.testing.assert_allclose(rotation_of(pose), look(pose)[0], atol=1e-9)


@given(azimuth=st.floats(-179, 179), elevation=st.floats(-89, 89), roll=st.floats(-179, 179))
def test_angles_are_the_inverse_of_a_rotation(azimuth: float, elevation: float, roll: float) -> None:
    """Azimuth, elevation and a turn clockwise are read back as they were put in."""
    clockwise = Rotation.from_euler("z", -roll, degrees=True).as_matrix()
    rotation = clockwise @ rotation_of(Pose(azimuth_deg=azimuth, elevation_deg=elevation))
    assert read_angles(rotation) == pytest.approx((azimuth, elevation, roll), abs=1e-6)


def describe_points(points: Doubles, descriptors: NDArray[np.float32]) -> Features:
    """Return places that are told apart by these descriptors."""
    return Features(points=points.astype(np.float32), descriptors=descriptors, width_px=WIDTH_PX, height_px=HEIGHT_PX)


def measure(pose: Pose, *, mirrored: bool) -> CameraEvidence:
    """Measure the camera of a pose by places whose mirror images look otherwise; show it mirrored or not."""
    random = np.random.default_rng(3)
    looks = random.normal(size=(2, NUM_PLACES, 128)).astype(np.float32)
    upright, flipped = looks / np.linalg.norm(looks, axis=2, keepdims=True)
    over = np.array((WIDTH_PX - 1, 0))
    master, view = see(spread(), np.eye(3), np.zeros(3)), see(spread(), *look(pose))
    places = Places(
        upright=describe_points(master, upright), mirrored=describe_points(over + master * (-1, 1), flipped)
    )
    seen = describe_points(over + view * (-1, 1), flipped) if mirrored else describe_points(view, upright)
    return measure_camera(places, seen, pose)


def test_mirrored_view_is_mirrored_whatever_it_shows() -> None:
    """A view that fits the mirrored master fails as mirrored, has no angles, and no pair of it counts as one place."""
    pose = Pose(azimuth_deg=30)
    evidence = measure(pose, mirrored=True)
    finding = judge_camera(evidence, pose, STAGE_VIEWS)
    assert (finding.motion, finding.status, finding.reason) == ("mirrored", "fail", "the picture is mirrored")
    assert (finding.azimuth_deg, finding.error_deg, len(evidence.agreed)) == (None, None, 0)


def test_doubted_camera_vouches_for_no_place() -> None:
    """Where the camera is not known no pair counts as one place, however many agree on something."""
    looks = np.eye(NUM_PLACES, dtype=np.float32)
    master = see(spread(), np.eye(3), np.zeros(3))
    places = describe_points(master, looks)
    mirrored = describe_points((WIDTH_PX - 1, 0) + master * (-1, 1), looks)
    evidence = measure_camera(Places(upright=places, mirrored=places), mirrored, Pose())
    assert (evidence.motion, evidence.views.num_inliers > 200) == ("unverifiable", True)
    assert len(evidence.agreed) == 0
    finding = judge_camera(evidence, Pose(), STAGE_VIEWS)
    assert (finding.status, finding.evidence, finding.azimuth_deg) == ("review", "none", None)


def test_upright_view_is_measured_and_passes() -> None:
    """The same view that is not mirrored has its angles and its places."""
    pose = Pose(azimuth_deg=30, elevation_deg=10)
    evidence = measure(pose, mirrored=False)
    finding = judge_camera(evidence, pose, STAGE_VIEWS)
    assert (finding.motion, finding.status, finding.evidence) == ("orbited", "pass", "two_view")
    assert (finding.azimuth_deg, finding.elevation_deg) == pytest.approx((30, 10), abs=1)
    assert len(evidence.agreed) == finding.num_inliers > 0.9 * NUM_PLACES


@pytest.mark.parametrize(("asked", "status"), [(40, "pass"), (48, "review"), (55, "fail"), (-30, "fail")])
def test_how_far_a_camera_may_miss_its_mark(asked: float, status: str) -> None:
    """Up to 15 degrees pass, up to 22.5 are for review, and more fails; the words say where the camera stands."""
    evidence = CameraEvidence(views=observe(Pose(azimuth_deg=30)), motion="orbited", agreed=NOTHING)
    finding = judge_camera(evidence, Pose(azimuth_deg=asked), STAGE_VIEWS)
    assert (finding.status, finding.error_deg) == (status, pytest.approx(abs(asked - 30), abs=1))
    assert ("azimuth +30" in finding.reason) == (status != "pass")


@pytest.mark.parametrize(
    ("asked", "scale", "status", "words"),
    [
        (Pose(lens="wide"), 0.45, "pass", ""),
        (Pose(lens="wide"), 0.9, "review", "0.90 times"),
        (Pose(azimuth_deg=45), 0.5, "fail", "only became wider"),
    ],
)
def test_a_wider_picture_is_what_a_wide_lens_gives(asked: Pose, scale: float, status: str, words: str) -> None:
    """A zoom passes where a wide lens was asked for and things are as small as it makes them."""
    views = TwoViews(motion="zoom", num_matches=200, num_inliers=150, scale=scale)
    finding = judge_camera(CameraEvidence(views=views, motion="zoom", agreed=NOTHING), asked, STAGE_VIEWS)
    assert finding.status == status
    assert words in finding.reason


def test_enlarged_picture_is_no_close_up() -> None:
    """What was cropped where the camera should have come closer is for a person to look at."""
    views = TwoViews(motion="crop", num_matches=200, num_inliers=150, scale=1.6)
    evidence = CameraEvidence(views=views, motion="crop", agreed=NOTHING)
    assert judge_camera(evidence, Pose(distance=0.6), STAGE_VIEWS).status == "review"
    assert judge_camera(evidence, Pose(azimuth_deg=45), STAGE_VIEWS).status == "fail"
    unknown = replace(evidence, motion="unverifiable")
    assert judge_camera(unknown, Pose(azimuth_deg=45), STAGE_VIEWS).evidence == "none"


@pytest.mark.parametrize("asked", [Pose(azimuth_deg=5), Pose(azimuth_deg=-5), Pose(elevation_deg=5)])
def test_the_smallest_turn_that_is_measured_is_asked_for(asked: Pose) -> None:
    """Who asks for five degrees and gets the master back is told so, whichever way five degrees are rounded."""
    views = TwoViews(motion="static", num_matches=300, num_inliers=300, scale=1.0)
    evidence = CameraEvidence(views=views, motion="static", agreed=NOTHING)
    assert judge_camera(evidence, asked, STAGE_VIEWS).status == "fail"
