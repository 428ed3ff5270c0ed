"""The command line: what a person sees when a run fails is one sentence, whatever was wrong."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import flow

from flows.__main__ import main, quiet_log
from tests.e2e.installation import Installation

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def fail(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> Callable[..., str]:
    """Run the command line, expect it to fail without a word in the log, and return the last line it prints."""

    def run(**options: str) -> str:
        options = {"scene": "scene_1", "master": str(installation.folder / "master.png"), "angles": "wide"} | options
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        monkeypatch.setattr(sys, "argv", ["python -m flows", *arguments])
        assert main() == 1
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        *_, last = capsys.readouterr().err.splitlines()
        assert last.startswith("Failed: ")
        assert last.endswith(".")
        return last

    return run


def test_bad_arguments(fail: Callable[..., str]) -> None:
    """An unknown preset, and a name that is no UTF-8, are refused before anything is started."""
    assert "'close_up'" in fail(angles="clos_up")
    assert "at master" in fail(master="caf\udce9.png")


def test_missing_master(fail: Callable[..., str], installation: Installation) -> None:
    """A master that is not there is named."""
    assert "No such file" in fail(master=str(installation.folder / "nowhere.png"))


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("DEVICE", "tpu", "MASTERSHOT_DEVICE"),
        ("WEIGHTS", "nowhere", "nowhere/miniature/transformer is missing"),
        ("STORE", "/sys/mastershot", "/sys/mastershot"),
    ],
)
def test_bad_settings(
    fail: Callable[..., str], monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    """A setting that cannot be understood, or that names what cannot be used, is named."""
    monkeypatch.setenv(f"MASTERSHOT_{setting}", value)
    assert words in fail()


def test_pickled_weights(fail: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights in a pickle are named."""
    folder = tmp_path / "weights/miniature/transformer"
    folder.mkdir(parents=True)
    (folder / "model.bin").touch()
    monkeypatch.setenv("MASTERSHOT_WEIGHTS", str(tmp_path / "weights"))
    assert "pickled weights (model.bin)" in fail()


def test_an_unexpected_error_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is logged with the place where it happened."""

    @flow
    def break_down() -> None:
        msg = "nobody foresaw this"
        raise LookupError(msg)

    with quiet_log(), pytest.raises(LookupError):
        break_down()
    assert "Traceback" in caplog.text
    assert "nobody foresaw this" in caplog.text
