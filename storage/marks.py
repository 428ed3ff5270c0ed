"""What people say of a version: that it is to stay, or a word such as `approved`.

`marks/<scene>/<version>/<utc time>-<random>.json` is one word of one person. Marks are only ever added, each under a
key of its own, so two people who speak at once lose nothing; what holds is the fold of all, in the order of their keys.
The time of a mark is later than that of every mark its author could see, whatever the clocks of two machines say.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import Field

from storage.errors import MissingObjectError
from storage.history import VersionKey
from storage.objects import Store
from storage.reading import read_many, read_record
from storage.records import Record
from storage.versions import manifest_key, version_name

Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

_TIME = "%Y%m%dT%H%M%S.%fZ"


class Mark(Record):
    """One word about one version."""

    action: Literal["pin", "unpin", "tag", "untag"]
    tag: Tag | None = None
    who: Annotated[str, Field(min_length=1, max_length=200)]
    when: str
    """UTC in ISO 8601, by the clock of whoever said it."""
    note: Annotated[str, Field(max_length=200)] = ""


class Standing(Record):
    """What holds of a version after all that was said."""

    pin: Mark | None = None
    tags: dict[str, Mark] = Field(default_factory=dict[str, Mark])
    """The mark behind each tag that holds."""

    @property
    def is_protected(self) -> bool:
        """Whether the version must not expire."""
        return self.pin is not None or bool(self.tags)


def add_mark(store: Store, version: VersionKey, mark: Mark) -> Standing:
    """Say a word about a version, and return what holds then.

    Raises:
        MissingObjectError: There is no such version, or it has expired in this moment.
    """
    _check_version(store, version)
    said = list_marks(store, version)
    last = datetime.strptime(_stem(said[-1]), _TIME).replace(tzinfo=UTC) if said else datetime.min.replace(tzinfo=UTC)
    time = max(datetime.now(UTC), last + timedelta(microseconds=1))
    key = f"{_folder(version)}{time:{_TIME}}-{uuid4().hex[:12]}.json"
    store.put_record(key, mark.model_dump_json().encode())
    _check_version(store, version)  # who expires looks at the marks again afterwards: one of both sees the other
    return read_standing(store, version)


def list_marks(store: Store, version: VersionKey) -> list[str]:
    """Return the keys of all marks of a version, in their order."""
    return [key for key in store.list_records(_folder(version)) if key.endswith(".json")]


def read_marks(store: Store, version: VersionKey) -> list[Mark]:
    """Return everything that was said about a version, in its order.

    Raises:
        CorruptObjectError: A mark is damaged.
    """
    return read_many(partial(read_record, store, kind=Mark), list_marks(store, version))


def read_standing(store: Store, version: VersionKey) -> Standing:
    """Return what holds of a version.

    Raises:
        CorruptObjectError: A mark is damaged.
    """
    return fold_marks(read_marks(store, version))


def fold_marks(marks: Iterable[Mark]) -> Standing:
    """Return what holds after these marks; the first pin and the first of equal tags are the ones that are named."""
    pin: Mark | None = None
    tags: dict[str, Mark] = {}
    for mark in marks:
        if mark.action == "pin":
            pin = pin or mark
        elif mark.action == "unpin":
            pin = None
        elif mark.action == "tag" and mark.tag:
            tags.setdefault(mark.tag, mark)
        elif mark.action == "untag" and mark.tag:
            tags.pop(mark.tag, None)
    return Standing(pin=pin, tags=tags)


def _folder(version: VersionKey) -> str:
    return f"marks/{version[0]}/{version_name(version[1])}/"


def _stem(key: str) -> str:
    return key.rpartition("/")[2].partition("-")[0]


def _check_version(store: Store, version: VersionKey) -> None:
    scene, number = version
    try:
        store.get_record(manifest_key(scene, number))
    except MissingObjectError as exc:
        msg = f"There is no {version_name(number)} of {scene}, so nothing can be said of it: list its versions."
        raise MissingObjectError(msg) from exc
