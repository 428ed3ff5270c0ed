# pyright: standard
"""One machine's resident renderer: Ray, Ray Serve on it and a warm replica per GPU, until Ctrl-C or SIGTERM.

Run `python -m deployments.renderer --profile qwen-edit-2511`; the settings of this installation say where the weights
are and what they run on. Everything listens on 127.0.0.1 unless RENDERER_HOST gives an address of this machine: then
other machines can join, with the token in .mastershot/ray/token. What is under way is finished before it ends.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from deployments.resident_model import Load, ResidentModel
from flows.settings import read_settings
from models.errors import ModelError
from models.in_process import InProcessRenderer
from tasks.errors import TaskError

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".mastershot" / "ray"
LOCALHOST = "127.0.0.1"
STARTUP_S, SHUTDOWN_S, BETWEEN_CHECKS_S = 120.0, 30.0, 0.5


class RendererError(Exception):
    """The renderer cannot be started."""


@contextmanager
def run_renderer(
    model: ResidentModel, host: str, port: int, *, num_replicas: int = 1, load: Load = InProcessRenderer.load
) -> Generator[str]:
    """Start everything, yield the address, and stop what was started; the next two ports are Ray's own.

    Raises:
        RendererError: Ray did not start, or the model cannot be loaded.
    """
    ports = [f"--port={port + 1}", f"--metrics-export-port={port + 2}", f"--ray-client-server-port={port + 3}"]
    options = ["--head", f"--node-ip-address={host}", *ports, "--include-dashboard=false"]
    with run_node(options, host) as node:
        import ray  # noqa: PLC0415 - Ray reads the variables, which are set by now, when it is imported

        from deployments.renderer_app import DeployError, deployed  # noqa: PLC0415

        _connect(f"{host}:{port + 1}", node)
        try:
            with deployed(model, host, port, num_replicas, load) as address:
                yield address
        except DeployError as exc:
            msg = f"The replicas did not start: look at the logs in /tmp/ray/session_latest/logs/serve. {exc}"
            raise RendererError(msg) from exc
        finally:
            ray.shutdown()


@contextmanager
def run_node(options: Sequence[str], host: str) -> Generator[subprocess.Popen[bytes]]:
    """Start Ray's own processes on this machine, and stop them."""
    log = FOLDER / "node.log"
    variables = os.environ | set_ray_variables(host)
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *options]
    with log.open("ab") as output:
        node = subprocess.Popen(  # noqa: S603
            command, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield node
    finally:
        node.terminate()
        with suppress(subprocess.TimeoutExpired):
            node.wait(SHUTDOWN_S)
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def set_ray_variables(host: str) -> Mapping[str, str]:
    """Set, for this process and all that it starts, what Ray reads from the environment, and return it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    token = FOLDER / "token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
    variables = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")])),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # on a busy machine 5 s are never kept
    }
    if host == LOCALHOST:  # else Ray looks for another address of this machine, and listens on all
        variables["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ |= variables
    return variables


def _connect(cluster: str, node: subprocess.Popen[bytes]) -> None:
    import ray  # noqa: PLC0415 - as above

    deadline = time.monotonic() + STARTUP_S
    while True:
        try:
            ray.init(cluster, log_to_driver=False, namespace="mastershot", configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as exc:
            if node.poll() is not None or time.monotonic() > deadline:
                msg = f"Ray did not start on {cluster}: look at {FOLDER / 'node.log'}."
                raise RendererError(msg) from exc
            time.sleep(BETWEEN_CHECKS_S)
        else:
            return


def main() -> int:
    """Serve on RENDERER_HOST and RENDERER_PORT until interrupted; return 1 if that cannot be."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with everything that was started
    parser = argparse.ArgumentParser(prog="python -m deployments.renderer", description=__doc__)
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--replicas", type=int, default=0, help="0 = one per GPU of this machine, or one on the CPU")
    asked = parser.parse_args()
    host, port = os.environ.get("RENDERER_HOST", LOCALHOST), int(os.environ.get("RENDERER_PORT", "8200"))
    try:
        settings = read_settings()
        model = ResidentModel(
            profile=asked.profile, weights=settings.weights, machine=settings.machine, arithmetic=settings.arithmetic
        )
        num_replicas = asked.replicas or max(1, torch.cuda.device_count() if settings.device == "cuda" else 1)
        with run_renderer(model, host, port, num_replicas=num_replicas) as address:
            sys.stdout.write(
                f"\n{asked.profile} is resident at {address} (Ctrl-C ends it). Elsewhere:\n\n"
                f"export MASTERSHOT_RENDERER={address}\n\n"
            )
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
    except (RendererError, ModelError, TaskError) as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
