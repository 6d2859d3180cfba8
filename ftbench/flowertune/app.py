"""Reading a FlowerTune app: its configuration and its modules, as text. Nothing of it is imported or carried out."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.flowertune import configuration
from ftbench.flowertune.configuration import Setting

MAX_FILE = 2**20
"""Largest source or configuration file that is read, in bytes."""
MAX_FILES = 2000
"""Most files of a folder that are looked at."""
MAX_DEPTH = 6
PROJECT = "pyproject.toml"
SKIPPED = {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"}
"""Folders that hold nothing of the app's own; neither do those that begin with a dot."""
SCORERS = ("benchmarks.py", "eval.py", "utils.py", "main.py")
"""Names of the public evaluation scripts."""


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file."""

    path: Path
    """As it is shown: below the folder that was given."""
    tree: ast.Module
    text: str


@dataclass(frozen=True, slots=True)
class App:
    """What the files of one app say."""

    folder: Path
    """Where its `pyproject.toml` lies."""
    shown: str
    """That file, as it is shown."""
    name: str
    project: Mapping[str, Any]
    """`pyproject.toml` as it is."""
    settings: Mapping[str, Setting]
    """Dotted name in small letters with `_` for `-` → setting."""
    supernodes: Setting | None
    """How many clients there are, where a configuration says so."""
    modules: Sequence[Module]
    """The app's own."""
    scorers: Sequence[Module]
    """Evaluation scripts beside it."""
    broken: Sequence[Diagnostic] = field(default_factory=list)
    """Files that are no Python, as warnings."""

    def get(self, name: str) -> Any:
        """A setting's value; None where it is not set."""
        found = self.settings.get(name)
        return None if found is None else found.value

    def place(self, name: str) -> str:
        """Where a setting stands."""
        found = self.settings.get(name)
        return self.shown if found is None else found.place


def read(folder: Path) -> App:
    """The app in a folder, or in the one folder below it that has one.

    Raises InvalidInput: FTB912 where there is no such folder, FTB920 where it holds no app that can be read.
    """
    if not folder.is_dir():
        what = "is a file where a folder is expected" if folder.exists() else "there is no such folder"
        raise InvalidInput(Diagnostic(codes.NO_PATH, what, Place(str(folder))))
    files = list(_walk(folder, 0))
    root = _root(folder, files)
    shown = root / PROJECT
    project = _toml(shown)
    found = configuration.read(project, shown, _texts(root, files))
    if not found.settings:
        refuse(shown, "no `[tool.flwr.app.config]`, and no conf/config.yaml beside it")
    own, scorers, broken = _modules(root, folder, files, found.packages)
    if not own:
        hint = "import reads the text of the app's modules; give the folder that has them"
        refuse(root, "the app's Python modules are not here, or none of them can be read", hint, broken)
    name = str(project.get("project", {}).get("name") or root.absolute().name)
    return App(
        root,
        str(shown),
        re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "app",
        project,
        found.settings,
        found.supernodes,
        own,
        scorers,
        broken,
    )


def refuse(path: Path, message: str, hint: str = "", more: Sequence[Diagnostic] = ()) -> NoReturn:
    """Raise InvalidInput (FTB920)."""
    raise InvalidInput([*more, Diagnostic(codes.NO_FLOWER_APP, message, Place(str(path)), hint)])


def functions_below(folder: Path) -> tuple[list[Module], list[Module]]:
    """All modules below a folder, and those of them that are called as the public evaluation scripts are.

    Raises InvalidInput (FTB912) where there is no such folder."""
    if not folder.is_dir():
        raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such folder", Place(str(folder))))
    files = [path for path in _walk(folder, 0) if path.suffix == ".py"]
    tops = sorted({path.relative_to(folder).parts[0].removesuffix(".py") for path in files})
    own, _, _ = _modules(folder, folder, files, tops)
    return own, [module for module in own if module.path.name in SCORERS]


def _root(folder: Path, files: Sequence[Path]) -> Path:
    if (folder / PROJECT).is_file():
        return folder
    apps = [path.parent for path in files if path.name == PROJECT and "flwr" in _text(path)]
    apps += [path.parent for path in files if path.name == PROJECT and "[flower" in _text(path)]
    apps = list(dict.fromkeys(apps))
    if len(apps) == 1:
        return apps[0]
    if apps:
        shown = ", ".join(map(str, apps[:6]))
        refuse(folder, f"{len(apps)} apps lie below this folder", f"name one of them: {shown}")
    refuse(folder, f"there is no {PROJECT} of a Flower app", "give the folder of the app")


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Plain files below a folder in order; links are not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:MAX_FILES]
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_file():
            yield Path(entry.path)
        elif entry.is_dir() and depth < MAX_DEPTH and not entry.name.startswith(".") and entry.name not in SKIPPED:
            yield from _walk(Path(entry.path), depth + 1)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    return "" if len(data) > MAX_FILE else data.decode("utf-8", "replace")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        refuse(path, f"this is no TOML: {error}")


def _texts(root: Path, files: Sequence[Path]) -> dict[Path, str]:
    """Text that may hold configuration: Hydra's YAML, Flower's own configuration, instructions."""
    inside = [path for path in files if path.is_relative_to(root)]
    wanted = [
        path
        for path in inside
        if path.name.lower() in {"config.toml", "readme.md", "config.yaml", "static_config.yaml"}
    ]
    hidden = [root / ".flwr" / "config.toml", root.parent / ".flwr" / "config.toml"]
    return {path: _text(path) for path in [*hidden, *wanted] if path.is_file() and not path.is_symlink()}


def _modules(
    root: Path, folder: Path, files: Sequence[Path], packages: Sequence[str]
) -> tuple[list[Module], list[Module], list[Diagnostic]]:
    own: list[Module] = []
    scorers: list[Module] = []
    broken: list[Diagnostic] = []
    for path in files[:MAX_FILES]:
        if path.suffix != ".py":
            continue
        inside = path.relative_to(root).parts if path.is_relative_to(root) else ()
        is_own = bool(inside) and (inside[0] in packages or inside[0].removesuffix(".py") in packages)
        if not is_own and path.name not in SCORERS:
            continue
        text = _text(path)
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            message = f"this is no Python that can be read: {getattr(error, 'msg', None) or error}"
            line = getattr(error, "lineno", None) or 0
            place = Place(str(path), line, 1) if line else Place(str(path))
            broken.append(Diagnostic(codes.APP_NOT_TOLD, message, place, severity="warning"))
            continue
        (own if is_own else scorers).append(Module(path, tree, text))
    return own, scorers, broken
