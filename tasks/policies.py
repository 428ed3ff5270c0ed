"""Which failures pass by themselves, and how often and how long they are waited for."""

from collections.abc import Callable
from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun

from models import errors as model_errors
from storage import errors as storage_errors
from tasks import errors as task_errors

IS_TRANSIENT: dict[type[Exception], bool] = {
    model_errors.NotAPictureError: False,
    model_errors.TruncatedPictureError: False,
    model_errors.PictureTooLargeError: False,
    model_errors.PictureTooSmallError: False,
    model_errors.UnsupportedPictureError: False,
    model_errors.UnspeakablePoseError: False,
    model_errors.UnknownProfileError: False,
    model_errors.MissingWeightsError: False,
    model_errors.WrongWeightsError: False,
    model_errors.PickledWeightsError: False,
    model_errors.MissingDeviceError: False,
    model_errors.TooLittleMemoryError: False,
    model_errors.FetchError: False,
    model_errors.NotFiniteError: False,
    model_errors.OutOfMemoryError: False,
    model_errors.RendererUnavailableError: True,
    model_errors.RendererBusyError: True,
    model_errors.WrongRendererError: False,
    storage_errors.MissingObjectError: False,
    storage_errors.CorruptObjectError: False,
    storage_errors.ConflictError: False,
    storage_errors.StoreFullError: False,
    storage_errors.StoreReadOnlyError: False,
    storage_errors.LockedObjectError: False,
    storage_errors.StoreUnavailableError: True,
    storage_errors.InvalidKeyError: False,
    storage_errors.UnreadableFileError: False,
    storage_errors.UnsafeStoreError: False,
    storage_errors.UnknownStoreError: False,
    storage_errors.BadArchiveError: False,
    task_errors.InvalidRequestError: False,
    task_errors.InvalidSettingError: False,
    task_errors.MasterNotFoundError: False,
    task_errors.HungStepError: True,
    task_errors.AngleTimeoutError: False,
    task_errors.StoppedError: False,
    task_errors.AnglesFailedError: False,
}
"""Every error of ours; what is not here is not known, and not tried again."""

MAX_TRIES: dict[type[Exception], int] = {task_errors.HungStepError: 2}
"""Errors that are tried less often than others, because every try takes as long as the limit."""


def is_transient(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect whether a failed task is worth another try."""
    error: object = state.result(raise_on_failure=False)
    kinds = type(error).__mro__
    if any(run.run_count >= num_tries for kind, num_tries in MAX_TRIES.items() if kind in kinds):
        return False
    return any(IS_TRANSIENT.get(kind, False) for kind in kinds)


class Retries(TypedDict):
    """How a task that speaks with a store or a model is tried again, as arguments of `prefect.task`."""

    cache_policy: CachePolicy
    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], bool]


WHILE_TRANSIENT: Retries = {
    "cache_policy": NO_CACHE,  # finished angles are found in the store, see docs/decisions
    "retries": 6,  # about 40 s in all: a renderer that restarts, or a store that fails over, is back by then
    "retry_delay_seconds": [2.0, 4.0, 8.0],  # the last one again; nothing wakes who sleeps, not even a cancellation
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
}
