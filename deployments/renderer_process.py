"""A resident renderer in a process of its own, beside the rest of a service."""

import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployments.passwords import keep_password
from deployments.processes import ServeError, running
from models.errors import RenderError
from models.remote import find_held_model

PROJECT = Path(__file__).resolve().parent.parent
STARTUP_S, BETWEEN_CHECKS_S = 900.0, 1.0  # tens of gigabytes are read and digested
DEFAULT_PORT = "8200"


@contextmanager
def renderer_process(profile: str, environment: Mapping[str, str], state: Path) -> Generator[dict[str, str]]:
    """Start a renderer that asks for a token, wait for its model, yield what tells flows where it is, and stop it.

    Args:
        profile: The model that it holds.
        environment: Its settings, as `make renderer` reads them.
        state: Folder of the token.

    Raises:
        ServeError: It ended, or did not load its model in time.
    """
    address = f"http://{environment.get('RENDERER_HOST', '127.0.0.1')}:{environment.get('RENDERER_PORT', DEFAULT_PORT)}"
    token = environment.get("MASTERSHOT_RENDERER_TOKEN") or keep_password(state / "renderer-token")
    of_flows = {"MASTERSHOT_RENDERER": address, "MASTERSHOT_RENDERER_TOKEN": token}
    command = [sys.executable, "-m", "deployments.renderer", "--profile", profile]
    with running(command, {**environment, **of_flows}, PROJECT) as process:
        deadline = time.monotonic() + STARTUP_S
        while not _is_up(address, token):
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"The renderer of {profile} did not start on {address}: look at its output above."
                raise ServeError(msg)
            time.sleep(BETWEEN_CHECKS_S)
        yield of_flows


def _is_up(address: str, token: str) -> bool:
    try:
        find_held_model(address, token)
    except RenderError:
        return False
    return True
