# pyright: standard
"""Fetching the files of a profile from the hub, for those who have a network.

Run `make fetch PROFILE=name`, or `python -m models.fetching --profile NAME`. What the hub's cache holds is not fetched
again, and what was begun is gone on with. `HF_HUB_OFFLINE=1` is honoured: then it only says what is missing.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from httpx2 import ConnectError
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import DryRunError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.file_download import repo_folder_name

from models.errors import FetchError, ModelError
from models.profiles import PARTS, Profile, Source, find_profile
from models.sources import list_sources
from models.weights import digest_weights

_COMMIT = re.compile(r"[0-9a-f]{40}")
SPARE_BYTES = 2**30
"""Left free on the disk."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be had of one repository at one revision."""

    repo: str
    revision: str
    patterns: tuple[str, ...]


def list_wanted(profile: Profile) -> list[Wanted]:
    """Return the files of a profile that come from the hub, a repository at a time."""
    patterns: dict[tuple[str, str], list[str]] = {}
    for source in list_sources(profile):
        if source.is_on_hub:
            found = _base_patterns(profile) if source == profile.base else _patterns(source)
            patterns.setdefault((source.repo, source.revision), []).extend(found)
    return [Wanted(repo=repo, revision=revision, patterns=tuple(of)) for (repo, revision), of in patterns.items()]


def _base_patterns(profile: Profile) -> list[str]:
    """Return what is needed of the base: settings of every part, and the tensors that no single file brings."""
    tensors = [f"{part}/*.safetensors*" for part in PARTS if part not in profile.singles]
    return ["processor/*", *(f"{part}/*.json" for part in PARTS), *tensors]


def _patterns(source: Source) -> list[str]:
    if source.path:
        return [source.path]
    return ["open_clip_config.json", "open_clip_model.safetensors"]


def fetch(profile: Profile, weights: Path) -> None:
    """Bring all files of a profile into the hub's cache, after a look at the disk, and read them once.

    Raises:
        FetchError: The disk has too little space, there is no network, or the hub refuses.
        ProfileError: What came is not whole, or not what the profile means.
    """
    wanted = [each for each in list_wanted(profile) if not (weights / each.repo).exists()]
    pinned = {each: replace(each, revision=_find_commit(each)) for each in wanted}
    _check_disk(sum(map(_count_missing, pinned.values())))
    for each in pinned.values():
        sys.stdout.write(f"{each.repo} at {each.revision}\n")
        _fetch_one(each)
    sys.stdout.write("Reading what was fetched ...\n")
    commits = {(each.repo, each.revision): at.revision for each, at in pinned.items()}
    digest = digest_weights(_pin(profile, commits), weights)
    for each, at in pinned.items():  # only now: a fetch that fails leaves the branch where it was
        _move_branch(each, at.revision)
    sys.stdout.write(f"{profile.name}: SHA-256 of all files {digest}\n")


def _pin(profile: Profile, commits: Mapping[tuple[str, str], str]) -> Profile:
    """Return the profile with the commits of its sources in place of branches."""

    def pin(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            inner = {name: pin(part) for name, part in value.items()}
            known = commits.get((str(value.get("repo")), str(value.get("revision"))))
            return inner | {"revision": known} if known else inner
        return [pin(part) for part in value] if isinstance(value, list) else value

    return Profile.model_validate(pin(profile.model_dump(mode="json")))


def _find_commit(wanted: Wanted) -> str:
    """Return where a branch stands on the hub; offline, the branch itself, of which the cache knows the last fetch."""
    if _COMMIT.fullmatch(wanted.revision):
        return wanted.revision
    try:
        return HfApi().model_info(wanted.repo, revision=wanted.revision).sha or wanted.revision
    except (OfflineModeIsEnabled, ConnectError):
        return wanted.revision
    except HfHubHTTPError as exc:
        raise _refusal(wanted, exc) from exc


def _move_branch(wanted: Wanted, commit: str) -> None:
    if commit != wanted.revision:
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=wanted.repo, repo_type="model")
        branch = folder / "refs" / wanted.revision
        branch.parent.mkdir(parents=True, exist_ok=True)
        branch.write_text(commit)


def _refusal(wanted: Wanted, exc: HfHubHTTPError) -> FetchError:
    reason = " ".join(str(exc).split())[:200]
    return FetchError(
        f"The hub refuses {wanted.repo} at {wanted.revision} ({reason}): check the name, or log in with `hf auth`."
    )


def _count_missing(wanted: Wanted) -> int:
    try:
        files = snapshot_download(
            wanted.repo, revision=wanted.revision, allow_patterns=list(wanted.patterns), dry_run=True
        )
    except DryRunError:  # there is no network: what there is will be found, or not
        return 0
    return sum(file.file_size or 0 for file in files if file.will_download)


def _check_disk(missing: int) -> None:
    cache = Path(constants.HF_HUB_CACHE)
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    sys.stdout.write(f"{missing / 2**30:.1f} GiB to fetch into {cache}, where {free / 2**30:.1f} GiB are free\n")
    if missing + SPARE_BYTES > free:
        msg = (
            f"{cache} has {free / 2**30:.1f} GiB free and {missing / 2**30:.1f} are to be fetched: "
            "make space, or set HF_HOME to a larger disk."
        )
        raise FetchError(msg)


def _fetch_one(wanted: Wanted) -> None:
    try:
        snapshot_download(wanted.repo, revision=wanted.revision, allow_patterns=list(wanted.patterns))
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as exc:
        msg = f"{wanted.repo} is not on this machine and the hub cannot be reached: fetch it where there is a network."
        raise FetchError(msg) from exc
    except HfHubHTTPError as exc:
        raise _refusal(wanted, exc) from exc


def main() -> int:
    """Fetch the profile of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    arguments = parser.parse_args()
    try:
        profile = find_profile(arguments.profile)
        sys.stdout.write(f"{profile.name}: licence {profile.licence}\n")
        fetch(profile, arguments.weights)
    except ModelError as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
