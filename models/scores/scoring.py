# pyright: standard
"""The score card of a view: what is read of a master once, and then of every view beside it.

Every picture is decoded once and looked at in one working size; nothing of a view is kept but its card. What an encoder
that is not installed would have measured is not measured, and says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from models.camera import Pose
from models.errors import MissingWeightsError
from models.profiles import Profile
from models.scores.baselines import PaperReference, measure_baselines, prepare_reference
from models.scores.camera_check import CameraEvidence, Places, describe_master, judge_camera, measure_camera
from models.scores.clip import ClipEncoder, embed_with_mirror, load_clip
from models.scores.colour import Colours, check_grade, colour_shift, read_colours
from models.scores.findings import CameraFinding, PeopleFinding, PlaceFinding, ScoreCard
from models.scores.judge import Judge, Opinion, ask_judge, load_judge
from models.scores.matching import describe, to_working_size
from models.scores.paper import PaperBaselines, score_view, shrink_for_scores
from models.scores.patches import (
    PatchEncoder,
    compare_patches,
    draw_heat_map,
    encode_patches,
    load_patch_encoder,
    measure_unmatched,
)
from models.scores.patches import measure_appearance as measure
from models.scores.people import (
    FACES_SIDE_PX,
    FaceEncoder,
    Faces,
    find_faces,
    load_face_encoder,
    match_faces,
    match_subject,
)
from models.scores.place import check_place, weigh_judge
from models.scores.validity import check_picture
from models.sources import locate
from models.thresholds import Thresholds

Pixels = NDArray[np.uint8]
Loaded = TypeVar("Loaded")


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedMaster:
    """All that is read of a master once."""

    size: tuple[int, int]
    working: Pixels  # (H, W, 3)
    shrunk: Pixels  # (H, W, 3), as fine as what the model renders
    paper: PaperReference
    places: Places
    colours: Colours
    patches: Tensor | None
    faces: Faces | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorer:
    """The loaded encoders of a profile, and why others are absent."""

    clip: ClipEncoder | None
    patches: PatchEncoder | None
    faces: FaceEncoder | None
    judge: Judge | None
    limits: Thresholds
    raster_area_px: int
    """Of what the model renders: no finer detail is asked of a view."""
    missing: dict[str, str]

    def prepare(self, master: Image.Image) -> PreparedMaster:
        """Read all that is needed of a master."""
        working = to_working_size(master)
        return PreparedMaster(
            size=master.size,
            working=working,
            shrunk=_shrink(master, self.raster_area_px),
            paper=prepare_reference(master, self.clip),
            places=describe_master(working),
            colours=read_colours(working),
            patches=encode_patches(self.patches, working) if self.patches else None,
            faces=find_faces(self.faces, _for_faces(master)) if self.faces else None,
        )

    def measure_baselines(self, master: PreparedMaster) -> PaperBaselines:
        """Return chance level and null edit of the paper's figures."""
        return measure_baselines(master.paper, self.clip)

    def score(self, master: PreparedMaster, view: Image.Image, asked: Pose) -> ScoreCard:
        """Return the card of a view that was asked for at a pose."""
        was_resized = view.size != master.size
        view = view if view.mode == "RGB" else view.convert("RGB")
        view = view.resize(master.size, Image.Resampling.LANCZOS) if was_resized else view
        working = to_working_size(view)
        evidence, colours = measure_camera(master.places, describe(working), asked), read_colours(working)
        camera, place = self._compare_patches(master, working, evidence, asked)
        paper, (cosine, mirrored_cosine) = shrink_for_scores(view), self._clip_cosines(master, view)
        return ScoreCard(
            picture=check_picture(master.shrunk, _shrink(view, self.raster_area_px), self.limits),
            camera=camera,
            place=place,
            people=self._compare_people(master, view, colours, asked),
            grade=check_grade(
                master.colours, colours, colour_shift(master.working, working, evidence.agreed), self.limits
            ),
            paper=score_view(master.paper.picture, paper, cosine),
            paper_mirror=score_view(master.paper.picture, ImageOps.mirror(paper), mirrored_cosine),
            thresholds=self.limits.name,
            was_resized=was_resized,
        )

    def _compare_patches(
        self, master: PreparedMaster, working: Pixels, evidence: CameraEvidence, asked: Pose
    ) -> tuple[CameraFinding, PlaceFinding]:
        camera = judge_camera(evidence, asked, self.limits)
        if self.patches is None or master.patches is None:
            reason = self.missing.get("appearance", "the profile names no encoder of appearance")
            return camera, PlaceFinding(status="not_measured", reason=reason)
        seen = encode_patches(self.patches, working)
        similarity = compare_patches(master.patches, seen)
        opinion: Opinion | None = ask_judge(self.judge, similarity) if self.judge else None
        if opinion and camera.motion == "unverifiable":
            camera = weigh_judge(camera, opinion, asked, self.limits)
        place = check_place(camera, measure(similarity), opinion, self.limits)
        return camera, place.model_copy(
            update={"heat_map": draw_heat_map(similarity), "unmatched_share": measure_unmatched(similarity)}
        )

    def _compare_people(
        self, master: PreparedMaster, view: Image.Image, colours: Colours, asked: Pose
    ) -> PeopleFinding:
        """Compare faces where both pictures show some, and the colours of the subject otherwise."""
        subject = match_subject(master.colours, colours, asked, self.limits)
        if why := self.missing.get("faces"):
            return subject.model_copy(update={"reason": f"{subject.reason or 'by colours alone'}; {why}"})
        if self.faces is None or master.faces is None or not len(master.faces.descriptors):
            return subject
        matched = match_faces(master.faces, find_faces(self.faces, _for_faces(view)), self.limits)
        return subject if matched is None else matched

    def _clip_cosines(self, master: PreparedMaster, view: Image.Image) -> tuple[float | None, float | None]:
        """Return the cosines of a view and of its mirror image with the master."""
        if self.clip is None or master.paper.embedding is None:
            return None, None
        upright, mirrored = embed_with_mirror(self.clip, view) @ master.paper.embedding
        return float(upright), float(mirrored)


def load_scorer(profile: Profile, weights: Path) -> Scorer:
    """Load the encoders of a profile; one that is not installed is left out, with its reason in `missing`.

    Raises:
        WrongWeightsError, PickledWeightsError: A file is damaged, not the pinned one, or not safe to open.
    """
    missing: dict[str, str] = {}

    def load(name: str, how: Callable[[], Loaded]) -> Loaded | None:
        try:
            return how()
        except MissingWeightsError as exc:
            missing[name] = str(exc)
            return None

    appearance, faces, judge = profile.appearance, profile.faces, profile.judge
    return Scorer(
        clip=load("clip", lambda: load_clip(locate(profile.clip, weights))),
        patches=load("appearance", lambda: load_patch_encoder(appearance)) if appearance else None,
        faces=load("faces", lambda: load_face_encoder(faces)) if faces else None,
        judge=load("judge", lambda: load_judge(locate(judge, weights))) if judge else None,
        limits=profile.thresholds,
        raster_area_px=profile.reference_area_px,
        missing=missing,
    )


def _shrink(picture: Image.Image, area_px: int) -> Pixels:
    """Return a picture of at most as many pixels, never enlarged."""
    return _resize(picture, min(1.0, (area_px / (picture.width * picture.height)) ** 0.5))


def _for_faces(picture: Image.Image) -> Pixels:
    return _resize(picture, min(1.0, FACES_SIDE_PX / max(picture.size)))


def _resize(picture: Image.Image, scale: float) -> Pixels:
    size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS).convert("RGB"))
