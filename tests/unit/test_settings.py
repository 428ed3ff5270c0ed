"""The settings of an installation: what the environment may say, and the sentence for what it may not."""

import pytest

from flows.settings import read_settings
from tasks.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("DEVICE", "tpu", "MASTERSHOT_DEVICE is not valid at 'tpu': Input should be 'cpu' or 'cuda'"),
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
