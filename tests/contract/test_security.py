"""What keeps work safe on a server: a certificate that is trusted, secrets that nobody reads, encryption."""

import io
import logging
import traceback
from pathlib import Path

import polars as pl
import pytest

from storage.doctor import examine_store
from storage.errors import StorageError, StoreReadOnlyError, UnknownStoreError, UnsafeStoreError
from storage.opening import open_store
from storage.s3 import S3Store
from tests.certificates import make_authority, serve_over_tls
from tests.servers import S3Server


@pytest.fixture
def owner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the credentials of the server's owner in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


def open_with(server: S3Server, prefix: str, option: str = "") -> S3Store:
    """Open a store with one more option."""
    store = open_store(f"{server.url(prefix)}{option}")
    assert isinstance(store, S3Store)
    return store


def test_certificate_must_be_trusted(
    seaweed: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose authority is not known is refused in a sentence, for good; with its certificate it is used."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    authority = make_authority(tmp_path)
    file = io.BytesIO()
    pl.DataFrame({"scene": ["street"]}).write_parquet(file)
    with serve_over_tls(seaweed.endpoint, tmp_path) as endpoint:
        url = f"s3://{endpoint}/{prefix}"
        for use in (lambda: open_store(url).put_blob(b"", "image/png"), lambda: open_store(url).list_records("")):
            with pytest.raises(UnknownStoreError, match=r"certificate verify failed.*SSL_CERT_FILE"):
                use()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        store = open_store(url)
        ref = store.put_blob(file.getvalue(), "application/vnd.apache.parquet")
        store.put_record("a", b"{}")
        store.put_view("report.parquet", ref)
        assert store.get_blob(ref) == file.getvalue()
        address, options = store.locate_view("report.parquet"), store.list_reader_options()
        rows = pl.scan_parquet(address, storage_options=options, glob=False).select("scene").collect().rows()
        assert rows == [("street",)]


def test_secret_is_never_told(
    owner: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the most talkative log of a whole session nor any error in it holds the secret."""
    with caplog.at_level(logging.DEBUG):
        store = open_with(owner, prefix)
        ref = store.put_blob(b"data", "image/png")
        store.get_blob(ref)
        store.put_view("a.png", ref)
        store.put_record("a", b"{}")
        errors: list[StorageError] = []
        for use in (lambda: store.put_record("a", b"[]"), lambda: store.get_record("b"), store.list_reader_options):
            try:
                use()
            except StorageError as exc:
                errors.append(exc)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        with pytest.raises(StoreReadOnlyError) as caught:
            open_with(owner, prefix).put_blob(b"data", "image/png")
    told = "".join("".join(traceback.format_exception(exc)) for exc in (*errors, caught.value))
    assert len(errors) == 2
    assert "scenes-index" in caplog.text
    assert owner.secret_key not in told + caplog.text + repr(vars(store))


def test_server_encrypts_what_it_keeps(seaweed: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs, views and records are kept encrypted, and read as they were put."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    store = open_with(seaweed, prefix, "&encryption=sse-s3")
    ref = store.put_blob(b"data", "image/png")
    store.put_view("a.png", ref)
    store.put_record("a", b"{}")
    for bucket, key in (("scenes", ref.key), ("scenes", "views/a.png"), ("scenes-index", "a")):
        found = seaweed.client().stat_object(bucket_name=f"{prefix}-{bucket}", object_name=key)
        assert (found.metadata or {}).get("x-amz-server-side-encryption") == "AES256"
    assert store.get_blob(ref) == store.get_view("a.png") == b"data"
    assert store.get_record("a") == b"{}"
    findings = examine_store(f"{seaweed.url(prefix)}&encryption=sse-s3", is_quick=True)
    assert {finding.outcome for finding in findings} == {"ok"}


def test_server_that_cannot_encrypt_is_refused(ceph: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in the clear where encryption was asked for."""
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    store = open_with(ceph, prefix, "&encryption=sse-s3")
    with pytest.raises(UnsafeStoreError, match="encrypt"):
        store.put_blob(b"data", "image/png")
