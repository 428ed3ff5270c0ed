# pyright: standard
"""Where the files of a profile are on this machine; what is not there is never fetched behind anybody's back.

A folder below the folder of all weights goes before the hub's cache (`HF_HOME`), so that a studio may keep the files
where it likes.
"""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from models.errors import MissingWeightsError
from models.profiles import Profile, Source


def locate(source: Source, weights: Path) -> Path:
    """Return the place of a source, whether or not all of it is there.

    Raises:
        MissingWeightsError: It comes from the hub, and is neither in `weights` nor in the hub's cache.
    """
    folder = weights / source.repo
    if not folder.exists() and source.is_on_hub:
        folder = _find_snapshot(source, folder)
    return folder / source.path


def list_sources(profile: Profile) -> list[Source]:
    """Return all that a profile needs, the base first."""
    return [profile.base, *profile.singles.values(), *(lora.source for lora in profile.loras), profile.clip]


def _find_snapshot(source: Source, folder: Path) -> Path:
    try:
        # No pattern: a snapshot counts though it holds what the profile needs and nothing else of its repository.
        found = snapshot_download(source.repo, revision=source.revision, local_files_only=True, allow_patterns=[])
        return Path(found)
    except LocalEntryNotFoundError as exc:
        msg = (
            f"{source.repo} at {source.revision[:12]} is neither in {folder} nor in the hub's cache: "
            "run `make fetch PROFILE=...` on a machine with a network first."
        )
        raise MissingWeightsError(msg) from exc
