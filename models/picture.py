"""The master: untrusted bytes in; an upright 8-bit sRGB picture, and what was done to make it one, out."""

import hashlib
import itertools
import math
import struct
import threading
import warnings
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast

from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pydantic import BaseModel, ConfigDict, Field

from models.decoding import DEEP_BITS, check_whole, decode, read_layout
from models.errors import (
    NotAPictureError,
    PictureTooLargeError,
    PictureTooSmallError,
    TruncatedPictureError,
    UnsupportedPictureError,
)

Format = Literal["PNG", "JPEG", "WEBP", "TIFF"]
Alpha = Literal["none", "opaque", "composited over #FFFFFF"]


class PictureLimits(BaseModel):
    """What a master may measure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_pixels: int = Field(default=64_000_000, gt=0, le=178_956_970)  # Pillow itself refuses more
    min_side_px: int = Field(default=16, gt=0)
    max_aspect: float = Field(default=4.0, ge=1)
    max_bytes: int = Field(default=256 * 2**20, gt=0)


class MasterFacts(BaseModel):
    """What a master was and what was done to it: `mode`, `bits` are the file's, the size is the upright picture's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format
    mode: str
    bits: int
    width_px: int
    height_px: int
    orientation: int = Field(ge=1, le=8)
    icc_profile: str | None
    alpha: Alpha
    notes: tuple[str, ...]
    sha256: str


DEFAULT_LIMITS = PictureLimits()

_SIGNATURES: dict[tuple[int, bytes], type[ImageFile]] = {
    (0, b"\x89PNG\r\n\x1a\n"): PngImageFile,
    (0, b"\xff\xd8\xff"): JpegImageFile,
    (8, b"WEBP"): WebPImageFile,
    (0, b"II*\0"): TiffImageFile,
    (0, b"MM\0*"): TiffImageFile,
    (0, b"II+\0"): TiffImageFile,
    (0, b"MM\0+"): TiffImageFile,
}
_REFUSED_SIGNATURES = {
    (0, b"GIF8"): "GIF",
    (0, b"BM"): "BMP",
    (0, b"8BPS"): "Photoshop",
    (0, b"v/1\x01"): "OpenEXR",
    (4, b"ftyp"): "HEIC, AVIF or video",
}
# What Pillow's readers raise about bad bytes (found by fuzzing); EOFError and after mean the end of the data to it too.
_BAD_BYTES = (
    *(OSError, SyntaxError, ValueError, OverflowError, zlib.error),
    *(EOFError, IndexError, KeyError, TypeError, struct.error),
)
_UNKNOWN_KIND = ("unknown pixel mode", "unknown data organization", "cannot handle", "Windows Media Photo")
_ORIENTATION_TAG, _EXTRA_SAMPLES_TAG = 274, 338
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITH_ALPHA = {"1": "LA", "L": "LA", "La": "LA", "P": "RGBA", "PA": "RGBA", "RGB": "RGBA", "RGBa": "RGBA"}
_MAX_COUNTED_PAGES = 100
_MAX_WARNINGS = 8
_MAX_NAME_CHARS = 200
_SRGB_GAMMA = 1 / 2.2
_WARNINGS_LOCK = threading.Lock()  # warnings.catch_warnings changes the whole process


def read_master(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> tuple[Image.Image, MasterFacts]:
    """Decode a PNG, JPEG, WebP or TIFF still to an upright RGB picture, 8 bits a channel, in sRGB.

    16-bit samples are rounded to the nearest of 8 bits; colour goes through the ICC profile (relative colorimetric,
    black point compensated); alpha is laid over white. What was taken for granted, such as sRGB where a profile is
    broken, stands in the notes.

    Raises:
        NotAPictureError: The bytes start like no picture.
        TruncatedPictureError: The bytes end, or break, before the picture is whole.
        PictureTooLargeError: Too many bytes, or too many pixels by the header: nothing was decoded.
        PictureTooSmallError: A side is too short.
        UnsupportedPictureError: A format, kind of pixels, aspect or number of frames that is not accepted.
    """
    reader = _identify(data, limits)
    notes: list[str] = []
    with _reading(notes):
        image = reader(BytesIO(data))
        _check_shape(image, limits)
        layout = read_layout(image)
        check_whole(image, layout, data)
        orientation = _read_orientation(image, notes)
        pixels = decode(image, layout, data)
        colour, alpha = _split_alpha(pixels)
        notes += _remark(image)
    picture, profile = _to_srgb(colour, image.info, notes)
    if profile and layout.bits == DEEP_BITS:
        notes.append("rounded to 8 bits before the conversion from the ICC profile")
    picture, laid = _lay_over_white(picture, alpha)
    if orientation in _UPRIGHT and not isinstance(image, TiffImageFile):  # Pillow turns TIFFs as it decodes them
        picture = picture.transpose(_UPRIGHT[orientation])
    picture.info.clear()  # saved again, it must not carry the profile that it no longer has
    return picture, MasterFacts(
        format=cast("Format", image.format),
        mode=pixels.mode,
        bits=layout.bits,
        width_px=picture.width,
        height_px=picture.height,
        orientation=orientation,
        icc_profile=profile,
        alpha=laid,
        notes=tuple(notes),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _identify(data: bytes, limits: PictureLimits) -> type[ImageFile]:
    if len(data) > limits.max_bytes:
        msg = f"The file has {len(data)} bytes, the limit is {limits.max_bytes}; give a smaller still."
        raise PictureTooLargeError(msg)
    for (offset, signature), reader in _SIGNATURES.items():
        if data.startswith(signature, offset):
            return reader
    for (offset, signature), name in _REFUSED_SIGNATURES.items():
        if data.startswith(signature, offset):
            msg = f"The file looks like {name}, which is not accepted; save it as PNG, JPEG, WebP or TIFF."
            raise UnsupportedPictureError(msg)
    msg = f"The file starts with {data[:8]!r}, which is no picture; give a PNG, JPEG, WebP or TIFF still."
    raise NotAPictureError(msg)


@contextmanager
def _reading(notes: list[str]) -> Generator[None]:
    """Turn what Pillow raises about bad bytes into our errors, and what it warns of into notes."""
    with _WARNINGS_LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limits decide
        try:
            yield
        except Image.DecompressionBombError as exc:
            msg = f"The picture is too large to decode ({exc}); give a smaller still."
            raise PictureTooLargeError(msg) from exc
        except _BAD_BYTES as exc:
            if str(exc).startswith(_UNKNOWN_KIND) and not caught:  # a cut header is warned of
                msg = f"The pixels are of a kind that is not accepted ({exc}); save them as 8- or 16-bit RGB or grey."
                raise UnsupportedPictureError(msg) from exc
            msg = f"The picture is damaged or cut short ({exc}); export it again."
            raise TruncatedPictureError(msg) from exc
    pillows = (warning for warning in caught if "PIL" in Path(warning.filename).parts)
    heard = dict.fromkeys(" ".join(str(warning.message).split()) for warning in pillows)
    notes += [f"Pillow warns: {text}" for text in itertools.islice(heard, _MAX_WARNINGS)]


def _check_shape(image: ImageFile, limits: PictureLimits) -> None:
    short, long = sorted(image.size)
    if short * long > limits.max_pixels:
        msg = f"The picture has {short * long} pixels, the limit is {limits.max_pixels}; give a smaller still."
        raise PictureTooLargeError(msg)
    if short < limits.min_side_px:
        msg = f"The shorter side has {short} px, at least {limits.min_side_px} are needed; give a larger still."
        raise PictureTooSmallError(msg)
    if long > short * limits.max_aspect:
        msg = f"The aspect is {long / short:.2f}, the limit is {limits.max_aspect:g}; crop the still."
        raise UnsupportedPictureError(msg)
    if getattr(image, "is_animated", False):
        msg = f"The file holds {_count_frames(image)} frames, a master is one; export the frame that is meant."
        raise UnsupportedPictureError(msg)


def _count_frames(image: ImageFile) -> str:
    if isinstance(image, PngImageFile | WebPImageFile):
        return str(image.n_frames)
    for page in range(1, _MAX_COUNTED_PAGES):  # pages are a chain, and Pillow's time grows with its square
        try:
            image.seek(page)
        except EOFError:
            return str(page)
    return f"{_MAX_COUNTED_PAGES} or more"


def _read_orientation(image: ImageFile, notes: list[str]) -> int:
    stated = image.getexif().get(_ORIENTATION_TAG, 1)
    if stated in range(1, 9):
        return int(stated)
    notes.append(f"EXIF orientation {stated!r:.40} is not 1 to 8: taken as 1")
    return 1


def _remark(image: ImageFile) -> Iterator[str]:
    if "mp" in image.info:
        yield "further pictures in the file (MPF) are left out"
    if isinstance(image, TiffImageFile) and 0 in image.tag_v2.get(_EXTRA_SAMPLES_TAG, ()):
        yield "extra channels of unstated meaning are left out"
    gamma = image.info.get("gamma")
    if (
        gamma is not None
        and not image.info.keys() & {"srgb", "icc_profile"}
        and not math.isclose(gamma, _SRGB_GAMMA, rel_tol=0.01)
    ):
        yield f"the stated gamma of {gamma:g} is not applied: taken as sRGB"


def _split_alpha(pixels: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colour (L, RGB or CMYK) and the alpha, if there is one."""
    if "transparency" in pixels.info or pixels.mode in {"La", "PA", "RGBa"}:
        pixels = pixels.convert(_WITH_ALPHA[pixels.mode])
    if pixels.mode in {"1", "P"}:
        pixels = pixels.convert("L" if pixels.mode == "1" else "RGB")
    if pixels.mode not in {"LA", "RGBA"}:
        return pixels, None
    *colour, alpha = pixels.split()
    return Image.merge(pixels.mode[:-1], colour), alpha


def _to_srgb(colour: Image.Image, info: Mapping[Any, Any], notes: list[str]) -> tuple[Image.Image, str | None]:
    """Convert from the ICC profile in `info`, if there is one; return the picture and what the profile calls itself."""
    if "icc_profile" not in info:
        return _take_as_srgb(colour, notes), None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(info["icc_profile"] or b""))
        to_srgb = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            colour.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        name = ImageCms.getProfileDescription(profile).strip()[:_MAX_NAME_CHARS]
    except (OSError, TypeError, ImageCms.PyCMSError) as exc:
        notes.append(f"the ICC profile cannot be used ({exc}): taken as sRGB")
        return _take_as_srgb(colour, notes), None
    return to_srgb.apply(colour), name or "unnamed"


def _take_as_srgb(colour: Image.Image, notes: list[str]) -> Image.Image:
    if colour.mode == "CMYK":
        notes.append("CMYK with no profile in use: converted as (1 - C)(1 - K)")
    return colour.convert("RGB")


def _lay_over_white(picture: Image.Image, alpha: Image.Image | None) -> tuple[Image.Image, Alpha]:
    if alpha is None:
        return picture, "none"
    if alpha.getextrema() == (255, 255):
        return picture, "opaque"
    return Image.composite(picture, Image.new("RGB", picture.size, "#FFFFFF"), alpha), "composited over #FFFFFF"
