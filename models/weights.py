"""The files of a profile: are they there, are they safe to open, and which bytes are they.

Opens no tensor, so that it is quick where nothing has to be rendered. What is required is said here, because the
libraries put the defaults of another model in the place of a file that is absent.
"""

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from models.digests import digest_file
from models.errors import MissingWeightsError, PickledWeightsError, WrongWeightsError
from models.profiles import PARTS, Profile
from models.sources import list_sources, locate

PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})
UNTRAINED_MARK = "UNTRAINED"
"""A file of this name in the folder of a base model says that its weights are random numbers."""
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    StrictDataclassError,
)
"""What the libraries raise on settings of the wrong kind: they build a model from them before they check any."""


def digest_weights(profile: Profile, weights: Path) -> str:
    """Return the SHA-256 over the names and contents of all files that fix a pixel or a score of `profile`.

    A name is that in its repository, wherever on this machine the files lie.

    Raises:
        MissingWeightsError: A folder or a file of the profile is not there.
        WrongWeightsError: A file of settings says nothing, cannot be read, or is not the one that the profile means.
        PickledWeightsError: Weights are stored as a pickle, which can run code.
    """
    known = {source.name: source.sha256 for source in list_sources(profile) if source.sha256}
    total = hashlib.sha256()
    for name, path in _files(profile, weights):
        with refuse_damage(path):
            found = digest_file(path, weights)
        if known.get(name, found) != found:
            msg = f"{path} has the SHA-256 {found} in place of {known[name]}: remove it and fetch it again."
            raise WrongWeightsError(msg)
        total.update(f"{name} {found}\n".encode())
    return total.hexdigest()


def as_found(profile: Profile, weights: Path) -> Profile:
    """Return the profile as its weights are: untrained, and of no revision, where they say so."""
    base = profile.base
    if (weights / base.repo / UNTRAINED_MARK).exists():
        unpinned = base.model_copy(update={"revision": "untrained"})
        return profile.model_copy(update={"training": "untrained", "base": unpinned})
    return profile


def check_model(folder: Path, config: str = "config.json") -> None:
    """Refuse a folder without the settings or a shard of its model, or with pickles where safetensors belong."""
    _check_folder(folder)
    present = {path.name for path in folder.glob("*.safetensors")}
    if not present:
        _refuse_pickles(folder)
        msg = f"There is no safetensors file in {folder}: make or fetch the weights of this profile first."
        raise MissingWeightsError(msg)
    read_settings(folder / config)
    for index in folder.glob("*.safetensors.index.json"):
        absent = sorted(_shards(index) - present)
        if absent:
            msg = f"{index} names {absent[0]}, which is not in its folder: fetch the files of this profile again."
            raise MissingWeightsError(msg)


def check_processor(folder: Path) -> None:
    """Refuse a folder without the words of its tokenizer, or the settings of the tokenizer or of the pictures."""
    _check_folder(folder)
    pictures = folder / "processor_config.json"  # as of transformers 5; before, a file of the pictures alone
    read_settings(pictures if pictures.exists() else folder / "preprocessor_config.json")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        read_settings(folder / name)


def check_clip(folder: Path) -> None:
    """Refuse a folder of open_clip without its settings, or with weights under another name."""
    check_model(folder, "open_clip_config.json")
    check_file(folder / "open_clip_model.safetensors")  # open_clip would take a pickle before another name


def check_file(path: Path) -> None:
    """Refuse a file that is absent, or that is a pickle by name."""
    if path.suffix in PICKLE_SUFFIXES:
        msg = f"{path} is a pickle: only safetensors are read, convert it first."
        raise PickledWeightsError(msg)
    if not path.is_file():
        msg = f"The weights file {path} is missing: make or fetch the weights of this profile first."
        raise MissingWeightsError(msg)


@contextmanager
def refuse_damage(path: Path) -> Generator[None]:
    """Say in one sentence that `path` is damaged, whatever a library says about it.

    Raises:
        WrongWeightsError: What is read within cannot be read.
    """
    try:
        yield
    except DAMAGE as exc:
        reason = " ".join(str(exc).split())[:300] or type(exc).__name__
        msg = f"{path} could not be read ({reason}): make or fetch the files of this profile again."
        raise WrongWeightsError(msg) from exc


def _files(profile: Profile, weights: Path) -> list[tuple[str, Path]]:
    """Return every file that matters and its name for the digest; all are checked before the first is read."""
    base, clip = locate(profile.base, weights), locate(profile.clip, weights)
    files: list[tuple[str, Path]] = []
    for part in PARTS:
        if part in profile.singles:
            single = profile.singles[part]
            path = locate(single, weights)
            check_file(path)
            read_settings(base / part / "config.json")
            files += [(single.name, path), (f"{profile.base.repo}/{part}/config.json", base / part / "config.json")]
        else:
            check_model(base / part)
            files += _settings_and_tensors(f"{profile.base.repo}/{part}", base / part)
    check_processor(base / "processor")
    check_clip(clip)
    files += _settings_and_tensors(profile.clip.name, clip)
    files += [
        (f"{profile.base.repo}/processor/{path.name}", path)
        for path in sorted((base / "processor").iterdir())
        if path.is_file()
    ]
    for lora in profile.loras:
        path = locate(lora.source, weights)
        check_file(path)
        files.append((lora.source.name, path))
    return files


def _settings_and_tensors(name: str, folder: Path) -> list[tuple[str, Path]]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".safetensors"})
    return [(f"{name}/{path.name}", path) for path in paths]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        msg = f"The weights folder {folder} is missing: make or fetch the weights of this profile first."
        raise MissingWeightsError(msg)


def _refuse_pickles(folder: Path) -> None:
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
    if pickled:
        msg = f"{folder} holds pickled weights ({', '.join(pickled)}): only safetensors are read, convert them first."
        raise PickledWeightsError(msg)


def _shards(index: Path) -> set[str]:
    """Return the file names that the index of a sharded checkpoint names."""
    shards = read_settings(index).get("weight_map")
    if not isinstance(shards, dict):
        msg = f"{index} names no shards: fetch the files of this profile again."
        raise WrongWeightsError(msg)
    return set(map(str, cast("dict[str, object]", shards).values()))


def read_settings(path: Path) -> dict[str, object]:
    """Return what a JSON file says; one that is absent or says nothing would leave a library to its defaults."""
    check_file(path)
    with refuse_damage(path):
        settings: object = json.loads(path.read_bytes())
    if not isinstance(settings, dict) or not settings:
        msg = f"{path} holds no settings: make or fetch the files of this profile again."
        raise WrongWeightsError(msg)
    return cast("dict[str, object]", settings)
