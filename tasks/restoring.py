"""Restoring: an older version shown again as the newest, without rendering anything."""

from storage.history import read_version
from storage.objects import Store
from storage.records import Manifest
from storage.republishing import republish
from storage.versions import latest_version, version_name
from storage.work import at_work
from tasks.errors import InvalidRequestError


def restore_version(store: Store, scene: str, number: int) -> Manifest:
    """Publish version `number` again behind the latest one, and return what is published.

    Raises:
        InvalidRequestError: It is the latest.
        MissingObjectError: There is no such version, or one of its blobs is lost.
        ConflictError: Another run has published in this moment.
    """
    with at_work(store, f"restore {scene} {version_name(number)}"):
        source, latest = read_version(store, scene, number), latest_version(store, scene)
        if latest and latest.number == number:
            msg = f"{version_name(number)} is the latest version of {scene} already: restore an older one."
            raise InvalidRequestError(msg)
        return republish(store, source, scene, {"restored_from": number})
