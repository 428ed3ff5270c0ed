"""Bad input: the flow is Failed with one sentence that says what and what to do, and every finished angle is kept."""

import io
import os
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from storage.opening import open_store
from storage.records import AngleRecord
from storage.work import WORK_LIFE, list_open
from tasks.errors import InvalidRequestError
from tasks.requests import parse_request
from tests.e2e.installation import Installation, listening


def assert_failed(installation: Installation, words: str, **changes: object) -> str:
    """Run the flow, expect it to fail with one sentence that holds `words`, and return the sentence."""
    state = installation.run_to_end(retries=0, **changes)
    assert state.is_failed(), state
    message = state.message or ""
    assert words in message
    assert "\n" not in message
    assert message.endswith(".")
    return message


def _png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size that its few bytes of data do not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    body = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


MASTERS = {
    "text": (b"INT. STREET - DUSK", "is no picture"),
    "empty": (b"", "is no picture"),
    "truncated": (_picture(200, 100)[:-60], "export it again"),
    "bomb": (_png(50_000, 50_000), "2500000000 pixels, the limit is"),
    "20000x20000": (_png(20_000, 20_000), "400000000 pixels, the limit is"),
    "1x1": (_picture(1, 1), "shorter side has 1 px"),
    "strip": (_picture(900, 100), "crop the still"),
}


@pytest.mark.parametrize("kind", MASTERS)
def test_bad_master(installation: Installation, kind: str) -> None:
    """A master that is no usable picture stops the run before anything is kept but that it began and ended."""
    data, words = MASTERS[kind]
    (installation.folder / "master.png").write_bytes(data)
    assert_failed(installation, words)
    assert not [path for path in (installation.folder / "store/scenes").rglob("*") if path.is_file()]
    assert {key.partition("/")[0] for key in installation.store.list_records("")} == {"work"}
    assert list_open(installation.store, "work", WORK_LIFE) == []


REQUESTS: dict[str, tuple[dict[str, object], str]] = {
    "unknown preset": ({"angles": ["clos_up"]}, "'close_up'"),
    "duplicate angles": ({"angles": ["wide", "wide"]}, "wide more than once"),
    "no angles": ({"angles": []}, "at least 1 item"),
    "azimuth out of range": ({"angles": [{"name": "far", "azimuth_deg": 181}]}, "less than or equal to 180"),
    "unknown key": ({"angels": ["wide"]}, "angels"),
    "unknown key of a pose": ({"angles": [{"name": "far", "yaw": 3}]}, "yaw"),
    "unknown profile": ({"profile": "sora"}, "choose one of miniature"),
    "unspeakable pose": ({"angles": [{"name": "behind", "azimuth_deg": 180}]}, "cannot say azimuth_deg=180"),
    "bad scene": ({"scene": "../up"}, "scene"),
    "master missing": ({"master": "nowhere.png"}, "outside the folders allowed"),
    "master elsewhere": ({"master": "/etc/hostname"}, "outside the folders allowed"),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_bad_request(installation: Installation, kind: str) -> None:
    """A request that cannot be understood or is not allowed says which field and why."""
    changes, words = REQUESTS[kind]
    assert_failed(installation, words, **changes)


def test_file_name_that_is_no_unicode() -> None:
    """A byte of a file name that is no text, of which Prefect makes no JSON, is refused before it gets there."""
    with pytest.raises(InvalidRequestError, match=r"not valid at master: .* unicode"):
        parse_request({"scene": "scene_1", "master": os.fsdecode(b"still\xff.png")})


def test_missing_master(installation: Installation) -> None:
    """A master that is gone when the run begins is named."""
    (installation.folder / "master.png").unlink()
    assert_failed(installation, "No such file or directory")


def _remove_vae(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def _reshape_vae(folder: Path) -> None:
    path = folder / "vae/diffusion_pytorch_model.safetensors"
    state = load_file(path)
    state["decoder.conv_in.weight"] = state["decoder.conv_in.weight"][:, :8].contiguous()
    save_file(state, path)


def _drop_tensor(folder: Path) -> None:
    path = folder / "transformer/diffusion_pytorch_model.safetensors"
    state = load_file(path)
    del state["proj_out.weight"]
    save_file(state, path)


def _truncate(folder: Path) -> None:
    path = folder / "text_encoder/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _pickle(folder: Path) -> None:
    path = folder / "transformer/diffusion_pytorch_model.safetensors"
    torch.save({}, path.with_suffix(".bin"))
    path.unlink()


def _remove_clip(folder: Path) -> None:
    shutil.rmtree(folder / "clip")


def _mistype(folder: Path) -> None:
    (folder / "vae/config.json").write_text('{"dim_mult": 7}')


def _misname_lora(folder: Path) -> None:
    path = folder / "loras/multi-angle.safetensors"
    save_file({f"other.{name}": tensor for name, tensor in load_file(path).items()}, path)


WEIGHTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (_remove_vae, "vae is missing"),
    "wrong shape": (_reshape_vae, "decoder.conv_in.weight"),
    "missing tensor": (_drop_tensor, "proj_out.weight"),
    "truncated": (_truncate, "could not be read"),
    "pickled": (_pickle, "holds pickled weights"),
    "missing encoder of a score": (_remove_clip, "clip is missing"),
    "settings of the wrong kind": (_mistype, "vae could not be read"),
    "keys of another model": (_misname_lora, "multi-angle"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_bad_weights(installation: Installation, weights: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Files that are missing, damaged, of another model or pickled are refused by name."""
    spoil, words = WEIGHTS[kind]
    copy = installation.folder / "weights"
    shutil.copytree(weights, copy)
    spoil(copy / "miniature")
    monkeypatch.setenv("MASTERSHOT_WEIGHTS", str(copy))
    assert_failed(installation, words)
    assert installation.store.list_records("versions/") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk with room for the master and about one angle."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["/bin/umount", folder], check=True)


def test_full_store(installation: Installation, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fills up in mid-run says so, keeps what was finished; with room, the next run does the rest."""
    monkeypatch.setenv("MASTERSHOT_STORE", str(small_disk))
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "1")
    angles, steps = ["close_up", "left_45", "wide", "top_down"], list[str]()
    with listening(lambda angle, _step, _num_steps: steps.append(angle)):
        assert_failed(installation, "StoreFullError", angles=angles)
    store = open_store(str(small_disk))
    records = [AngleRecord.model_validate_json(store.get_record(key)) for key in store.list_records("angles/")]
    assert 1 <= len(records) < 4
    for record in records:
        assert store.get_blob(record.picture)
    assert store.list_records("versions/") == []

    subprocess.run(["/bin/mount", "-o", "remount,size=64m", small_disk], check=True)
    with listening(lambda angle, _step, _num_steps: steps.append(angle)):
        version = installation.run(angles=angles)
    assert [record.name for record in version.angles] == angles
    assert all(store.get_blob(record.picture) for record in version.angles)
    assert Counter(steps) == dict.fromkeys(angles, 8), "an angle was rendered twice"


def test_bad_setting(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be understood is named, in a deployed run too."""
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "many")
    assert_failed(installation, "MASTERSHOT_NUM_LANES is not valid at 'many'")


def test_a_profile_whose_files_are_not_here(installation: Installation) -> None:
    """Nothing is fetched behind anybody's back: the sentence says how to."""
    assert "Qwen/Qwen-Image-Edit-2511 at 6f3c" in assert_failed(installation, "`make fetch", profile="qwen-edit-2511")


def test_missing_device(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is asked for and not there is an error, never a CPU in its place."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("MASTERSHOT_DEVICE", "cuda")
    assert_failed(installation, "The device 'cuda' cannot be used")


def test_read_only_store(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that may not be written to is named before anything is rendered."""
    monkeypatch.setenv("MASTERSHOT_STORE", "/sys/mastershot")
    assert_failed(installation, "/sys/mastershot")


def test_master_that_vanishes_from_the_store(installation: Installation) -> None:
    """If the stored master is deleted in mid-run the run fails, and the finished angles are kept."""

    def delete_blobs_of_master(*_: object) -> None:
        for path in (installation.folder / "store/scenes/blobs").rglob("*"):
            if path.is_file():
                path.unlink()

    with listening(delete_blobs_of_master):
        assert_failed(installation, "MissingObjectError", angles=["close_up"])
    assert len(installation.finished_angles()) == 1
