"""SeaweedFS for tests, started once a session on free loopback ports, its data in a temporary folder.

Import the fixture in a `conftest.py`: `from tests.seaweed import seaweed`.
"""

import random
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployments.store import StoreError, find_program, is_free, list_ports, run_store
from tests.servers import S3Server


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Server]:
    """One server for the session."""
    try:
        find_program()
    except StoreError as exc:
        pytest.skip(f"no SeaweedFS to test with: {exc}")
    with run_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@contextmanager
def run_seaweed(folder: Path) -> Generator[S3Server]:
    """Start a server on free ports, and end it."""
    credentials = {"AWS_ACCESS_KEY_ID": S3Server.access_key, "AWS_SECRET_ACCESS_KEY": S3Server.secret_key}
    with run_store(
        folder, find_ports(), credentials, ("-volume.max=10000",)
    ) as endpoint:  # one at least for each bucket
        yield S3Server(endpoint=endpoint, add_user=add_user)


def find_ports() -> int:
    """Find the first of ports that are all free, below those that the system hands out itself."""
    candidates = random.sample(range(20_000, 22_700), k=200)
    return next(first for first in candidates if all(is_free(port) for port in list_ports(first)))


def add_user(server: S3Server, name: str) -> tuple[str, str]:
    """Make a user who may do nothing."""
    server.call_iam("CreateUser", UserName=name)
    answer = server.call_iam("CreateAccessKey", UserName=name)
    found = re.search(r"<AccessKeyId>(.+?)</AccessKeyId>.*<SecretAccessKey>(.+?)</SecretAccessKey>", answer)
    assert found, "the server made no key"
    return found[1], found[2]
