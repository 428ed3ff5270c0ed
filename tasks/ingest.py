"""Taking in a master: from a file somewhere to two immutable objects, the original and the picture that is used."""

import io
from pathlib import Path

from PIL import Image
from prefect import task

from models.picture import PictureLimits, read_master
from storage.opening import open_store
from storage.records import MasterRecord
from tasks.errors import MasterNotFoundError
from tasks.policies import WHILE_TRANSIENT


@task(name="ingest-master", task_run_name="ingest {path}", **WHILE_TRANSIENT)
def ingest_master(path: str, master_folders: tuple[Path, ...], store_url: str) -> MasterRecord:
    """Read the master, bring it to upright opaque 8-bit sRGB, and keep both the original and the result.

    Raises:
        MasterNotFoundError: There is no such file in the folders allowed.
        PictureError: The file is not a picture that can be used.
        StorageError: The store does not take it.
    """
    data = read_file(path, master_folders)
    picture, facts = read_master(data)
    store = open_store(store_url)
    return MasterRecord(
        picture=store.put_blob(encode_png(picture), "image/png"),
        original=store.put_blob(data, f"image/{facts.format.lower()}"),
        source_name=Path(path).name,
        facts=facts.model_dump(mode="json"),
    )


def read_file(path: str, folders: tuple[Path, ...], limits: PictureLimits | None = None) -> bytes:
    """Return the bytes of a file that lies in one of `folders`, links resolved; one byte more than the limit at most.

    Raises:
        MasterNotFoundError: It lies elsewhere, is no file, or cannot be read.
    """
    limits = limits or PictureLimits()
    try:
        real = Path(path).resolve()
    except (ValueError, RuntimeError) as exc:  # a NUL in it, or links that go round in a circle
        msg = f"The file {path!r} is no path ({exc}): correct the request."
        raise MasterNotFoundError(msg) from exc
    if not any(real.is_relative_to(folder.resolve()) for folder in folders):
        allowed = ", ".join(str(folder.resolve()) for folder in folders)
        msg = f"The file {path!r} is outside the folders allowed ({allowed}): move it there, or allow its folder."
        raise MasterNotFoundError(msg)
    try:
        if real.is_fifo():
            msg = f"The file {path!r} is a pipe, which would be waited for without end: give a file."
            raise MasterNotFoundError(msg)
        with real.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except OSError as exc:
        msg = f"The file {path!r} cannot be read ({exc.strerror}): put the file back or correct the request."
        raise MasterNotFoundError(msg) from exc


def encode_png(picture: Image.Image) -> bytes:
    """Return the PNG of an RGB picture, without any metadata: equal pixels give equal bytes.

    Level 1 takes a quarter more bytes than the usual 6 and half the time: the cores are the model's.
    """
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1, icc_profile=None, transparency=None)
    return buffer.getvalue()


def decode_png(data: bytes) -> Image.Image:
    """Return the picture of a PNG that this program wrote."""
    picture = Image.open(io.BytesIO(data), formats=("PNG",))
    picture.load()
    return picture
