"""One angle again, as an editor asks for it: a scene and the names of its angles, and nothing else need be known."""

from typing import Annotated

from prefect import task
from pydantic import BaseModel, ConfigDict, Field

from storage.opening import open_store
from storage.versions import latest_version
from tasks.errors import InvalidRequestError
from tasks.policies import WHILE_TRANSIENT
from tasks.requests import Name, SceneRequest, parse_as


class RerenderRequest(BaseModel):
    """Angles of the latest version of a scene that are to be rendered anew; the others are carried on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    scene: Name
    """Name of the scene."""
    angles: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    """Names of angles that the latest version has."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] | None = None
    """The noise to start from; another one than before by default, because the same gives the same picture."""
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=8)] = 1
    """How often an angle that fails its checks is rendered."""


def parse_rerender(request: object) -> RerenderRequest:
    """Check a request as an API or a person sent it.

    Raises:
        InvalidRequestError: With one sentence on the first thing that is wrong.
    """
    return parse_as(RerenderRequest, request)


@task(name="complete-request", task_run_name="complete request", **WHILE_TRANSIENT)
def complete_request(request: RerenderRequest, run_id: str, store_url: str) -> SceneRequest:
    """Return what the latest version was asked for, but just these angles, and with a seed that no other run has.

    The same run always gets the same seed, so that a run that goes on after a crash finds what it has rendered.

    Raises:
        InvalidRequestError: The scene has no version, or none of its angles has that name.
        CorruptObjectError: The manifest is damaged.
    """
    version = latest_version(open_store(store_url), request.scene)
    if version is None:
        msg = f"There is no version of {request.scene} yet: render the scene first."
        raise InvalidRequestError(msg)
    seed = int(run_id.replace("-", "")[-8:], 16) if request.seed is None else request.seed
    changes = {"only_angles": request.angles, "seed": seed, "max_attempts": request.max_attempts}
    return parse_as(SceneRequest, version.request | changes)
