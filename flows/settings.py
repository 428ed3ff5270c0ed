"""The settings of one installation; the only reader of the environment.

Every field can be set as `MASTERSHOT_<FIELD>`. Credentials of an S3 store are not among them: the client reads those
from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or from the AWS credentials file, and they go nowhere else.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from tasks.errors import InvalidSettingError

PREFIX = "MASTERSHOT_"


class Settings(BaseSettings):
    """Where things are and how much runs at once."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    store: str = Field(default_factory=lambda: str(Path(".mastershot/store").absolute()))
    """A folder, or `s3://host:port?secure=0`: see `storage.opening.open_store`."""
    weights: Path = Field(default_factory=lambda: Path("weights").absolute())
    """Folder of all models' files."""
    master_folders: tuple[Path, ...] = (Path(),)
    """Masters are read from these folders and below, from nowhere else; a JSON list in the environment."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Never changed behind your back: a missing GPU is an error."""
    num_lanes: int = Field(default=0, ge=0)
    """Angles rendered at the same time in this process; 0 = one per core on a CPU, one on a GPU."""

    @property
    def lanes(self) -> int:
        """The number of lanes in force."""
        return self.num_lanes or (len(os.sched_getaffinity(0)) if self.device == "cpu" else 1)


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        InvalidSettingError: With one sentence on the first that cannot be understood.
    """
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        msg = f"{name} is not valid at {first['input']!r}: {first['msg']} (correct it and run again)."
        raise InvalidSettingError(msg) from exc
    except SettingsError as exc:
        msg = f"A setting is not valid: {exc}, where a list in JSON belongs (correct it and run again)."
        raise InvalidSettingError(msg) from exc
