"""How a master is fitted to a model's raster, and how what comes back is fitted to the master."""

import math
from typing import Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Framing(BaseModel):
    """Where the picture lies in the raster: scaled evenly, centred, the rest filled from its edges.

    The content is a whole number of pixels. One of its sides is the raster's; the other is off by at most half a
    pixel, so the ratio of the two scales is off by at most `1 / (2 * min(content_width_px, content_height_px) - 1)`:
    0.11 % for one megapixel and an aspect of up to 4. There a margin is of 40 px at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_width_px: int = Field(gt=0)
    source_height_px: int = Field(gt=0)
    raster_width_px: int = Field(gt=0)
    raster_height_px: int = Field(gt=0)
    left_px: int = Field(ge=0)
    top_px: int = Field(ge=0)
    content_width_px: int = Field(gt=0)
    content_height_px: int = Field(gt=0)

    @model_validator(mode="after")
    def _content_lies_in_raster(self) -> Self:
        right_px = self.left_px + self.content_width_px
        bottom_px = self.top_px + self.content_height_px
        if right_px > self.raster_width_px or bottom_px > self.raster_height_px:
            msg = (
                f"The content ends at {right_px}x{bottom_px}, outside its raster of "
                f"{self.raster_width_px}x{self.raster_height_px}; make framings with plan_framing."
            )
            raise ValueError(msg)
        return self


def choose_raster(width: int, height: int, area_px: int, multiple_px: int = 32) -> tuple[int, int]:
    """Choose the raster of about `area_px` pixels whose aspect is nearest to the picture's.

    Source:
        diffusers, `pipeline_qwenimage_edit_plus.calculate_dimensions`; here no side is below `multiple_px`.
    """
    ratio = width / height
    ideal_width = math.sqrt(area_px * ratio)
    ideal_height = ideal_width / ratio
    return _snap(ideal_width, multiple_px), _snap(ideal_height, multiple_px)


def plan_framing(width: int, height: int, area_px: int) -> Framing:
    """Plan how a picture of `width` x `height` is fitted to its raster of about `area_px` pixels."""
    raster_width, raster_height = choose_raster(width, height, area_px)
    scale = min(raster_width / width, raster_height / height)
    content_width = max(1, round(width * scale))
    content_height = max(1, round(height * scale))
    return Framing(
        source_width_px=width,
        source_height_px=height,
        raster_width_px=raster_width,
        raster_height_px=raster_height,
        left_px=(raster_width - content_width) // 2,
        top_px=(raster_height - content_height) // 2,
        content_width_px=content_width,
        content_height_px=content_height,
    )


def fit_to_raster(picture: Image.Image, framing: Framing) -> Image.Image:
    """Scale the picture to its place in the raster (Lanczos, antialiased) and repeat its edges around it.

    Raises:
        ValueError: The picture is not of the size that the framing was planned for.
    """
    _check_size(picture, (framing.source_width_px, framing.source_height_px))
    content = picture.resize((framing.content_width_px, framing.content_height_px), Image.Resampling.LANCZOS)
    right = framing.raster_width_px - framing.content_width_px - framing.left_px
    bottom = framing.raster_height_px - framing.content_height_px - framing.top_px
    margins = ((framing.top_px, bottom), (framing.left_px, right), (0, 0))
    return Image.fromarray(np.pad(np.asarray(content), margins, mode="edge"))


def undo_framing(raster_picture: Image.Image, framing: Framing) -> Image.Image:
    """Cut the content out of the raster and scale it back to the size of the source.

    Raises:
        ValueError: The picture is not of the size of the framing's raster.
    """
    _check_size(raster_picture, (framing.raster_width_px, framing.raster_height_px))
    right = framing.left_px + framing.content_width_px
    bottom = framing.top_px + framing.content_height_px
    content = raster_picture.crop((framing.left_px, framing.top_px, right, bottom))
    return content.resize((framing.source_width_px, framing.source_height_px), Image.Resampling.LANCZOS)


def _snap(side: float, multiple_px: int) -> int:
    return max(multiple_px, round(side / multiple_px) * multiple_px)


def _check_size(picture: Image.Image, expected: tuple[int, int]) -> None:
    if picture.size != expected:
        msg = f"The picture is {picture.size}, its framing says {expected}; plan a framing for this picture."
        raise ValueError(msg)
