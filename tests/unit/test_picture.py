"""What is accepted as a master, what becomes of it, and what is refused."""

import hashlib
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pydantic import ValidationError

from models.errors import (
    NotAPictureError,
    PictureError,
    PictureTooLargeError,
    PictureTooSmallError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from models.picture import PictureLimits, read_master
from tests.unit.stills import (
    Samples,
    chunk,
    make_ink_profile,
    make_rgb_profile,
    noise,
    over_white,
    pixels_of,
    save,
    save_png,
    save_tiff,
)

SRGB_TO_D50 = np.array(((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410)))
DISPLAY_P3_TO_D50 = np.array(((0.51512, 0.29198, 0.15710), (0.24120, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407)))
TO_FILE: dict[int, Callable[[Samples], Samples]] = {  # from the upright picture to the one in the file
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
VALID = {
    "png": save(noise(3), "PNG", icc_profile=make_rgb_profile(SRGB_TO_D50, 2.2)),
    "deep png": save_png(noise(4, np.uint16)),
    "jpeg": save(noise(3), "JPEG"),
    "webp": save(noise(3), "WEBP", lossless=True),
    "tiff": save(noise(3), "TIFF"),
    "deep tiff": save_tiff(noise(3, np.uint16), photometric="rgb", compression="deflate"),
}


def exif(orientation: int) -> Image.Exif:
    """Make EXIF data with one orientation."""
    tags = Image.Exif()
    tags[274] = orientation
    return tags


def to_srgb(samples: Samples, primaries: Samples, gamma: float) -> Samples:
    """Convert by the definitions: power curve, primaries by way of D50 XYZ, the sRGB curve; out of gamut is cut."""
    linear = (samples / 255.0) ** gamma @ primaries.T @ np.linalg.inv(SRGB_TO_D50).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lossless_8_bit(kind: str, channels: int) -> None:
    """Grey, colour and colour with alpha come out of every lossless format as they went in."""
    samples = noise(channels)
    expected = over_white(samples[..., :3], samples[..., 3:]) if channels == 4 else samples
    lossless = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert np.abs(pixels_of(save(samples, kind, **lossless)) - expected).max() <= (channels == 4)


def test_jpeg() -> None:
    """A JPEG of a flat colour keeps it within two levels."""
    assert np.abs(pixels_of(save(Image.new("RGB", (32, 32), "#336699"), "JPEG")) - (0x33, 0x66, 0x99)).max() <= 2


def test_facts_say_what_the_file_was() -> None:
    """The facts of a plain PNG are complete, and a record that cannot be changed."""
    data = save(noise(3), "PNG")
    _, facts = read_master(data)
    stated = {"format": "PNG", "mode": "RGB", "bits": 8, "width_px": 32, "height_px": 20, "orientation": 1}
    untouched = {"icc_profile": None, "alpha": "none", "notes": (), "sha256": hashlib.sha256(data).hexdigest()}
    assert facts.model_dump() == stated | untouched
    with pytest.raises(ValidationError, match="frozen"):
        facts.mode = "L"


@pytest.mark.parametrize(("alpha", "stated"), [(255, "opaque"), (128, "composited over #FFFFFF")])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha(mode: str, alpha: int, stated: str) -> None:
    """Alpha is laid over white, and the facts say whether that changed anything."""
    picture, facts = read_master(save(Image.new(mode, (16, 16), (0,) * (len(mode) - 1) + (alpha,)), "PNG"))
    assert picture.getpixel((0, 0)) == (255 - alpha,) * 3
    assert facts.alpha == stated


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", TO_FILE)
def test_every_orientation_becomes_upright(kind: str, orientation: int) -> None:
    """A picture stored in any of the eight orientations comes out upright, with its upright size."""
    upright = noise(3, height=2, width=3).repeat(16, axis=0).repeat(16, axis=1)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = save(np.ascontiguousarray(TO_FILE[orientation](upright)), kind, exif=exif(orientation), **options)
    assert np.abs(pixels_of(data) - upright).max() <= (3 if kind == "JPEG" else 0)
    assert read_master(data)[1].orientation == orientation


def test_orientation_of_a_deep_tiff() -> None:
    """A 16-bit TIFF is turned once, not twice."""
    upright = noise(3, np.uint16)
    stored = save_tiff(TO_FILE[6](upright), photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert np.array_equal(pixels_of(stored), np.rint(upright / 257))


def test_impossible_orientation_is_noted() -> None:
    """An orientation that does not exist is taken as upright, and the notes say so."""
    _, facts = read_master(save(noise(3), "PNG", exif=exif(9)))
    assert (facts.orientation, facts.notes) == (1, ("EXIF orientation 9 is not 1 to 8: taken as 1",))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profile_is_converted(kind: str) -> None:
    """A Display P3 picture comes out in sRGB within two levels of the definition, in every format."""
    colours = np.array(((200, 60, 60), (60, 180, 90), (70, 80, 200), (128, 128, 128), (250, 240, 180)), np.uint8)
    samples = colours.repeat(16, axis=0)[None].repeat(32, axis=0)
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = save(samples, kind, icc_profile=make_rgb_profile(DISPLAY_P3_TO_D50, 2.2), **lossless)
    expected = to_srgb(samples, DISPLAY_P3_TO_D50, 2.2)
    assert np.abs(pixels_of(data) - expected).max() <= (5 if kind == "JPEG" else 2)
    assert read_master(data)[1].icc_profile == "made for a test"


def test_swapped_profile_swaps_the_channels() -> None:
    """A profile whose red is sRGB's green comes out with the channels changed over."""
    profile = make_rgb_profile(SRGB_TO_D50[:, [1, 2, 0]], 2.2)
    pixels = pixels_of(save(Image.new("RGB", (16, 16), (200, 100, 50)), "PNG", icc_profile=profile))
    assert np.abs(pixels[0, 0] - to_srgb(np.array((50, 200, 100)), SRGB_TO_D50, 2.2)).max() <= 2


def test_srgb_profile_changes_no_pixel() -> None:
    """The conversion from sRGB to sRGB is the identity."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels_of(save(noise(3), "PNG", icc_profile=profile)), noise(3))


def test_linear_16_bit_profile_is_noted() -> None:
    """16 bits are rounded before the profile is applied, which the notes say."""
    profile = make_rgb_profile(SRGB_TO_D50, 1.0)
    data = save_tiff(np.full((16, 16, 3), 257 * 55, np.uint16), photometric="rgb", iccprofile=profile)
    assert np.abs(pixels_of(data) - to_srgb(np.array((55, 55, 55)), SRGB_TO_D50, 1.0)).max() <= 2
    assert read_master(data)[1].notes == ("rounded to 8 bits before the conversion from the ICC profile",)


@pytest.mark.parametrize("profile", [b"no profile", make_rgb_profile(SRGB_TO_D50, 2.2)[:200], make_ink_profile()])
def test_unusable_profile_is_noted(profile: bytes) -> None:
    """A profile that is broken, or for other channels, is taken as sRGB, and the notes say so."""
    picture, facts = read_master(save(noise(3), "PNG", icc_profile=profile))
    assert np.array_equal(np.asarray(picture), noise(3))
    assert facts.icc_profile is None
    assert "the ICC profile cannot be used" in facts.notes[0]


def test_gamma_of_a_png_is_noted() -> None:
    """A stated gamma that is not sRGB's is not applied, and the notes say so."""
    _, facts = read_master(save_png(noise(3), chunk(b"gAMA", struct.pack(">I", 100_000))))
    assert facts.notes == ("the stated gamma of 1 is not applied: taken as sRGB",)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(kind: str) -> None:
    """CMYK with a profile has its colours: here ink is invisible, and the darkest grey is black."""
    profile = make_ink_profile()
    cyan = pixels_of(save(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), kind, icc_profile=profile))
    black = pixels_of(save(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), kind, icc_profile=profile))
    assert cyan.min() >= 253
    assert black.max() <= 2


def test_cmyk_without_profile_is_noted() -> None:
    """CMYK without a profile is converted by the plain formula, and the notes say so."""
    picture, facts = read_master(save(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG"))
    assert picture.getpixel((0, 0)) == (0, 255, 255)
    assert facts.notes == ("CMYK with no profile in use: converted as (1 - C)(1 - K)",)


def test_first_picture_of_a_phone_is_the_master() -> None:
    """A JPEG with further pictures behind it gives its first, and the notes say so."""
    data = save(noise(3), "MPO", save_all=True, append_images=[Image.new("RGB", (32, 20))])
    assert read_master(data)[1].notes == ("further pictures in the file (MPF) are left out",)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(kind: str) -> None:
    """An animation or a file of pages is refused by a sentence that counts its frames."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    with pytest.raises(UnsupportedPictureError, match="holds 3 frames"):
        read_master(save(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", NotAPictureError, "starts with b''"),
        (b"A close-up of the courier.\n" * 9, NotAPictureError, "starts with b'A close-"),
        (save(noise(3), "GIF"), UnsupportedPictureError, "looks like GIF"),
        (save(noise(3), "BMP"), UnsupportedPictureError, "looks like BMP"),
        (b"\0\0\0\x18ftypheic" + bytes(99), UnsupportedPictureError, "looks like HEIC"),
        (save(Image.new("RGB", (1, 1)), "PNG"), PictureTooSmallError, "shorter side has 1 px"),
        (save(Image.new("RGB", (640, 16)), "PNG"), UnsupportedPictureError, "aspect is 40.00"),
        (save(Image.new("1", (20_000, 20_000)), "PNG"), PictureTooLargeError, "400000000 pixels"),
        (save_png(noise(3), size=(50_000, 50_000)), PictureTooLargeError, "2500000000 pixels"),
        (save_png(noise(3), size=(9_000, 9_000)), PictureTooLargeError, "81000000 pixels"),
        (VALID["png"][:60], TruncatedPictureError, "damaged or cut short"),
        (VALID["png"][:-200], TruncatedPictureError, "of the rows"),
        (VALID["jpeg"][:-200], TruncatedPictureError, "damaged or cut short"),
        (VALID["tiff"][:-200], TruncatedPictureError, "damaged or cut short"),
        (VALID["webp"][:-200], TruncatedPictureError, "damaged or cut short"),
    ],
)
def test_refusals(data: bytes, error: type[PictureError], sentence: str) -> None:
    """What cannot be a master is refused by its own error, in a sentence with the value."""
    with pytest.raises(error, match=sentence):
        read_master(data)


def test_limits_can_be_set() -> None:
    """Each limit is the caller's: pixels, bytes, side and aspect."""
    data = save(noise(3), "PNG")
    for limits, error in (
        (PictureLimits(max_pixels=639), PictureTooLargeError),
        (PictureLimits(max_bytes=100), PictureTooLargeError),
        (PictureLimits(min_side_px=21), PictureTooSmallError),
        (PictureLimits(max_aspect=1.5), UnsupportedPictureError),
    ):
        with pytest.raises(error):
            read_master(data, limits)
    assert read_master(data, PictureLimits(max_pixels=640, min_side_px=20, max_aspect=1.6))[1].width_px == 32


def test_warnings_become_notes_in_many_threads() -> None:
    """What Pillow warns of stands in the notes, and the process's warning filters are left as they were."""
    data = bytearray(save(noise(3), "TIFF", tiffinfo={305: "a name of software"}))
    struct.pack_into("<I", data, data.index(struct.pack("<HH", 305, 2)) + 4, 2**24)
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        facts = [facts for _, facts in pool.map(read_master, [bytes(data)] * 16)]
    assert warnings.filters == before
    assert {single.notes for single in facts} == {("Pillow warns: Tag data larger than file. Skipping tag 305",)}


@given(st.sampled_from(sorted(VALID)), st.floats(0, 1))
def test_a_cut_file_is_refused_or_whole(name: str, part: float) -> None:
    """However a file is cut, it is refused as cut or as no picture, or every pixel is there."""
    data = VALID[name]
    with suppress(TruncatedPictureError, NotAPictureError):
        picture, _ = read_master(data[: int(len(data) * part)])
        assert picture.tobytes() == read_master(data)[0].tobytes()


@given(st.sampled_from(sorted(VALID)), st.integers(2, 12), st.binary(max_size=200))
def test_random_bytes_raise_picture_errors_only(name: str, start: int, noise_bytes: bytes) -> None:
    """Whatever follows the signature of a format, the error is ours."""
    with suppress(PictureError):
        read_master(VALID[name][:start] + noise_bytes)


@given(st.sampled_from(sorted(VALID)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8))
def test_damaged_files_raise_picture_errors_only(name: str, damage: list[tuple[float, int]]) -> None:
    """Whichever bytes of a file are changed, it is read or the error is ours."""
    data = bytearray(VALID[name])
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    with suppress(PictureError):
        read_master(bytes(data), PictureLimits(max_pixels=1_000_000))
