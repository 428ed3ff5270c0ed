"""The command line: `python -m flows --scene NAME --master FILE` renders a coverage and says where it is."""

import argparse
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from flows.failures import OUR_ERRORS, tell_failure
from flows.scene import render_scene
from flows.settings import read_settings
from storage.opening import open_store
from storage.records import Manifest
from storage.versions import manifest_key
from tasks.progress import listener
from tasks.requests import SceneRequest, parse_request
from tasks.showing import view_folder


def main() -> int:
    """Render what the command line asks for; return 1 with one sentence if that failed."""
    console = Console(stderr=True)
    asked = {name: value for name, value in vars(_parse()).items() if value is not None}
    try:
        request, settings = parse_request(asked), read_settings()
        console.print("Starting Prefect and loading the model ...")
        with _progress(console), quiet_log():
            manifest = run_embedded(request)
    except OUR_ERRORS as exc:
        return tell_failure(exc)
    _report(manifest, settings.store)
    return 0


def run_embedded(request: SceneRequest) -> Manifest:
    """Run the flow in this process, without the heartbeat: nobody looks for it, and ending it takes up to a second."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return render_scene(request)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows", description=__doc__)
    parser.add_argument("--scene", required=True, help="name of the scene")
    parser.add_argument("--master", required=True, help="the still: PNG, JPEG, WebP or TIFF")
    parser.add_argument("--angles", nargs="+", metavar="PRESET", help="presets; seven of them by default")
    parser.add_argument("--only", dest="only_angles", nargs="+", metavar="ANGLE", help="render just these again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", help="show or production; reports are kept apart by it")
    parser.add_argument("--sequence", help="part of the project")
    parser.add_argument("--attempts", dest="max_attempts", type=int, help="render views that fail again, so often")
    parser.add_argument("--profile", help="the model; the miniature by default")
    return parser.parse_args()


@contextmanager
def quiet_log() -> Generator[None]:
    """Keep off the screen what the sentence at the end says; Prefect's own records of the run have it in full."""
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(_is_news)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line says more than that a run failed, or why, where the reason is an error of ours."""
    error = record.exc_info[1] if record.exc_info else None
    is_end = record.levelno >= logging.ERROR and record.getMessage().startswith("Finished in state")
    return not is_end and not isinstance(error, OUR_ERRORS)


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


def _report(manifest: Manifest, store_url: str) -> None:
    store = open_store(store_url)
    views = view_folder(manifest)
    lines = {
        "contact sheet": store.locate_view(f"{views}/contact_sheet.png"),
        "review page": store.locate_view(f"{views}/review.html"),
        "Parquet": store.locate_view(f"{views}/report.parquet"),
        "manifest": store.locate_record(manifest_key(manifest.scene, manifest.number)),
    }
    if manifest.training != "trained":
        sys.stdout.write("UNTRAINED weights: these pictures prove the path and no quality.\n")
    sys.stdout.writelines(f"{name:>14}  {place}\n" for name, place in lines.items())


if __name__ == "__main__":
    sys.exit(main())
