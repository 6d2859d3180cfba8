"""The sandbox of a site's app: no network, no folder but those it needs, nothing writable but the clients' states.

bubblewrap makes it; where there is none a site must say `sealed = false` to run an app all the same.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource

TOOL = "bwrap"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl")
DEVICES = "nvidia*"
SECONDS = 30.0


def command(app: Path, *, read: Sequence[Path], write: Path, sealed: bool) -> list[str]:
    """The command line under which the app of a compiled benchmark answers.

    `read`: what it may read beside Python's own; `write`: the only folder that it may write to. Raises MissingResource
    (FTB516) where it cannot be sealed.
    """
    inside = Path(__file__).with_name("inside.py").absolute()
    words = [sys.executable, "-P", str(inside), str(app)]
    if not sealed:
        return words
    if why := why_not():
        hint = "install it, or write `sealed = false` into node.toml: the app may then do all that your user may"
        raise MissingResource(Diagnostic(codes.NOT_SEALED, f"the app cannot be sealed off: {why}", hint=hint))
    return [*_box(), *_shown([inside, app, *read, *_python()], "--ro-bind"), "--bind", str(write), str(write), *words]


def why_not() -> str:
    """Why no sandbox can be had here; empty where it can."""
    if shutil.which(TOOL) is None:
        return "there is no bubblewrap (Debian: apt-get install bubblewrap)"
    done = subprocess.run(  # noqa: S603  (a list of our own)
        [*_box(), "true"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["bubblewrap failed"])[-1]


def environment() -> dict[str, str]:
    """What the app's process knows of the environment: no address, no token, no name of a user."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": "/tmp",  # noqa: S108  (a folder in memory of the sandbox's own)
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
    }


def _box() -> list[str]:
    devices = [str(path) for path in sorted(Path("/dev").glob(DEVICES))]
    words = [TOOL, "--unshare-all", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    words += ["--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108
    for path in devices:
        words += ["--dev-bind", path, path]
    if devices:
        words += ["--ro-bind", "/sys", "/sys"]
    return words + _shown([Path(one) for one in SYSTEM], "--ro-bind")


def _shown(paths: Sequence[Path], how: str) -> list[str]:
    words: list[str] = []
    for path in dict.fromkeys(paths):
        if path.is_symlink() and path.parent == Path("/"):
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            words += [how, str(path), str(path)]
    return words


def _python() -> list[Path]:
    """Where this Python and its packages lie."""
    found = [sys.prefix, sys.base_prefix, *site.getsitepackages(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    # An environment that is reached by a link is there under both names: the link may lie in a folder that is shown.
    found += [str(Path(sys.prefix).resolve()), str(Path(sys.executable).resolve().parent.parent)]
    return [Path(one) for one in found if one and Path(one).is_dir() and Path(one) != Path("/usr")]
