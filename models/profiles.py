"""Profiles: everything that fixes a model, as typed constants.

Adding a model is adding a profile here and, at most, a dialect.
"""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from models.camera import Dialect
from models.encoders import DLIB_FACES, EFFICIENTNET_LITE0, Encoder
from models.errors import UnknownProfileError
from models.thresholds import MINIATURE_PICTURES, STAGE_VIEWS, Thresholds


class SchedulerConfig(BaseModel):
    """The noise levels that a render passes through, in the words of `FlowMatchEulerDiscreteScheduler`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_image_seq_len: int
    max_image_seq_len: int
    base_shift: float
    max_shift: float
    num_train_timesteps: int
    shift: float
    shift_terminal: float | None
    time_shift_type: Literal["exponential", "linear"]
    use_dynamic_shifting: bool

    @model_validator(mode="after")
    def _is_the_same_for_every_raster(self) -> Self:
        if self.base_shift != self.max_shift:
            msg = f"base_shift={self.base_shift} and max_shift={self.max_shift} differ: give one, for every raster"
            raise ValueError(msg)
        return self


class Source(BaseModel):
    """Files of a model: a repository of the hub, or a folder of the same name below the folder of all weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    path: str = ""
    """Of one file or folder in it; empty: all of it."""
    revision: str
    """A commit; of a repository whose commit was not known here, a branch, which the hub's cache pins at a fetch."""
    sha256: str | None = None
    """Of a single file, where it is known."""

    @property
    def name(self) -> str:
        """Repository and path in one."""
        return "/".join(filter(None, (self.repo, self.path)))

    @property
    def is_on_hub(self) -> bool:
        """A repository of the hub has an owner; what has none is kept with the code."""
        return "/" in self.repo


class Lora(BaseModel):
    """One LoRA file of a profile and how strongly it is applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: Source
    strength: float = 1.0


class Arithmetic(BaseModel):
    """How the products of the transformer are taken: both settings are quicker, and change every pixel a little."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    linears: Literal["whole", "fp8"] = "whole"
    """In the profile's dtype, or in 8-bit floats with a scale for each row."""
    reuses_reference: bool = False
    """Keys and values of the reference stay those of the first step."""


JUDGES = ("appearance", "faces", "judge", "multi_view", "thresholds")
"""Fields of `Profile` that change a score and no pixel."""
PARTS = ("transformer", "vae", "text_encoder")
"""Of a base model, by the names of their folders and of the fields of `Profile`."""


class Profile(BaseModel):
    """Everything that fixes a model; what is missing here must not change a pixel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    base: Source
    """The base model in diffusers' layout; its settings are used even where a part comes from elsewhere."""
    transformer: Source | None = None
    vae: Source | None = None
    text_encoder: Source | None = None
    """Single files in ComfyUI's formats, in place of the parts of the base."""
    licence: str
    training: Literal["untrained", "trained"]
    """Untrained weights say so in every report."""
    dialect: Dialect
    loras: tuple[Lora, ...]
    scheduler: SchedulerConfig
    """Pinned here, because the scheduler folder of a base model holds the stock one."""
    num_steps: int
    reference_area_px: int
    """Pixels of the reference and of the output picture."""
    condition_area_px: int
    """Pixels of the reference as the text encoder sees it."""
    dtype: Literal["float32", "bfloat16"]
    clip: Source
    """open_clip checkpoint for the CLIP score."""
    appearance: Encoder | None = EFFICIENTNET_LITE0
    faces: Encoder | None = DLIB_FACES
    judge: Source | None = None
    """A network that reads where patches are found again, where the profile's pictures are too coarse for geometry."""
    multi_view: bool = True
    """Whether its pictures are fine enough for all of them to be placed around their master together."""
    thresholds: Thresholds = STAGE_VIEWS
    arithmetic: Arithmetic = Arithmetic()

    @property
    def singles(self) -> dict[str, Source]:
        """The parts that come as single files, by name."""
        sources: dict[str, Source | None] = {part: getattr(self, part) for part in PARTS}
        return {part: source for part, source in sources.items() if source}


DISTILLED_SCHEDULER = SchedulerConfig(
    base_image_seq_len=256,
    max_image_seq_len=8192,
    base_shift=math.log(3),
    max_shift=math.log(3),
    num_train_timesteps=1000,
    shift=1.0,
    shift_terminal=None,
    time_shift_type="exponential",
    use_dynamic_shifting=True,
)
"""The schedule that the Lightning LoRAs were distilled on; the stock Qwen schedule is wrong for them.

Source: the model card of lightx2v/Qwen-Image-Lightning.
"""


def _within(source: Source, path: str, sha256: str | None = None) -> Source:
    return source.model_copy(update={"path": path, "sha256": sha256})


_STAGE = Source(repo="miniature", revision="stage-1")

MINIATURE = Profile(
    name="miniature",
    base=_STAGE,
    licence="Apache-2.0",
    training="trained",
    dialect="relative",
    loras=(
        Lora(name="lightning", source=_within(_STAGE, "loras/lightning-8steps.safetensors")),
        Lora(name="angles", source=_within(_STAGE, "loras/multi-angle.safetensors")),
    ),
    scheduler=DISTILLED_SCHEDULER,
    num_steps=8,
    reference_area_px=224 * 128,
    condition_area_px=112 * 112,
    dtype="float32",
    clip=_within(_STAGE, "clip"),
    judge=Source(repo="judge", revision="stage-1"),
    multi_view=False,
    thresholds=MINIATURE_PICTURES,
)
"""The embedded default, trained by this project on its own stage."""

_QWEN_2509 = Source(repo="Qwen/Qwen-Image-Edit-2509", revision="d3968ef930e841f4c73640fb8afa3b306a78167e")
_QWEN_2511 = Source(repo="Qwen/Qwen-Image-Edit-2511", revision="6f3ccc0b56e431dc6a0c2b2039706d7d26f22cb9")
_LIGHTNING = Source(repo="lightx2v/Qwen-Image-Lightning", revision="e74da8d4e71a54b341de86aa9f8d2509165aa513")
_COMFY = Source(repo="Comfy-Org/Qwen-Image_ComfyUI", revision="main")
_ANGLES_2509 = Lora(
    name="angles",
    source=Source(repo="dx8152/Qwen-Edit-2509-Multiple-angles", path="镜头转换.safetensors", revision="main"),
)

QWEN_EDIT_2509 = Profile(
    name="qwen-edit-2509",
    base=_QWEN_2509,
    licence="Apache-2.0",
    training="trained",
    dialect="relative",
    loras=(
        Lora(
            name="lightning",
            source=_within(
                _LIGHTNING, "Qwen-Image-Edit-2509/Qwen-Image-Edit-2509-Lightning-8steps-V1.0-bf16.safetensors"
            ),
        ),
        _ANGLES_2509,
    ),
    scheduler=DISTILLED_SCHEDULER,
    num_steps=8,
    reference_area_px=1024 * 1024,
    condition_area_px=384 * 384,
    dtype="bfloat16",
    clip=Source(repo="laion/CLIP-ViT-B-32-laion2B-s34B-b79K", revision="1a25a446712ba5ee05982a381eed697ef9b435cf"),
)
"""The paper's base and angles, in 16 bits and with the Lightning file that was distilled from this base."""

QWEN_EDIT_2509_PAPER = QWEN_EDIT_2509.model_copy(
    update={
        "name": "qwen-edit-2509-paper",
        "transformer": Source(
            repo="Comfy-Org/Qwen-Image-Edit_ComfyUI",
            path="split_files/diffusion_models/qwen_image_edit_2509_fp8_e4m3fn.safetensors",
            revision="main",
        ),
        "vae": _within(
            _COMFY,
            "split_files/vae/qwen_image_vae.safetensors",
            sha256="a70580f0213e67967ee9c95f05bb400e8fb08307e017a924bf3441223e023d1f",
        ),
        "text_encoder": _within(_COMFY, "split_files/text_encoders/qwen_2.5_vl_7b.safetensors"),
        "loras": (
            Lora(name="lightning", source=_within(_LIGHTNING, "Qwen-Image-Lightning-8steps-V2.0-bf16.safetensors")),
            _ANGLES_2509,
        ),
    }
)
"""What table 4 of the paper names: ComfyUI's files, the base in plain 8 bits, Lightning of the text-to-image model."""

QWEN_EDIT_2511 = QWEN_EDIT_2509.model_copy(
    update={
        "name": "qwen-edit-2511",
        "base": _QWEN_2511,
        "dialect": "absolute",
        "loras": (
            Lora(
                name="lightning",
                source=Source(
                    repo="lightx2v/Qwen-Image-Edit-2511-Lightning",
                    path="Qwen-Image-Edit-2511-Lightning-8steps-V1.0-bf16.safetensors",
                    revision="main",
                ),
            ),
            Lora(
                name="angles",
                source=Source(
                    repo="fal/Qwen-Image-Edit-2511-Multiple-Angles-LoRA",
                    path="qwen-image-edit-2511-multiple-angles-lora.safetensors",
                    revision="main",
                ),
                strength=0.9,
            ),
        ),
    }
)
"""For production: every file under a licence for commercial work, and 96 poses instead of moves."""

PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (MINIATURE, QWEN_EDIT_2509, QWEN_EDIT_2509_PAPER, QWEN_EDIT_2511)
}


def find_profile(name: str) -> Profile:
    """Return the profile called `name`.

    Raises:
        UnknownProfileError: No profile has this name.
    """
    if name not in PROFILES:
        msg = f"There is no profile {name!r}: choose one of {', '.join(PROFILES)}."
        raise UnknownProfileError(msg)
    return PROFILES[name]
