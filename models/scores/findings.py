"""What is found out about one view of a master: five checks, each with numbers, a status and a reason in words.

Gates come first and grades after; no single number decides. What could not be measured says so and is never zero.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from models.scores.paper import PaperScores

SCORES_VERSION = 2
"""Raised by every change of the code that changes a figure or a status."""

Status = Literal["pass", "review", "fail", "not_measured"]
Verdict = Literal["pass", "review", "fail"]
Motion = Literal["static", "pan", "zoom", "crop", "dollied", "orbited", "mirrored", "warped", "unverifiable"]
Evidence = Literal["two_view", "multi_view", "patches", "none"]


class Finding(BaseModel):
    """A status and its reason; the reason of a pass may be empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    reason: str = ""


class PictureFinding(Finding):
    """Is it a picture at all."""

    structure: float
    """Correlation of neighbouring pixels: about 0 for noise, above 0.9 for most pictures."""
    sharpness_ratio: float | None
    """Fine against coarse detail, as a share of the master's; null where the master has none."""


class CameraFinding(Finding):
    """Did the camera do what was asked; angles are measured against the master's camera."""

    motion: Motion
    evidence: Evidence
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    roll_deg: float | None = None
    error_deg: float | None = None
    """Between the rotation measured and the one asked for."""
    scale: float | None = None
    """Of a crop or zoom: how much larger things are than in the master."""
    num_matches: int = 0
    num_inliers: int = 0


class PlaceFinding(Finding):
    """Is it the same place."""

    appearance: float | None = None
    """Mean similarity of each patch to the most similar one of the master, in [-1, 1]; null without an encoder."""
    unmatched_share: float | None = None
    """Of the view's patches, those that seem to come from elsewhere."""
    foreign: float | None = None
    """Evidence that a part of it is of somewhere else, of all pictures together: a log-likelihood ratio."""
    strange: float | None = None
    """Share of colours that no other picture of the coverage has, in the part of the view where it is largest."""
    heat_map: tuple[tuple[float, ...], ...] | None = None
    """Of each patch, rows from the top: the similarity to the most similar patch of the master, in [0, 1]."""


class PeopleFinding(Finding):
    """Are they the same people: by faces where faces can be seen, else by the colours of who stands in the middle."""

    num_master: int | None = None
    num_view: int | None = None
    num_matched: int | None = None
    identity_worst: float | None = None
    """Largest distance between two faces that were matched; what is the same person depends on the encoder."""
    identity_margin: float | None = None
    """By how much the nearest wrong face is farther than the right one, the smallest of all."""
    subject_distance: float | None = None
    """In Lab: how far the colours of the middle of the view are from any of the middle of the master."""


class GradeFinding(Finding):
    """Is the grade that of the master."""

    colour_distance: float
    """Sliced Wasserstein distance of all pixels in Lab."""
    palette_distance: float
    """CIEDE2000, from each colour of the master's palette to the nearest of the view's."""
    shift: tuple[float, float, float] | None = None
    """L, a, b: by how much the same places changed; null where no places were matched."""


class MultiViewFinding(Finding):
    """Do all pictures of a coverage show one place."""

    registered_share: float | None = None
    """Of the views: those that were placed around the same master."""
    reprojection_px: float | None = None
    left_out: tuple[str, ...] = ()
    """Views that failed on their own, and are no evidence."""
    missing: tuple[str, ...] = ()
    """Views that could not be placed."""
    strange: tuple[str, ...] = ()
    """Views part of which seems to be of somewhere else."""


CHECKS = ("picture", "camera", "place", "people", "grade")


class ScoreCard(BaseModel):
    """All that was found out about one view."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: PictureFinding
    camera: CameraFinding
    place: PlaceFinding
    people: PeopleFinding
    grade: GradeFinding
    paper: PaperScores
    paper_mirror: PaperScores
    """The paper's figures of the view mirrored: what cannot tell left from right is about the same."""
    thresholds: str
    """Name of the set of thresholds that gave the statuses."""
    was_resized: bool = False
    """It came in another size than the master's and was brought to it before anything was measured."""

    @property
    def findings(self) -> dict[str, Finding]:
        """The five checks by name."""
        return {name: getattr(self, name) for name in CHECKS}

    @property
    def verdict(self) -> Verdict:
        """The worst status; what was not measured does not count."""
        found = {finding.status for finding in self.findings.values()}
        return "fail" if "fail" in found else "review" if "review" in found else "pass"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not a pass, failures first."""
        ranked = sorted(self.findings.values(), key=lambda finding: finding.status != "fail")
        return tuple(finding.reason for finding in ranked if finding.status in {"review", "fail"})

    @property
    def order_score(self) -> float:
        """For ranking only: the grade in [0, 1], less 1 for each check to review and 10 for each failed one."""
        found = [finding.status for finding in self.findings.values()]
        return self.grade_of_all - found.count("review") - 10 * found.count("fail")

    @property
    def grade_of_all(self) -> float:
        """Mean in [0, 1] of what was graded: appearance, camera error, share that belongs, subject and grade."""
        worth = {
            "appearance": (self.place.appearance, 0.3, 0.8),
            "unmatched": (self.place.unmatched_share, 0.5, 0.0),
            "foreign": (self.place.foreign, 100.0, 0.0),
            "strange": (self.place.strange, 0.3, 0.0),
            "camera": (self.camera.error_deg, 30.0, 0.0),
            "subject": (self.people.subject_distance, 10.0, 0.0),
            "grade": (self.grade.colour_distance, 15.0, 0.0),
        }
        graded = [
            min(1.0, max(0.0, (value - worst) / (best - worst)))
            for value, worst, best in worth.values()
            if value is not None
        ]
        return sum(graded) / len(graded)

    def columns(self) -> dict[str, object]:
        """Return the card in the flat columns of the Parquet report."""
        return {
            "verdict": self.verdict,
            "reasons": "; ".join(self.reasons),
            "order_score": self.order_score,
            **{f"{name}_status": finding.status for name, finding in self.findings.items()},
            "structure": self.picture.structure,
            "sharpness_ratio": self.picture.sharpness_ratio,
            "camera_kind": self.camera.motion,
            **{f"camera_{name}": getattr(self.camera, name) for name in _CAMERA_COLUMNS},
            "appearance": self.place.appearance,
            "unmatched_share": self.place.unmatched_share,
            "foreign_evidence": self.place.foreign,
            "strange_share": self.place.strange,
            "subject_distance": self.people.subject_distance,
            "num_people_master": self.people.num_master,
            "num_people_view": self.people.num_view,
            "num_people_matched": self.people.num_matched,
            "identity_worst": self.people.identity_worst,
            "identity_margin": self.people.identity_margin,
            "colour_distance": self.grade.colour_distance,
            "palette_distance": self.grade.palette_distance,
            "thresholds": self.thresholds,
        }


_CAMERA_COLUMNS = ("evidence", "azimuth_deg", "elevation_deg", "roll_deg", "error_deg", "num_matches", "num_inliers")
