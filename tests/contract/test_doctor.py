"""What the doctor finds on real stores and on such as lie, and what it leaves there: nothing."""

import json
import sys
from pathlib import Path

import pytest

from flows.doctor import main
from storage.doctor import examine_store
from storage.errors import StoreUnavailableError, UnsafeStoreError
from storage.opening import open_store
from tasks.store_check import check_store
from tests.s3_stubs import Answer, Relay, Stub, forgetful, meddling, serve
from tests.servers import S3Server

WEAKER = {
    "seaweed": {"digest in the signature"},
    "ceph": {"conditional put, versions", "digest in a header", "encryption"},
}
EMPTY_LIST = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>late</Name></ListBucketResult>'


@pytest.fixture
def environment(seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the credentials of SeaweedFS in the environment."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)


def late(real: str) -> type[Stub]:
    """Stand before a real server and list nothing, as one does whose lists come late."""

    class Late(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            if "list-type=2" in self.path:
                return 200, {"Content-Type": "application/xml", "Content-Length": str(len(EMPTY_LIST))}, EMPTY_LIST
            return self.ask(body)

    return Late


def find_outcomes(url: str, *, is_quick: bool = False) -> dict[str, str]:
    """Return what is not right, by its subject."""
    findings = examine_store(url, is_quick=is_quick)
    return {finding.subject: finding.outcome for finding in findings if finding.outcome != "ok"}


@pytest.mark.parametrize("name", WEAKER)
def test_servers_are_known_for_what_they_are(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, prefix: str, name: str
) -> None:
    """The findings on a real server are those of docs/stores.md, and nothing of the visit is left."""
    server: S3Server = request.getfixturevalue(name)
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    findings = examine_store(server.url(prefix))
    assert {finding.subject for finding in findings if finding.outcome == "adapted"} == WEAKER[name]
    assert {finding.outcome for finding in findings} == {"ok", "adapted"}
    assert len(findings) == 17
    for bucket in (f"{prefix}-scenes", f"{prefix}-scenes-index"):
        found = server.client().list_objects(bucket_name=bucket, recursive=True, include_version=True)
        assert list(found) == []
    assert not [bucket for bucket in server.client().list_buckets() if bucket.name.startswith("doctor-")]


def test_folder_is_sound(tmp_path: Path) -> None:
    """A folder on a disk of today keeps every promise, and nothing of the visit is left."""
    assert set(find_outcomes(str(tmp_path / "store"))) <= {"free space"}
    assert [path for path in tmp_path.rglob("*") if path.name.startswith("~")] == []
    assert open_store(str(tmp_path / "store")).list_records("") == []


def test_folder_that_may_not_be_written_is_refused() -> None:
    """Where nothing can be kept the doctor says so."""
    assert find_outcomes("/sys/mastershot") == {"writing": "refused"}


@pytest.mark.usefixtures("environment")
def test_server_without_conditions_is_worked_around(seaweed: S3Server, prefix: str) -> None:
    """Where conditions are ignored a flow is told what follows, and may go on."""
    with serve(forgetful(seaweed.endpoint)) as endpoint:
        assert find_outcomes(f"s3://{endpoint}/{prefix}?secure=0", is_quick=True) == {"conditional put": "adapted"}


@pytest.mark.usefixtures("environment")
def test_flow_refuses_a_server_that_lists_late(seaweed: S3Server, prefix: str) -> None:
    """Where an older version could pass for the latest, nothing is rendered, and one sentence says why."""
    with serve(late(seaweed.endpoint)) as endpoint:
        for _ in range(2):
            with pytest.raises(UnsafeStoreError, match=r"list a put at once.*use another server\.$"):
                check_store.fn(f"s3://{endpoint}/{prefix}?secure=0")


@pytest.mark.usefixtures("environment")
def test_store_is_asked_once(seaweed: S3Server, prefix: str) -> None:
    """A sound store is asked by the first flow of a process; one that did not answer is asked again."""
    num_puts: list[str] = []

    def count(path: str, data: bytes) -> bytes:
        num_puts.append(path)
        return data

    with serve(meddling(seaweed.endpoint, count)) as endpoint:
        url = f"s3://{endpoint}/{prefix}?secure=0"
        assert check_store.fn(url) == url
        num_first = len(num_puts)
        assert check_store.fn(url) == url
        assert len(num_puts) == num_first > 0
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            check_store.fn(f"s3://{endpoint}/other?secure=0")


def test_command_line_tells_and_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status says whether a store can be used; JSON holds what the table does; no store is a sentence."""
    monkeypatch.setenv("MASTERSHOT_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(sys, "argv", ["doctor"])
    assert main() == 0
    assert "can be used" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["doctor", "/sys/mastershot", "--format", "json"])
    assert main() == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["is_usable"]
    assert [finding["outcome"] for finding in told["findings"]] == ["refused"]
    monkeypatch.setattr(sys, "argv", ["doctor", "gs://bucket"])
    assert main() == 1
    assert "Failed: No store can be opened" in capsys.readouterr().err
