"""Light on the stage: the hour of the day, the sky, and how a surface answers it; all is linear until `expose`."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.miniature.patterns import Floats, linear, mix, noise

_FOG_M = 130.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Mood:
    """One hour of the day."""

    sun_direction: Floats  # (3,) unit, towards the sun
    sun: Floats  # (3,) linear, strength included
    zenith: Floats  # (3,)
    horizon: Floats  # (3,)
    cloud: Floats  # (3,)
    ambient: float  # strength of the light of the sky
    lit_share: float  # of the windows
    seed: int  # of the clouds


def draw_mood(random: Generator) -> Mood:
    """Draw a day, a golden hour or a dusk, with the sun on the master camera's side."""
    hour = int(random.integers(3))
    sun, zenith, horizon, cloud = (
        linear(colour)
        for colour in (
            ("fff0d6", "3f7cc4", "cfe3ee", "ffffff"),
            ("ffc98a", "4f78b3", "f8cf9c", "ffe7cf"),
            ("ffcaa6", "3b4a8c", "eba58d", "d98ba3"),
        )[hour]
    )
    azimuth = np.deg2rad(random.choice((-1, 1)) * random.uniform(20, 75))
    height = np.deg2rad((random.uniform(48, 62), random.uniform(40, 46), random.uniform(38, 42))[hour])
    direction = (np.cos(height) * np.sin(azimuth), np.sin(height), np.cos(height) * np.cos(azimuth))
    return Mood(
        sun_direction=np.array(direction, np.float32),
        sun=sun * np.float32((1.9, 2.3, 1.6)[hour]),
        zenith=zenith,
        horizon=horizon,
        cloud=cloud,
        ambient=(0.75, 0.8, 1.2)[hour],
        lit_share=(0.2, 0.4, 0.75)[hour],
        seed=int(random.integers(1 << 30)),
    )


def sky(mood: Mood, ray: Floats) -> Floats:
    """Return the colour (3, N) of the sky along unit rays (3, N)."""
    height = np.clip(ray[1], 0, 1)
    colour = mix(mood.horizon, mood.zenith, np.sqrt(height) * (2 - np.sqrt(height)) * np.float32(0.9))
    reach = 1 / (height + np.float32(0.18))
    x, z = ray[0] * reach, ray[2] * reach
    puffs = noise(x * 2, z * 3, mood.seed) * np.float32(0.7) + noise(x * 6, z * 8, mood.seed + 1) * np.float32(0.3)
    colour = mix(colour, mood.cloud, np.clip((puffs - np.float32(0.52)) * 5, 0, 1) * np.float32(0.8))
    facing = np.maximum(mood.sun_direction @ ray, 0)
    return colour + mood.sun[:, None] * (facing**64 * np.float32(0.25) + (facing > np.float32(0.9985)))


def lit(mood: Mood, albedo: Floats, normal: Floats, is_sunny: NDArray[np.bool_], openness: Floats) -> Floats:
    """Return the light (3, N) that surfaces send back: sun where it reaches, sky from above, a little from the ground.

    `openness` (N,) is 1 in the open and falls where things stand close.
    """
    from_sun = np.maximum(mood.sun_direction @ normal, 0) * is_sunny
    from_sky = (normal[1] + 1) * np.float32(0.5)
    overhead = (mood.zenith * np.float32(0.7) + mood.horizon * np.float32(0.4)) * np.float32(mood.ambient)
    below = (mood.horizon + mood.sun * np.float32(0.3)) * np.float32(0.22 * mood.ambient)
    ambient = mix(below, overhead, from_sky) * openness
    ambient += mood.sun[:, None] * from_sun
    return ambient * albedo


def fogged(mood: Mood, colour: Floats, depth: Floats) -> Floats:
    """Fade far things into the horizon."""
    return mix(colour, mood.horizon, 1 - np.exp(depth * np.float32(-1 / _FOG_M)))


def expose(light: Floats) -> NDArray[np.uint8]:
    """Turn linear light into sRGB bytes with a soft shoulder.

    Source: K. Narkowicz, "ACES Filmic Tone Mapping Curve" (2016); its constants.
    """
    light = light * np.float32(0.8)
    film = light * (np.float32(2.51) * light + np.float32(0.03))
    film /= light * (np.float32(2.43) * light + np.float32(0.59)) + np.float32(0.14)
    return (np.clip(film, 0, 1) ** np.float32(1 / 2.2) * 255 + np.float32(0.5)).astype(np.uint8)
