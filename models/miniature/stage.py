"""The film stage: a seed gives a scene of people, props, houses, ground and light, always the same.

Some seeds are held out for ever: nothing may be trained on them.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.random import Generator

from models.miniature.figures import make_figures
from models.miniature.ground import Ground, make_ground
from models.miniature.light import Mood, draw_mood
from models.miniature.patterns import Floats
from models.miniature.solids import Solid, placed
from models.miniature.street import make_houses, make_props


class ObjectId(IntEnum):
    """What a pixel shows."""

    SKY = 0
    GROUND = 1
    HOUSE = 2
    SUBJECT = 3
    COMPANION = 4
    LAMP = 5
    POSTBOX = 6
    BENCH = 7
    BOARD = 8
    CAR = 9
    TREE = 10
    FILM_LIGHT = 11
    CRATES = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Everything on the stage; the subject stands at the origin."""

    solids: tuple[Solid, ...]
    ground: Ground
    mood: Mood

    @property
    def contacts(self) -> Floats:
        """Return x, z and reach (K, 3) of what touches the ground, houses left out."""
        low = [part for part in self.solids if part.object_id != ObjectId.HOUSE and part.centre[1] < part.half[1] + 0.2]
        return np.array([(*part.centre[[0, 2]], max(part.half[0], part.half[2])) for part in low], np.float32)


def is_held_out(seed: int) -> bool:
    """Tell whether a scene is kept for evaluation only."""
    return seed % 10 == 7


def make_scene(seed: int) -> Scene:
    """Build the scene of a seed."""
    random = np.random.default_rng(seed)
    mood, side = draw_mood(random), float(random.choice((-1.0, 1.0)))
    solids = [
        *make_houses(random, ObjectId.HOUSE, mood.lit_share),
        *make_props(random, side, ObjectId.LAMP, mood.lit_share),
        *_cast(random, side),
    ]
    return Scene(solids=tuple(solids), ground=make_ground(random, seed), mood=mood)


def _cast(random: Generator, side: float) -> list[Solid]:
    """Place the subject, and in most scenes a companion a little behind, on one side (1 is +x)."""
    subject, companion = make_figures(random)
    people = placed(subject, (0.0, 0.0), random.uniform(-20, 20), ObjectId.SUBJECT)
    away, bearing, yaw_deg = random.uniform(1.9, 2.1), np.deg2rad(112.5), random.uniform(-15, 45)
    if random.random() < 0.7:
        at = (float(side * away * np.sin(bearing)), float(away * np.cos(bearing)))
        people += placed(companion, at, -side * yaw_deg, ObjectId.COMPANION)
    return people
