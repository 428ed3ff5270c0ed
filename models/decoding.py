"""Decode a still exactly: what Pillow would get wrong without a word is done, or refused, here.

Measured with Pillow 13.0: 16-bit colour loses its low bytes; a PNG or raw TIFF with too few rows is black below; raw
planar 16-bit TIFF is scrambled; signed samples are read as unsigned; 16-bit grey where 0 is white stays inverted;
the transparent level of a 2- or 4-bit grey PNG is compared with scaled pixels. A JPEG that closes properly but too
early cannot be told from a whole one.
"""

import re
import struct
import sys
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from models.errors import TruncatedPictureError, UnsupportedPictureError

DEEP_BITS = 16
Samples = NDArray[np.uint8]  # (height, width, channels)

_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B"}
_BITS = {1, 2, 4, 8, DEEP_BITS}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 258, 262, 284, 339  # TIFF tags
_WHITE_IS_ZERO, _SEPARATE, _UNSIGNED = 0, 2, 1
_OTHER_END = {"B": "L", "L": "B"}
_NATIVE_END = sys.byteorder[0].upper()
_ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
_BLOCK_BYTES = 2**20
_HALF_OF_257 = 128


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the samples lie in the file: Pillow's name for it, such as `RGB;16B`, and the bits of a sample."""

    rawmode: str
    bits: int


def read_layout(image: ImageFile) -> Layout:
    """Read from the header how the samples lie, before anything is decoded.

    Raises:
        UnsupportedPictureError: Samples that Pillow would decode to something else: float, signed, 12- or 32-bit,
            planar 16-bit, or of a mode that is no colour we know.
    """
    args = image.tile[0].args if image.tile else None  # a WebP has no tile before it is decoded
    rawmode = args if isinstance(args, str) else (args or ("RGB",))[0]
    layout = Layout(rawmode=rawmode, bits=_count_bits(image, rawmode))
    is_unsigned = set(_read_tag(image, _SAMPLE_FORMAT, (_UNSIGNED,))) == {_UNSIGNED}
    is_planar = layout.bits == DEEP_BITS and _read_tag(image, _PLANAR) == _SEPARATE
    if image.mode not in _MODES or layout.bits not in _BITS or not is_unsigned or is_planar:
        order = ("planar " if is_planar else "") + ("" if is_unsigned else "signed or float ")
        msg = (
            f"The pixels are {order}{image.mode} of {layout.bits} bits, which is not accepted; "
            "save them as unsigned, interleaved RGB or grey of 8 or 16 bits."
        )
        raise UnsupportedPictureError(msg)
    return layout


def check_whole(image: ImageFile, layout: Layout, data: bytes) -> None:
    """Refuse a PNG or TIFF that holds fewer rows than its header says.

    Raises:
        TruncatedPictureError: Some rows are missing.
    """
    if isinstance(image, PngImageFile):
        held, needed = _measure_png(image, layout, data)
    elif isinstance(image, TiffImageFile):
        held, needed = _measure_tiff(image)
    else:
        return
    if held < needed:
        msg = f"The picture holds {held / needed:.0%} of the rows that its header says; export it again."
        raise TruncatedPictureError(msg)


def decode(image: ImageFile, layout: Layout, data: bytes) -> Image.Image:
    """Decode to 8 bits a channel; 16-bit samples are rounded to the nearest, `round(x * 255 / 65535)`."""
    if layout.bits == DEEP_BITS:
        return _decode_deep(image, layout, data)
    image.load()
    if image.mode == "L" and isinstance(level := image.info.get("transparency"), int):
        image.info["transparency"] = level * 255 // (2**layout.bits - 1)
    return image


def _read_tag(image: ImageFile, tag: int, default: object = None) -> Any:  # noqa: ANN401 - the file decides
    return image.tag_v2.get(tag, default) if isinstance(image, TiffImageFile) else default


def _count_bits(image: ImageFile, rawmode: str) -> int:
    if isinstance(image, TiffImageFile):
        return max(_read_tag(image, _BITS_PER_SAMPLE, (1,)))
    stated = re.search(r"\d+", rawmode)
    return int(stated[0]) if stated else 8


def _measure_png(image: PngImageFile, layout: Layout, data: bytes) -> tuple[int, int]:
    """Count the bytes that the rows inflate to, and those that they should (each row has a filter byte)."""
    bits = layout.bits * len(layout.rawmode.split(";")[0])
    passes = _ADAM7 if image.info.get("interlace") else ((0, 1, 0, 1),)
    sizes = [(-(-(image.width - x) // dx), -(-(image.height - y) // dy)) for x, dx, y, dy in passes]
    needed = sum(height * (1 + -(-width * bits // 8)) for width, height in sizes if width > 0 and height > 0)
    return _count_inflated(data, image.tile[0].offset - 8, needed), needed


def _count_inflated(data: bytes, position: int, enough: int) -> int:
    """Inflate the run of IDAT chunks that starts at `position` until there is `enough`; keep nothing."""
    inflate = zlib.decompressobj()
    count = 0
    while data[position + 4 : position + 8] == b"IDAT" and count < enough:
        (length,) = struct.unpack_from(">I", data, position)
        pending = data[position + 8 : position + 8 + length]
        while pending and count < enough:
            count += len(inflate.decompress(pending, _BLOCK_BYTES))
            pending = inflate.unconsumed_tail
        position += 12 + length
    return count


def _measure_tiff(image: TiffImageFile) -> tuple[int, int]:
    """Count the pixels that the strips or tiles cover, and those that they should, in every plane."""
    extents = (tile.extents for tile in image.tile if tile.extents)
    held = sum((right - left) * (low - top) for left, top, right, low in extents)
    is_planar = _read_tag(image, _PLANAR) == _SEPARATE and image.tile[0].codec_name == "raw"
    planes = len(image.getbands()) if is_planar else 1
    return held, image.width * image.height * planes


def _decode_deep(image: ImageFile, layout: Layout, data: bytes) -> Image.Image:
    channels = layout.rawmode.split(";")[0]
    mode = {"I": "L", "RGBX": "RGB"}.get(channels, channels)
    high, low = _read_halves(image, layout.rawmode, data)
    samples = _round_to_8_bits(high, low)
    if mode == "L" and _read_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = 255 - samples
    if "transparency" in image.info:
        samples = np.dstack([samples, _find_opaque(high, low, image.info["transparency"])])
        mode += "A"
    height, width = samples.shape[:2]
    return Image.frombytes(mode, (width, height), samples.tobytes())


def _read_halves(image: ImageFile, rawmode: str, data: bytes) -> tuple[Samples, Samples]:
    """Return the high and the low byte of every sample; Pillow gives one of them at a time for colour."""
    if rawmode.startswith("I;16"):
        grey = np.asarray(image)[..., None]
        return (grey >> 8).astype(np.uint8), (grey & 255).astype(np.uint8)
    if rawmode == "LA;16B":  # four bytes a pixel, which RGBA hands over as they are
        quads = _reread(image, data, "RGBA")
        return quads[..., 0::2], quads[..., 1::2]
    stem, end = rawmode.replace("a", "A")[:-1], rawmode[-1].replace("N", _NATIVE_END)
    # Premultiplied colour (a) is read as it lies: Pillow would divide each byte by the alpha's high byte alone.
    high = _reread(image, data, stem + end) if "a" in rawmode else np.asarray(image)
    return high, _reread(image, data, stem + _OTHER_END[end])


def _reread(image: ImageFile, data: bytes, rawmode: str) -> Samples:
    """Decode the file once more as if its samples lay as `rawmode` says."""
    again = type(image)(BytesIO(data))
    again.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile in again.tile
    ]
    return np.asarray(again)


def _round_to_8_bits(high: Samples, low: Samples) -> Samples:
    """Round `(256 * high + low) / 257`, which is `high + (low - high) / 257`."""
    excess = low.astype(np.int16) - high
    return high + (excess > _HALF_OF_257) - (excess < -_HALF_OF_257)


def _find_opaque(high: Samples, low: Samples, key: int | tuple[int, ...]) -> Samples:
    levels = np.atleast_1d(key)
    is_clear = ((high == levels >> 8) & (low == levels & 255)).all(axis=-1)
    return np.where(is_clear, 0, 255).astype(np.uint8)
