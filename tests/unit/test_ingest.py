"""Reading a master from the folders that are allowed, and writing pictures as bytes."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from models.picture import PictureLimits
from tasks.errors import MasterNotFoundError
from tasks.ingest import decode_png, encode_png, read_file

CONTENT = b"the bytes of a still"
pictures = st_numpy.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))).map(Image.fromarray)


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """Make a folder that is allowed, with a still in it, beside a file that is not."""
    folder = tmp_path / "masters"
    (folder / "day_one").mkdir(parents=True)
    (folder / "day_one" / "still.png").write_bytes(CONTENT)
    (tmp_path / "secret.png").write_bytes(b"not for you")
    (tmp_path / "masters_of_others").mkdir()
    (tmp_path / "masters_of_others" / "still.png").write_bytes(b"not for you")
    return folder


def refusal(path: Path | str, *folders: Path) -> str:
    """Return the one sentence with which a path is refused."""
    with pytest.raises(MasterNotFoundError) as caught:
        read_file(str(path), folders)
    sentence = str(caught.value)
    assert sentence.startswith(f"The file {str(path)!r} ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_file_below_an_allowed_folder_is_read(allowed: Path, tmp_path: Path) -> None:
    """Any depth below any of the folders is allowed, however the path is written."""
    still = allowed / "day_one" / "still.png"
    assert read_file(str(still), (tmp_path / "absent", allowed)) == CONTENT
    assert read_file(str(allowed / "day_two" / ".." / "day_one" / "still.png"), (allowed,)) == CONTENT
    assert read_file(str(still), (still,)) == CONTENT


def test_relative_path_starts_at_the_working_folder(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative master and a relative folder are both below the folder that the process works in."""
    monkeypatch.chdir(allowed)
    assert read_file("day_one/still.png", (Path(),)) == CONTENT
    assert read_file("day_one/still.png", (Path("day_one"),)) == CONTENT
    assert "outside the folders allowed" in refusal("../secret.png", Path())


@pytest.mark.parametrize("path", ["../secret.png", "day_one/../../secret.png", "../masters_of_others/still.png"])
def test_file_outside_is_refused(allowed: Path, path: str) -> None:
    """Dots lead nowhere else, and a folder whose name starts like an allowed one is another folder."""
    assert "outside the folders allowed" in refusal(allowed / path, allowed)
    assert "outside the folders allowed" in refusal((allowed / path).resolve(), allowed)


def test_nothing_is_allowed_by_default(allowed: Path) -> None:
    """Without an allowed folder no file can be read."""
    refusal(allowed / "day_one" / "still.png")


def test_link_that_leads_outside_is_refused(allowed: Path, tmp_path: Path) -> None:
    """A link in an allowed folder opens nothing outside of it, whether it is a file's or a folder's."""
    (allowed / "link.png").symlink_to(tmp_path / "secret.png")
    (allowed / "others").symlink_to(tmp_path / "masters_of_others")
    assert "outside the folders allowed" in refusal(allowed / "link.png", allowed)
    assert "outside the folders allowed" in refusal(allowed / "others" / "still.png", allowed)


def test_link_that_stays_inside_is_followed(allowed: Path, tmp_path: Path) -> None:
    """A link to a file of an allowed folder is that file, also where the allowed folder is itself a link."""
    (allowed / "link.png").symlink_to(Path("day_one") / "still.png")
    (tmp_path / "today").symlink_to(allowed)
    assert read_file(str(allowed / "link.png"), (allowed,)) == CONTENT
    assert read_file(str(tmp_path / "today" / "link.png"), (tmp_path / "today",)) == CONTENT


def test_what_is_no_readable_file_is_refused(allowed: Path) -> None:
    """A missing file, a folder, a file used as a folder and a broken link are refused with the system's reason."""
    (allowed / "broken.png").symlink_to(allowed / "gone.png")
    assert "No such file" in refusal(allowed / "gone.png", allowed)
    assert "No such file" in refusal(allowed / "broken.png", allowed)
    assert "Is a directory" in refusal(allowed / "day_one", allowed)
    assert "Is a directory" in refusal(allowed, allowed)
    assert "Not a directory" in refusal(allowed / "day_one" / "still.png" / "x", allowed)


def test_what_is_no_path_is_refused(allowed: Path) -> None:
    """Links in a circle, a NUL and a name that is too long are refused like any other path."""
    (allowed / "one.png").symlink_to(allowed / "two.png")
    (allowed / "two.png").symlink_to(allowed / "one.png")
    refusal(allowed / "one.png", allowed)
    refusal(f"{allowed}/a\0b", allowed)
    refusal(allowed / ("n" * 300), allowed)
    refusal(f"{allowed}/line\nbreak.png", allowed)


def test_no_more_than_the_limit_is_read(allowed: Path) -> None:
    """Of a file over the limit one byte more than allowed is read: enough to refuse it, not to fill the memory."""
    limits = PictureLimits(max_bytes=5)
    assert read_file(str(allowed / "day_one" / "still.png"), (allowed,), limits) == CONTENT[:6]


@given(pictures)
def test_png_is_lossless_and_the_same_every_time(picture: Image.Image) -> None:
    """Every pixel comes back, and the same pixels are the same bytes, so that they are one blob."""
    data = encode_png(picture)
    restored = decode_png(data)
    assert (restored.mode, restored.size, restored.tobytes()) == ("RGB", picture.size, picture.tobytes())
    assert encode_png(picture.copy()) == data
    assert encode_png(restored) == data


def test_png_holds_pixels_only() -> None:
    """What else a picture carries along, such as a profile, a resolution or a text, does not reach the bytes."""
    picture = Image.new("RGB", (8, 8), "#336699")
    plain = encode_png(picture)
    picture.info = {"icc_profile": b"profile", "dpi": (72, 72), "transparency": (1, 2, 3), "exif": b"x", "Title": "t"}
    assert encode_png(picture) == plain
    assert decode_png(plain).info == {}


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe in an allowed folder is not waited for."""
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(MasterNotFoundError, match="is a pipe"):
        read_file(str(tmp_path / "pipe.png"), (tmp_path,))
