"""What our store costs beside boto3's bare requests, on one SeaweedFS server that it starts for itself.

Run `make bench-store`. boto3 is no dependency: where it cannot be imported, ours is measured alone and says so; a copy
in a folder of its own is found by `PYTHONPATH=folder make bench-store`. Rounds alternate, so that other work on the
machine falls on both. A put of ours looks whether the blob is there and sends it with its digest; a get verifies it.
The last line of the output is JSON.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from storage.history import list_numbers
from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs
from storage.versions import commit_version, keep_angle, latest_version, manifest_key
from tests.fault_proxy import stand_before
from tests.seaweed import run_seaweed
from tests.servers import S3Server

NUM_THREADS, NUM_OBJECTS, OBJECT_BYTES = 16, 200, 1024 * 1024
NUM_ANGLES, PICTURE_BYTES = 7, 1_500_000
NUM_SCENES, NUM_VERSIONS = 1000, 10
BUCKET, PREFIX = "raw", "bench"

Act = Callable[[], object]


def open_boto(server: S3Server) -> Any:  # noqa: ANN401 - boto3 has no types
    """Open boto3's client on a versioned bucket, with as many connections as threads; None where there is no boto3."""
    try:
        boto3, config = importlib.import_module("boto3"), importlib.import_module("botocore.config")
    except ModuleNotFoundError:
        return None
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{server.endpoint}",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=config.Config(max_pool_connections=NUM_THREADS, s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


def in_threads(act: Callable[[Any], object], items: Iterable[object]) -> None:
    """Do the same to all items, on as many threads as there are connections."""
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        list(pool.map(act, items))


def time_act(act: Act) -> float:
    """Return the seconds that an act takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def exchange(store: Store, boto: Any, number: int) -> dict[str, float]:  # noqa: ANN401
    """Put and get new objects with both, who is first in turns, and return the seconds of each."""
    blobs = [os.urandom(OBJECT_BYTES) for _ in range(NUM_OBJECTS)]
    refs = [BlobRef.of(blob, "image/png") for blob in blobs]
    pairs = list(zip(refs, blobs, strict=True))

    def put_bare(item: tuple[BlobRef, bytes]) -> None:
        boto.put_object(Bucket=BUCKET, Key=item[0].key, Body=item[1], ContentType="image/png")

    ours: list[tuple[str, Act]] = [
        ("ours put", lambda: in_threads(lambda blob: store.put_blob(blob, "image/png"), blobs)),
        ("ours get", lambda: in_threads(store.get_blob, refs)),
    ]
    bare: list[tuple[str, Act]] = [
        ("boto3 put", lambda: in_threads(put_bare, pairs)),
        ("boto3 get", lambda: in_threads(lambda ref: boto.get_object(Bucket=BUCKET, Key=ref.key)["Body"].read(), refs)),
    ]
    turns = zip(*(ours, bare)[:: -1 if number % 2 else 1], strict=True) if boto else zip(ours, strict=True)
    return {name: time_act(act) for turn in turns for name, act in turn}


def commit(url: str, number: int, pictures: list[bytes]) -> None:
    """Publish a version of seven new pictures as a flow does, whose tasks open the store each for itself."""

    def keep(item: tuple[int, bytes]) -> AngleRecord:
        store = open_store(url)
        record = AngleRecord(
            name=f"angle_{item[0]}",
            fingerprint=f"{number:060d}{item[0]:04d}",
            spec={"seed": 0},
            picture=store.put_blob(item[1], "image/png"),
            stage_times_s={"sample": 1.0},
            run_id="run",
            rendered_at="2026-01-01T00:00:00+00:00",
        )
        return keep_angle(store, record)

    with ThreadPoolExecutor(NUM_ANGLES) as pool:
        angles = tuple(pool.map(keep, enumerate(pictures)))
    ref = angles[0].picture
    manifest = Manifest(
        scene="bench",
        number=number,
        run_id="run",
        created_at="2026-01-01T00:00:00+00:00",
        coverage_sha256="ab" * 32,
        training="untrained",
        request={},
        master=MasterRecord(picture=ref, original=ref, source_name="a.png", facts={}),
        angles=angles,
        reports=ReportRefs(parquet=ref, contact_sheet=ref, review_page=ref, summary=ref),
        software={},
    )
    commit_version(open_store(url), manifest)


def count_requests(server: S3Server, pictures: list[bytes]) -> int:
    """Return how many requests a commit is, the second of a process."""
    with stand_before(server.endpoint) as proxy:
        url = replace(server, endpoint=proxy.endpoint).url(PREFIX)
        commit(url, 999_998, pictures)
        num_before = len(proxy.seen)
        commit(url, 999_999, [picture[::-1] for picture in pictures])
        return len(proxy.seen) - num_before


def fill_index(store: Store) -> None:
    """Write the manifests of many scenes, of which only the names are asked for."""
    keys = [manifest_key(f"scene_{s:04d}", n) for s in range(NUM_SCENES) for n in range(1, NUM_VERSIONS + 1)]
    in_threads(lambda key: store.put_record(str(key), b"{}"), keys)


def put_bare(boto: Any, pictures: list[bytes]) -> None:  # noqa: ANN401
    """Put the pictures of a version and nothing else, as little as a commit could be."""
    refs = [BlobRef.of(picture, "image/png") for picture in pictures]
    with ThreadPoolExecutor(NUM_ANGLES) as pool:
        list(pool.map(lambda ref, body: boto.put_object(Bucket=BUCKET, Key=ref.key, Body=body), refs, pictures))


def list_bare(boto: Any, bucket: str) -> None:  # noqa: ANN401
    """List the keys of all versions, page after page."""
    pages = boto.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="versions/")
    sorted(found["Key"] for page in pages for found in page["Contents"])


def list_latest(store: Store) -> None:
    """Ask for the latest version of every scene."""
    numbers = list_numbers(store)
    if sum(known[-1] == NUM_VERSIONS for known in numbers.values()) < NUM_SCENES:
        msg = "the listing is not whole"
        raise RuntimeError(msg)


def summarize(seconds: list[float]) -> dict[str, float]:
    """Return median and spread."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def measure(url: str, boto: Any, num_rounds: int) -> dict[str, dict[str, float]]:  # noqa: ANN401
    """Take every figure, in alternating rounds after one of warm-up."""
    store = open_store(url)
    rounds: list[dict[str, float]] = []
    fill_index(store)
    for number in range(num_rounds + 1):
        times = exchange(store, boto, number)
        for name in ("put", "get"):
            if boto:
                times[f"{name} rate of ours to boto3"] = times[f"boto3 {name}"] / times[f"ours {name}"]
        pictures = [os.urandom(PICTURE_BYTES) for _ in range(NUM_ANGLES)]
        times["commit"] = time_act(partial(commit, url, number + 1, pictures))
        if boto:
            times["boto3 seven puts"] = time_act(partial(put_bare, boto, [os.urandom(PICTURE_BYTES) for _ in pictures]))
            times["commit over boto3's puts"] = times["commit"] - times["boto3 seven puts"]
            times["boto3 list of 10,000"] = time_act(partial(list_bare, boto, f"{PREFIX}-scenes-index"))
        times["latest of one scene"] = time_act(lambda: latest_version(store, "bench"))
        times["latest of 1,000 scenes"] = time_act(lambda: list_latest(store))
        rounds.append(times)
    return {name: summarize([times[name] for times in rounds[1:]]) for name in rounds[0]}


def main() -> None:
    """Start a server, measure, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mastershot-store-") as folder, run_seaweed(Path(folder)) as server:
        os.environ |= server.environment
        boto = open_boto(server)
        if not boto:
            sys.stdout.write("boto3 is not installed: ours alone\n")
        figures = measure(server.url(PREFIX), boto, asked.rounds)
        num_requests = count_requests(server, [os.urandom(PICTURE_BYTES) for _ in range(NUM_ANGLES)])
    for name, figure in figures.items():
        sys.stdout.write(f"{name:>26}  {figure['median']:7.3f} ({figure['min']:.3f} to {figure['max']:.3f})\n")
    sys.stdout.write(f"{'requests of a commit':>26}  {num_requests:7}\n")
    facts = {
        "rounds": asked.rounds,
        "requests_of_a_commit": num_requests,
        "load_1_5_15": psutil.getloadavg(),
        "cores": psutil.cpu_count(),
    }
    sys.stdout.write(json.dumps(facts | {"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
