"""Which scenes a night looks after, and which of them it leaves alone."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from storage.objects import Store
from storage.opening import open_store
from storage.versions import manifest_key
from tasks.nightly import Night, find_changed, read_requests
from tasks.requests import SceneRequest
from tests.kept_versions import keep_version


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a folder."""
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def request_of_street(tmp_path: Path) -> SceneRequest:
    """A request for a scene that has a master."""
    (tmp_path / "street.png").write_bytes(b"the bytes of a master")
    return SceneRequest(scene="street", master=str(tmp_path / "street.png"))


def keep(store: Store, number: int, request: SceneRequest, **changes: object) -> None:
    """Keep a version that a request for the master as it is now has made."""
    manifest = keep_version(store, number)
    original = sha256(Path(request.master).read_bytes()).hexdigest()
    master = manifest.master.model_copy(
        update={"original": manifest.master.original.model_copy(update={"sha256": original})}
    )
    asked = {"request": request.model_dump(mode="json"), "master": master}
    store.remove_record(manifest_key("street", number))  # pyright: ignore[reportAttributeAccessIssue] - a housekeeper
    store.put_record(manifest_key("street", number), manifest.model_copy(update=asked | changes).encode())


def find(tmp_path: Path, *requests: SceneRequest) -> Night:
    """Look for what has changed."""
    return find_changed.fn(requests, tmp_path / "nightly", (tmp_path,), str(tmp_path / "store"))


def test_a_scene_without_a_version_has_changed(tmp_path: Path, request_of_street: SceneRequest) -> None:
    """What was never rendered is rendered tonight."""
    assert find(tmp_path, request_of_street).changed == (request_of_street,)


def test_the_same_request_of_the_same_master_has_not(
    tmp_path: Path, store: Store, request_of_street: SceneRequest
) -> None:
    """Nothing is done for a scene that shows what is asked for."""
    keep(store, 1, request_of_street)
    assert find(tmp_path, request_of_street) == Night(changed=(), unchanged=("street",), failed={})


def test_other_bytes_or_another_request_have(tmp_path: Path, store: Store, request_of_street: SceneRequest) -> None:
    """A new master under the old name counts, and so does any field of the request."""
    keep(store, 1, request_of_street)
    other = request_of_street.model_copy(update={"seed": 7})
    assert find(tmp_path, other).changed == (other,)
    Path(request_of_street.master).write_bytes(b"a new master")
    assert find(tmp_path, request_of_street).changed == (request_of_street,)


def test_what_a_person_did_since_stands(tmp_path: Path, store: Store, request_of_street: SceneRequest) -> None:
    """An angle rendered again, and an old version restored, are not undone by the night."""
    keep(store, 1, request_of_street)
    again = request_of_street.model_copy(update={"only_angles": ("close_up",), "seed": 99})
    keep(store, 2, again)
    keep(store, 3, again, restored_from=1)
    assert find(tmp_path, request_of_street).unchanged == ("street",)


def test_one_scene_that_cannot_be_looked_after_stops_no_other(tmp_path: Path, request_of_street: SceneRequest) -> None:
    """A master that is gone is told under the scene's name."""
    lost = SceneRequest(scene="lost", master=str(tmp_path / "nowhere.png"))
    night = find(tmp_path, lost, request_of_street)
    assert night.changed == (request_of_street,)
    assert night.failed["lost"].startswith("The file ")


def test_requests_come_from_a_folder(tmp_path: Path) -> None:
    """Every JSON file is a request; what is none, and the second of two for a scene, is told by its file."""
    folder = tmp_path / "nightly"
    folder.mkdir()
    for name, content in {
        "a.json": json.dumps({"scene": "street", "master": "street.png"}),
        "b.json": json.dumps({"scene": "street", "master": "other.png"}),
        "c.json": "{",
        "d.json": json.dumps({"scene": "alley", "master": "alley.png", "angels": []}),
        "e.txt": "no request",
    }.items():
        (folder / name).write_text(content)
    requests, failed = read_requests(folder)
    assert {name: request.scene for name, request in requests.items()} == {"a.json": "street"}
    assert failed.keys() == {"b.json", "c.json", "d.json"}
    assert failed["b.json"] == "a.json asks for the scene street already: name every scene once."
    assert "angels" in failed["d.json"]
    assert read_requests(tmp_path / "nowhere") == ({}, {})
