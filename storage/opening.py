"""From an address to a store."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from storage.directory import DirectoryStore
from storage.errors import UnknownStoreError
from storage.objects import Housekeeper, Store
from storage.s3 import S3Store

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_FILE_URL = re.compile(r"(?i:file)://(/[^?#]*)")
_S3_URL = re.compile(
    r"(?i:s3)://(?P<endpoint>[^/?#@\s]+)"
    r"(?:/(?:(?P<bucket_prefix>[a-z0-9](?:[a-z0-9-]{0,47}[a-z0-9])?)/?)?)?"
    r"(?:\?(?P<options>[^#]*))?"
)


def open_store(url: str) -> Store:
    """Open the store at an address; nothing is created or asked before the first use.

    - `folder`, `/folder` or `file:///folder`: a folder.
    - `s3://host[:port][/prefix][?secure=1&region=us-east-1]`: an S3 server, over TLS unless `secure=0`. Its buckets
      are `scenes` and `scenes-index`, or `prefix-scenes` and `prefix-scenes-index`. Credentials never stand in the
      address; they come from the environment or the AWS credentials file.

    Raises:
        UnknownStoreError: the address has another form.
    """
    return open_housekeeper(url)


def open_housekeeper(url: str) -> Housekeeper:
    """Open the store at an address as `open_store` does, to take things away; its server asks for the right to.

    Raises:
        UnknownStoreError: the address has another form.
    """
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() == "s3":
        return _open_s3(url)
    return _open_directory(url, is_url=scheme is not None)


def _open_directory(url: str, *, is_url: bool) -> DirectoryStore:
    match = _FILE_URL.fullmatch(url)
    path = unquote(match[1]) if match else "" if is_url else url
    if not path or not path.isprintable():
        raise _unknown_store(url)
    return DirectoryStore(Path(path))


def _open_s3(url: str) -> S3Store:
    match = _S3_URL.fullmatch(url)
    given = parse_qsl(match["options"] or "", keep_blank_values=True) if match else []
    options = {"secure": "1", "region": "us-east-1", **dict(given)}
    is_known = options.keys() == {"secure", "region"} and options["secure"] in {"0", "1"} and options["region"]
    if not match or not is_known:
        raise _unknown_store(url)
    return S3Store(
        match["endpoint"],
        bucket_prefix=match["bucket_prefix"] or "",
        region=options["region"],
        is_secure=options["secure"] == "1",
    )


def _unknown_store(url: str) -> UnknownStoreError:
    shown = re.split(r"[?#]", re.sub(r"//.*@", "//***@", url))[0]
    return UnknownStoreError(
        f"No store can be opened at {shown!r}: give a folder, file:///folder, or "
        "s3://host:port/prefix?secure=1&region=us-east-1 without user, password or other options."
    )
