"""How a command line says that it failed: in one sentence, whatever of ours was raised."""

from rich.console import Console

from models.errors import ModelError
from storage.errors import StorageError
from tasks.errors import TaskError

OUR_ERRORS = (TaskError, ModelError, StorageError)


def tell_failure(error: Exception) -> int:
    """Print what an error of ours says, and return the exit status."""
    console = Console(stderr=True)
    console.print(f"Failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    return 1
