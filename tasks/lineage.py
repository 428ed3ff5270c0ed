"""Where a version comes from: what it follows, what it shows again, and what every picture was made by."""

from collections.abc import Sequence

from storage.history import list_numbers, read_version
from storage.objects import Store
from storage.records import AngleRecord, Manifest
from storage.versions import version_name

MAX_GENERATIONS = 20
Facts = dict[str, object]


def describe_lineage(store: Store, scene: str, number: int) -> Facts:
    """Return what a manifest says of the origin of a version, and the versions that it comes from, up to twenty.

    Raises:
        MissingObjectError: There is no such version.
        CorruptObjectError: A manifest is damaged.
    """
    manifest = read_version(store, scene, number)
    there = set(list_numbers(store, scene).get(scene, []))
    return {
        **_describe_version(manifest),
        "request": manifest.request,
        "master": {"sha256": manifest.master.picture.sha256, "source_name": manifest.master.source_name},
        "code": manifest.code,
        "software": manifest.software,
        "angles": [_describe_angle(record, manifest) for record in manifest.angles],
        "num_other_takes": len(manifest.other_takes),
        "ancestors": _list_ancestors(store, manifest, there),
    }


def find_parent_number(manifest: Manifest) -> int | None:
    """Return the number of the version that one follows; before it was kept, that was always the number before."""
    if manifest.schema_version < 3:  # noqa: PLR2004 - the schema that says it
        return manifest.number - 1 or None
    return manifest.parent


def _list_ancestors(store: Store, manifest: Manifest, there: set[int]) -> list[Facts]:
    """Return the versions before, the nearest first; one that is expired ends the line."""
    ancestors: list[Facts] = []
    parent = find_parent_number(manifest)
    while parent and len(ancestors) < MAX_GENERATIONS:
        if parent not in there:
            return [*ancestors, {"version": version_name(parent), "is_expired": True}]
        older = read_version(store, manifest.scene, parent)
        ancestors.append({**_describe_version(older), "is_expired": False})
        parent = find_parent_number(older)
    return ancestors


def _describe_version(manifest: Manifest) -> Facts:
    parent, restored = find_parent_number(manifest), manifest.restored_from
    return {
        "scene": manifest.scene,
        "version": version_name(manifest.number),
        "created_at": manifest.created_at,
        "run_id": manifest.run_id,
        "schema_version": manifest.schema_version,
        "training": manifest.training,
        "parent": version_name(parent) if parent else None,
        "restored_from": version_name(restored) if restored else None,
        "imported_from": manifest.imported_from,
    }


def _describe_angle(record: AngleRecord, manifest: Manifest) -> Facts:
    return {
        "angle": record.name,
        "profile": _dig(record.spec, ("profile", "name")),
        "training": _dig(record.spec, ("profile", "training")),
        "seed": record.spec.get("seed"),
        "recipe_version": record.spec.get("recipe_version"),
        "weights_sha256": record.spec.get("weights_sha256"),
        "fingerprint": record.fingerprint,
        "picture_sha256": record.picture.sha256,
        "rendered_by_run": record.run_id,
        "rendered_at": record.rendered_at,
        "is_carried_on": record.run_id != manifest.run_id,
    }


def _dig(value: object, path: Sequence[str]) -> object:
    """Return what lies at a path of names in a specification, or None; a kept file may say anything."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]
