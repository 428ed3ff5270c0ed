"""The scenes that are looked after every night, and which of them have changed since they were asked for last."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from prefect import task
from pydantic import BaseModel, ConfigDict, Field

from storage.errors import CorruptObjectError
from storage.history import list_numbers, read_version
from storage.objects import Store
from storage.opening import open_store
from storage.records import Manifest
from tasks.errors import InvalidRequestError, TaskError
from tasks.ingest import read_file
from tasks.policies import WHILE_TRANSIENT
from tasks.requests import SceneRequest, parse_request

MAX_FILE_BYTES = 2**20


class NightlyRequest(BaseModel):
    """Which scenes are looked after; those of the folder of requests are by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    scenes: tuple[SceneRequest, ...] = ()
    """In place of the requests in the folder."""
    max_at_once: Annotated[int, Field(strict=True, ge=1, le=100)] = 4
    """Runs that are started or waiting at the same time."""


class Night(BaseModel):
    """What a night has to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changed: tuple[SceneRequest, ...]
    unchanged: tuple[str, ...]
    failed: dict[str, str]
    """Why a file or a scene cannot be looked after, by its name."""


@task(name="find-changed", task_run_name="find what has changed", **WHILE_TRANSIENT)
def find_changed(scenes: Sequence[SceneRequest], folder: Path, master_folders: tuple[Path, ...], url: str) -> Night:
    """Return the scenes whose master's bytes or whose request are not those of their last ordinary version.

    Args:
        scenes: What is looked after; if empty, every `*.json` file of `folder` is, a request each.
        folder: May be absent.
        master_folders: Where masters may lie.
        url: The store.

    Raises:
        StoreUnavailableError: It does not answer.
    """
    requests, failed = ({scene.scene: scene for scene in scenes}, {}) if scenes else read_requests(folder)
    store, changed, unchanged = open_store(url), list[SceneRequest](), list[str]()
    for name, request in requests.items():
        try:
            is_same = _is_same(request, find_asked(store, request.scene), master_folders)
        except (TaskError, CorruptObjectError) as exc:
            failed[name] = str(exc)
        else:
            if is_same:
                unchanged.append(request.scene)
            else:
                changed.append(request)
    return Night(changed=tuple(changed), unchanged=tuple(unchanged), failed=failed)


def read_requests(folder: Path) -> tuple[dict[str, SceneRequest], dict[str, str]]:
    """Return the requests in a folder by the names of their files, and why others cannot be read.

    The second of two requests for the same scene cannot be.
    """
    requests, failed, owners = dict[str, SceneRequest](), dict[str, str](), dict[str, str]()
    for file in sorted(folder.glob("*.json")):
        try:
            request = parse_request(_read_json(file))
        except InvalidRequestError as exc:
            failed[file.name] = str(exc)
            continue
        if (owner := owners.setdefault(request.scene, file.name)) != file.name:
            failed[file.name] = f"{owner} asks for the scene {request.scene} already: name every scene once."
        else:
            requests[file.name] = request
    return requests, failed


def find_asked(store: Store, scene: str) -> Manifest | None:
    """Return the latest version of a scene that an ordinary request made, or None.

    What a person rendered again, restored or imported since stands as long as nothing new is asked for.

    Raises:
        CorruptObjectError: A manifest is damaged.
    """
    for number in reversed(list_numbers(store, scene).get(scene, [])):
        version = read_version(store, scene, number)
        if not (version.restored_from or version.imported_from or version.request.get("only_angles")):
            return version
    return None


def _is_same(request: SceneRequest, version: Manifest | None, master_folders: tuple[Path, ...]) -> bool:
    data = read_file(request.master, master_folders)
    if version is None or version.master.original.sha256 != hashlib.sha256(data).hexdigest():
        return False
    try:
        return parse_request(version.request) == request
    except InvalidRequestError:  # of another version of this program
        return False


def _read_json(file: Path) -> object:
    try:
        with file.open("rb") as opened:
            return json.loads(opened.read(MAX_FILE_BYTES))
    except (OSError, ValueError, RecursionError) as exc:
        msg = f"The file {file.name} holds no request in JSON ({exc}): correct it."
        raise InvalidRequestError(msg) from exc
