"""Which Mastershot this is: its version and, where it is a git checkout, the commit."""

import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from models.specs import RECIPE_VERSION

_ROOT = Path(__file__).parents[1]


@cache
def describe_code() -> dict[str, str]:
    """Return version, recipe version and, of a git checkout, the commit; `-dirty` behind it if files were changed."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = {"mastershot": str(project["version"]), "recipe_version": str(RECIPE_VERSION)}
    commit = _find_commit()
    return code | {"commit": commit} if commit else code


def _find_commit() -> str:
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return ""
    command = (git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return done.stdout.strip() if done.returncode == 0 else ""
