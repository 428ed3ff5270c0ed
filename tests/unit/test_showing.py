"""Under which names a version is laid before people."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from tasks.showing import artifact_key


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,6}", fullmatch=True), min_size=2, max_size=2, unique=True))
@example(["a_b", "a-b"])
@example(["a_b", "a-ub"])
@example(["a--b", "a_-b"])
def test_every_scene_has_an_artifact_of_its_own(scenes: list[str]) -> None:
    """No two scenes share the key of an artifact, which may hold lower case letters, digits and dashes only."""
    one, other = map(artifact_key, scenes)
    assert one != other
    assert re.fullmatch(r"[a-z0-9-]+", one)
