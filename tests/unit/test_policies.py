"""Which failures are tried again, and how often: the table, asked as Prefect asks it."""

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from models.errors import OutOfMemoryError, RendererBusyError, RendererUnavailableError, WrongRendererError
from storage.errors import StoreUnavailableError
from tasks.errors import AngleTimeoutError, HungStepError
from tasks.policies import is_transient
from tasks.render import render_angle


def is_tried_again(error: Exception, run_count: int = 1) -> bool:
    """Ask as Prefect does behind the failure of a try."""
    run = TaskRun.model_construct(run_count=run_count)
    return is_transient(render_angle, run, Failed(data=error))


@pytest.mark.parametrize("kind", [RendererUnavailableError, RendererBusyError, StoreUnavailableError])
def test_what_passes_by_itself_is_tried_to_the_end(kind: type[Exception]) -> None:
    """However often it has failed, until Prefect's own count of retries is over."""
    assert all(is_tried_again(kind("."), run_count) for run_count in range(1, 7))


@pytest.mark.parametrize("kind", [OutOfMemoryError, WrongRendererError, AngleTimeoutError, ValueError])
def test_what_would_fail_the_same_way_is_not_tried_again(kind: type[Exception]) -> None:
    """A model that does not fit will not fit the next time; errors that nobody knows are not guessed at."""
    assert not is_tried_again(kind("."))


def test_a_hung_step_is_tried_once_more() -> None:
    """Every try takes as long as the limit, so a device that still hangs is not waited for a third time."""
    assert [is_tried_again(HungStepError("."), run_count) for run_count in (1, 2, 3)] == [True, False, False]
