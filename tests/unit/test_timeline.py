"""What may be asked of a timeline, and how it ends."""

import pytest

from tasks.errors import InvalidRequestError
from tasks.requests import parse_as
from tasks.timeline import TimelineRequest, sum_up


def _scenes(*names: str) -> dict[str, object]:
    return {"scenes": [{"scene": name, "master": f"{name}.png"} for name in names]}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"scenes": []}, "scenes"),
        (_scenes("alley", "street", "alley"), "scenes asks for alley more than once"),
        (_scenes("alley") | {"max_at_once": 0}, "max_at_once"),
        (_scenes("alley") | {"queue": "first"}, "queue"),
        (_scenes("alley") | {"angles": ["close_up"]}, "angles"),
    ],
)
def test_a_bad_timeline_is_told_in_one_sentence(asked: dict[str, object], reason: str) -> None:
    """What is wrong is named with its place."""
    with pytest.raises(InvalidRequestError, match=reason):
        parse_as(TimelineRequest, asked)


def test_a_timeline_fails_with_the_scenes_that_did() -> None:
    """The final state names each of them and why; without any it is completed."""
    assert sum_up(2, {}).is_completed()
    state = sum_up(3, {"street": "no master", "alley": "crashed"})
    assert state.is_failed()
    assert state.message == ("2 of 3 scenes failed (alley: crashed; street: no master): the others are published.")
