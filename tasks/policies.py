"""Which failures pass by themselves, and how often and how long they are waited for."""

from typing import Any

from prefect import Task
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
    model_errors.NotFiniteError: False,
    model_errors.OutOfMemoryError: False,
    storage_errors.MissingObjectError: False,
    storage_errors.CorruptObjectError: False,
    storage_errors.ConflictError: False,
    storage_errors.StoreFullError: False,
    storage_errors.StoreReadOnlyError: False,
    storage_errors.StoreUnavailableError: True,
    storage_errors.InvalidKeyError: False,
    storage_errors.UnknownStoreError: False,
    task_errors.InvalidRequestError: False,
    task_errors.MasterNotFoundError: False,
    task_errors.AnglesFailedError: False,
}
"""Every error of ours; what is not here is not known, and not tried again."""

RETRIES = 3
RETRY_DELAYS_S = [2.0, 8.0, 32.0]
RETRY_JITTER = 0.5


def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect whether a failed task is worth another try."""
    error = state.result(raise_on_failure=False)
    return any(IS_TRANSIENT.get(kind, False) for kind in type(error).__mro__)
