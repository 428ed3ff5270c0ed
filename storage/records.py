"""What is kept of a coverage: one record per finished angle, and one manifest per version.

Plain data: what a field means to a model is the business of who wrote it. Times are UTC in ISO 8601.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from storage.objects import BlobRef


class Record(BaseModel):
    """Immutable, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MasterRecord(Record):
    """The still that a coverage is made from."""

    picture: BlobRef
    """The master as it is used: upright, opaque, sRGB, 8 bit, PNG."""
    original: BlobRef
    """The file as it came in."""
    source_name: str
    facts: dict[str, JsonValue]
    """What ingest found and did."""


class AngleRecord(Record):
    """One finished angle: which picture, and all that is needed to make it again."""

    name: str
    fingerprint: str
    spec: dict[str, JsonValue]
    picture: BlobRef
    stage_times_s: dict[str, float]
    run_id: str
    """The run that rendered it; versions of later runs may carry it on."""
    rendered_at: str


class ReportRefs(Record):
    """The files made for people and for analysis."""

    parquet: BlobRef
    """One row per attempt at an angle."""
    coverage_parquet: BlobRef | None = None
    """One row for the version."""
    contact_sheet: BlobRef
    review_page: BlobRef
    summary: BlobRef
    """What the Prefect UI shows, in markdown."""


class Manifest(Record):
    """One version of a scene: the object that makes it visible, written last."""

    schema_version: Literal[2] = 2
    project: str = "default"
    sequence: str = "default"
    scene: str
    number: Annotated[int, Field(ge=1, le=999_999)]
    """Versions of a scene are counted from 1; this one follows the number before."""
    run_id: str
    """The run that published it."""
    created_at: str
    coverage_sha256: str
    """Two versions with the same value show the same pictures with the same scores."""
    training: str
    """`untrained` if one picture at least comes from untrained weights."""
    request: dict[str, JsonValue]
    master: MasterRecord
    angles: tuple[AngleRecord, ...]
    """The chosen attempt at each."""
    other_takes: tuple[AngleRecord, ...] = ()
    """The attempts that were not chosen."""
    reports: ReportRefs
    software: dict[str, str]
