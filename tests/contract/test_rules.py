"""The rules of the house that a machine can check."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from inspect import getmembers, isclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from models import errors as model_errors
from storage import errors as storage_errors
from tasks import errors as task_errors
from tasks.policies import IS_TRANSIENT

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "models", "storage")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 40

# Hosts that an installer fetches from: a file that names one works on the machines that reach it, and on no other.
REGISTRY = re.compile(
    r"pypi\.(?:org|python)|python(?:hosted)\.org|registry\.(?:npmjs|yarnpkg)|conda\.anaconda|download\.pytorch"
    r"|(?:index-url|find-links)[=\s]+[\"']?https?:",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(r"(?<![\w.+/-])/(?:root|home|work|Users)/[\w.-]")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@cache
def list_files() -> tuple[Path, ...]:
    """Return every file that is tracked, or new and not ignored; a copy without its history fails here."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, f"the rules are checked on a git checkout: {listed.stderr}"
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def read_texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file that is text."""
    for path in list_files():
        data = path.read_bytes()
        if b"\0" not in data:
            yield path.relative_to(ROOT).as_posix(), data.decode("utf-8")


def read_modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and the syntax tree of every Python file."""
    for name, text in read_texts():
        if name.endswith(".py"):
            yield name, ast.parse(text)


def find_public(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield a module, its public functions, its public classes and their public methods."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            members = node.body if isinstance(node, ast.ClassDef) else []
            methods = (member for member in members if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef))
            yield from (method for method in methods if not method.name.startswith("_"))


def count_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has from its name to its end, less those of its docstring."""
    first = function.body[0]
    num_docstring_lines = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or 0) - function.lineno + 1 - num_docstring_lines


def find_leaves(module: ModuleType) -> set[type[Exception]]:
    """Return the errors of a module that no other error of it is a kind of."""
    tree = [cls for _, cls in getmembers(module, isclass) if issubclass(cls, Exception)]
    return {cls for cls in tree if not any(other is not cls and issubclass(other, cls) for other in tree)}


def load_deployments() -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml."""
    return yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def test_imports_go_downwards() -> None:
    """Every import contract of pyproject.toml is kept, direct and indirect."""
    linted = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    num_contracts = len(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"])
    assert f"{num_contracts} kept, 0 broken" in linted.stdout


def test_every_error_is_classified() -> None:
    """Each error that can be raised is transient or not, by the one table; nothing else stands in it."""
    leaves = find_leaves(model_errors) | find_leaves(storage_errors) | find_leaves(task_errors)
    assert set(IS_TRANSIENT) == leaves
    assert {type(is_transient) for is_transient in IS_TRANSIENT.values()} == {bool}


@pytest.mark.parametrize("module", [model_errors, storage_errors, task_errors], ids=lambda module: module.__name__)
def test_errors_are_drawn_as_a_tree(module: ModuleType) -> None:
    """The docstring of a module of errors draws every one of them, and none that is not there."""
    drawn = re.findall(r"[├└]── (\w+)", module.__doc__ or "")
    defined = {cls.__name__ for _, cls in getmembers(module, isclass)}
    assert len(drawn) == len(set(drawn))
    assert defined - set(drawn) == {"ModelError", "StorageError", "TaskError"} & defined
    assert set(drawn) <= defined


def test_what_is_public_has_a_docstring() -> None:
    """Every public module, class, method and function of the four packages says what it does."""
    silent = [
        f"{name}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}"
        for name, tree in read_modules()
        if name.startswith(tuple(f"{package}/" for package in PACKAGES))
        for node in find_public(tree)
        if not ast.get_docstring(node)
    ]
    assert silent == []


def test_files_are_short() -> None:
    """No Python file is longer than 300 lines."""
    lengths = {name: text.count("\n") for name, text in read_texts() if name.endswith(".py")}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    """No function is longer than 40 lines; its decorators and its docstring do not count."""
    long = [
        f"{name}:{node.lineno} {node.name} has {num_lines}"
        for name, tree in read_modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (num_lines := count_lines(node)) > MAX_FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE_PATH], ids=["registry", "path"])
def test_no_text_knows_a_machine(pattern: re.Pattern[str]) -> None:
    """No file names the host of a package registry, or a folder that is only on the machine it was written on."""
    found = [
        f"{name}:{number} {match[0]}"
        for name, text in read_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := pattern.search(line))
    ]
    assert found == []


def test_no_lock_file_with_addresses_is_tracked() -> None:
    """uv.lock records download addresses, so it is not committed, under any folder."""
    tracked = run("git", "ls-files")
    assert tracked.returncode == 0, tracked.stderr
    assert [name for name in tracked.stdout.splitlines() if Path(name).name == "uv.lock"] == []


def test_requirements_are_pinned_by_hash() -> None:
    """Every line of requirements.lock is one version with at least one hash, and nothing in it is an address."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"https?:|://| @ |--(?:index|extra|find)", text) == []
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    pinned = re.compile(r"[\w.-]+(?:\[[\w,.-]+\])?==[\w.!+-]+(?: *;[^#]*?)?(?: +--hash=sha256:[0-9a-f]{64})+ *")
    assert [line for line in requirements if not pinned.fullmatch(line)] == []
    assert len(requirements) > 50


def test_every_dependency_is_locked() -> None:
    """Each package that pyproject.toml asks for stands in requirements.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = re.findall(r"^([\w.-]+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    normal = {re.sub(r"[-_.]+", "-", name).lower() for name in locked}
    names = [re.split(r"[^\w.-]", dependency, maxsplit=1)[0] for dependency in asked]
    assert [name for name in names if re.sub(r"[-_.]+", "-", name).lower() not in normal] == []


def test_every_entrypoint_imports() -> None:
    """Each deployment names its flow as `module.function`, never as a file, and it is there."""
    deployments = load_deployments()
    assert deployments
    for deployment in deployments:
        module, _, function = deployment["entrypoint"].rpartition(".")
        assert re.fullmatch(r"flows(\.\w+)+", module), deployment["entrypoint"]
        assert callable(getattr(importlib.import_module(module), function))
