"""The comparison of tools: `python -m flows.comparison --scene NAME --master FILE --tool "NAME=FOLDER" ...`.

A tool's pictures are a folder of `<angle>.png`, `.jpg` or `.webp`, a manifest in JSON, or `store` for what Mastershot
published of the scene. With several scenes, give `--scene` and `--master` for each, and a folder a scene.
"""

import argparse
import sys

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.__main__ import quiet_log
from flows.failures import OUR_ERRORS, tell_failure
from flows.settings import read_settings
from storage.opening import open_store
from tasks.comparison import (
    Comparison,
    choose_profile,
    collect_pictures,
    comparison_folder,
    publish_comparison,
    score_comparison,
)
from tasks.comparison_request import ComparisonRequest, parse_comparison
from tasks.errors import InvalidRequestError
from tasks.ingest import ingest_master
from tasks.store_check import check_store
from tasks.work import at_work


@flow(name="compare-tools", validate_parameters=False)
def compare_tools(request: ComparisonRequest) -> Comparison:
    """Score the pictures of several tools, made from the same masters for the same angles, in the same way.

    Raises:
        TaskError, ModelError, StorageError: With one sentence on what failed and what to do. A picture that is missing
            or cannot be read is no failure: its row says so.
    """
    settings = read_settings()
    store, folders = check_store(settings.store), settings.master_folders
    request = parse_comparison(request)
    profile = choose_profile(request, settings.weights)
    with at_work(f"comparison {request.name}", store):
        masters = {scene.scene: ingest_master(scene.master, folders, store) for scene in request.scenes}
        collected = [collect_pictures(tool, request, masters, folders, store) for tool in request.tools]
        candidates = [candidate for pictures in collected for candidate in pictures]
        report = score_comparison(request, masters, candidates, profile, settings.weights, store)
        return publish_comparison(request.name, report, store)


def main() -> int:
    """Compare what the command line names; return 1 with one sentence if that failed."""
    arguments = _parse()
    try:
        request = _read_request(arguments)
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), quiet_log():
            comparison = compare_tools(request)
        store = open_store(read_settings().store)
    except OUR_ERRORS as exc:
        return tell_failure(exc)
    folder = comparison_folder(comparison.name)
    sys.stdout.write(f"{comparison.num_scored} of {comparison.num_rows} pictures scored\n")
    for file in ("comparison.parquet", *comparison.figures):
        sys.stdout.write(f"{store.locate_view(f'{folder}/{file}')}\n")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.comparison", description=__doc__)
    parser.add_argument("--scene", action="append", required=True, help="name of a scene; once for each")
    parser.add_argument("--master", action="append", required=True, help="its still, in the same order")
    parser.add_argument("--tool", action="append", required=True, metavar="NAME=PLACE", help="once for each tool")
    parser.add_argument("--angles", nargs="+", metavar="PRESET", help="presets; seven of them by default")
    parser.add_argument("--name", help="of the comparison; that of the first scene by default")
    parser.add_argument("--profile", help="whose encoders score; the miniature's by default")
    return parser.parse_args()


def _read_request(arguments: argparse.Namespace) -> ComparisonRequest:
    if len(arguments.scene) != len(arguments.master):
        msg = f"{len(arguments.scene)} scenes and {len(arguments.master)} masters are named: give one master a scene."
        raise InvalidRequestError(msg)
    named = [tool.partition("=") for tool in arguments.tool]
    pairs = zip(arguments.scene, arguments.master, strict=True)
    asked = {
        "name": arguments.name or arguments.scene[0],
        "scenes": [{"scene": scene, "master": master} for scene, master in pairs],
        "tools": [{"tool": tool, "source": source} for tool, _, source in named],
    }
    chosen = {name: value for name in ("angles", "profile") if (value := getattr(arguments, name)) is not None}
    return parse_comparison(asked | chosen)


if __name__ == "__main__":
    sys.exit(main())
