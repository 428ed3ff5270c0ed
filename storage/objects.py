"""What is kept, and the contract that both back ends keep.

A blob is immutable and named by its digest; a record is written once under a key that its author chose; a view is a
readable copy for people, which the program never reads back.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Protocol, Self
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, Field

from storage.errors import InvalidKeyError, UnknownStoreError

MAX_KEY_LENGTH = 512

# A segment fits a file name (255 bytes) and is never hidden: servers keep their own things under a leading dot.
_SEGMENT = r"(?!\.)[A-Za-z0-9._=-]{1,255}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_FILE_URL = re.compile(r"(?i:file)://(/[^?#]*)")
_S3_URL = re.compile(
    r"(?i:s3)://(?P<endpoint>[^/?#@\s]+)"
    r"(?:/(?:(?P<bucket_prefix>[a-z0-9](?:[a-z0-9-]{0,47}[a-z0-9])?)/?)?)?"
    r"(?:\?(?P<options>[^#]*))?"
)


class BlobRef(BaseModel, frozen=True, extra="forbid"):
    """The address of immutable bytes: their digest, and what a reader needs to know before reading."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9][a-z0-9.+_-]*$", max_length=127)]

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Self:
        """Compute the address of bytes."""
        return cls(sha256=sha256(data).hexdigest(), size_bytes=len(data), media_type=media_type)

    @property
    def key(self) -> str:
        """Where the bytes are kept in every store."""
        return f"blobs/sha256/{self.sha256[:2]}/{self.sha256}"

    def matches(self, data: bytes) -> bool:
        """Tell whether these are the bytes, by size and digest."""
        return len(data) == self.size_bytes and sha256(data).hexdigest() == self.sha256


class Store(Protocol):
    """A place that keeps objects; its methods may be called from many threads.

    Every method may raise `StoreUnavailableError` and `StoreReadOnlyError`, every put also `StoreFullError`, and every
    method that takes a key `InvalidKeyError`. A key is never the folder of another key.
    """

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; putting them again changes nothing."""
        ...

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified.

        Raises:
            MissingObjectError: nothing is kept there.
            CorruptObjectError: size or digest is another one.
        """
        ...

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it."""
        ...

    def put_record(self, key: str, data: bytes) -> None:
        """Write a record once; among writers of different bytes exactly one wins, and equal bytes are a success.

        Raises:
            ConflictError: other bytes already stand there.
        """
        ...

    def get_record(self, key: str) -> bytes:
        """Read a record.

        Raises:
            MissingObjectError: nothing was committed under this key.
        """
        ...

    def list_records(self, prefix: str) -> list[str]:
        """Find the keys of all records that start with a prefix, sorted; an empty prefix finds all."""
        ...

    def put_view(self, key: str, ref: BlobRef) -> None:
        """Copy a blob to a readable name, over what was there.

        Raises:
            MissingObjectError: the blob is not there.
        """
        ...

    def locate_blob(self, ref: BlobRef) -> str:
        """Name the path or `s3://` address that a person can open."""
        ...

    def locate_record(self, key: str) -> str:
        """Name the path or `s3://` address that a person can open."""
        ...

    def locate_view(self, key: str) -> str:
        """Name the path or `s3://` address that a person can open."""
        ...


def is_key(key: str) -> bool:
    """Tell whether a key is segments of `A-Z a-z 0-9 . _ = -` joined by `/`, none of which starts with a dot."""
    return len(key) <= MAX_KEY_LENGTH and _KEY.fullmatch(key) is not None


def check_key(key: str) -> str:
    """Return a key that can name an object.

    Raises:
        InvalidKeyError: the key is empty, too long, or has a segment that is not allowed.
    """
    if not is_key(key):
        msg = (
            f"The key {key[:MAX_KEY_LENGTH]!r} cannot name an object: join segments of letters, digits and ._=- with "
            f"slashes, none empty or starting with a dot, at most {MAX_KEY_LENGTH} characters in all and 255 in one."
        )
        raise InvalidKeyError(msg)
    return key


def check_prefix(prefix: str) -> str:
    """Return a prefix that keys can start with: empty, a key, or a key and a slash.

    Raises:
        InvalidKeyError: no key starts like this.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def open_store(url: str) -> Store:
    """Open the store at an address; nothing is created or asked before the first use.

    - `folder`, `/folder` or `file:///folder`: a folder.
    - `s3://host[:port][/prefix][?secure=1&region=us-east-1]`: an S3 server, over TLS unless `secure=0`. Its buckets
      are `scenes` and `scenes-index`, or `prefix-scenes` and `prefix-scenes-index`. Credentials never stand in the
      address; they come from the environment or the AWS credentials file.

    Raises:
        UnknownStoreError: the address has another form.
    """
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() == "s3":
        return _open_s3(url)
    return _open_directory(url, is_url=scheme is not None)


# The back ends are imported where they are opened: they import this module, and a folder needs no S3 client.


def _open_directory(url: str, *, is_url: bool) -> Store:
    from storage.directory import DirectoryStore  # noqa: PLC0415

    match = _FILE_URL.fullmatch(url)
    path = unquote(match[1]) if match else "" if is_url else url
    if not path or not path.isprintable():
        raise _unknown_store(url)
    return DirectoryStore(Path(path))


def _open_s3(url: str) -> Store:
    from storage.s3 import S3Store  # noqa: PLC0415

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
