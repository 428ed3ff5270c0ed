"""What a comparison may be asked for: tools, where their pictures are, and the masters and angles of all of them."""

import json
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.camera import Preset
from models.profiles import PROFILES
from tasks.errors import InvalidRequestError
from tasks.requests import DEFAULT_COVERAGE, Name, find_first_fault

Path = Annotated[str, Field(min_length=1, max_length=1024)]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._+-]{0,38}[A-Za-z0-9])?$")]

STORE = re.compile(r"store(?::([1-9][0-9]{0,5}))?")


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ComparedScene(_Asked):
    """A master that every tool was given."""

    scene: Name
    master: Path
    """File of the still, in one of the folders that this installation allows."""


class ComparedTool(_Asked):
    """A tool and its pictures."""

    tool: ToolName
    source: Path
    """`store` or `store:3`: the latest or that version of each scene that Mastershot published. A file that ends in
    `.json`: a manifest. Anything else: a folder of `<angle>.png`, `.jpg` or `.webp`, or of such folders named like the
    scenes."""


class ComparisonRequest(_Asked):
    """Tools, scenes and angles; each tool is scored on every angle of every scene."""

    name: Name
    """Of the comparison: its results are laid out under it."""
    scenes: Annotated[tuple[ComparedScene, ...], Field(min_length=1, max_length=64)]
    tools: Annotated[tuple[ComparedTool, ...], Field(min_length=1, max_length=8)]
    angles: Annotated[tuple[Preset, ...], Field(min_length=1)] = DEFAULT_COVERAGE
    profile: str = "miniature"
    """Whose encoders score all pictures."""

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        listed = {
            "scenes": [scene.scene for scene in self.scenes],
            "tools": [tool.tool for tool in self.tools],
            "angles": list(self.angles),
        }
        for field, names in listed.items():
            if len(set(names)) < len(names):
                msg = f"{field} names one more than once, name each once"
                raise ValueError(msg)
        if self.profile not in PROFILES:
            msg = f"there is no profile {self.profile!r}, choose one of {', '.join(PROFILES)}"
            raise ValueError(msg)
        return self


class ManifestScene(_Asked):
    """One scene of a tool's manifest; files are named from the folder that the manifest is in."""

    scene: Name
    master: Path
    angles: dict[Preset, Path]


class ToolManifest(_Asked):
    """What a tool made, as somebody wrote it down."""

    tool: ToolName
    scenes: Annotated[tuple[ManifestScene, ...], Field(max_length=1000)]
    kind: Literal["mastershot-comparison"] = "mastershot-comparison"


def parse_comparison(request: object) -> ComparisonRequest:
    """Check a request as an API or a person sent it.

    Raises:
        InvalidRequestError: With one sentence on the first thing that is wrong.
    """
    try:
        return ComparisonRequest.model_validate(request)
    except ValidationError as exc:
        raise InvalidRequestError(_describe("The comparison asked for", exc)) from exc


def parse_manifest(data: bytes, tool: ComparedTool, scenes: frozenset[str]) -> ToolManifest:
    """Check a manifest that came with a tool's pictures.

    Raises:
        InvalidRequestError: It is no JSON of this form, is another tool's, or names a scene that is not compared.
    """
    try:
        manifest = ToolManifest.model_validate(json.loads(data.decode("utf-8")))
    except ValidationError as exc:
        raise InvalidRequestError(_describe(f"The manifest {tool.source!r}", exc)) from exc
    except (ValueError, RecursionError) as exc:
        msg = f"The manifest {tool.source!r} is no JSON in UTF-8 ({exc}): correct it and run again."
        raise InvalidRequestError(msg) from exc
    named = [scene.scene for scene in manifest.scenes]
    unknown = sorted(set(named) - scenes)
    if manifest.tool != tool.tool or unknown or len(set(named)) < len(named):
        what = f"is of {manifest.tool!r}" if manifest.tool != tool.tool else "names a scene twice or one not compared"
        msg = (
            f"The manifest {tool.source!r} of {tool.tool!r} {what} ({', '.join(unknown or named)[:200]}): correct it "
            "and run again."
        )
        raise InvalidRequestError(msg)
    return manifest


def _describe(what: str, exc: ValidationError) -> str:
    where, fault = find_first_fault(exc)
    return f"{what} is not valid at {where or 'its beginning'}: {fault} (correct it and run again)."
