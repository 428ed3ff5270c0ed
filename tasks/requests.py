"""What may be asked for: the one request that a person, a schedule, a webhook and a cut list all make."""

from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from models.camera import PRESETS, Pose, Preset
from models.profiles import PROFILES
from tasks.errors import InvalidRequestError

DEFAULT_COVERAGE = (
    Preset.CLOSE_UP,
    Preset.LOW_ANGLE,
    Preset.HIGH_ANGLE,
    Preset.TOP_DOWN,
    Preset.WIDE,
    Preset.LEFT_45,
    Preset.RIGHT_45,
)


class NamedPose(Pose):
    """An explicit pose, under a name that no other angle of the request has, no preset, and not the master."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,40}$")]

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in {"master", *Preset}:
            msg = f"{name!r} is the name of the master or of a preset, choose another for this pose"
            raise ValueError(msg)
        return name

    @property
    def pose(self) -> Pose:
        """The pose without its name."""
        return Pose.model_validate(self.model_dump(exclude={"name"}))


def _kind(angle: object) -> str:
    return "preset" if isinstance(angle, str) else "pose"


Angle = Annotated[Annotated[Preset, Tag("preset")] | Annotated[NamedPose, Tag("pose")], Discriminator(_kind)]


Request = TypeVar("Request", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class SceneRequest(BaseModel):
    """One master and the coverage that is wanted of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    project: Name = "default"
    """Show or production; reports are kept apart by it."""
    sequence: Name = "default"
    """Part of the project that the scene belongs to."""
    scene: Name
    """Name of the scene; its versions are found under it."""
    master: Annotated[str, Field(min_length=1, max_length=1024)]
    """File of the still, in one of the folders that this installation allows."""
    angles: Annotated[tuple[Angle, ...], Field(min_length=1, max_length=64)] = DEFAULT_COVERAGE
    """Presets by name, or explicit poses."""
    only_angles: tuple[str, ...] = ()
    """Render just these again, even if they are finished; the others are carried on from the latest version."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 0
    """All angles of a coverage start from the same noise."""
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=8)] = 1
    """How often a view that fails its checks is rendered, each time with the next seed; the best is chosen."""
    profile: str = "miniature"

    @field_validator("profile")
    @classmethod
    def _profile_exists(cls, profile: str) -> str:
        if profile not in PROFILES:
            msg = f"there is no profile {profile!r}, choose one of {', '.join(PROFILES)}"
            raise ValueError(msg)
        return profile

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        names = [angle.value if isinstance(angle, Preset) else angle.name for angle in self.angles]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"angles asks for {', '.join(twice)} more than once, name every angle once"
            raise ValueError(msg)
        unknown = sorted(set(self.only_angles) - set(names))
        if unknown:
            msg = f"only_angles names {', '.join(map(repr, unknown))}, which angles does not hold"
            raise ValueError(msg)
        return self

    @property
    def poses(self) -> dict[str, Pose]:
        """The pose of every angle, by name, in the order asked for."""
        return {
            (angle.value if isinstance(angle, Preset) else angle.name): (
                PRESETS[angle] if isinstance(angle, Preset) else angle.pose
            )
            for angle in self.angles
        }


def parse_request(request: object) -> SceneRequest:
    """Check a request as an API or a person sent it.

    Raises:
        InvalidRequestError: With one sentence on the first thing that is wrong.
    """
    return parse_as(SceneRequest, request)


def parse_as(kind: type[Request], request: object) -> Request:
    """Check a request of any kind.

    Raises:
        InvalidRequestError: With one sentence on the first thing that is wrong.
    """
    try:
        return kind.model_validate(request)
    except ValidationError as exc:
        where, what = find_first_fault(exc)
        msg = f"The request is not valid at {where or 'request'}: {what} (correct it and send it again)."
        raise InvalidRequestError(msg) from exc


def find_first_fault(exc: ValidationError) -> tuple[str, str]:
    """Return the dotted place of the first thing that is wrong, empty for the whole, and what is wrong with it."""
    first = exc.errors(include_url=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])).encode("unicode_escape").decode()
    return where, first["msg"].removeprefix("Value error, ")
