# pyright: standard
"""Where the pictures of a tool are: a folder, a manifest, or the versions that Mastershot published itself.

What is found is not trusted: files are read from the folders allowed only, and decoded under the limits of a master.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from models.camera import Preset
from models.errors import PictureError
from models.picture import PictureLimits, read_master
from storage.errors import CorruptObjectError, MissingObjectError
from storage.objects import BlobRef, Store
from storage.records import Manifest, MasterRecord
from storage.versions import latest_version, manifest_key, version_name
from tasks.comparison_request import STORE, ComparedTool, ComparisonRequest, ManifestScene, parse_manifest
from tasks.coverage import spec_of
from tasks.errors import InvalidRequestError, MasterNotFoundError
from tasks.ingest import encode_png, read_file

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MANIFEST_LIMITS = PictureLimits(max_bytes=2**20)
_MAX_LISTED = 8

Status = Literal["found", "missing", "unreadable", "other_master"]
Masters = Mapping[str, MasterRecord]
Folders = tuple[Path, ...]


class Candidate(BaseModel):
    """One picture of a tool as it will be scored, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    scene: str
    angle: Preset
    source: str
    status: Status
    note: str | None = None
    picture: BlobRef | None = None
    width_px: int | None = None
    height_px: int | None = None
    training: str | None = None
    """Of our own pictures: what the weights behind them are."""


class Absence(BaseModel):
    """Why there is no picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    note: str


def collect_published(
    tool: ComparedTool, request: ComparisonRequest, masters: Masters, store: Store
) -> tuple[Candidate, ...]:
    """Return our own pictures, of the latest version of each scene or the one named.

    Raises:
        CorruptObjectError: A manifest or a recipe is damaged.
    """
    candidates: list[Candidate] = []
    for scene, master in masters.items():
        version = _find_version(store, scene, tool.source)
        for angle in request.angles:
            found = _find_published(version, angle, master)
            candidates.append(_label(tool, scene, angle, found))
    return tuple(candidates)


def collect_files(
    tool: ComparedTool, request: ComparisonRequest, masters: Masters, folders: Folders, store: Store
) -> tuple[Candidate, ...]:
    """Return the pictures of a folder or a manifest; each that can be read is kept in the store.

    Raises:
        InvalidRequestError: The folder or manifest is not there, not allowed, or cannot be understood.
    """
    is_manifest = tool.source.lower().endswith(".json")
    listed = _read_manifest(tool, masters, folders) if is_manifest else {}
    folder = Path(tool.source).parent if is_manifest else _check_folder(tool, folders)
    candidates: list[Candidate] = []
    for scene, master in masters.items():
        doubt = _doubt(listed.get(scene), folder, master, folders) if is_manifest else None
        for angle in request.angles:
            found = doubt or (
                _find_listed(listed[scene], folder, angle)
                if is_manifest
                else _find_file(folder, scene, angle, is_only=len(masters) == 1)
            )
            taken = _take_in(found, folders, store) if isinstance(found, Path) else found
            candidates.append(_label(tool, scene, angle, taken))
    return tuple(candidates)


def _label(tool: ComparedTool, scene: str, angle: Preset, found: "Absence | Mapping[str, object]") -> Candidate:
    of_picture = {"status": found.status, "note": found.note} if isinstance(found, Absence) else found
    return Candidate.model_validate(
        {"tool": tool.tool, "scene": scene, "angle": angle, "source": tool.source, "status": "found"} | dict(of_picture)
    )


def _find_version(store: Store, scene: str, source: str) -> Manifest | None:
    named = STORE.fullmatch(source)
    if named is None or named[1] is None:
        return latest_version(store, scene)
    key = manifest_key(scene, int(named[1]))
    try:
        return Manifest.model_validate_json(store.get_record(key))
    except MissingObjectError:
        return None
    except ValidationError as exc:
        msg = f"The record at {store.locate_record(key)} is damaged or of another version of Mastershot: restore it."
        raise CorruptObjectError(msg) from exc


def _find_published(version: Manifest | None, angle: Preset, master: MasterRecord) -> Absence | dict[str, object]:
    if version is None:
        return Absence(status="missing", note="No such version of this scene is published in the store.")
    name = f"{version_name(version.number)} of {version.scene}"
    if version.master.picture.sha256 != master.picture.sha256:
        return Absence(status="other_master", note=f"{name} was made from another master.")
    for record in version.angles:
        if record.name == angle:
            spec = spec_of(record)
            size = {"width_px": spec.framing.source_width_px, "height_px": spec.framing.source_height_px}
            return {"picture": record.picture, "training": spec.profile.training, **size}
    return Absence(status="missing", note=f"{name} has no {angle}.")


def _check_folder(tool: ComparedTool, folders: Folders) -> Path:
    folder = Path(tool.source)
    try:
        is_allowed = any(folder.resolve().is_relative_to(allowed.resolve()) for allowed in folders)
        is_there = is_allowed and folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # a NUL in it, no permission, or links that go round in a circle
        is_there = False
    if not is_there:
        msg = (
            f"The pictures of {tool.tool} are not at {tool.source!r}: give a folder within those allowed "
            f"({', '.join(str(allowed.resolve()) for allowed in folders)}), a manifest in JSON, or store."
        )
        raise InvalidRequestError(msg)
    return folder


def _find_file(folder: Path, scene: str, angle: Preset, *, is_only: bool) -> Path | Absence:
    """Return the one file of an angle in the folder of a scene, which may be the tool's own if no other is compared."""
    own = folder / scene
    try:
        if not own.is_dir() and not is_only:
            return Absence(status="missing", note=f"There is no folder {scene}.")
        files = sorted((own if own.is_dir() else folder).iterdir())
    except OSError as exc:
        return Absence(status="unreadable", note=f"Its folder cannot be listed ({exc.strerror}).")
    fitting = [file for file in files if file.stem == angle and file.suffix.lower() in SUFFIXES]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return Absence(status="unreadable", note=f"Which is it: {_list(fitting)}? Keep one.")
    return Absence(status="missing", note=f"There is no {angle}.png, .jpg or .webp, only {_list(files) or 'nothing'}.")


def _list(files: Sequence[Path]) -> str:
    names = [file.name.encode("unicode_escape").decode()[:60] for file in files[:_MAX_LISTED]]
    return ", ".join(names) + (" and more" if len(files) > _MAX_LISTED else "")


def _read_manifest(tool: ComparedTool, masters: Masters, folders: Folders) -> dict[str, ManifestScene]:
    try:
        data = read_file(tool.source, folders, MANIFEST_LIMITS)
    except MasterNotFoundError as exc:
        msg = f"The manifest of {tool.tool} cannot be read: {_words(exc)}"
        raise InvalidRequestError(msg) from exc
    if len(data) > MANIFEST_LIMITS.max_bytes:
        msg = f"The manifest {tool.source!r} has more than {MANIFEST_LIMITS.max_bytes} bytes: give a smaller one."
        raise InvalidRequestError(msg)
    return {scene.scene: scene for scene in parse_manifest(data, tool, frozenset(masters)).scenes}


def _doubt(scene: ManifestScene | None, folder: Path, master: MasterRecord, folders: Folders) -> Absence | None:
    """Return why no picture of a scene of a manifest can be compared, if that is so."""
    if scene is None:
        return Absence(status="missing", note="The manifest does not have this scene.")
    try:
        picture, _ = read_master(read_file(str(folder / scene.master), folders))
    except (PictureError, MasterNotFoundError) as exc:
        return Absence(status="other_master", note=f"The master that the manifest names: {_words(exc)}")
    if BlobRef.of(encode_png(picture), "image/png") != master.picture:
        return Absence(status="other_master", note="The manifest names another master than the one compared with.")
    return None


def _find_listed(scene: ManifestScene, folder: Path, angle: Preset) -> Path | Absence:
    if angle not in scene.angles:
        return Absence(status="missing", note="The manifest does not have this angle.")
    return folder / scene.angles[angle]


def _take_in(file: Path, folders: Folders, store: Store) -> Absence | dict[str, object]:
    try:
        picture, facts = read_master(read_file(str(file), folders))
    except MasterNotFoundError as exc:
        status = "missing" if isinstance(exc.__cause__, FileNotFoundError) else "unreadable"
        return Absence(status=status, note=_words(exc))
    except PictureError as exc:
        return Absence(status="unreadable", note=_words(exc))
    kept = store.put_blob(encode_png(picture), "image/png")
    return {"picture": kept, "width_px": facts.width_px, "height_px": facts.height_px}


def _words(exc: Exception) -> str:
    return str(exc).removeprefix("The file ")
