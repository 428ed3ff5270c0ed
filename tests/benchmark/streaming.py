"""How much memory a large file takes on its way into a store and back: a folder, and S3 on a SeaweedFS of its own.

Run `python -m tests.benchmark.streaming`. Each way is a process of its own; what counts is its greatest resident size,
over that after a small file. The last line of the output is JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from storage.objects import BlobRef
from storage.opening import open_store
from tests.seaweed import run_seaweed

MIB = 1024 * 1024


def write_random(path: Path, num_mib: int) -> Path:
    """Write a file that does not repeat."""
    with path.open("wb") as file:
        for _ in range(num_mib):
            file.write(os.urandom(MIB))
    return path


def find_peak_mib() -> float:
    """Return the greatest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def go(url: str, way: str, path: Path, ref: str) -> None:
    """Put a file, or fetch it, and print its reference, the seconds, and the memory that it took."""
    store = open_store(url)
    small = write_random(path.with_name("small"), 1)
    store.fetch_blob(store.put_file(small, "image/png"), path.with_name("small-again"))
    base, start = find_peak_mib(), time.perf_counter()
    if way == "put":
        ref = store.put_file(path, "image/png").model_dump_json()
    else:
        store.fetch_blob(BlobRef.model_validate_json(ref), path)
    facts = {"seconds": time.perf_counter() - start, "base_mib": base, "over_base_mib": find_peak_mib() - base}
    sys.stdout.write(json.dumps({"ref": ref, "facts": facts}))


def measure(url: str, folder: Path, source: Path) -> dict[str, dict[str, float]]:
    """Put a file and fetch it, each in a process of its own."""
    ref, found = "", dict[str, dict[str, float]]()
    for way, path in (("put", source), ("fetch", folder / "target")):
        command = [sys.executable, "-m", "tests.benchmark.streaming", "--go", url, way, str(path), ref]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        ref, found[way] = done["ref"], done["facts"]
    return found


def main() -> None:
    """Measure both back ends, print a table, and end with one line of JSON; or go one way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--go", nargs=4, metavar=("URL", "WAY", "PATH", "REF"), help="go one way in this process")
    asked = parser.parse_args()
    if asked.go:
        url, way, path, ref = asked.go
        go(url, way, Path(path), ref)
        return
    with tempfile.TemporaryDirectory(prefix="mastershot-streaming-") as name:
        folder = Path(name)
        source = write_random(folder / "source", asked.mib)
        (folder / "server").mkdir()
        with run_seaweed(folder / "server") as server:
            os.environ |= server.environment
            urls = {"directory": str(folder / "store"), "s3": server.url("bench")}
            found = {kind: measure(url, folder, source) for kind, url in urls.items()}
    for kind, ways in found.items():
        for way, facts in ways.items():
            row = f"{facts['over_base_mib']:6.1f} MiB over {facts['base_mib']:.1f}, {facts['seconds']:.1f} s"
            sys.stdout.write(f"{kind:>10}  {way:>5}  {row}\n")
    sys.stdout.write(json.dumps({"mib": asked.mib, "figures": found}) + "\n")


if __name__ == "__main__":
    main()
