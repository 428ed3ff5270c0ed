"""What a store really does, asked before it is trusted: servers lie silently, and disks differ."""

from pathlib import Path

from storage.doctor_directory import examine_directory
from storage.doctor_s3 import examine_s3
from storage.opening import parse_store
from storage.probing import Finding


def examine_store(url: str, *, is_quick: bool = False) -> list[Finding]:
    """Ask the store at an address for all that is expected of it; missing buckets and folders are made.

    A quick look asks what can lose work, with the rights of whoever renders, in a tenth of a second at most, and raises
    whatever is refused. What is put is under keys that no record can have, and is removed.

    Raises:
        UnknownStoreError: The address is none, or no store answers there.
        StoreUnavailableError: Nobody answers.
        StoreReadOnlyError: There are no credentials, or they are not known there.
        StorageError: A quick look was refused something.
    """
    place = parse_store(url)
    if isinstance(place, Path):
        return examine_directory(place, is_quick=is_quick)
    return examine_s3(place, is_quick=is_quick)
