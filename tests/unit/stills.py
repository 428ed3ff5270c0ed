"""Stills for the tests, written with every format, depth, lie and profile that a master comes with, and read back."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from models.picture import read_master

Samples = NDArray[Any]


def noise(channels: int, dtype: type = np.uint8, height: int = 20, width: int = 32) -> Samples:
    """Make repeatable noise; 16-bit noise includes the values where rounding turns."""
    samples = np.random.default_rng(7).integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)
    if dtype == np.uint16:
        samples[0, :10, 0] = (0, 127, 128, 129, 256, 385, 386, 65406, 65407, 65535)
    return samples


def save(samples: Samples | Image.Image, kind: str, **options: object) -> bytes:
    """Write a picture with Pillow."""
    picture = samples if isinstance(samples, Image.Image) else Image.fromarray(samples.squeeze())
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def save_tiff(samples: Samples, **options: Any) -> bytes:  # noqa: ANN401 - as tifffile.imwrite takes them
    """Write a TIFF with tifffile."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples.squeeze(), **options)
    return buffer.getvalue()


def chunk(kind: bytes, payload: bytes) -> bytes:
    """Frame one PNG chunk."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def save_png(
    samples: Samples, *extra: bytes, size: tuple[int, int] | None = None, interlace: int = 0, missing: int = 0
) -> bytes:
    """Write a PNG by hand: 8 or 16 bits, any channels, extra chunks, a header that may lie, missing bytes."""
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    parts = [samples[y::dy, x::dx] for y, dy, x, dx in (passes if interlace else ((0, 1, 0, 1),))]
    big_endian = samples.dtype.newbyteorder(">")
    rows = b"".join(b"\0" + row.astype(big_endian).tobytes() for part in parts for row in part if row.size)
    width, height = size or (samples.shape[1], samples.shape[0])
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2]]
    header = struct.pack(">IIBBBBB", width, height, samples.itemsize * 8, colour, 0, 0, interlace)
    chunks = (
        chunk(b"IHDR", header),
        *extra,
        chunk(b"IDAT", zlib.compress(rows[: len(rows) - missing])),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def over_white(colour: Samples, alpha: Samples) -> Samples:
    """Composite over white by the definition."""
    weight = alpha.astype(float) / 255
    return np.rint(colour * weight + 255 * (1 - weight))


def pixels_of(data: bytes) -> Samples:
    """Read a master and return its pixels, having checked what holds for every master."""
    picture, facts = read_master(data)
    assert (type(picture), picture.mode, picture.info) == (Image.Image, "RGB", {})
    assert picture.size == (facts.width_px, facts.height_px)
    return np.asarray(picture, int)


def make_rgb_profile(primaries: Samples, gamma: float) -> bytes:
    """Make a matrix and curve ICC profile, version 2; the columns of `primaries` are red, green, blue in D50 XYZ."""
    curve = b"curv" + struct.pack(">IIHxx", 0, 1, round(gamma * 256))
    tags = {b"desc": _text(b"desc"), b"wtpt": _xyz(np.array((0.9642, 1.0, 0.8249)))}
    tags |= {name + b"XYZ": _xyz(primaries[:, index]) for index, name in enumerate((b"r", b"g", b"b"))}
    tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    return _pack_profile(b"RGB ", b"XYZ ", tags)


def make_ink_profile() -> bytes:
    """Make a CMYK profile that looks at black only: K runs from white to a dark grey, the inks count for nothing."""
    identity = bytes(range(256))
    table = b"".join(bytes((40 if index & 1 else 255, 128, 128)) for index in range(16))  # Lab; K is the last input
    matrix = struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    lut = b"mft1" + struct.pack(">IBBBx", 0, 4, 3, 2) + matrix + identity * 4 + table + identity * 3
    tags = {b"desc": _text(b"desc"), b"wtpt": _xyz(np.array((0.9642, 1.0, 0.8249))), b"A2B0": lut, b"A2B1": lut}
    return _pack_profile(b"CMYK", b"Lab ", tags, kind=b"scnr")


def _text(kind: bytes) -> bytes:
    name = b"made for a test\0"
    return kind + struct.pack(">II", 0, len(name)) + name + bytes(78)


def _xyz(values: Samples) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(float(value) * 65536) for value in values))


def _pack_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    padded = {name: value + bytes(-len(value) % 4) for name, value in tags.items()}
    position = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in padded.items():
        table += name + struct.pack(">II", position + len(body), len(tags[name]))
        body += value
    header = struct.pack(">I4xI", position + len(body), 0x02400000) + kind + space + connection + bytes(12) + b"acsp"
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(28) + illuminant + bytes(128 - len(header) - 28 - len(illuminant)) + table + body
