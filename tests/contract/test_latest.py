"""Which version of every scene is the latest, asked of a folder and of a real S3 server."""

from storage.history import list_numbers
from storage.objects import Housekeeper, Store
from storage.versions import manifest_key


def latest_numbers(store: Store) -> dict[str, int]:
    """Return the greatest number of every scene."""
    return {scene: numbers[-1] for scene, numbers in list_numbers(store).items()}


def test_latest_numbers_come_from_the_names(either_store: Housekeeper) -> None:
    """Every scene is told its greatest number, and no manifest is read for it: a damaged one counts."""
    assert latest_numbers(either_store) == {}
    for scene, numbers in (("street", (2, 10, 9)), ("street-2", (1,)), ("dock", (999_999, 1))):
        for number in numbers:
            either_store.put_record(manifest_key(scene, number), b"damaged")
    either_store.put_record("versions/street/v000011/note.txt", b"")
    either_store.put_record("versions/street/v000012/manifest.json.old", b"")
    assert latest_numbers(either_store) == {"dock": 999_999, "street": 10, "street-2": 1}
