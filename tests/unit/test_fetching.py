"""Fetching a profile: from a hub of our own on this machine, in a process of its own, as a person would."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from models.fetching import list_wanted
from models.profiles import MINIATURE, PROFILES, QWEN_EDIT_2509, QWEN_EDIT_2509_PAPER
from tests.hub import Hub, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(weights: Path) -> Generator[Hub]:
    """All files of `qwen-edit-2509`, those of the miniature in their place."""
    base, loras = weights / "miniature", weights / "miniature/loras"
    files: dict[str, dict[str, bytes]] = {}
    for source, folder in ((QWEN_EDIT_2509.base, base), (QWEN_EDIT_2509.clip, base / "clip")):
        paths = [path for path in folder.rglob("*") if path.is_file()]
        files[source.repo] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    files[QWEN_EDIT_2509.base.repo]["README.md"] = b"nobody needs this"
    names = {"lightning": "lightning-8steps.safetensors", "angles": "multi-angle.safetensors"}
    for lora in QWEN_EDIT_2509.loras:
        files.setdefault(lora.source.repo, {})[lora.source.path] = (loras / names[lora.name]).read_bytes()
    with serve(Hub(files=files)) as served:
        yield served


def run_fetch(hub: Hub, home: Path, weights: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a cache below `home`."""
    own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "models.fetching", "--profile", "qwen-edit-2509", "--weights", str(weights)]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | own | environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_profile_is_fetched_once(hub: Hub, tmp_path: Path) -> None:
    """Licence and size come first; all that is needed comes and nothing else; the second time nothing is fetched."""
    first = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0] == "qwen-edit-2509: licence Apache-2.0"
    assert "GiB to fetch into" in lines[1]
    assert lines[-1].startswith("qwen-edit-2509: SHA-256 of all files ")
    fetched = {path for method, path, _ in hub.requests if method == "GET" and not path.startswith("api/")}
    assert not any("README" in path or "/scheduler/" in path for path in fetched)
    hub.requests.clear()
    second = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    assert second.stdout.splitlines()[-1] == lines[-1]
    assert "\n0.0 GiB to fetch" in second.stdout
    assert not any(method == "GET" and not path.startswith("api/") for method, path, _ in hub.requests)
    offline = run_fetch(hub, tmp_path / "home", tmp_path / "none", HF_HUB_OFFLINE="1")
    assert offline.stdout.splitlines()[-1] == lines[-1]


def test_what_was_begun_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    """A connection that breaks off costs the part of a file that the library had not written, and not the whole."""
    hub.breaks_off_at = 15 * 2**20
    assert run_fetch(hub, tmp_path / "home", tmp_path / "none").returncode == 0
    assert any(asked == f"bytes={10 * 2**20}-" for _, _, asked in hub.requests)


def test_a_fetch_that_fails_leaves_what_there_was(hub: Hub, tmp_path: Path) -> None:
    """The branch has moved on to a commit without the file: the one of the last fetch still loads."""
    first = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    angles, hub.commit = QWEN_EDIT_2509.loras[1].source, "d" * 40
    kept = hub.files[angles.repo].pop(angles.path)
    failed = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    assert failed.returncode == 1
    offline = run_fetch(hub, tmp_path / "home", tmp_path / "none", HF_HUB_OFFLINE="1")
    assert offline.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    hub.files[angles.repo][angles.path] = kept + b"\n"
    moved = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    assert moved.stdout.splitlines()[-1] != first.stdout.splitlines()[-1]


def test_offline_nothing_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    """With the hub's own flag it says what is missing, and asks nobody."""
    done = run_fetch(hub, tmp_path / "home", tmp_path / "none", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Failed: Qwen/Qwen-Image-Edit-2509 is not on this machine")
    assert hub.requests == []


def test_a_repository_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    """What the hub does not have is one sentence."""
    del hub.files[QWEN_EDIT_2509.loras[1].source.repo]
    done = run_fetch(hub, tmp_path / "home", tmp_path / "none")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Failed: The hub refuses dx8152/Qwen-Edit-2509-Multiple-angles at main")


def test_files_that_were_put_below_the_weights_are_not_fetched(hub: Hub, tmp_path: Path) -> None:
    """A folder of the repository's name below the folder of all weights stands for it."""
    kept = tmp_path / "weights" / QWEN_EDIT_2509.base.repo
    for path, content in hub.files.pop(QWEN_EDIT_2509.base.repo).items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).write_bytes(content)
    assert run_fetch(hub, tmp_path / "home", tmp_path / "weights").returncode == 0


def test_single_files_spare_the_parts_they_replace() -> None:
    """Of a base whose parts come as single files only settings are wanted."""
    base, *others = list_wanted(QWEN_EDIT_2509_PAPER)
    assert base.repo == "Qwen/Qwen-Image-Edit-2509"
    assert set(base.patterns) == {"processor/*", "transformer/*.json", "vae/*.json", "text_encoder/*.json"}
    comfy = next(each for each in others if each.repo == "Comfy-Org/Qwen-Image_ComfyUI")
    assert len(comfy.patterns) == 2


def test_every_profile_can_be_fetched_but_ours() -> None:
    """What is on the hub is named with owner and revision; the miniature comes with the code."""
    assert list_wanted(MINIATURE) == []
    for profile in PROFILES.values():
        assert all(wanted.repo.count("/") == 1 and wanted.revision for wanted in list_wanted(profile))
