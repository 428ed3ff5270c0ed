"""A flow whose model lives elsewhere: it loads none, and its pictures are the same."""

import pytest

from tests.e2e.installation import Installation
from tests.resident import TOKEN, ResidentRenderer


@pytest.fixture
def elsewhere(resident: ResidentRenderer, monkeypatch: pytest.MonkeyPatch) -> ResidentRenderer:
    """Settings that name the resident renderer, and no weights to render with."""
    monkeypatch.setenv("MASTERSHOT_RENDERER", resident.address)
    monkeypatch.setenv("MASTERSHOT_RENDERER_TOKEN", TOKEN)
    return resident


def test_a_second_scene_loads_no_model(elsewhere: ResidentRenderer, installation: Installation) -> None:
    """Two scenes are rendered by the model that was loaded once, each angle once."""
    before, row = elsewhere.num_finished(), elsewhere.status()
    first = installation.run(scene="first", seed=71)
    second = installation.run(scene="second", seed=72)
    after = elsewhere.status()
    assert (after["pid"], after["num_loaded"]) == (row["pid"], 1)
    assert elsewhere.num_finished() == before + len(first.angles) + len(second.angles)
    assert all(record.stage_times_s["queue"] < 5 for record in second.angles)


def test_pictures_are_those_of_the_embedded_model(
    elsewhere: ResidentRenderer, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An angle that was rendered elsewhere is found finished by a flow that renders itself."""
    there = installation.run(angles=["close_up"], seed=73)
    monkeypatch.delenv("MASTERSHOT_RENDERER")
    here = installation.run(angles=["close_up"], seed=73)
    assert here == there
    assert elsewhere.num_finished() > 0
    assert len(installation.finished_angles()) == 1


def test_another_profile_than_is_held(elsewhere: ResidentRenderer, installation: Installation) -> None:
    """Asking for a model that the renderer does not hold is one sentence."""
    state = installation.run_to_end(profile="qwen-edit-2511")
    assert state.is_failed()
    assert f"The renderer at {elsewhere.address} holds miniature, not qwen-edit-2511" in (state.message or "")
