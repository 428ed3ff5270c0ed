"""The files of a profile: are they there, are they safe to open, and which bytes are they.

Opens no tensor, so that it is quick where nothing has to be rendered.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from models.errors import MissingWeightsError, PickledWeightsError
from models.profiles import Profile

PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})
PARTS_WITH_WEIGHTS = ("transformer", "vae", "text_encoder")
PARTS_WITH_SETTINGS = ("processor",)


def digest_weights(profile: Profile, weights: Path) -> str:
    """Return the SHA-256 over the names and contents of all files that fix a pixel of `profile`.

    Raises:
        MissingWeightsError: A folder or a file of the profile is not there.
        PickledWeightsError: Weights are stored as a pickle, which can run code.
    """
    total = hashlib.sha256()
    for path in _files(profile, weights):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(weights).as_posix()} {digest}\n".encode())
    return total.hexdigest()


def check_folder(folder: Path) -> None:
    """Refuse a folder that is absent, or that holds pickles where safetensors belong."""
    if not folder.is_dir():
        msg = f"The weights folder {folder} is missing: make or fetch the weights of this profile first."
        raise MissingWeightsError(msg)
    if list(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
    if pickled:
        msg = f"{folder} holds pickled weights ({', '.join(pickled)}): only safetensors are read, convert them first."
        raise PickledWeightsError(msg)
    msg = f"There is no safetensors file in {folder}: make or fetch the weights of this profile first."
    raise MissingWeightsError(msg)


def check_file(path: Path) -> None:
    """Refuse a file that is absent, or that is a pickle by name."""
    if path.suffix in PICKLE_SUFFIXES:
        msg = f"{path} is a pickle: only safetensors are read, convert it first."
        raise PickledWeightsError(msg)
    if not path.is_file():
        msg = f"The weights file {path} is missing: make or fetch the weights of this profile first."
        raise MissingWeightsError(msg)


def _files(profile: Profile, weights: Path) -> Iterator[Path]:
    folder = weights / profile.base
    for part in PARTS_WITH_WEIGHTS:
        check_folder(folder / part)
        yield from sorted((folder / part).glob("*.safetensors"))
        yield from sorted((folder / part).glob("*config.json"))
    for part in PARTS_WITH_SETTINGS:
        settings = sorted(path for path in (folder / part).glob("*") if path.is_file())
        if not settings:
            msg = f"There is no settings file in {folder / part}: make or fetch the files of this profile first."
            raise MissingWeightsError(msg)
        yield from settings
    for lora in profile.loras:
        check_file(weights / lora.path)
        yield weights / lora.path
