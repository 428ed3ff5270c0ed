"""Colours in linear light, and patterns from integer hashes: nothing repeats, and any seed is new."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Always float32; numpy's stubs widen float32 arithmetic to float64, so the checker is told less.
Floats = NDArray[np.floating[Any]]


def linear(colour: str) -> Floats:
    """Return the linear light (3,) of an sRGB colour such as `d9a441`."""
    return (np.frombuffer(bytes.fromhex(colour), np.uint8) / np.float32(255)) ** np.float32(2.2)


def chance(*cells: ArrayLike) -> Floats:
    """Return a number in [0, 1) for each integer cell, without order or repetition."""
    mixed = np.full(1, 0x9E3779B9, np.uint32)
    for cell in cells:
        mixed = (np.asarray(cell).astype(np.int32).view(np.uint32) ^ mixed) * np.uint32(0x85EBCA6B)
        mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0xC2B2AE35)
        mixed ^= mixed >> np.uint32(13)
    return (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def noise(x: Floats, y: Floats, seed: int) -> Floats:
    """Return smooth value noise in [0, 1), one bump a unit."""
    column, row = np.floor(x), np.floor(y)
    across, down = x - column, y - row
    across, down = across * across * (3 - 2 * across), down * down * (3 - 2 * down)
    top = chance(seed, column, row) * (1 - across) + chance(seed, column + 1, row) * across
    bottom = chance(seed, column, row + 1) * (1 - across) + chance(seed, column + 1, row + 1) * across
    return top * (1 - down) + bottom * down


def mix(a: Floats, b: Floats, share: Floats | NDArray[np.bool_]) -> Floats:
    """Blend colours (3, N) or (3,) from `a` to `b` by the share (N,)."""
    a, b = (colour.reshape(3, -1) for colour in (a, b))
    return a + (b - a) * share
