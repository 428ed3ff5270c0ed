"""The command line: `python -m flows --scene NAME --master FILE` renders a coverage and says where it is."""

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from flows.scene import render_scene
from flows.settings import Settings
from models.errors import ModelError
from storage.errors import StorageError
from storage.opening import open_store
from storage.records import Manifest
from tasks.errors import TaskError
from tasks.progress import listener


def main() -> int:
    """Render what the command line asks for; return 1 with one sentence if that failed."""
    arguments = _parse()
    request: dict[str, object] = {"scene": arguments.scene, "master": str(arguments.master), "seed": arguments.seed}
    asked = {"angles": arguments.angles, "only_angles": arguments.only}
    request |= {name: value for name, value in asked.items() if value}
    console = Console(stderr=True)
    console.print("Starting Prefect and loading the model ...")
    try:
        with _progress(console):
            manifest = run_embedded(request)
    except (TaskError, ModelError, StorageError) as exc:
        console.print(f"Failed: {exc}", style="red", markup=False, highlight=False)
        return 1
    _report(manifest)
    return 0


def run_embedded(request: dict[str, object]) -> Manifest:
    """Run the flow in this process, without the heartbeat: nobody looks for it, and ending it takes up to a second."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return render_scene(request)  # pyright: ignore[reportArgumentType] - the flow checks what comes in


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows", description=__doc__)
    parser.add_argument("--scene", required=True, help="name of the scene")
    parser.add_argument("--master", required=True, type=Path, help="the still: PNG, JPEG, WebP or TIFF")
    parser.add_argument("--angles", nargs="+", metavar="PRESET", help="presets; seven of them by default")
    parser.add_argument("--only", nargs="+", metavar="ANGLE", help="render just these again")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@contextmanager
def _progress(console: Console) -> Generator[None]:
    """Show one bar per angle while the flow runs in this process."""
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def advance(angle: str, step: int, num_steps: int) -> None:
            if angle not in bars:
                bars[angle] = progress.add_task(angle, total=num_steps)
            progress.update(bars[angle], completed=step)

        token = listener.set(advance)
        try:
            yield
        finally:
            listener.reset(token)


def _report(manifest: Manifest) -> None:
    store = open_store(Settings().store)
    scene, run_id = manifest.scene, manifest.run_id
    lines = {
        "contact sheet": store.locate_view(f"{scene}/contact_sheet.png"),
        "review page": store.locate_view(f"{scene}/review.html"),
        "Parquet": store.locate_view(f"{scene}/report.parquet"),
        "manifest": store.locate_record(f"runs/{scene}/{run_id}/manifest.json"),
    }
    if manifest.training != "trained":
        sys.stdout.write("UNTRAINED weights: these pictures prove the path and no quality.\n")
    sys.stdout.writelines(f"{name:>14}  {place}\n" for name, place in lines.items())


if __name__ == "__main__":
    sys.exit(main())
