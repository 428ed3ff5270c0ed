"""Tasks of a process share an open store, and none of them works with what has changed since."""

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from storage.errors import StoreReadOnlyError
from storage.objects import Store
from storage.opening import open_store
from tests.fault_proxy import FaultProxy, stand_before
from tests.servers import S3Server

IN_A_FORK = """
import os, sys
from storage.opening import open_store

url = sys.argv[1]
store = open_store(url)
store.put_record("parent/first.json", b"{}")
store = open_store(url)
child = os.fork()
who = "parent" if child else "child"
mine = open_store(url)
is_shared = mine is store
for number in range(30):
    mine.put_record(f"{who}/{number}.json", who.encode())
    assert mine.get_record(f"{who}/{number}.json") == who.encode()
assert is_shared == bool(child)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now_s: float = 600.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock, so that no minute ends in the middle of a test."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def owner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the credentials of the server's owner in the environment."""
    become(s3_server, monkeypatch)
    return s3_server


def become(user: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the credentials of a user in the environment."""
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)


@contextmanager
def watched(server: S3Server, prefix: str) -> Generator[tuple[str, FaultProxy]]:
    """Give the address of a store behind a proxy."""
    with stand_before(server.endpoint) as proxy:
        yield f"s3://{proxy.endpoint}/{prefix}?secure=0", proxy


def do_task(url: str, name: str) -> Store:
    """Open a store and keep something, as a task does."""
    store = open_store(url)
    store.put_blob(name.encode(), "image/png")
    store.put_record(f"angles/{name}/run.json", b"{}")
    return store


def remove_buckets(server: S3Server, prefix: str) -> None:
    """Take both buckets away with all that is in them, as a person may."""
    client = server.client()
    for bucket in (f"{prefix}-scenes", f"{prefix}-scenes-index"):
        for found in client.list_objects(bucket_name=bucket, recursive=True, include_version=True):
            client.remove_object(
                bucket_name=bucket, object_name=str(found.object_name), version_id=found.version_id or None
            )
        client.remove_bucket(bucket_name=bucket)


def test_second_task_asks_for_nothing_but_its_own(owner: S3Server, prefix: str) -> None:
    """Buckets and conditions are asked for once: a blob then is a look and a put, a record is a put."""
    with watched(owner, prefix) as (url, proxy):
        first = do_task(url, "first")
        proxy.seen.clear()
        assert do_task(url, "second") is first
        assert [method for method, _, _ in proxy.seen] == ["HEAD", "PUT", "PUT"]


def test_next_minute_asks_again(owner: S3Server, prefix: str, clock: Clock) -> None:
    """What was found out about a server holds for a minute, then its buckets and conditions are asked for again."""
    with watched(owner, prefix) as (url, proxy):
        first = do_task(url, "first")
        proxy.seen.clear()
        clock.now_s += 60
        assert do_task(url, "second") is not first
        assert any("versioning" in path for _, path, _ in proxy.seen)
        assert any("conditional-put" in path for _, path, _ in proxy.seen)


def test_other_addresses_are_other_stores(owner: S3Server, prefix: str) -> None:
    """Another prefix or option is another store, however near the other lies."""
    urls = [owner.url(prefix), owner.url(f"{prefix}-b"), f"{owner.url(prefix)}&lock_days=1"]
    assert len({id(open_store(url)) for url in urls}) == len(urls)
    do_task(urls[0], "here")
    assert open_store(urls[1]).list_records("") == []


def test_replaced_credentials_are_those_of_the_next_task(
    owner: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task works with the credentials that are there when it begins, whatever one before found."""
    url = owner.url(prefix)
    do_task(url, "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "revoked")
    with pytest.raises(StoreReadOnlyError, match="check the credentials"):
        do_task(url, "second")
    become(owner.as_role("reader", prefix), monkeypatch)
    assert open_store(url).list_records("") == ["angles/first/run.json"]
    with pytest.raises(StoreReadOnlyError, match="403"):
        do_task(url, "third")
    become(owner.as_role("renderer", prefix), monkeypatch)
    do_task(url, "fourth")
    assert open_store(url).list_records("") == ["angles/first/run.json", "angles/fourth/run.json"]


def test_removed_buckets_are_made_anew(owner: S3Server, prefix: str, clock: Clock) -> None:
    """Whoever works on after the buckets were taken away keeps what it makes, a minute later with versions again."""
    url = owner.url(prefix)
    do_task(url, "first")
    remove_buckets(owner, prefix)
    store = do_task(url, "second")
    assert store.list_records("") == ["angles/second/run.json"]
    clock.now_s += 60
    do_task(url, "third")
    assert owner.client().get_bucket_versioning(bucket_name=f"{prefix}-scenes").status == "Enabled"


def test_forked_process_opens_its_own(owner: S3Server, prefix: str) -> None:
    """A child that was forked with an open store has connections of its own, and both write and read at once."""
    subprocess.run([sys.executable, "-c", IN_A_FORK, owner.url(prefix)], check=True, timeout=60)
    names = open_store(owner.url(prefix)).list_records("")
    assert len(names) == 61
