# pyright: standard
"""Are they the same people: faces of real photographs in one picture or many, and the colours where no face is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from models.camera import Pose
from models.encoders import DLIB_FACES, Encoder
from models.errors import MissingWeightsError, WrongWeightsError
from models.profiles import QWEN_EDIT_2511
from models.scores.colour import read_colours
from models.scores.findings import PeopleFinding
from models.scores.people import (
    MAX_FACES,
    SURE_FACE,
    FaceEncoder,
    Faces,
    find_faces,
    load_face_encoder,
    match_faces,
    match_subject,
)
from models.scores.scoring import Scorer, load_scorer
from models.thresholds import STAGE_VIEWS

Pixels = NDArray[np.uint8]

ANN, BEN, CLEO, DAN, EVE = 2, 10, 26, 31, 46
"""Places of five strangers in scikit-image's photographs of faces."""
NOBODY = Faces(descriptors=np.empty((0, 128), np.float32), scores=np.empty(0, np.float32), num_seen=0)
PROFILE = QWEN_EDIT_2511.model_copy(update={"appearance": None})


@pytest.fixture(scope="module")
def encoder() -> FaceEncoder:
    """The encoder of faces."""
    return load_face_encoder(DLIB_FACES)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """A scorer that sees faces, and no patches."""
    return load_scorer(PROFILE, Path("no_weights"))


def portray(*people: int) -> Pixels:
    """Return one picture of people beside each other."""
    photographs = data.lfw_subset()
    faces = [Image.fromarray((photographs[person] * 255).astype(np.uint8)).resize((100, 100)) for person in people]
    beside = [np.pad(np.asarray(face), 30, mode="edge") for face in faces]
    return np.repeat(np.concatenate(beside, axis=1)[..., None], 3, axis=2)


def astronaut() -> Pixels:
    """Return the face of the astronaut in colour."""
    return data.astronaut()[20:260, 120:330].copy()


def compare(encoder: FaceEncoder, master: Pixels, view: Pixels) -> PeopleFinding:
    """Match the faces of two pictures that show some."""
    found = match_faces(find_faces(encoder, master), find_faces(encoder, np.ascontiguousarray(view)), STAGE_VIEWS)
    assert found
    return found


def fake(*angles: float) -> Faces:
    """Return faces at these angles on a circle of diameter 1, where a chord of 0.6 is 73.7 degrees."""
    radians = np.radians(angles)
    points = np.stack((np.cos(radians), np.sin(radians)), axis=1) / 2
    return Faces(
        descriptors=np.pad(points, ((0, 0), (0, 126))).astype(np.float32),
        scores=np.ones(len(angles), np.float32),
        num_seen=len(angles),
    )


def test_same_picture_has_the_same_face(encoder: FaceEncoder) -> None:
    """The face of a picture that is given back is at no distance."""
    finding = compare(encoder, astronaut(), astronaut())
    assert (finding.status, finding.num_master, finding.num_view, finding.num_matched) == ("pass", 1, 1, 1)
    assert finding.identity_worst == pytest.approx(0, abs=1e-6)
    assert finding.identity_margin is None


@pytest.mark.parametrize("change", ["mirrored", "dark", "without colour", "tall"])
def test_same_face_is_known_again(encoder: FaceEncoder, change: str) -> None:
    """Mirrored, darker, without colour or drawn out, a face stays the same person."""
    face = astronaut()
    changed = {
        "mirrored": face[:, ::-1],
        "dark": (face * 0.4).astype(np.uint8),
        "without colour": np.repeat(face.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
        "tall": np.asarray(Image.fromarray(face).resize((210, 300))),
    }
    finding = compare(encoder, face, changed[change])
    assert (finding.status, finding.num_matched) == ("pass", 1)
    assert finding.identity_worst
    assert 0.05 < finding.identity_worst < 0.45


def test_another_face_is_of_nobody(encoder: FaceEncoder) -> None:
    """Somebody else in the master's place fails, and the distance says by how much."""
    finding = compare(encoder, portray(ANN), portray(BEN))
    assert (finding.status, finding.num_matched) == ("fail", 0)
    assert finding.reason == "1 of 1 faces are of nobody in the master"
    assert finding.identity_worst
    assert finding.identity_worst > STAGE_VIEWS.face_distance


def test_several_people_are_matched_one_to_one(encoder: FaceEncoder) -> None:
    """People who stand elsewhere in the view are all found, each as one of the master's."""
    finding = compare(encoder, portray(ANN, BEN, CLEO, DAN), portray(DAN, ANN, BEN, CLEO))
    assert (finding.status, finding.num_matched) == ("pass", 4)
    assert finding.reason == "4 of 4 faces were found again"
    assert finding.identity_worst is not None
    assert finding.identity_margin is not None
    assert finding.identity_worst < 0.3 < finding.identity_margin


def test_one_person_is_not_two(encoder: FaceEncoder) -> None:
    """Somebody who stands in the view twice is the master's person once, and the other is a stranger."""
    finding = compare(encoder, portray(ANN, BEN), portray(ANN, ANN))
    assert (finding.status, finding.num_matched) == ("fail", 1)
    assert finding.reason == "1 of 2 faces are of nobody in the master"


def test_who_is_out_of_sight_is_missed_by_nobody(encoder: FaceEncoder) -> None:
    """A camera that sees fewer people passes; one more than the master has is a stranger."""
    fewer = compare(encoder, portray(ANN, BEN, EVE), portray(EVE))
    assert (fewer.status, fewer.reason) == ("pass", "1 of 3 faces were found again")
    assert (fewer.num_master, fewer.num_view, fewer.num_matched) == (3, 1, 1)
    more = compare(encoder, portray(EVE), portray(ANN, EVE))
    assert (more.status, more.reason) == ("fail", "1 of 2 faces are of nobody in the master")


@pytest.mark.parametrize(
    ("master", "view", "status", "worst", "margin"),
    [
        ((0, 180), (10,), "pass", 0.0872, 0.909),
        ((0, 4), (1,), "review", 0.0087, 0.017),
        ((0,), (73,), "pass", 0.5948, None),
        ((0,), (75,), "fail", 0.6088, None),
        ((0, 60), (45, 100), "review", 0.3827, -0.252),
    ],
)
def test_figures_of_faces_by_hand(
    master: Sequence[float], view: Sequence[float], status: str, worst: float, margin: float | None
) -> None:
    """Distances, margins and the limit of dlib, on faces whose distances are chords; the sum of all is smallest."""
    finding = match_faces(fake(*master), fake(*view), STAGE_VIEWS)
    assert finding
    assert finding.status == status
    assert finding.num_matched == (0 if status == "fail" else len(view))
    assert finding.identity_worst == pytest.approx(worst, abs=1e-4)
    assert finding.identity_margin == (None if margin is None else pytest.approx(margin, abs=1e-3))


def test_crowd_is_bounded_and_counted(encoder: FaceEncoder) -> None:
    """Of three hundred faces all are counted and the largest 64 looked at, and both are said."""
    side = 48
    tile = np.asarray(Image.fromarray(data.astronaut()[50:200, 150:300]).resize((side, side)))
    crowd = find_faces(encoder, np.tile(tile, (15, 20, 1)))
    assert (crowd.num_seen, crowd.descriptors.shape) == (300, (MAX_FACES, 128))
    finding = match_faces(crowd, crowd, STAGE_VIEWS)
    assert finding
    assert (finding.num_master, finding.num_view, finding.num_matched) == (300, 300, MAX_FACES)
    assert finding.status == "review"  # all of them are the same woman
    assert finding.reason.endswith("(the largest 64 of 300 faces)")


def test_stranger_in_a_crowd_is_to_be_reviewed() -> None:
    """Who is not among the largest faces of a crowd may stand behind: a person decides, and no view fails."""
    few, crowd = fake(0), replace(fake(0, 180), num_seen=MAX_FACES + 1)
    for master, view in ((crowd, fake(90)), (few, crowd)):
        finding = match_faces(master, view, STAGE_VIEWS)
        assert finding
        assert finding.status == "review"
        assert "not found in the master (the largest 64 of 65 faces)" in finding.reason


def test_what_is_hardly_a_face_is_no_stranger(encoder: FaceEncoder) -> None:
    """The patch of a mission on an astronaut's arm, which the detector takes for a poor face, fails no view."""
    found = find_faces(encoder, data.astronaut())
    assert found.num_seen == 2
    assert (found.scores >= SURE_FACE).tolist() == [True, False]
    alone = find_faces(encoder, np.ascontiguousarray(data.astronaut()[:300]))
    assert alone.num_seen == 1
    finding = match_faces(alone, found, STAGE_VIEWS)
    assert finding
    assert (finding.status, finding.reason) == ("review", "1 of 2 faces were not found in the master")


def test_largest_faces_come_first(encoder: FaceEncoder) -> None:
    """Whatever side a large face stands on, it is the first."""
    small = np.pad(np.asarray(Image.fromarray(portray(ANN)).resize((80, 80))), ((0, 160), (0, 0), (0, 0)), mode="edge")
    large = np.asarray(Image.fromarray(portray(BEN)).resize((240, 240)))
    (ben,) = find_faces(encoder, large).descriptors
    for order in ((small, large), (large, small)):
        faces = find_faces(encoder, np.concatenate(order, axis=1))
        assert faces.num_seen == 2
        assert np.linalg.norm(faces.descriptors - ben, axis=1).argmin() == 0


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3), np.uint8), np.full((60, 400, 3), 255, np.uint8)])
def test_where_nobody_is_there_is_no_face(encoder: FaceEncoder, picture: Pixels) -> None:
    """One colour has no faces, and then there is nothing to match."""
    faces = find_faces(encoder, picture)
    assert (faces.num_seen, faces.descriptors.shape) == (0, (0, 128))
    for pair in ((faces, fake(0)), (fake(0), faces), (NOBODY, NOBODY)):
        assert match_faces(*pair, STAGE_VIEWS) is None


@pytest.mark.parametrize("is_master_empty", [True, False])
def test_without_faces_the_colours_of_the_subject_count(scorer: Scorer, *, is_master_empty: bool) -> None:
    """Where one of the pictures shows nobody, the subject's colours are measured and no face is."""
    red, blue = (Image.fromarray(dress(colour)).resize((100, 56)) for colour in ((180, 30, 40), (30, 60, 180)))
    master, view = (red, blue) if is_master_empty else (Image.fromarray(astronaut()), blue)
    people = scorer.score(scorer.prepare(master), view, Pose()).people
    assert (people.num_master, people.num_view, people.identity_worst) == (None, None, None)
    assert people.status == "fail"
    assert people.subject_distance
    assert people.subject_distance > STAGE_VIEWS.subject[1]


def test_faces_are_looked_for_where_there_are_some(scorer: Scorer) -> None:
    """A card tells of faces when both pictures show them, and of a stranger whatever else fits."""
    master = scorer.prepare(Image.fromarray(portray(ANN, BEN)))
    cards = [scorer.score(master, Image.fromarray(portray(*people)), Pose()) for people in ((BEN, ANN), (BEN, DAN))]
    assert [card.people.num_matched for card in cards] == [2, 1]
    assert "1 of 2 faces are of nobody in the master" in cards[1].reasons
    assert cards[1].verdict == "fail"


def test_missing_encoder_says_what_to_install() -> None:
    """Without its package faces are not measured and why is said; the subject's colours are still there."""
    absent = DLIB_FACES.model_copy(update={"package": "no_such_package"})
    with pytest.raises(MissingWeightsError, match="no_such_package"):
        load_face_encoder(absent)
    poor = load_scorer(PROFILE.model_copy(update={"faces": absent}), Path("no_weights"))
    assert "no_such_package" in poor.missing["faces"]
    picture = Image.fromarray(dress((180, 30, 40))).resize((100, 56))
    people = poor.score(poor.prepare(picture), picture, Pose()).people
    assert (people.num_master, people.num_matched, people.subject_distance) == (None, None, 0)
    assert people.reason == f"by colours alone; {poor.missing['faces']}"


def test_other_files_than_the_pinned_ones_are_refused() -> None:
    """An encoder whose bytes are others measures something else, and is not loaded."""
    other: Encoder = DLIB_FACES.model_copy(update={"files": ((DLIB_FACES.files[0][0], "0" * 64), DLIB_FACES.files[1])})
    with pytest.raises(WrongWeightsError, match="not the pinned file"):
        load_face_encoder(other)


def dress(colour: tuple[int, int, int], half: tuple[float, float] = (0.2, 0.5)) -> Pixels:
    """Return a grey picture with a subject of one colour in its middle, by half its width and height as shares."""
    picture = np.full((112, 200, 3), 119, np.uint8)
    columns, rows = round(half[0] * 200), round(half[1] * 112)
    picture[56 - rows : 56 + rows, 100 - columns : 100 + columns] = colour
    return picture


@pytest.mark.parametrize(
    ("colour", "status"), [((180, 30, 40), "pass"), ((183, 33, 43), "pass"), ((30, 60, 180), "fail")]
)
def test_subject_wears_the_same_colours(colour: tuple[int, int, int], status: str) -> None:
    """The colours in the middle of the view are looked for in the middle of the master."""
    finding = match_subject(read_colours(dress((180, 30, 40))), read_colours(dress(colour)), Pose(), STAGE_VIEWS)
    assert finding.status == status
    lab = [rgb2lab(np.array(each) / 255) for each in (colour, (180, 30, 40))]
    expected = np.linalg.norm((lab[0] - lab[1]) * (0.5, 1, 1))
    assert finding.subject_distance == pytest.approx(expected, abs=0.05)
    assert finding.reason.startswith("the subject wears other colours" if status == "fail" else "")


@pytest.mark.parametrize(
    ("pose", "is_seen"),
    [(Pose(), False), (Pose(distance=0.5), True), (Pose(distance=0.5, lens="wide"), False), (Pose(distance=4), False)],
)
def test_subject_is_as_large_as_its_pose_shows_it(pose: Pose, is_seen: bool) -> None:  # noqa: FBT001 - pytest passes it
    """What stands around a subject of the usual size belongs to it in a close-up, and not through a wide lens."""
    view = dress((30, 60, 180))
    view[:, 88:112] = 119
    finding = match_subject(read_colours(dress((119, 119, 119))), read_colours(view), pose, STAGE_VIEWS)
    assert (finding.status == "fail") == is_seen
