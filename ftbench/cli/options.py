"""Arguments and options that mean the same in every command."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from ftbench.run.rundir import Limits
    from ftbench.signing.keygen import Signers
    from ftbench.verify.policy import Policy

F = TypeVar("F", bound=Callable[..., Any])
MOST_PROCESSES = 1024
"""More than any machine runs at once: a larger number is a slip, and each process is begun."""

EXAMPLE = 74
"""Longest line of an example."""
LEVELS = ("CLAIMED", "INTACT", "CONFORMS", "RESCORED", "SPOT-RUN", "REPRODUCED")
"""Levels that may be required; a test holds them to the verifier's."""


def example(*lines: str) -> str:
    """The epilog of a command's help: its examples, each as it is typed; a long one goes on in the next line."""
    return "\b\nExample:\n" + "\n".join(f"  {part}" for line in lines for part in _broken(line))


def _broken(line: str) -> list[str]:
    """A command within a terminal's width, broken before options as a shell allows."""
    if len(line) <= EXAMPLE:
        return [line]
    first, *rest = line.split(" --")
    parts = [first]
    for word in rest:
        if len(parts[-1]) + len(word) + 5 <= EXAMPLE:
            parts[-1] += f" --{word}"
        else:
            parts.append(f"    --{word}")
    return [f"{part} \\" for part in parts[:-1]] + parts[-1:]


class SpecType(click.ParamType[str]):
    """A path of a spec or the name of a built-in one; completes both."""

    name = "spec"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Built-in names, then the shell's own files."""
        from ftbench import builtin

        names = [CompletionItem(name, help="built-in") for name in builtin.specs() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


SPEC = SpecType()


class ExistingFolder(click.ParamType[Path]):
    """A folder that must be there. Where it is not, the exit code is that of every missing path (InvalidInput)."""

    name = "directory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Raises InvalidInput (FTB912)."""
        from ftbench import codes
        from ftbench.diagnostics import Diagnostic, Place
        from ftbench.errors import InvalidInput

        path = Path(value)
        if not path.is_dir():
            what = "is a file where a folder is expected" if path.exists() else "there is no such folder"
            raise InvalidInput(Diagnostic(codes.NO_PATH, what, Place(str(path))))
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell's own folders."""
        return [CompletionItem(incomplete, type="dir")]


class ExistingFile(click.ParamType[Path]):
    """A file that must be there; where it is not, the exit code is that of every missing path (InvalidInput)."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Raises InvalidInput (FTB912)."""
        from ftbench import codes
        from ftbench.diagnostics import Diagnostic, Place
        from ftbench.errors import InvalidInput

        path = Path(value)
        if not path.is_file():
            what = "is a folder where a file is expected" if path.exists() else "there is no such file"
            raise InvalidInput(Diagnostic(codes.NO_PATH, what, Place(str(path))))
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell's own files."""
        return [CompletionItem(incomplete, type="file")]


json_option = click.option(
    "--json", "json_", is_flag=True, help="Print one JSON object on stdout, all else on stderr.", expose_value=False
)


def spec_argument(function: F) -> F:
    """`SPEC`, required."""
    return click.argument("spec", type=SPEC)(function)


def out_option(text: str, **more: Any) -> Callable[[F], F]:
    """`--out`, a folder or file that the command writes."""
    return click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help=text, **more)


def store_option(function: F) -> F:
    """`--store`, the folders of data and models."""
    return click.option(
        "--store",
        metavar="DIR",
        help=f"Store of data and models; several are joined by `{os.pathsep}`. Default: $FTBENCH_STORE.",
    )(function)


def benchmarks_option(function: F) -> F:
    """`--benchmarks`, where known compiled benchmarks lie; repeatable."""
    return click.option(
        "--benchmarks",
        metavar="DIR",
        multiple=True,
        type=ExistingFolder(),
        help="Root of compiled benchmarks that are known here (default: ./generated); may be given repeatedly.",
    )(function)


def require_option(function: F) -> F:
    """`--require`, the level that a bundle must reach."""
    return click.option(
        "--require",
        metavar="LEVEL",
        type=click.Choice(LEVELS, case_sensitive=False),
        default="RESCORED",
        show_default=True,
        help="Level that a bundle must reach: " + ", ".join(LEVELS) + ".",
    )(function)


def signer_options(function: F) -> F:
    """`--signers`, `--revoked` and `--at`: whose signatures are known, and when a key must be valid."""
    file = click.Path(path_type=Path, dir_okay=False)
    for option in reversed(
        [
            click.option(
                "--signers",
                metavar="FILE",
                type=file,
                help="OpenSSH's list of allowed signers: it must be by one of them.",
            ),
            click.option(
                "--revoked", metavar="FILE", type=file, help="With --signers: keys that are revoked, or a KRL."
            ),
            click.option(
                "--at",
                metavar="TIME",
                help="With --signers: when the key must be valid, such as 2026-03-01T12:00 (UTC; default: now).",
            ),
        ]
    ):
        function = option(function)
    return function


def signers_of(signers: Path | None, revoked: Path | None, at: str | None) -> Signers | None:
    """What these options name; None without `--signers`. Raises UsageError, InvalidInput (FTB755) without the list."""
    if signers is None:
        if revoked is not None or at is not None:
            raise click.UsageError("--revoked and --at go with --signers")
        return None
    from datetime import UTC, datetime

    from ftbench.signing.keygen import Signers

    moment = None
    if at is not None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise click.UsageError(f"--at {at!r} is no time such as 2026-03-01T12:00") from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    for path in (signers, revoked):
        if path is not None and not path.is_file():
            from ftbench import codes
            from ftbench.diagnostics import Diagnostic, Place
            from ftbench.errors import InvalidInput

            raise InvalidInput(Diagnostic(codes.NO_SIGNERS, "there is no such list of keys", Place(str(path))))
    return Signers(signers, revoked, moment)


def policy_option(function: F) -> F:
    """`--policy`: whose runs count as somebody else's."""
    return click.option(
        "--policy",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Your policy (YAML): signers whose runs you believe to be their own. Without one nobody's counts.",
    )(function)


def policy_of(path: Path | None) -> Policy:
    """The policy in that file; without one nobody counts."""
    from ftbench.verify.policy import Policy, read

    return Policy(format="ftbench/policy/v1") if path is None else read(path)


def unsafe_option(function: F) -> F:
    """`--unsafe-no-sandbox`, for programs of code tasks."""
    return click.option(
        "--unsafe-no-sandbox",
        is_flag=True,
        help="Where there is no sandbox, run programs that the model wrote with your own rights; the result says so.",
    )(function)


def local_users_option(function: F) -> F:
    """`--allow-local-users`, for Flower's engine where it cannot have a network of its own."""
    return click.option(
        "--allow-local-users",
        is_flag=True,
        help="Run Flower's engine even where other users of this machine can reach it, and so take the run over.",
    )(function)


def eval_workers_option(function: F) -> F:
    """`--eval-workers`, for several devices or cores."""
    return click.option(
        "--eval-workers",
        metavar="N",
        type=click.IntRange(1, MOST_PROCESSES),
        help="Processes that answer a share of the items each (default: on a CPU as many as its cores, else 1).",
    )(function)


def limit_options(function: F) -> F:
    """`--max-seconds`, `--max-memory` and `--max-device-memory`: the operator's limits on a run."""
    texts = {
        "--max-seconds": ("SECONDS", "Operator's limit on wall time, over all starts of a run."),
        "--max-memory": ("GIB", "Operator's limit on resident memory, over all processes of a run."),
        "--max-device-memory": ("GIB", "Operator's limit on accelerator memory of a client or the server."),
    }
    for name, (unit, text) in reversed(texts.items()):
        kind = click.FloatRange(min=0, min_open=True)
        function = click.option(name, metavar=unit, type=kind, callback=finite, help=text)(function)
    return function


def keep_option(function: F) -> F:
    """`--keep`: what a run keeps for whoever does part of it again."""
    return click.option(
        "--keep",
        metavar="all|every K|none",
        callback=_kept,
        help="Rounds kept beside the bundle, so that part of the run can be done again (default: all up to 2 GiB).",
    )(function)


def _kept(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    from ftbench.run.keep import parse

    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def finite(_context: click.Context, _option: click.Parameter, number: float | None) -> float | None:
    """Every comparison with NaN is false, so such a limit would never be reached."""
    if number is not None and not math.isfinite(number):
        raise click.BadParameter("it must be a finite number")
    return number


def limits_of(seconds: float | None, memory: float | None, device_memory: float | None) -> Limits | None:
    """The limits that were given; None for none."""
    if seconds is None and memory is None and device_memory is None:
        return None
    from ftbench.run.rundir import Limits

    return Limits(max_seconds=seconds, max_memory_gib=memory, max_device_memory_gib=device_memory)


def entry_option(function: F) -> F:
    """`--entry` alone."""
    text = "Entry: the choices of a participant, in YAML."
    return click.option("--entry", metavar="FILE", type=_file(), help=text)(function)


def entry_options(function: F) -> F:
    """`--entry`, `--set`, `--model` and `--seed`: what a participant chooses."""
    for option in reversed(
        [
            entry_option,
            click.option(
                "--set", "sets", metavar="PATH=VALUE", multiple=True, help="Set one knob; may be given repeatedly."
            ),
            click.option("--model", metavar="NAME[@REVISION]", help="Base model, where the spec leaves it open."),
            click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="One of the spec's seeds."),
        ]
    ):
        function = option(function)
    return function


def _file() -> click.Path:
    return click.Path(path_type=Path, dir_okay=False)
