"""What `ftbench doctor` looks at. Nothing heavy is imported but torch, and that only to ask for its devices."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from ftbench.cli.outputs.general import CheckedThing

PYTHON = (3, 11)
DISK_NEEDED = 2**30
"""Bytes that a run on a micro model should find free; real base models need far more."""

Checkup = Callable[[str | None], Iterable[CheckedThing]]


def look(checkup: Checkup, store: str | None) -> list[CheckedThing]:
    """One checkup's lines; one that stumbles is itself a warning and never ends the others."""
    try:
        return list(checkup(store))
    except Exception as error:
        name = checkup.__name__.replace("_", " ")
        return [_line(name, "warn", f"could not be looked at: {type(error).__name__}: {error}"[:300])]


def python(store: str | None) -> Iterable[CheckedThing]:
    """The interpreter."""
    found = platform.python_version()
    good = sys.version_info >= PYTHON
    yield _line("python", "ok" if good else "fail", f"{found}, {sys.executable}", "" if good else "use 3.11 or later")


def packages(store: str | None) -> Iterable[CheckedThing]:
    """Every package of the stack against its pinned version, read from its metadata."""
    from ftbench.cli.version import installed, same_version
    from ftbench.compile.stack import ACCOUNTING, STACK

    mend = "pip install 'ftbench[run]'"
    for name, wanted in {**STACK, **ACCOUNTING}.items():
        found = installed(name)
        if found is None:
            yield _line(name, "fail", f"not installed, {wanted} is needed", mend)
        elif same_version(found, wanted):
            yield _line(name, "ok", found)
        else:
            hint = f"{mend}; `ftbench run --unpinned` lets it through, and no verifier accepts the result as conforming"
            yield _line(name, "fail", f"{found} is installed, the stack pins {wanted}", hint)
    for name in ("ray", "safetensors", "psutil"):
        found = installed(name)
        yield _line(name, "ok" if found else "fail", found or "not installed", "" if found else mend)


def device(store: str | None) -> Iterable[CheckedThing]:
    """What torch can compute on. Asked in a process of its own: a broken driver can take its process down."""
    from ftbench.cli.version import installed

    if installed("torch") is None:
        yield _line("device", "warn", "unknown: torch is not installed")
        return
    script = (
        "import torch; print(torch.__version__);"
        "print([torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())])"
    )
    asked = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or [f"exit code {asked.returncode}"]
        yield _line(
            "device",
            "fail",
            f"torch does not import: {last[0]}"[:300],
            "install torch again: pip install 'ftbench[run]'",
        )
        return
    _, devices = asked.stdout.strip().splitlines()[-2:]
    cores = os.cpu_count() or 1
    yield _line("device", "ok", f"CUDA {devices}" if devices != "[]" else f"CPU with {cores} cores, no CUDA device")


def sandbox(store: str | None) -> Iterable[CheckedThing]:
    """Whether programs that models write can be run, language by language: a trivial one is."""
    import ftbench
    from ftbench.result import programs

    script = Path(ftbench.__file__).parent / "tasks" / programs.SCRIPT
    packages = {"python": "bubblewrap python3", "javascript": "bubblewrap nodejs", "cpp": "bubblewrap g++"}
    for language, named in packages.items():
        why = programs.missing(script, [(language, ())])
        hint = f"Debian: apt-get install {named}; only code tasks need it" if why else ""
        told = (
            f"cannot be run in the sandbox: {why.removeprefix(f'{language}: ')}"[:300] if why else "run in the sandbox"
        )
        yield _line(f"{language} programs", "warn" if why else "ok", told, hint)


def disk(store: str | None) -> Iterable[CheckedThing]:
    """Room in the folders that a run writes to."""
    for name, folder in (("disk (here)", Path.cwd()), ("disk (temporary)", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        if not os.access(folder, os.W_OK):
            yield _line(name, "fail", f"{folder} cannot be written to", "change to a folder of your own")
            continue
        enough = free >= DISK_NEEDED
        hint = "" if enough else "free at least 1 GiB, or change to another disk"
        yield _line(name, "ok" if enough else "fail", f"{free / 2**30:.1f} GiB free in {folder}", hint)


def ports(store: str | None) -> Iterable[CheckedThing]:
    """Who would reach a run on Flower's engine, and whether a private SuperLink can listen on loopback."""
    from ftbench.run.processes.network import why_not

    why = why_not()
    if why:
        hint = (
            "`ftbench run` takes the inline engine then, which opens no port. To have one, allow user namespaces: "
            "sysctl user.max_user_namespaces, Ubuntu kernel.apparmor_restrict_unprivileged_userns=0, "
            "Docker --security-opt seccomp=unconfined"
        )
        yield _line("network of its own", "warn", f"Flower's engine cannot have one: {why}", hint)
    else:
        yield _line("network of its own", "ok", "nobody else reaches a run on Flower's engine")
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with socket.create_connection(listener.getsockname(), timeout=5):
                pass
    except OSError as error:
        hint = "Flower's engine needs it; `ftbench run --engine inline` does not"
        yield _line("loopback ports", "warn", f"cannot listen on 127.0.0.1: {error.strerror or error}", hint)
    else:
        yield _line("loopback ports", "ok", "a private SuperLink can listen on 127.0.0.1")


def stores(store: str | None) -> Iterable[CheckedThing]:
    """The store's folders: at least the first must take what is fetched."""
    from ftbench.data.store import Store

    roots = Store.default(store).roots
    for number, root in enumerate(roots):
        above = next(path for path in (root, *root.parents) if path.exists())
        writable = os.access(above, os.W_OK)
        if number == 0 and not writable:
            yield _line(
                "store", "warn", f"{root} cannot be written to", "name one that can: --store DIR or $FTBENCH_STORE"
            )
        else:
            state = "there" if root.is_dir() else "not there yet"
            yield _line("store", "ok", f"{root}, {state}{'' if number else ', written to'}")


def built_in(store: str | None) -> Iterable[CheckedThing]:
    """The quickstart's data and model."""
    from ftbench.data.store import Store
    from ftbench.errors import FtbenchError
    from ftbench.spec.load import find_spec, load_pins, load_spec

    name = "quickstart"
    try:
        loaded = load_spec(find_spec(name))
        pins = load_pins(loaded.path)
        found = Store.default(store)
        for pin in pins.sources.values():
            if pin.digest:
                found.data_path(pin.digest)
        if pins.partition:
            found.partition(pins.partition.digest)
        found.model_path(found.model_digest(loaded.spec.model.base))
    except FtbenchError as error:
        first = error.diagnostics[0]
        yield _line(
            name, "fail", first.message, first.hint or "install ftbench again, or check the repository out whole"
        )
    else:
        yield _line(name, "ok", "spec, pins, data and model are here and whole")


def git_attributes(store: str | None) -> Iterable[CheckedThing]:
    """In a repository: that git leaves the bytes of compiled benchmarks alone."""
    root = next((path for path in (Path.cwd(), *Path.cwd().parents) if (path / ".git").exists()), None)
    if root is None or not (root / "generated").is_dir():
        return
    attributes = root / ".gitattributes"
    lines = attributes.read_text(encoding="utf-8").splitlines() if attributes.is_file() else []
    if any(line.split()[:1] == ["generated/**"] and "-text" in line.split() for line in lines):
        yield _line("git attributes", "ok", f"{attributes} keeps generated/ byte for byte")
    else:
        hint = f"add the line `generated/** -text` to {attributes}"
        yield _line("git attributes", "warn", "git may change line endings in generated/", hint)


CHECKUPS: tuple[Checkup, ...] = (
    python,
    packages,
    device,
    sandbox,
    disk,
    ports,
    stores,
    built_in,
    git_attributes,
)
"""In the order of looking."""


def _line(name: str, outcome: Literal["ok", "warn", "fail"], detail: str, hint: str = "") -> CheckedThing:
    return CheckedThing(name=name, outcome=outcome, detail=detail, hint=hint)
