"""What a person reads from `python -m flows.versions`: every command answers in words, and refuses in one sentence."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.version_tables import show
from flows.versions import COMMANDS, main
from storage.opening import open_store
from tests.kept_versions import keep_version

Capture = pytest.CaptureFixture[str]
Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Say:
    """Run a command on a store with two versions of a street, and return what it prints."""
    store = open_store(str(tmp_path / "store"))
    for number in (1, 2):
        keep_version(store, number)
    monkeypatch.setenv("MASTERSHOT_STORE", str(tmp_path / "store"))

    def run(*words: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["python -m flows.versions", *map(str, words)])
        assert main() == code
        printed = capsys.readouterr()
        return printed.err if code and not printed.out else printed.out

    return run


def test_every_command_answers(say: Say, tmp_path: Path) -> None:
    """The answers to all commands that render nothing name the scene, the version and what became of it."""
    assert "pinned by ada at" in say("pin", "street", 1, "--who", "ada", "--note", "for the trailer")
    approved = say("tag", "street", "v000001", "approved", "--who", "ada")
    assert "approved by ada" in approved
    assert "not locked: the address of the store asks for no lock" in approved
    listed = say("list", "street")
    assert "v000002" in listed
    assert "pinned by ada, approved" in listed.replace("\n", " ")
    assert "default/default" in say("list")
    assert "changed" in say("compare", "street", 1, 2)
    assert "0 versions" in say("expire", "--keep-last", 1, "--keep-days", 0)
    assert "not pinned" in say("unpin", "street", 1)
    assert "not pinned" in say("untag", "street", 1, "approved")
    assert say("restore", "street", 1) == "street v000003 shows what v000001 shows.\n"
    assert "restored v000001" in say("list", "street").replace("\n", " ")
    assert str(tmp_path) in say("export", "street", 1, "--to", tmp_path / "a.zip").replace("\n", "")
    assert "alley v000001 is imported" in say("import", tmp_path / "a.zip", "--as", "alley")
    lineage = say("lineage", "street", 3)
    assert "restored from v000001" in lineage
    assert "follows street v000002" in lineage
    assert "0 are lost or damaged" in say("verify")
    assert "Nothing was done: add --yes" in say("expire", "--keep-last", 1, "--keep-days", 0)
    assert "2 versions" in say("expire", "street", "--keep-last", 1, "--keep-days", 0, "--yes")


def test_nothing_is_hidden(say: Say, tmp_path: Path) -> None:
    """What is refused is one sentence, and what is lost makes the exit code 1."""
    refused = say("restore", "street", 2, code=1)
    assert refused == "Failed: v000002 is the latest version of street already: restore an older one.\n"
    assert "There is no v000009 of street" in say("lineage", "street", 9, code=1)
    assert "is neither a folder nor" in say("import", Path(__file__), code=1)
    next((tmp_path / "store/scenes/blobs").rglob("*/*/*")).unlink()
    assert "missing" in say("verify", code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("pin", "street", "0"),
        ("pin", "street", "latest"),
        ("pin", "../street", "1"),
        ("tag", "street", "1", "Not A Name"),
        ("pin", "street", "1", "--note", "x" * 201),
        ("pin", "street", "1", "--who", "caf\udce9"),
        ("expire", "--keep-last", "0"),
        ("expire", "--keep-days", "soon"),
        ("expire", "--keep-days", "nan"),
        ("expire", "--yes", "--dry-run"),
        ("export", "street", "1"),
    ],
)
def test_words_that_mean_nothing_are_refused(say: Say, words: tuple[str, ...]) -> None:
    """A number, a name, a note or an option that cannot be understood ends with the usage and exit code 2."""
    with pytest.raises(SystemExit) as ended:
        say(*words)
    assert ended.value.code == 2


def test_what_is_locked_is_counted(capsys: Capture) -> None:
    """Whoever lets versions go reads what a lock has kept."""
    facts = dict.fromkeys(("is_dry_run", "num_blobs", "freed_bytes", "num_young", "is_cut_short"), 0)
    show("expire", {**facts, "versions": [], "num_records": 1, "num_views": 0, "num_locked": 3, "held_off_by": []})
    assert "3 more are locked and go when their locks have ended." in capsys.readouterr().out


def test_every_command_is_known() -> None:
    """The commands that can be named are those that do something."""
    document = (Path(__file__).parents[2] / "README.md").read_text()
    section = document.partition("## Versions\n")[2].partition("\n## ")[0]
    assert [name for name in COMMANDS if name not in section] == []
