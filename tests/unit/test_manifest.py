"""The one form of a manifest, and those of an older schema."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from storage.objects import BlobRef
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs

KEPT = Path(__file__).parents[1] / "data" / "manifest_of_schema_2.json"

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | words, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2), max_leaves=4
)
dictionaries = st.dictionaries(words, values, max_size=3)
refs = st.binary(max_size=8).map(lambda data: BlobRef.of(data, "image/png"))
angles = st.builds(
    AngleRecord,
    name=words,
    fingerprint=words,
    spec=dictionaries,
    picture=refs,
    stage_times_s=st.dictionaries(words, st.floats(0, 9)),
    run_id=words,
    rendered_at=words,
)
numbers = st.none() | st.integers(1, 999_999)
manifests = st.builds(
    Manifest,
    scene=words,
    number=st.integers(1, 999_999),
    parent=numbers,
    restored_from=numbers,
    run_id=words,
    created_at=words,
    coverage_sha256=words,
    training=words,
    request=dictionaries,
    master=st.builds(MasterRecord, picture=refs, original=refs, source_name=words, facts=dictionaries),
    angles=st.lists(angles, max_size=2).map(tuple),
    reports=st.builds(ReportRefs, parquet=refs, contact_sheet=refs, review_page=refs, summary=refs),
    verdicts=st.none() | st.dictionaries(words, st.integers()),
    software=st.dictionaries(words, words),
    code=st.dictionaries(words, words),
)


def turn_round(value: JsonValue) -> JsonValue:
    """Return the same with the entries of every dictionary in the opposite order."""
    if isinstance(value, dict):
        return {name: turn_round(inner) for name, inner in reversed(value.items())}
    return [turn_round(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # it has many fields
@given(manifests)
def test_manifest_has_one_form(manifest: Manifest) -> None:
    """What is written reads back equal, and is written in the same bytes, whatever order it is put together in."""
    written = manifest.encode()
    read = Manifest.model_validate_json(written)
    assert read == manifest
    turned = Manifest.model_validate(turn_round(json.loads(written)))
    assert read.encode() == turned.encode() == written


def test_manifest_of_schema_2_is_read() -> None:
    """A file that an earlier version kept is understood: what it does not say is not known, not made up."""
    kept = Manifest.model_validate_json(KEPT.read_bytes())
    assert (kept.schema_version, kept.number, kept.scene) == (2, 1, "example")
    assert (kept.parent, kept.restored_from, kept.imported_from, kept.verdicts, kept.code) == (
        None,
        None,
        None,
        None,
        {},
    )
    assert kept.angles[0].name == "close_up"
    assert json.loads(kept.encode()) == json.loads(KEPT.read_bytes())


def test_manifest_of_a_newer_schema_is_refused() -> None:
    """A schema that is not known, and a field that is not, are refused."""
    content = json.loads(KEPT.read_bytes())
    for change in ({"schema_version": 4}, {"schema_version": 1}, {"mood": "dark"}):
        with pytest.raises(ValidationError):
            Manifest.model_validate(content | change)


def test_blobs_of_a_version_are_named_once() -> None:
    """Everything that a version is made of is found in it, also where two names stand for the same bytes."""
    kept = Manifest.model_validate_json(KEPT.read_bytes())
    named = {ref.sha256 for ref in kept.list_blobs()}
    assert named == {str(part["sha256"]) for part in find_refs(json.loads(KEPT.read_bytes()))}
    assert len(kept.list_blobs()) == len(named)
    twice = kept.model_copy(update={"other_takes": kept.angles})
    assert twice.list_blobs() == kept.list_blobs()


def find_refs(value: JsonValue) -> list[dict[str, JsonValue]]:
    """Return every address of a blob in a manifest."""
    if isinstance(value, dict) and "media_type" in value:
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [ref for each in inner for ref in find_refs(each)]
