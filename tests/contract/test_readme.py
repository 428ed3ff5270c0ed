"""What the documents promise a newcomer: files that exist, commands that run, a map without holes."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
DOCUMENTS = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link and picture of a document is a file."""
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_the_file_map_has_no_holes() -> None:
    """Every module of the layers is named in the README's file map; a folder may stand for what is in it."""
    file_map = README.partition("## File map")[2].partition("## To change")[0]
    modules = [
        path
        for layer in ("flows", "tasks", "models", "storage", "deployments")
        for path in (PROJECT / layer).glob("*.py")
    ]
    assert [path.name for path in modules if path.name != "__init__.py" and f"`{path.name}`" not in file_map] == []
    assert "`scores/`" in file_map
    assert "`miniature/`" in file_map


def test_the_file_map_names_what_exists() -> None:
    """Every file that the map names is there."""
    file_map = README.partition("## File map")[2].partition("## To change")[0]
    names = re.findall(r"`([a-z_0-9]+\.[a-z0-9.]+)`", file_map)
    present = {path.name for path in PROJECT.rglob("*") if ".venv" not in path.parts}
    assert [name for name in names if name not in present] == []


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) | {"check", "bench", "serve"})
)
def test_commands_of_the_readme_are_targets(command: str) -> None:
    """Every `make` command that the README names is a target."""
    done = subprocess.run(["/usr/bin/make", "--dry-run", command], cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_menu_lists_the_commands() -> None:
    """`make` alone shows what there is."""
    done = subprocess.run(["/usr/bin/make"], cwd=PROJECT, capture_output=True, check=True)
    listed = {line.split()[0] for line in done.stdout.decode().splitlines()}
    assert {"demo", "test", "check", "bench", "serve"} <= listed


def test_ci_runs_the_readmes_test_command() -> None:
    """CI does what a newcomer does."""
    lines = [
        line for line in (PROJECT / ".ci/run").read_text().splitlines() if line and not line.startswith(("#", "set "))
    ]
    assert lines == ["make test"]
    assert "make test " in README
