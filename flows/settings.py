"""The settings of one installation; the only reader of the environment.

Every field can be set as `MASTERSHOT_<FIELD>`. Credentials of an S3 store are not among them: the client reads those
from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or from the AWS credentials file, and they go nowhere else.
Whoever keeps them in a Secret block of Prefect names that.
"""

import os
from pathlib import Path
from typing import Literal, Self, cast

from prefect.blocks.system import Secret
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from models.profiles import Arithmetic
from models.renderer import Machine, MemoryPlan
from tasks.aside import Limits
from tasks.errors import InvalidSettingError
from tasks.renderers import Place

PREFIX = "MASTERSHOT_"


class Settings(BaseSettings):
    """Where things are and how much runs at once."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    store: str = Field(default_factory=lambda: str(Path(".mastershot/store").absolute()))
    """A folder, or `s3://host:port?secure=0`: see `storage.opening.open_store`."""
    spool: Path = Field(default_factory=lambda: Path(".mastershot/spool").absolute())
    """A folder of this machine: pictures wait there that the store does not take."""
    nightly: Path = Field(default_factory=lambda: Path(".mastershot/nightly").absolute())
    """A folder of requests, one JSON file a scene, that the nightly run looks after."""
    credentials_block: str = ""
    """Name of a `Secret` block of Prefect that holds `{"access_key": ..., "secret_key": ...}` of an S3 store."""
    weights: Path = Field(default_factory=lambda: Path("weights").absolute())
    """Folder of all models' files."""
    master_folders: tuple[Path, ...] = (Path(),)
    """Masters are read from these folders and below, from nowhere else; a JSON list in the environment."""
    renderer: str = Field(default="", pattern=r"^(https?://[^/@?#]+)?$")
    """Address of a resident renderer, such as `http://127.0.0.1:8200`; empty = the model is loaded into every run.

    What follows is that renderer's own business then.
    """
    device: Literal["cpu", "cuda"] = "cpu"
    """Never changed behind your back: a missing GPU is an error."""
    num_lanes: int = Field(default=0, ge=0)
    """Angles rendered at the same time in this process; 0 = one per core on a CPU, two on a GPU.

    On a GPU one is sampled at a time, while the other is decoded and kept.
    """
    step_limit_s: float = Field(default=300, gt=0)
    """A renderer that gives no sign of life for so long hangs; waiting in its queue does not count.

    A first step includes compilation, and the encoding of a master that was pushed out.
    """
    angle_limit_s: float = Field(default=1800, gt=0)
    """One angle may take so long once it is its turn, and so may loading the model."""
    memory_plan: MemoryPlan = "resident"
    """`resident`, `encoder_freed` or `offload`; `python -m models.memory --profile NAME` says what each needs."""
    compile: bool = False
    """Compile the blocks of the transformer: worth its minute on a GPU."""
    linears: Literal["whole", "fp8"] = "whole"
    """8-bit floats are quicker, take half the memory, and change pictures a little."""
    reuse_reference: bool = False
    """Keep the reference's keys and values of the first step: quicker, and changes pictures."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.memory_plan == "offload" and (self.compile or self.reuse_reference):
            msg = f"{PREFIX}MEMORY_PLAN=offload goes with neither {PREFIX}COMPILE nor {PREFIX}REUSE_REFERENCE"
            raise ValueError(msg)
        return self

    @property
    def machine(self) -> Machine:
        """What the model runs on."""
        lanes = self.num_lanes or (len(os.sched_getaffinity(0)) if self.device == "cpu" else 2)
        return Machine(device=self.device, num_lanes=lanes, plan=self.memory_plan, is_compiled=self.compile)

    @property
    def place(self) -> Place:
        """Where models live."""
        return Place(weights=self.weights, machine=self.machine, arithmetic=self.arithmetic, address=self.renderer)

    @property
    def limits(self) -> Limits:
        """How long a renderer may take."""
        return Limits(step_s=self.step_limit_s, angle_s=self.angle_limit_s)

    @property
    def arithmetic(self) -> Arithmetic:
        """How the products of the transformer are taken."""
        return Arithmetic(linears=self.linears, reuses_reference=self.reuse_reference)


def read_settings() -> Settings:
    """Read the settings from the environment, and the credentials from the block that they name into it.

    Raises:
        InvalidSettingError: With one sentence on the first that cannot be understood.
    """
    try:
        settings = Settings()
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False)[0]
        msg = f"{first['msg']} (correct it and run again)."
        if first["loc"]:
            msg = f"{PREFIX}{str(first['loc'][0]).upper()} is not valid at {first['input']!r}: {msg}"
        raise InvalidSettingError(msg) from exc
    except SettingsError as exc:
        msg = f"A setting is not valid: {exc}, where a list in JSON belongs (correct it and run again)."
        raise InvalidSettingError(msg) from exc
    if settings.credentials_block:
        _export_credentials(settings.credentials_block)
    return settings


def _export_credentials(block: str) -> None:
    """Put credentials where every reader of the store in this process looks for them."""
    try:
        kept = cast("dict[str, str]", Secret.load(block).get())  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
        names = {"AWS_ACCESS_KEY_ID": kept["access_key"], "AWS_SECRET_ACCESS_KEY": kept["secret_key"]}
    except (ValueError, KeyError, TypeError) as exc:
        msg = (
            f"{PREFIX}CREDENTIALS_BLOCK names {block!r}, which is no Secret block with access_key and secret_key: "
            "make it, or correct the name."
        )
        raise InvalidSettingError(msg) from exc
    os.environ |= names
