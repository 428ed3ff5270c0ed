"""A Mastershot in a temporary folder, and what a test wants to know of its runs."""

import os
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact, State

from flows.scene import render_scene
from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from storage.objects import Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest
from storage.versions import version_name
from tasks.ingest import decode_png
from tasks.progress import Listener, listener


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The folder that holds the master, the store and everything else."""

    folder: Path

    @property
    def store(self) -> Store:
        """The store that the flows write to."""
        return open_store(str(self.folder / "store"))

    def request(self, **changes: object) -> dict[str, object]:
        """A request for two angles of the master, with changes."""
        return {
            "scene": "scene_1",
            "master": str(self.folder / "master.png"),
            "angles": ["close_up", "left_45"],
        } | changes

    def run(self, **changes: object) -> Manifest:
        """Run the flow on the request and return the version."""
        return render_scene(self.request(**changes))  # pyright: ignore[reportArgumentType] - the flow checks it

    def run_to_end(self, *, retries: int = 0, **changes: object) -> State[Manifest]:
        """Run the flow on the request, again if it fails and may, and return its final state."""
        flow: Any = render_scene.with_options(retries=retries, retry_delay_seconds=0)
        return flow(self.request(**changes), return_state=True)

    def picture(self, record: AngleRecord) -> Image.Image:
        """Return the picture of a finished angle, verified."""
        return decode_png(self.store.get_blob(record.picture))

    def views(self, manifest: Manifest) -> Path:
        """The folder of the readable copies of a version."""
        return self.folder / "store/scenes/views" / manifest.scene / version_name(manifest.number)

    def block_picture(self, angle: str, **changes: object) -> Path:
        """Make the store refuse the picture of `angle`: a folder lies where its file must be. Return that folder."""
        previous = os.environ["MASTERSHOT_STORE"]
        os.environ["MASTERSHOT_STORE"] = str(self.folder / "twin")
        record = next(record for record in self.run(**changes).angles if record.name == angle)
        os.environ["MASTERSHOT_STORE"] = previous
        obstacle = self.folder / "store/scenes" / record.picture.key
        obstacle.mkdir(parents=True)
        return obstacle

    def finished_angles(self) -> list[str]:
        """Keys of the records of all finished angles."""
        return self.store.list_records("angles/")


def install(folder: Path, weights: Path) -> dict[str, str]:
    """Put a master of the film stage into a folder, and return the settings that keep everything in it."""
    view = render_view(make_scene(7), camera_for(Pose()), 280, 160, samples_per_axis=1)
    Image.fromarray(view.picture).save(folder / "master.png")
    folders = {"STORE": str(folder / "store"), "SPOOL": str(folder / "spool"), "WEIGHTS": str(weights)}
    settings = folders | {"MASTER_FOLDERS": f'["{folder}"]'}
    return {f"MASTERSHOT_{name}": value for name, value in settings.items()}


@contextmanager
def listening(heard: Listener) -> Generator[None]:
    """Have every diffusion step of the runs inside reported."""
    token = listener.set(heard)
    try:
        yield
    finally:
        listener.reset(token)


def find_artifacts(state: State[Manifest], key: str | None) -> list[Artifact]:
    """Return the artifacts that a flow run wrote under a key."""
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(limit=200)
    return [
        artifact
        for artifact in artifacts
        if artifact.flow_run_id == state.state_details.flow_run_id and artifact.key == key
    ]


def count_tasks(state: State[Manifest]) -> Counter[str]:
    """Count the task runs behind the final state of a flow run, by their name and state."""
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])), limit=200)
    return Counter(f"{run.name} {run.state_name}" for run in runs)
