"""The review page of a coverage: what it shows, and the one HTML file that shows it.

The file needs nothing else: its pictures are in it, its policy forbids every request, and whatever can be read on it
can be read without its script.
"""

import base64
import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from models.camera import Pose
from tasks.review_plan import Plan, PlanCamera, draw_plan

_FOLDER = Path(__file__).parent / "review"
_SCRIPTS = ("decisions.js", "compare.js", "page.js")

Verdict = Literal["pass", "review", "fail"]
VERDICTS: tuple[Verdict, ...] = ("fail", "review", "pass")
"""In the order in which an editor wants to see them."""

_Similarity = Annotated[float, Field(ge=0, le=1)]
_PictureUri = Annotated[str, StringConstraints(pattern=r"^data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+=*$")]
_RelativePath = Annotated[str, StringConstraints(pattern=r"^(?:[^/\\:\s.][^/\\:\r\n]*/)*[^/\\:\s.][^/\\:\r\n]*$")]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ReviewPicture(_Shown):
    """A picture, in the page itself."""

    uri: _PictureUri
    alt: str
    width_px: Annotated[int, Field(ge=1)]
    """Of the picture in the store, which may be larger than the one in the page."""
    height_px: Annotated[int, Field(ge=1)]


class MeasuredPose(_Shown):
    """Where the camera of a picture was found to stand, or why it was not found."""

    kind: Annotated[str, StringConstraints(min_length=1)]
    """`orbited`, `static`, `crop`, `mirrored`, `unverifiable` and the like, as the page says it."""
    azimuth_deg: FiniteFloat | None = None
    elevation_deg: FiniteFloat | None = None
    distance: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """Factor on the master's distance; None where only directions were measured."""
    rotation_error_deg: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """Angle between the measured orientation and the one given."""

    @property
    def is_located(self) -> bool:
        """Whether the plan view can show where it stands."""
        return self.azimuth_deg is not None and self.kind != "unverifiable"


class ReviewCheck(_Shown):
    """What one check found."""

    name: str
    status: Literal["pass", "review", "fail", "not_measured"]
    reason: str = ""


class ReviewAttempt(_Shown):
    """One rendering of an angle, chosen or not."""

    number: Annotated[int, Field(ge=1)]
    seed: int
    picture: ReviewPicture
    """Small."""
    verdict: Verdict
    is_chosen: bool


class ScoreColumn(_Shown):
    """One column of the score table, and what its figures can be compared with."""

    key: str
    label: str
    explanation: str
    is_higher_better: bool | None = None
    """None where the figure cannot tell a right view from a wrong one."""
    num_decimals: Annotated[int, Field(ge=0, le=6)] = 3
    chance: FiniteFloat | None = None
    """What unrelated pictures get."""
    null_edit: FiniteFloat | None = None
    """What the master gets when it is handed in as the angle."""
    mirror: FiniteFloat | None = None
    """What the views get when they are mirrored, the mean of all."""


class ReviewAngle(_Shown):
    """One angle: its picture, where its camera should stand and does, and what was found."""

    name: str
    picture: ReviewPicture
    title_lines: tuple[str, ...] = ()
    asked: Pose
    given: Pose
    measured: MeasuredPose | None = None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    checks: tuple[ReviewCheck, ...] = ()
    scores: dict[str, FiniteFloat | None]
    """One figure for the key of every column; None where it was not measured."""
    heat_map: tuple[tuple[_Similarity | None, ...], ...] | None = None
    """Rows of patches from the top left: similarity to the most similar place in the master."""
    attempts: tuple[ReviewAttempt, ...] = ()
    download: _RelativePath | None = None

    @model_validator(mode="after")
    def _check_heat_map(self) -> Self:
        widths = {1} if self.heat_map is None else {len(row) for row in self.heat_map}
        if len(widths) != 1 or 0 in widths:
            msg = f"The heat map of {self.name} needs a row at least, and rows of one length: leave it out instead."
            raise ValueError(msg)
        return self


class ReviewEncoder(_Shown):
    """A model that the checks looked through."""

    name: str
    licence: str
    digest: str
    """SHA-256 of its weights, or `not measured: ` and the reason."""


class ReviewDownload(_Shown):
    """A file that lies beside the page."""

    label: str
    path: _RelativePath


class ReviewPage(_Shown):
    """All that the page of a coverage shows."""

    coverage_id: Annotated[str, StringConstraints(min_length=1)]
    """Unlike that of any other coverage: the browser keeps decisions under it."""
    title: str
    warning: str = ""
    """What a reader must know before trusting a picture."""
    project: str = ""
    sequence: str = ""
    scene: str
    version: str
    created_at: AwareDatetime
    profile: str
    master: ReviewPicture
    angles: Annotated[tuple[ReviewAngle, ...], Field(min_length=1)]
    """In the order of the request."""
    columns: tuple[ScoreColumn, ...] = ()
    multi_view_finding: str = ""
    """One sentence on how well the angles agree with one another."""
    encoders: tuple[ReviewEncoder, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences: the assumptions behind the figures, the thresholds and where they come from."""
    downloads: tuple[ReviewDownload, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        keys = [column.key for column in self.columns]
        names = [angle.name for angle in self.angles]
        for what, values in (("columns", keys), ("angles", names)):
            if len(values) != len(set(values)):
                msg = f"Two {what} have one name, so the page cannot tell them apart: {values}."
                raise ValueError(msg)
        for angle in self.angles:
            if set(angle.scores) != set(keys):
                msg = f"The scores of {angle.name} are {sorted(angle.scores)}, the columns are {sorted(keys)}."
                raise ValueError(msg)
        return self


def write_review_page(page: ReviewPage) -> str:
    """Return the page as one HTML file."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    scripts = [(_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        sorted_angles=sorted(enumerate(page.angles), key=lambda pair: VERDICTS.index(pair[1].verdict)),
        num_verdicts={verdict: [angle.verdict for angle in page.angles].count(verdict) for verdict in VERDICTS},
        baselines=_list_baselines(page.columns),
        plan=_draw_plan(page.angles),
        policy=_forbid_everything(style, scripts),
        style=style,
        scripts=scripts,
        data=_list_data(page),
    )


def _forbid_everything(style: str, scripts: list[str]) -> str:
    """Return a content security policy under which nothing is fetched and nothing but the page's own code runs."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _list_baselines(columns: tuple[ScoreColumn, ...]) -> list[tuple[str, list[float | None]]]:
    """Return the rows that figures are compared with, less those that no column has."""
    rows: list[tuple[str, list[float | None]]] = [
        ("Chance", [column.chance for column in columns]),
        ("Null edit", [column.null_edit for column in columns]),
        ("Mirrored views, mean", [column.mirror for column in columns]),
    ]
    return [(label, values) for label, values in rows if any(value is not None for value in values)]


def _draw_plan(angles: tuple[ReviewAngle, ...]) -> Plan:
    cameras: list[PlanCamera] = []
    for number, angle in enumerate(angles, start=1):
        found = angle.measured if angle.measured is not None and angle.measured.is_located else None
        cameras.append(
            PlanCamera(
                label=f"{number} {angle.name}",
                asked=angle.asked,
                azimuth_deg=found.azimuth_deg if found else None,
                elevation_deg=found.elevation_deg if found else None,
                distance=(found.distance if found else None) or angle.given.distance,
            )
        )
    return draw_plan(cameras)


def _list_data(page: ReviewPage) -> dict[str, object]:
    """Return what the script cannot read off the page."""
    return {
        "coverage_id": page.coverage_id,
        "project": page.project,
        "sequence": page.sequence,
        "scene": page.scene,
        "version": page.version,
        "angles": [
            {
                "name": angle.name,
                "verdict": angle.verdict,
                "heat_map": angle.heat_map
                and [[None if value is None else round(value, 3) for value in row] for row in angle.heat_map],
            }
            for angle in page.angles
        ],
    }
