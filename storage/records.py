"""What is kept of a coverage: one record per finished angle, and one manifest per version.

Plain data: what a field means to a model is the business of who wrote it. Times are UTC in ISO 8601.
"""

from pydantic import BaseModel, ConfigDict, JsonValue

from storage.objects import BlobRef

MANIFEST_SCHEMA_VERSION = 1


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
    """The run that rendered it; a later version may carry it on."""
    rendered_at: str


class ReportRefs(Record):
    """The files made for people and for analysis."""

    parquet: BlobRef
    contact_sheet: BlobRef
    review_page: BlobRef


class Manifest(Record):
    """One version of a scene: the object that makes it visible, written last."""

    schema_version: int = MANIFEST_SCHEMA_VERSION
    scene: str
    run_id: str
    parent_run_id: str | None
    """The version of this scene that this one follows."""
    created_at: str
    coverage_sha256: str
    """Two versions with the same value show the same pictures with the same scores."""
    training: str
    request: dict[str, JsonValue]
    master: MasterRecord
    angles: tuple[AngleRecord, ...]
    reports: ReportRefs
    software: dict[str, str]
