"""The settings of an installation: what the environment may say, and the sentence for what it may not."""

import pytest

from flows.settings import read_settings
from models.profiles import Arithmetic
from models.renderer import Machine
from tasks.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("DEVICE", "tpu", "MASTERSHOT_DEVICE is not valid at 'tpu': Input should be 'cpu' or 'cuda'"),
        ("MEMORY_PLAN", "all", "MASTERSHOT_MEMORY_PLAN is not valid at 'all'"),
        ("LINEARS", "int4", "MASTERSHOT_LINEARS is not valid at 'int4'"),
        ("NUM_LANES", "-1", "greater than or equal to 0"),
        ("NUM_LANES", "two\nlines", "MASTERSHOT_NUM_LANES"),
        ("MASTER_FOLDERS", "masters", 'field "master_folders"'),
        ("MASTER_FOLDERS", "[3]", "MASTERSHOT_MASTER_FOLDERS is not valid at 3"),
    ],
)
def test_a_bad_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, field: str, value: str, words: str) -> None:
    """A setting that cannot be understood is named, with its value and what would be right."""
    monkeypatch.setenv(f"MASTERSHOT_{field}", value)
    with pytest.raises(InvalidSettingError) as caught:
        read_settings()
    sentence = str(caught.value)
    assert words in sentence
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith("(correct it and run again).")


def test_a_gpu_has_two_lanes_and_what_else_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One angle is sampled while the one before is decoded and kept; plan and arithmetic are as they were asked for."""
    for name, value in {
        "DEVICE": "cuda",
        "MEMORY_PLAN": "encoder_freed",
        "COMPILE": "1",
        "LINEARS": "fp8",
        "REUSE_REFERENCE": "1",
    }.items():
        monkeypatch.setenv(f"MASTERSHOT_{name}", value)
    settings = read_settings()
    assert settings.machine == Machine(device="cuda", num_lanes=2, plan="encoder_freed", is_compiled=True)
    assert settings.arithmetic == Arithmetic(linears="fp8", reuses_reference=True)


def test_nothing_is_approximate_unless_asked_for() -> None:
    """The arithmetic of an installation that says nothing is exact."""
    assert read_settings().arithmetic == Arithmetic(linears="whole", reuses_reference=False)


@pytest.mark.parametrize("other", ["COMPILE", "REUSE_REFERENCE"])
def test_what_does_not_go_together_is_one_sentence(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """Blocks that come and go can be neither compiled nor asked one by one."""
    monkeypatch.setenv("MASTERSHOT_MEMORY_PLAN", "offload")
    monkeypatch.setenv(f"MASTERSHOT_{other}", "1")
    with pytest.raises(InvalidSettingError, match=rf"^.*MEMORY_PLAN=offload goes with neither .*{other}.*again\)\.$"):
        read_settings()
