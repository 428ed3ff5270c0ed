"""The reports of all versions as one data set in a store, partitioned by project and sequence as Hive does it.

```
views/reports/angles/project=<p>/sequence=<s>/<scene>-v000001.parquet        one version of a scene
views/reports/angles/project=<p>/sequence=<s>/compacted-<digest>.parquet     many of them in one file
views/reports/coverages/...                                                  the same, a row per coverage
```

Every part is a readable copy of a report that its version's manifest names, so the data set can be laid out again at
any time, also beside a file that holds the same rows: an attempt counts once, however often it is found. A compacted
file is named by its bytes and written before what it replaces is removed, so that breaking off loses nothing, and
neither does a second compaction beside it.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256

import polars as pl

from storage.errors import (
    ConflictError,
    CorruptObjectError,
    LockedObjectError,
    MissingObjectError,
    StorageError,
    StoreUnavailableError,
)
from storage.names import check_name
from storage.objects import Housekeeper, Store
from storage.reports import IDENTITY, PARTS_KEY, Kind, list_columns, read_report, write_frame

_MEDIA_TYPE = "application/vnd.apache.parquet"

_FOLDERS: dict[Kind, str] = {"angles": "reports/angles", "coverage": "reports/coverages"}
_COMPACTED = "compacted-"
_NUM_READERS = 16
_PART = re.compile(r"(.+)-v(\d{6})\.parquet")


def angle_part_key(project: str, sequence: str, scene: str, number: int) -> str:
    """Return the key of the view that holds the angles of a version in the data set.

    Raises:
        InvalidKeyError: The project, the sequence or the scene is no name.
    """
    return _part_key("angles", project, sequence, scene, number)


def coverage_part_key(project: str, sequence: str, scene: str, number: int) -> str:
    """Return the key of the view that holds the row of a version in the data set.

    Raises:
        InvalidKeyError: The project, the sequence or the scene is no name.
    """
    return _part_key("coverage", project, sequence, scene, number)


def list_parts(store: Store, kind: Kind, project: str | None = None, sequence: str | None = None) -> list[str]:
    """Return the keys of all parts, or of those of a project or a sequence, compacted ones first in their folder.

    Raises:
        InvalidKeyError: The project or the sequence is no name.
    """
    folder = f"{_FOLDERS[kind]}/" + (f"project={check_name(project)}/" if project is not None else "")
    of_sequence = f"sequence={check_name(sequence)}/" if sequence is not None else "sequence="
    part = re.compile(rf"{_FOLDERS[kind]}/project=[^/]+/{of_sequence}[^/]+{'' if sequence else '/[^/]+'}\.parquet")
    keys = [key for key in store.list_views(folder) if part.fullmatch(key)]
    return sorted(keys, key=lambda key: (_folder_of(key), not _is_compacted(key), key))


def query_parts(
    store: Store, kind: Kind, keys: Sequence[str], question: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> pl.DataFrame:
    """Return the answer to a question about the rows of these parts, which are read as far as it needs them.

    What older parts lack is null, and what only newer ones have is passed over.

    Raises:
        CorruptObjectError: A part is damaged.
        StoreUnavailableError: A part was compacted away or laid out while it was read, or the store fails.
    """
    with _translated(store, kind, keys):
        return question(_scan(store, kind, keys)).collect()


def compact(store: Store, kind: Kind) -> dict[str, int]:
    """Make one file of the parts of every partition that has several; return how many went into each new file.

    Raises:
        CorruptObjectError: A part is damaged or newer than this program; what came before it is compacted.
        ConflictError: Somebody else compacts at the same time.
    """
    partitions = _by_partition(list_parts(store, kind))
    return {
        _compact_partition(store, kind, folder, keys): len(keys) for folder, keys in partitions.items() if len(keys) > 1
    }


def forget(store: Housekeeper, kind: Kind, is_there: Callable[[str, int], bool]) -> int:
    """Take away for good the rows of all versions that are not there, by scene and number; return how many parts went.

    A compacted file that holds some is written anew first. What is of no known version stays.

    Raises:
        CorruptObjectError: A compacted file is damaged or newer than this program.
    """
    keys = list_parts(store, kind)
    contents = _list_contents(store, [key for key in keys if _is_compacted(key)])
    gone = {
        key: {name for name in contents.get(key, {_name_of(key)}) if not _names_one_of(name, is_there)} for key in keys
    }
    for key in (key for key in keys if gone[key]):
        if key in contents:
            _leave_out(store, kind, key, contents[key], gone[key])
        with suppress(LockedObjectError):  # it is not shown any more
            store.discard_view(key)
    return sum(map(len, gone.values()))


def _part_key(kind: Kind, project: str, sequence: str, scene: str, number: int) -> str:
    folder = f"{_FOLDERS[kind]}/project={check_name(project)}/sequence={check_name(sequence)}"
    return f"{folder}/{check_name(scene)}-v{number:06d}.parquet"


def _folder_of(key: str) -> str:
    return key.rpartition("/")[0]


def _name_of(key: str) -> str:
    return key.rpartition("/")[2]


def _by_partition(keys: Sequence[str]) -> dict[str, list[str]]:
    partitions: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        partitions[_folder_of(key)].append(key)
    return partitions


def _is_compacted(key: str) -> bool:
    return _name_of(key).startswith(_COMPACTED) and not re.search(r"-v\d{6}\.parquet$", key)


def _scan(store: Store, kind: Kind, keys: Sequence[str]) -> pl.LazyFrame:
    """Return the rows of the parts, each once."""
    partitions = _by_partition(keys)
    several = [key for parts in partitions.values() for key in parts if len(parts) > 1 and _is_compacted(key)]
    contents = _list_contents(store, several)
    distinct, doubtful = list[str](), list[str]()
    for parts in partitions.values():
        needed, is_distinct = _choose_parts(parts, contents)
        (distinct if is_distinct else doubtful).extend(needed)
    rows = _scan_files(store, kind, distinct)
    return pl.concat([rows, _drop_repeats(_scan_files(store, kind, doubtful), kind)]) if doubtful else rows


def _choose_parts(parts: Sequence[str], contents: Mapping[str, frozenset[str]]) -> tuple[list[str], bool]:
    """Return the parts of a partition that are not within others, and whether no row can be in two of them.

    Two compacted files share rows only if two compactions ran at once.
    """
    needed = list[str]()
    held = frozenset[str]()
    is_distinct = True
    compacted = sorted((part for part in parts if part in contents), key=lambda part: (-len(contents[part]), part))
    for part in compacted:
        if not contents[part] <= held or not contents[part]:
            is_distinct = is_distinct and contents[part].isdisjoint(held) and bool(contents[part])
            needed.append(part)
            held |= contents[part]
    return needed + [part for part in parts if part not in contents and _name_of(part) not in held], is_distinct


def _list_contents(store: Store, keys: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the names of the parts that went into each compacted file, from its metadata."""
    options = store.list_reader_options() or None

    def read(key: str) -> frozenset[str]:
        metadata = pl.read_parquet_metadata(store.locate_view(key), options, credential_provider=None)
        return frozenset(json.loads(metadata.get(PARTS_KEY, "[]")))

    with ThreadPoolExecutor(_NUM_READERS) as pool:
        return dict(zip(keys, pool.map(read, keys), strict=True))


def _drop_repeats(rows: pl.LazyFrame, kind: Kind) -> pl.LazyFrame:
    """Return the rows without those that were there before; of unknown version, those of one run are the same."""
    run_id = pl.when(pl.col("version").is_null()).then("run_id").alias("_run_id")
    named = rows.with_columns(run_id)
    return named.unique([*IDENTITY[kind], "_run_id"], keep="first").drop("_run_id")


def _scan_files(store: Store, kind: Kind, keys: Sequence[str]) -> pl.LazyFrame:
    columns = list_columns(kind)
    if not keys:
        return pl.LazyFrame(schema=columns)
    return pl.scan_parquet(
        [store.locate_view(key) for key in keys],
        glob=False,
        hive_partitioning=False,
        schema=columns,
        missing_columns="insert",
        extra_columns="ignore",
        storage_options=store.list_reader_options() or None,
        credential_provider=None,
    )


def _compact_partition(store: Store, kind: Kind, folder: str, keys: Sequence[str]) -> str:
    """Write the rows of the parts into one file, remove the parts, and return the key of the file."""
    try:
        frames = [_name_partition(_read_part(store, kind, key), folder) for key in keys]
    except MissingObjectError as exc:
        msg = (
            f"Parts of {folder} went away while they were compacted: wait for the other compaction, then run it again."
        )
        raise ConflictError(msg) from exc
    rows = _drop_repeats(pl.concat(frames).lazy(), kind).sort([*IDENTITY[kind], "run_id"]).collect()
    held = _list_contents(store, [key for key in keys if _is_compacted(key)])
    names = {_name_of(key) for key in keys if key not in held}.union(*held.values())
    data = write_frame(rows, kind, names)
    target = f"{folder}/{_COMPACTED}{sha256(data).hexdigest()[:16]}.parquet"
    store.put_view(target, store.put_blob(data, _MEDIA_TYPE))
    for key in keys:
        if key != target:
            store.remove_view(key)
    return target


def _names_one_of(part: str, is_there: Callable[[str, int], bool]) -> bool:
    found = _PART.fullmatch(part)
    return found is None or is_there(found[1], int(found[2]))


def _leave_out(store: Store, kind: Kind, key: str, names: frozenset[str], gone: set[str]) -> None:
    """Write a compacted file beside this one that has all of its rows but those of some parts."""
    number = pl.col("version").cast(pl.String).str.zfill(6)
    part = pl.format("{}-v{}.parquet", pl.col("scene"), number)
    rows = _read_part(store, kind, key).filter(part.is_in(sorted(gone)).fill_null(value=False).not_())
    if rows.height:
        data = write_frame(_name_partition(rows, _folder_of(key)), kind, names - gone)
        target = f"{_folder_of(key)}/{_COMPACTED}{sha256(data).hexdigest()[:16]}.parquet"
        store.put_view(target, store.put_blob(data, _MEDIA_TYPE))


def _read_part(store: Store, kind: Kind, key: str) -> pl.DataFrame:
    try:
        return read_report(store.get_view(key), kind)
    except CorruptObjectError as exc:
        msg = f"{store.locate_view(key)} cannot be used: {exc}"
        raise CorruptObjectError(msg) from exc


def _name_partition(rows: pl.DataFrame, folder: str) -> pl.DataFrame:
    """Fill in what the rows of version 1 say by their folder only."""
    names = dict(segment.split("=", 1) for segment in folder.split("/") if "=" in segment)
    return rows.with_columns(pl.col(column).fill_null(name) for column, name in names.items())


@contextmanager
def _translated(store: Store, kind: Kind, keys: Sequence[str]) -> Generator[None]:
    """Turn what polars raises into our errors; which part is damaged is searched for only then."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise _explain(store, kind, keys) from exc


def _explain(store: Store, kind: Kind, keys: Sequence[str]) -> StorageError:
    for key in keys:
        try:
            _read_part(store, kind, key)
        except MissingObjectError:
            break
        except StorageError as error:
            return error
    return StoreUnavailableError("The reports changed or could not be reached while they were read: run it again.")
