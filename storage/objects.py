"""What is kept, and the contract that both back ends keep.

A blob is immutable and named by its digest; a record is written once under a key that its author chose; a view is a
readable copy for people and for queries, which no render depends on and which can be laid out again.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Protocol, Self

from pydantic import AwareDatetime, BaseModel, Field

from storage.errors import InvalidKeyError

MAX_KEY_LENGTH = 512
FRESH_FOR = timedelta(days=1)
"""A blob counts as kept at most this long before it was last put: so old a blob, put again, is new to housekeeping."""

# A segment fits a file name (255 bytes) and is never hidden: servers keep their own things under a leading dot.
_SEGMENT = r"(?!\.)[A-Za-z0-9._=-]{1,255}"
_FILE_ENDING = ".json"
_KEY = re.compile(rf"(?:{_SEGMENT}(?<!{re.escape(_FILE_ENDING)})/)*{_SEGMENT}")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_SizeBytes = Annotated[int, Field(ge=0)]


class BlobRef(BaseModel, frozen=True, extra="forbid"):
    """The address of immutable bytes: their digest, and what a reader needs to know before reading."""

    sha256: _Sha256
    size_bytes: _SizeBytes
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9][a-z0-9.+_-]*$", max_length=127)]

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Self:
        """Compute the address of bytes."""
        return cls(sha256=sha256(data).hexdigest(), size_bytes=len(data), media_type=media_type)

    @property
    def key(self) -> str:
        """Where the bytes are kept in every store."""
        return blob_key(self.sha256)

    def matches(self, data: bytes) -> bool:
        """Tell whether these are the bytes, by size and digest."""
        return self.is_of([data])

    def is_of(self, chunks: Iterable[bytes]) -> bool:
        """Tell whether these are the bytes, chunk after chunk, each of which is taken once."""
        digest, num_bytes = sha256(), 0
        for chunk in chunks:
            digest.update(chunk)
            num_bytes += len(chunk)
        return (num_bytes, digest.hexdigest()) == (self.size_bytes, self.sha256)


class KeptBlob(BaseModel, frozen=True, extra="forbid"):
    """A blob as a list shows it: what its name and the store say, its bytes not read."""

    sha256: _Sha256
    size_bytes: _SizeBytes
    kept_at: AwareDatetime
    """UTC; never more than `FRESH_FOR` before it was last put."""


class Store(Protocol):
    """A place that keeps objects; its methods may be called from many threads.

    Every method may raise `StoreUnavailableError` and `StoreReadOnlyError`, every put also `StoreFullError`, and every
    method that takes a key `InvalidKeyError`. A record is never put where others stand below it; below a key that ends
    in `.json` nothing can stand, for no folder may be called so.
    """

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; what is there already is read, and mended if it is not those bytes."""
        ...

    def put_file(self, path: Path, media_type: str) -> BlobRef:
        """Keep the bytes of a file, of any size, as `put_blob` does; memory does not grow with it.

        Raises:
            UnreadableFileError: the file cannot be read, or changed meanwhile; nothing is kept.
        """
        ...

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified.

        Raises:
            MissingObjectError: nothing is kept there.
            CorruptObjectError: size or digest is another one.
        """
        ...

    def fetch_blob(self, ref: BlobRef, path: Path) -> None:
        """Write a blob to a file, verified, over what was there; memory does not grow with it.

        The file appears whole and durable, or what was there stays. A disk that refuses it raises what a store does.

        Raises:
            MissingObjectError: nothing is kept there.
            CorruptObjectError: size or digest is another one.
        """
        ...

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it: its bytes may be damaged."""
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
        """Copy a blob to a readable name, over what was there; putting it again changes nothing.

        Raises:
            MissingObjectError: the blob is not there.
        """
        ...

    def get_view(self, key: str) -> bytes:
        """Read a readable copy; unlike a blob it is not verified, for a person may have edited it.

        Raises:
            MissingObjectError: nothing is laid out under this key.
        """
        ...

    def list_views(self, prefix: str) -> list[str]:
        """Find the keys of all views that start with a prefix, sorted; an empty prefix finds all."""
        ...

    def remove_view(self, key: str) -> None:
        """Take a readable copy away and keep the blob it is of; a view that is not there is a success."""
        ...

    def list_reader_options(self) -> dict[str, str]:
        """Return what polars needs, beside its address, to read a view; it may hold a secret: never keep or show it."""
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


class Housekeeper(Store, Protocol):
    """A store with what only housekeeping may do, and needs other credentials for; renders never take anything away."""

    def list_blobs(self) -> Iterator[KeptBlob]:
        """Find all blobs, in the order of their digests, while the list is read."""
        ...

    def remove_blob(self, sha256: str) -> None:
        """Take a blob away with all that a bucket keeps of it, for good; one that is not there is a success.

        Raises:
            InvalidKeyError: this is no digest.
            LockedObjectError: it is locked, and stays.
        """
        ...

    def lock_blobs(self, refs: Iterable[BlobRef]) -> datetime | None:
        """Keep blobs from being taken away, and return until when at least; None if the store was not asked to lock.

        A lock lasts as long as the address of the store says; to lock again makes it longer and never shorter.

        Raises:
            MissingObjectError: a blob is not there.
            UnsafeStoreError: the store was asked to lock and cannot.
        """
        ...

    def find_lock(self, sha256: str) -> datetime | None:
        """Return until when a blob cannot be taken away; None if it is not locked, or is not there.

        Raises:
            InvalidKeyError: this is no digest.
        """
        ...

    def list_kept_views(self) -> list[str]:
        """Find the keys of all views of which anything is kept, also of those that were taken away, sorted."""
        ...

    def discard_view(self, key: str) -> None:
        """Take a view away with all that a bucket keeps of it, for good; one that is not there is a success.

        Raises:
            LockedObjectError: it is locked: it is not shown any more, and its bytes stay.
        """
        ...

    def remove_record(self, key: str) -> None:
        """Take a record away; one that is not there is a success."""
        ...

    def remove_unfinished(self, older_than: timedelta) -> int:
        """Take away what killed writers left half done and was last touched so long ago, and return how many."""
        ...


def blob_key(sha256: str) -> str:
    """Return where the bytes of this digest are kept in every store."""
    return f"blobs/sha256/{sha256[:2]}/{sha256}"


def is_digest(text: str) -> bool:
    """Tell whether this is a SHA-256 as 64 hexadecimal digits in lower case."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(sha256: str) -> str:
    """Return a digest that can name a blob.

    Raises:
        InvalidKeyError: it is not 64 hexadecimal digits in lower case.
    """
    if not is_digest(sha256):
        msg = f"{sha256[:80]!r} is no digest of a blob: give SHA-256 as 64 hexadecimal digits in lower case."
        raise InvalidKeyError(msg)
    return sha256


def is_key(key: str) -> bool:
    """Tell whether a key is segments of `A-Z a-z 0-9 . _ = -` joined by `/`.

    None starts with a dot, and only the last may end in `.json`.
    """
    return len(key) <= MAX_KEY_LENGTH and _KEY.fullmatch(key) is not None


def can_be_folder(key: str) -> bool:
    """Tell whether other keys may stand below this one."""
    return not key.endswith(_FILE_ENDING)


def check_key(key: str) -> str:
    """Return a key that can name an object.

    Raises:
        InvalidKeyError: the key is empty, too long, or has a segment that is not allowed.
    """
    if not is_key(key):
        msg = (
            f"The key {key[:MAX_KEY_LENGTH]!r} cannot name an object: join segments of letters, digits and ._=- with "
            f"slashes, none empty or starting with a dot, at most {MAX_KEY_LENGTH} characters in all and 255 in one; "
            f"only the last may end in {_FILE_ENDING}."
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
