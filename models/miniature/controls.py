"""Scenes of the film stage that are wrong in one way: the subject turned, somebody else, or another place."""

from dataclasses import replace

from models.miniature.solids import Solid, turn
from models.miniature.stage import ObjectId, Scene, make_scene

TURN_DEG = 120.0
_OTHER_SEED = 1000
"""Added to a seed, gives one that is held out too."""
_PEOPLE = (ObjectId.SUBJECT, ObjectId.COMPANION)


def other_scene(seed: int) -> Scene:
    """Return a scene that has nothing to do with that of `seed`."""
    return make_scene(seed + _OTHER_SEED)


def turn_subject(scene: Scene) -> Scene:
    """Return the scene with its subject turned on the spot and all else as it was."""
    frame = turn(1, TURN_DEG)
    turned = [
        replace(part, centre=part.centre @ frame, axes=part.axes @ frame) for part in _parts(scene, ObjectId.SUBJECT)
    ]
    return replace(scene, solids=(*_without(scene, ObjectId.SUBJECT), *turned))


def swap_subject(scene: Scene, other: Scene) -> Scene:
    """Return the scene with the subject of another one."""
    return replace(scene, solids=(*_without(scene, ObjectId.SUBJECT), *_parts(other, ObjectId.SUBJECT)))


def swap_place(scene: Scene, other: Scene) -> Scene:
    """Return the people of the scene in the place and the light of another one."""
    return replace(other, solids=(*_without(other, *_PEOPLE), *_parts(scene, *_PEOPLE)))


def _parts(scene: Scene, *ids: ObjectId) -> list[Solid]:
    return [part for part in scene.solids if part.object_id in ids]


def _without(scene: Scene, *ids: ObjectId) -> list[Solid]:
    return [part for part in scene.solids if part.object_id not in ids]
