"""From an address to a store.

What a store knows of its server, that the buckets are there and that conditions are kept, costs requests to find out,
and so do connections. So whoever opens the same address gets the same store, unless something is another that it rests
on: the credentials that are found, the process (connections do not outlive a fork), and the minute, for a bucket may be
removed and a server replaced behind its back.
"""

import os
import re
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from storage.access import SettledCredentials, find_credentials
from storage.buckets import S3Address, Safeguards
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
_S3_OPTIONS = {"secure": "1", "region": "us-east-1", "lock_days": "0", "encryption": "none"}
_S3_PATTERNS = {"secure": "[01]", "region": ".+", "lock_days": r"\d{1,5}", "encryption": "none|sse-s3"}
_LIFE_S = 60
"""How long what is known of a server is taken for true."""


def open_store(url: str) -> Store:
    """Open the store at an address, or return it where it is open; nothing is created or asked before the first use.

    - `folder`, `/folder` or `file:///folder`: a folder.
    - `s3://host[:port][/prefix][?secure=1&region=us-east-1&lock_days=0&encryption=none]`: an S3 server, over TLS
      unless `secure=0`. Its buckets are `scenes` and `scenes-index`, or `prefix-scenes` and `prefix-scenes-index`; with
      `lock_days` blobs can be locked for so long, with `encryption=sse-s3` the server encrypts all. Credentials never
      stand in the address; they come from the environment or the AWS credentials file.

    Raises:
        UnknownStoreError: the address has another form.
    """
    return open_housekeeper(url)


def open_housekeeper(url: str) -> Housekeeper:
    """Open the store at an address as `open_store` does, to take things away; its server asks for the right to.

    Raises:
        UnknownStoreError: the address has another form.
    """
    place = parse_store(url)
    if isinstance(place, Path):
        return DirectoryStore(place)
    return _open_s3(place, find_credentials(), os.getpid(), int(time.monotonic() // _LIFE_S))


@lru_cache(maxsize=4)
def _open_s3(place: S3Address, credentials: SettledCredentials | None, _process: int, _minute: int) -> S3Store:
    """Open a server's store, once for equal arguments."""
    return S3Store(
        place.endpoint,
        bucket_prefix=place.bucket_prefix,
        region=place.region,
        is_secure=place.is_secure,
        credentials=credentials,
        safeguards=place.safeguards,
    )


def parse_store(url: str) -> Path | S3Address:
    """Read the address of a store.

    Raises:
        UnknownStoreError: the address has another form.
    """
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() == "s3":
        return _parse_s3(url)
    match = _FILE_URL.fullmatch(url)
    path = unquote(match[1]) if match else "" if scheme else url
    if not path or not path.isprintable():
        raise _unknown_store(url)
    return Path(path)


def _parse_s3(url: str) -> S3Address:
    match = _S3_URL.fullmatch(url)
    given = parse_qsl(match["options"] or "", keep_blank_values=True) if match else []
    options = _S3_OPTIONS | dict(given)
    is_known = options.keys() == _S3_OPTIONS.keys() and all(
        re.fullmatch(pattern, options[name]) for name, pattern in _S3_PATTERNS.items()
    )
    if not match or not is_known:
        raise _unknown_store(url)
    return S3Address(
        endpoint=match["endpoint"],
        bucket_prefix=match["bucket_prefix"] or "",
        region=options["region"],
        is_secure=options["secure"] == "1",
        safeguards=Safeguards(lock_days=int(options["lock_days"]), is_encrypted=options["encryption"] == "sse-s3"),
    )


def _unknown_store(url: str) -> UnknownStoreError:
    shown = re.split(r"[?#]", re.sub(r"//.*@", "//***@", url))[0]
    return UnknownStoreError(
        f"No store can be opened at {shown!r}: give a folder, file:///folder, or "
        "s3://host:port/prefix?secure=1&region=us-east-1 without user, password or other options."
    )
