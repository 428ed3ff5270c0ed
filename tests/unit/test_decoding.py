"""What Pillow would decode wrongly without a word: 16 bits, missing rows, transparent levels."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import TruncatedPictureError, UnsupportedPictureError
from models.picture import read_master
from tests.unit.stills import Samples, chunk, noise, over_white, pixels_of, save, save_png, save_tiff


def rounded(samples: Samples) -> Samples:
    """Reduce 16 bits to 8 by the definition."""
    return np.rint(samples.astype(float) * 255 / 65535).astype(np.uint8)


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png(channels: int, interlace: int) -> None:
    """Every 16-bit PNG is rounded from all its bits, not cut to the high byte."""
    samples = noise(channels, np.uint16, 21, 33)
    picture, facts = read_master(save_png(samples, interlace=interlace))
    expected = rounded(samples)
    if channels in {2, 4}:
        expected = over_white(expected[..., :-1], expected[..., -1:])
    assert np.abs(np.asarray(picture, int) - expected).max() <= (channels in {2, 4})
    assert (facts.bits, facts.mode) == (16, ("L", "LA", "RGB", "RGBA")[channels - 1])


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff(channels: int, byteorder: str, compression: str | None) -> None:
    """Every 16-bit TIFF, of either byte order, in strips or compressed, is rounded from all its bits."""
    samples = noise(channels, np.uint16)
    options: dict[str, object] = {"photometric": "minisblack" if channels == 1 else "rgb", "rowsperstrip": 6}
    if channels == 4:
        samples[..., 3] = 65535
        options["extrasamples"] = ["unassalpha"]
    pixels = pixels_of(save_tiff(samples, byteorder=byteorder, compression=compression, **options))
    assert np.array_equal(pixels, np.broadcast_to(rounded(samples[..., :3]), pixels.shape))


def test_16_bit_premultiplied_tiff() -> None:
    """Premultiplied 16-bit colour over white is the colour plus what the alpha lets through."""
    samples = noise(4, np.uint16)
    samples[..., 3] = np.maximum(samples[..., 3], samples[..., :3].max(axis=-1))
    pixels = pixels_of(save_tiff(samples, photometric="rgb", extrasamples=["assocalpha"]))
    expected = samples[..., :3] / 257 + 255 - samples[..., 3:] / 257
    assert np.abs(pixels - expected).max() <= 2


def test_inverted_16_bit_grey_tiff() -> None:
    """Grey where zero is white is turned over, which Pillow leaves undone at 16 bits."""
    samples = noise(1, np.uint16)
    assert np.array_equal(pixels_of(save_tiff(samples, photometric="miniswhite"))[..., :1], 255 - rounded(samples))


@pytest.mark.parametrize(("dtype", "clear"), [(np.uint8, 50), (np.uint16, 12850)])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_colour(channels: int, dtype: type, clear: int) -> None:
    """The one transparent colour of a PNG becomes white; at 16 bits its neighbour does not."""
    samples = np.full((16, 16, channels), clear, dtype)
    samples[8:] += 1
    picture, facts = read_master(save_png(samples, chunk(b"tRNS", struct.pack(">H", clear) * channels)))
    assert [picture.getpixel((0, y)) for y in (0, 15)] == [(255,) * 3, ((51 if dtype == np.uint8 else 50),) * 3]
    assert facts.alpha == "composited over #FFFFFF"


def test_transparent_level_of_two_bits() -> None:
    """The transparent level of a 2-bit grey PNG is meant before it is scaled to 8 bits."""
    header = struct.pack(">IIBBBBB", 16, 16, 2, 0, 0, 0, 0)
    rows = (b"\0" + bytes([0b00011011] * 4)) * 16
    chunks = chunk(b"IHDR", header), chunk(b"tRNS", b"\0\2"), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    pixels = pixels_of(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert pixels[0, :4, 0].tolist() == [0, 85, 255, 255]


def test_cmyk_16_bit_tiff() -> None:
    """16-bit CMYK is rounded, then converted without a profile, which is noted."""
    samples = noise(4, np.uint16)
    picture, facts = read_master(save_tiff(samples, photometric="separated"))
    ink = rounded(samples) / 255
    assert np.abs(np.asarray(picture) - 255 * (1 - ink[..., :3]) * (1 - ink[..., 3:])).max() <= 1
    assert "CMYK with no profile in use" in facts.notes[0]


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (noise(3).astype(np.float32), {"photometric": "rgb"}),
        (noise(1).astype(np.float32), {"photometric": "minisblack"}),
        (noise(1).astype(np.float16), {"photometric": "minisblack"}),
        (noise(1).astype(np.uint32), {"photometric": "minisblack"}),
        (noise(1).astype(np.int8), {"photometric": "minisblack"}),
        (noise(1).astype(np.int16), {"photometric": "minisblack"}),
        (noise(2, np.uint16), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        (noise(3, np.uint16).transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        (noise(3), {"photometric": "cielab"}),
    ],
)
def test_samples_of_another_kind_are_refused(samples: Samples, options: dict[str, str]) -> None:
    """Float, signed, 32-bit, planar 16-bit and Lab TIFFs are refused by a sentence that says what to save."""
    with pytest.raises(UnsupportedPictureError, match=r"save them as .*RGB or grey"):
        read_master(save_tiff(samples, **options))


def test_planar_8_bit_tiff() -> None:
    """A TIFF that holds one plane after the other is read like any other."""
    samples = noise(3)
    data = save_tiff(samples.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    assert np.array_equal(pixels_of(data), samples)


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_with_one_byte_too_few_is_refused(channels: int, dtype: type, interlace: int) -> None:
    """A well-formed PNG that lacks the last byte of its last row is damaged, not black there."""
    data = save_png(noise(channels, dtype, 21, 33), interlace=interlace, missing=1)
    with pytest.raises(TruncatedPictureError, match="of the rows"):
        read_master(data)


def test_png_with_more_rows_than_it_says_is_what_it_says() -> None:
    """Bytes after the last row are never decoded."""
    assert np.array_equal(pixels_of(save_png(noise(3), size=(32, 19))), noise(3)[:19])


def test_tiff_with_fewer_strips_than_it_says_is_refused() -> None:
    """A TIFF whose header promises twice the height is damaged, not black below."""
    data = bytearray(save_tiff(noise(1), photometric="minisblack", rowsperstrip=4))
    entry = data.index(struct.pack("<HHI", 257, 4, 1))
    struct.pack_into("<I", data, entry + 8, 40)
    with pytest.raises(TruncatedPictureError, match="50% of the rows"):
        read_master(bytes(data))


def test_tiff_with_fewer_planes_than_channels_is_refused() -> None:
    """A planar TIFF that holds red and green only is damaged, not without blue."""
    data = bytearray(save_tiff(noise(3).transpose(2, 0, 1), photometric="rgb", planarconfig="separate"))
    for tag in (273, 279):
        struct.pack_into("<H", data, data.index(struct.pack("<HHI", tag, 4 if tag == 273 else 3, 3)) + 4, 2)
    with pytest.raises(TruncatedPictureError, match="67% of the rows"):
        read_master(bytes(data))


def test_palette() -> None:
    """A palette, opaque or with alpha of its own, becomes the colours that it stands for."""
    picture = Image.new("P", (16, 16))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    picture.paste(1, (0, 8, 16, 16))
    assert pixels_of(save(picture, "PNG"))[[0, 15], 0].tolist() == [[10, 20, 30], [200, 100, 0]]
    assert pixels_of(save(picture, "TIFF"))[[0, 15], 0].tolist() == [[10, 20, 30], [200, 100, 0]]
    half = pixels_of(save(picture, "PNG", transparency=bytes((255, 0))))
    assert half[[0, 15], 0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_bilevel() -> None:
    """One bit becomes black and white."""
    board = Image.fromarray(np.indices((16, 16)).sum(axis=0) % 2 == 1)
    assert np.array_equal(pixels_of(save(board, "PNG"))[..., 0], np.indices((16, 16)).sum(axis=0) % 2 * 255)
