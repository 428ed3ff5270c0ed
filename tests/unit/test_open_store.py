"""Which addresses open which store."""

from pathlib import Path

import pytest

from storage.directory import DirectoryStore
from storage.errors import UnknownStoreError
from storage.opening import open_store
from storage.s3 import S3Store


def test_store_opens_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, a file URL and an S3 URL each open their own kind, and nothing is created by opening."""
    monkeypatch.chdir(tmp_path)
    for url in ("store", f"{tmp_path}/store", f"file://{tmp_path}/store"):
        assert open_store(url).locate_record("a") == str(tmp_path / "store" / "scenes-index" / "a")
    assert open_store(f"file://{tmp_path}/a%20b").locate_record("a") == str(tmp_path / "a b" / "scenes-index" / "a")
    assert open_store("s3://localhost:9000").locate_record("a") == "s3://scenes-index/a"
    assert open_store("s3://minio.example/night-2/?secure=1&region=eu-west-1").locate_view("a") == (
        "s3://night-2-scenes/views/a"
    )
    assert isinstance(open_store("store"), DirectoryStore)
    assert isinstance(open_store("s3://localhost"), S3Store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a\0b",
        "gs://bucket",
        "file://host/folder",
        "file:folder",
        "file:///a?b",
        "file:///a%00b",
        "file://[a",
        "s3:///scenes",
        "s3://host:port",
        "s3://host/UPPER",
        "s3://host/a/b",
        "s3://host?secure=maybe",
        "s3://host?region=",
        "s3://host?lock_days=-1",
        "s3://host?encryption=rot13",
        "s3://host?secret_key=hush",
        "s3://host#hush",
        "s3://user:hush@host:9000/a",
        "https://user:hu/sh@host",
    ],
)
def test_unknown_address_is_refused_without_its_secrets(url: str) -> None:
    """An address of another form is refused, and a secret in it is not repeated."""
    with pytest.raises(UnknownStoreError) as caught:
        open_store(url)
    assert "hush" not in str(caught.value).replace("hu/sh", "hush")
