"""A store of each kind under test, and ways around it: what a person reads there, and what a fault leaves there.

Import the fixtures in a `conftest.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from storage.objects import Housekeeper
from storage.opening import open_housekeeper
from tests.seaweed import SeaweedServer


@dataclass(frozen=True)
class Backend:
    """A store, and ways around it: what a person reads at an address, and what a fault leaves there."""

    store: Housekeeper
    read: Callable[[str], bytes]
    damage: Callable[[str, bytes], None]


@pytest.fixture(params=["directory", "s3"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Choose the back end under test."""
    return request.getfixturevalue(f"{request.param}_backend")


@pytest.fixture
def directory_backend(tmp_path: Path) -> Backend:
    """Open a store in a new folder."""
    return Backend(
        store=open_housekeeper(str(tmp_path / "root")),
        read=lambda address: Path(address).read_bytes(),
        damage=lambda address, data: _void(Path(address).write_bytes(data)),
    )


@pytest.fixture
def s3_backend(seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Open buckets that tests share, for the first put into new ones takes 0.2 s; `name` keeps tests apart."""
    for variable, value in seaweed.environment.items():
        monkeypatch.setenv(variable, value)
    client = seaweed.client()

    def read(address: str) -> bytes:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return client.get_object(bucket_name=bucket, object_name=key).read()

    def damage(address: str, data: bytes) -> None:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        for version in client.list_objects(bucket_name=bucket, prefix=key, include_version=True):
            client.remove_object(bucket_name=bucket, object_name=key, version_id=version.version_id)
        client.put_object(bucket_name=bucket, object_name=key, data=BytesIO(data), length=len(data))

    return Backend(store=open_housekeeper(seaweed.url("contract")), read=read, damage=damage)


@pytest.fixture
def store(backend: Backend) -> Housekeeper:
    """Take the store of the back end."""
    return backend.store


@pytest.fixture
def name() -> str:
    """Make a name that no other test uses."""
    return uuid4().hex


def flip_bit(data: bytes) -> bytes:
    """Damage one bit."""
    return bytes([data[0] ^ 1]) + data[1:]


def cut_short(data: bytes) -> bytes:
    """Lose the last byte."""
    return data[:-1]


def _void(_: object) -> None:
    """Drop a value."""
