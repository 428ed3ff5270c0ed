"""Out of one store and into another: what stands in an archive, that it is whole, and what is not taken in."""

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from storage.errors import BadArchiveError, MissingObjectError
from storage.exporting import export_version
from storage.history import list_numbers
from storage.importing import import_version
from storage.objects import Store
from storage.opening import open_store
from storage.reports import read_report
from storage.versions import latest_version, manifest_key
from tests.kept_versions import keep_version

ROOT = "street-v000001"
Spoil = Callable[[dict[str, bytes]], None]


@pytest.fixture
def store(either_store: Store) -> Store:
    """Open a store of each kind with one version in it."""
    keep_version(either_store, 1)
    return either_store


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Export a version of a store of its own to a folder."""
    source = open_store(str(tmp_path / "source"))
    keep_version(source, 1)
    return export_version(source, "street", 1, tmp_path / ROOT)


def pack(folder: Path, target: Path, spoil: Spoil | None = None) -> Path:
    """Write the files of a folder, changed by `spoil`, to a zip."""
    files = {
        f"{ROOT}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    if spoil:
        spoil(files)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return target


def refuse(store: Store, path: Path, words: str) -> None:
    """Expect that an archive is refused in one sentence, and that nothing of it is kept."""
    before = [*store.list_records(""), *store.list_views("")]
    with pytest.raises(BadArchiveError, match=words) as caught:
        import_version(store, path)
    assert len(str(caught.value).splitlines()) == 1
    assert [key for key in [*store.list_records(""), *store.list_views("")] if not key.startswith("work/")] == before


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_version_goes_out_and_comes_in(store: Store, tmp_path: Path, name: str) -> None:
    """What is exported is imported elsewhere with the same pictures, as the next version, and says where it is from."""
    manifest = latest_version(store, "street")
    assert manifest
    path = export_version(store, "street", 1, tmp_path / name)
    target = open_store(str(tmp_path / "target"))
    keep_version(target, 1)
    keep_version(target, 4)
    made = import_version(target, path)
    assert (made.scene, made.number, made.parent) == ("street", 5, 4)
    assert made.imported_from == sha256(store.get_record(manifest_key("street", 1))).hexdigest()
    assert (made.angles, made.other_takes, made.master) == (manifest.angles, manifest.other_takes, manifest.master)
    assert (made.software, made.code, made.verdicts) == (manifest.software, manifest.code, manifest.verdicts)
    for ref in made.list_blobs():
        target.get_blob(ref)
    rows = read_report(target.get_blob(made.reports.parquet))
    assert rows.select("scene", "version", "run_id").unique().rows() == [("street", 5, made.run_id)]
    renamed = import_version(target, path, "alley")
    assert (renamed.scene, renamed.number, renamed.parent) == ("alley", 1, None)


def test_archive_stands_alone(store: Store, tmp_path: Path) -> None:
    """The system's own tool finds every file whole, names are readable, and the manifest is that of the store."""
    folder = export_version(store, "street", 1, tmp_path / "out")
    done = subprocess.run(
        ["/usr/bin/sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(done.stdout.splitlines()) == len(files) - 1
    assert {"README.txt", "manifest.json", "master.png", "master_original.jpg", "angles/close_up.png"} <= files
    assert {"reports/report.parquet", "reports/coverage.parquet", "reports/review.html", "reports/summary.md"} <= files
    assert (folder / "manifest.json").read_bytes() == store.get_record(manifest_key("street", 1))
    assert "angles/close_up.png" in (folder / "README.txt").read_text()


def test_zip_is_the_same_every_time(store: Store, tmp_path: Path) -> None:
    """Two exports of a version are the same bytes, with one folder at their top."""
    one, two = (export_version(store, "street", 1, tmp_path / f"{name}.zip").read_bytes() for name in ("one", "two"))
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as packed:
        assert packed.testzip() is None
        assert {name.partition("/")[0] for name in packed.namelist()} == {ROOT}


def test_export_appears_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    """What stands there is not touched, and a version that is lost or of which a blob is lost leaves nothing."""
    (tmp_path / "out").mkdir()
    with pytest.raises(BadArchiveError, match="stands at"):
        export_version(store, "street", 1, tmp_path / "out")
    with pytest.raises(MissingObjectError, match="v000007"):
        export_version(store, "street", 7, tmp_path / "seven")
    with pytest.raises(BadArchiveError, match="cannot be written"):
        export_version(store, "street", 1, tmp_path / "none" / "out")
    assert not (tmp_path / "seven").exists()
    assert not list(tmp_path.glob("~*"))


def change(name: str, data: bytes) -> Spoil:
    """Put other bytes in the place of a file."""
    return lambda files: files.update({f"{ROOT}/{name}": data})


def lose(name: str) -> Spoil:
    """Take a file out."""
    return lambda files: void(files.pop(f"{ROOT}/{name}"))


def rename_angle(files: dict[str, bytes]) -> None:
    """Give an angle a name that leads elsewhere."""
    manifest = json.loads(files[f"{ROOT}/manifest.json"])
    manifest["angles"][0]["name"] = "../../escaped"
    files[f"{ROOT}/manifest.json"] = json.dumps(manifest).encode()


def void(_: object) -> None:
    """Return nothing."""


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change("master.png", b"another picture"), "master.png is not what the manifest says"),
        (change("master.png", b"MASTER of street"), "master.png is not what the manifest says"),
        (lose("angles/wide.png"), "lacks angles/wide.png"),
        (lose("manifest.json"), "no manifest.json"),
        (lose("SHA256SUMS"), "lacks SHA256SUMS"),
        (change("manifest.json", b"{}"), "damaged or of another version"),
        (change("SHA256SUMS", b"wrong"), "does not say what its files are"),
        (change("README.txt", b"another text"), "does not say what its files are"),
        (change("angles/extra.png", b"x"), "holds 'angles/extra.png'"),
        (change("../escaped.png", b"x"), "leaves its folder"),
        (change("./dot.png", b"x"), "leaves its folder"),
        (change("a\\b.png", b"x"), "leaves its folder"),
        (lambda files: files.update({"/etc/passwd": b"x"}), "leaves its folder"),
        (lambda files: files.update({"other/x": b"x"}), "2 folders or files at its top"),
        (change("bomb", bytes(4 << 20)), "said to unpack to 4194304 bytes"),
        (rename_angle, "no name of a file"),
    ],
)
def test_zip_that_is_not_as_exported_is_refused(archive: Path, tmp_path: Path, spoil: Spoil, words: str) -> None:
    """Other bytes, missing or foreign files, paths that lead elsewhere and bombs are each one sentence."""
    target = open_store(str(tmp_path / "target"))
    refuse(target, pack(archive, tmp_path / "bad.zip", spoil), words)
    assert list_numbers(target) == {}
    assert not list(tmp_path.rglob("escaped*"))


def test_packed_again_it_is_taken(archive: Path, tmp_path: Path) -> None:
    """An archive that somebody unpacked and packed with another tool is the same version."""
    target = open_store(str(tmp_path / "target"))
    assert import_version(target, pack(archive, tmp_path / "again.zip")).number == 1


def test_links_and_lies_of_a_zip_are_refused(archive: Path, tmp_path: Path) -> None:
    """A link, a name that is there twice, a cut file and a file that is no zip are refused."""
    target = open_store(str(tmp_path / "target"))
    whole = pack(archive, tmp_path / "whole.zip")
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as packed:
        link = zipfile.ZipInfo(f"{ROOT}/master.png")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    refuse(target, tmp_path / "link.zip", "a link or no file")
    (tmp_path / "twice.zip").write_bytes(whole.read_bytes())
    with zipfile.ZipFile(tmp_path / "twice.zip", "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr(f"{ROOT}/master.png", b"x")
    refuse(target, tmp_path / "twice.zip", "there twice")
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-30])
    refuse(target, tmp_path / "cut.zip", "neither a folder nor a whole zip")
    refuse(target, tmp_path / "nowhere.zip", "cannot be read")


def test_folder_that_is_not_as_exported_is_refused(archive: Path, tmp_path: Path) -> None:
    """Of a folder links and pipes are refused, whatever they lead to, and so are changed files."""
    target = open_store(str(tmp_path / "target"))
    picture = archive / "angles" / "wide.png"
    data = picture.read_bytes()
    (tmp_path / "same.png").write_bytes(data)
    picture.unlink()
    picture.symlink_to(tmp_path / "same.png")
    refuse(target, archive, "a link or no file")
    picture.unlink()
    os.mkfifo(picture)
    refuse(target, archive, "a link or no file")
    picture.unlink()
    picture.write_bytes(data[::-1])
    refuse(target, archive, "is not what the manifest says")
    picture.write_bytes(data)
    assert import_version(target, archive).number == 1
