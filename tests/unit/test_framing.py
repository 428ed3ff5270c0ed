"""How a master is fitted to a raster and back."""

import ast
import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from models.framing import Framing, choose_raster, fit_to_raster, plan_framing, undo_framing

MEGAPIXEL = 1024 * 1024
MAX_ASPECT = 4.0
sides = st.integers(16, 8000)
areas = st.sampled_from([128 * 128, 384 * 384, MEGAPIXEL, 2 * MEGAPIXEL])


@cache
def diffusers_calculate_dimensions() -> Callable[[int, float], tuple[int, int]]:
    """Return the library's own function, without the seconds that importing its pipeline takes."""
    root = Path((find_spec("diffusers") or pytest.skip("diffusers is absent")).origin or "").parent
    source = (root / "pipelines/qwenimage/pipeline_qwenimage_edit_plus.py").read_text()
    names = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    function = next(node for node in names if node.name == "calculate_dimensions")
    scope: dict[str, object] = {"math": math}
    exec(compile(ast.Module([function], []), "diffusers", "exec"), scope)  # noqa: S102 - the pinned library's code
    return scope["calculate_dimensions"]  # pyright: ignore[reportReturnType]


def gradients(width: int, height: int) -> Image.Image:
    """Make a picture of soft gradients, which survives being scaled."""
    rows, columns = np.mgrid[:height, :width]
    channels = (columns / width, rows / height, (columns / width + rows / height) / 2)
    return Image.fromarray((np.dstack(channels) * 255).round().astype(np.uint8))


@given(sides, sides, areas)
def test_raster_is_that_of_diffusers(width: int, height: int, area_px: int) -> None:
    """The raster has the sizes that the pipeline of the model would choose itself."""
    assume(max(width, height) <= MAX_ASPECT * min(width, height))
    expected = diffusers_calculate_dimensions()(area_px, width / height)
    assert choose_raster(width, height, area_px) == expected


@pytest.mark.parametrize(("size", "multiple_px", "expected"), [((4000, 16), 32, (512, 32)), ((10, 10), 16, (32, 32))])
def test_raster_is_never_below_one_multiple(size: tuple[int, int], multiple_px: int, expected: tuple[int, int]) -> None:
    """A side that would round to nothing gets one multiple."""
    assert choose_raster(*size, 1024, multiple_px) == expected


@given(sides, sides, areas)
def test_aspect_is_kept(width: int, height: int, area_px: int) -> None:
    """The scales differ by no more than half a pixel of the content, 0.11 % at one megapixel."""
    assume(max(width, height) <= MAX_ASPECT * min(width, height))
    framing = plan_framing(width, height, area_px)
    content = framing.content_width_px, framing.content_height_px
    error = abs((content[0] / width) / (content[1] / height) - 1)
    assert error <= 1 / (2 * min(content) - 1) + 1e-12
    if area_px >= MEGAPIXEL:
        assert error < 0.0011


@given(sides, sides, areas)
def test_content_fills_one_side_and_lies_in_the_middle(width: int, height: int, area_px: int) -> None:
    """One side of the content is the raster's; the margins of the other differ by a pixel at most and are bounded."""
    assume(max(width, height) <= MAX_ASPECT * min(width, height))
    framing = plan_framing(width, height, area_px)
    slack = framing.raster_width_px - framing.content_width_px, framing.raster_height_px - framing.content_height_px
    assert min(slack) == 0
    assert (framing.left_px, framing.top_px) == (slack[0] // 2, slack[1] // 2)
    assert max(slack) <= 16 * (1 + max(width / height, height / width)) + 1


@given(st.integers(16, 300), st.integers(16, 300))
def test_sizes_come_back(width: int, height: int) -> None:
    """What is fitted has the size of the raster, and undone has the size of the source."""
    assume(max(width, height) <= MAX_ASPECT * min(width, height))
    framing = plan_framing(width, height, 128 * 128)
    fitted = fit_to_raster(Image.new("RGB", (width, height), "#336699"), framing)
    undone = undo_framing(fitted, framing)
    assert fitted.size == (framing.raster_width_px, framing.raster_height_px)
    assert undone.size == (width, height)
    assert undone.getcolors() == [(width * height, (0x33, 0x66, 0x99))]


def test_equal_sizes_change_no_pixel() -> None:
    """A picture that has the raster's size is the same pixels there and back."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    framing = plan_framing(128, 128, 128 * 128)
    fitted = fit_to_raster(noise, framing)
    assert fitted.tobytes() == noise.tobytes()
    assert undo_framing(fitted, framing).tobytes() == noise.tobytes()


@pytest.mark.parametrize("size", [(300, 200), (97, 331), (1000, 260), (64, 64)])
def test_round_trip_keeps_a_soft_picture(size: tuple[int, int]) -> None:
    """Gradients are within two levels after fitting and undoing, whether scaled down or up."""
    picture = gradients(*size)
    framing = plan_framing(*size, 256 * 256)
    undone = undo_framing(fit_to_raster(picture, framing), framing)
    assert np.abs(np.asarray(undone, int) - np.asarray(picture, int)).max() <= 2


def test_margin_repeats_the_edge_and_is_cut_off_again() -> None:
    """The margin holds the content's own edge, and whatever a model paints there never comes back."""
    framing = plan_framing(390, 100, 128 * 128)
    fitted = np.array(fit_to_raster(gradients(390, 100), framing))
    top, bottom = framing.top_px, framing.top_px + framing.content_height_px
    left, right = framing.left_px, framing.left_px + framing.content_width_px
    content = fitted[top:bottom, left:right]
    assert fitted.shape != content.shape
    margins = ((top, fitted.shape[0] - bottom), (left, fitted.shape[1] - right), (0, 0))
    assert np.array_equal(fitted, np.pad(content, margins, mode="edge"))
    clean = undo_framing(Image.fromarray(fitted), framing)
    painted = np.full_like(fitted, (255, 0, 0))
    painted[top:bottom, left:right] = content
    assert undo_framing(Image.fromarray(painted), framing).tobytes() == clean.tobytes()


def test_great_reduction_is_antialiased() -> None:
    """A checkerboard of single pixels becomes even grey, not a moire."""
    board = np.indices((2000, 2000)).sum(axis=0) % 2 * 255
    picture = Image.fromarray(board.astype(np.uint8)).convert("RGB")
    fitted = np.asarray(fit_to_raster(picture, plan_framing(2000, 2000, 128 * 128)), int)
    assert np.abs(fitted[8:-8, 8:-8] - 127.5).max() <= 2


def test_picture_of_another_size_is_refused() -> None:
    """Neither direction takes a picture that the framing was not planned for."""
    framing = plan_framing(300, 200, 128 * 128)
    with pytest.raises(ValueError, match="plan a framing for this picture"):
        fit_to_raster(gradients(200, 300), framing)
    with pytest.raises(ValueError, match="plan a framing for this picture"):
        undo_framing(gradients(300, 200), framing)


def test_framing_is_a_checked_record() -> None:
    """A framing survives JSON, cannot be changed, and cannot say that its content leaves the raster."""
    framing = plan_framing(300, 200, 128 * 128)
    assert Framing.model_validate_json(framing.model_dump_json()) == framing
    with pytest.raises(ValidationError, match="frozen"):
        framing.left_px = 1
    with pytest.raises(ValidationError, match="outside its raster"):
        Framing.model_validate(framing.model_dump() | {"left_px": framing.raster_width_px})
