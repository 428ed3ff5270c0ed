"""What is kept of a coverage: one record per finished angle, and one manifest per version.

Plain data: what a field means to a model is the business of who wrote it. Times are UTC in ISO 8601.
"""

import json
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


Number = Annotated[int, Field(ge=1, le=999_999)]


class Manifest(Record):
    """One version of a scene: the object that makes it visible, written last."""

    schema_version: Literal[2, 3] = 3
    """2 says nothing of its lineage, its code and its verdicts."""
    project: str = "default"
    sequence: str = "default"
    scene: str
    number: Number
    """Versions of a scene are counted from 1; this one follows the number before."""
    parent: Number | None = None
    """The version that was the latest when this one was made; None of the first."""
    restored_from: Number | None = None
    """The version of this scene that this one shows again."""
    imported_from: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the manifest that this one was imported with, from another store."""
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
    verdicts: dict[str, int] | None = None
    """How many of the angles pass, fail or are for review; None where they were not judged."""
    software: dict[str, str]
    code: dict[str, str] = {}
    """Which Mastershot published it: its version and, where it is a git checkout, the commit."""

    def encode(self) -> bytes:
        """Return the one form in which this manifest is written, whatever order its dictionaries came in."""
        unknown = _OF_SCHEMA_3 if self.schema_version < _NEWEST else None
        content = self.model_dump(mode="json", exclude=unknown)
        return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()

    def list_blobs(self) -> tuple[BlobRef, ...]:
        """Return everything that this version is made of, each once."""
        reports = (ref for _, ref in self.reports if ref)
        pictures = (record.picture for record in (*self.angles, *self.other_takes))
        return tuple(dict.fromkeys((self.master.picture, self.master.original, *pictures, *reports)))


_NEWEST = 3
_OF_SCHEMA_3 = {"parent", "restored_from", "imported_from", "verdicts", "code"}
