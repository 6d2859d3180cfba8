"""The command line's outer shell: finds the command, runs it, turns every outcome into an exit code."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ftbench import codes
from ftbench.cli.table import COMMANDS, EXIT_CODES, SECTIONS
from ftbench.cli.ui import Ui
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import FtbenchError, MissingResource
from ftbench.interrupts import in_order

COMPLETE = "_FTBENCH_COMPLETE"
"""Set by the shell's completion script; see `ftbench completion`."""

RUN_EXTRA = {"torch", "transformers", "tokenizers", "peft", "safetensors", "datasets", "lm_eval", "ray", "psutil"} | {
    "huggingface_hub",
    "httpx2",
    "dp_accounting",
    "scipy",
    "gguf",
}
"""Top-level modules that only the `run` extra installs."""


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module; each has its `command`."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = importlib.import_module(f"ftbench.cli.{entry.module}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name where there is none such."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = did_you_mean(name, COMMANDS)
            ctx.fail(f"no such command `{name}`" + (f", {near}" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table alone."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """An example and the exit codes."""
        with formatter.section("Example"):
            formatter.write_text("ftbench run quickstart")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _version(c, v))
def ftbench() -> None:
    """Compile benchmarks for federated fine-tuning of language models, run them, and verify results.

    A SPEC is a path or the name of a built-in benchmark, such as `quickstart`.
    """


def _version(ctx: click.Context, wanted: bool) -> None:
    if wanted:
        from ftbench import __version__

        click.echo(f"ftbench {__version__}")
        ctx.exit()


def run(argv: Sequence[str]) -> int:
    """Carry out one command line. Returns the exit code (`ftbench.cli.table.EXIT_CODES`); never raises."""
    _open_streams()
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(ftbench, {}, "ftbench", COMPLETE, os.environ[COMPLETE])
    ui = Ui(json=wants_json(argv))
    try:
        with contextlib.redirect_stdout(sys.stderr) if ui.json else contextlib.nullcontext(), in_order():
            code = _guarded(list(argv), ui)
        ui.flush()
    except BrokenPipeError:
        _silence()
        return 141
    return code


def _open_streams() -> None:
    """A process that was started without stdout or stderr (`>&-`) has None there: what goes to it is lost, no more."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
            setattr(sys, name, nowhere)


def wants_json(argv: Sequence[str]) -> bool:
    """Whether one JSON object is asked for. Known before parsing, so that a usage error is an object too."""
    given = list(argv)
    format_ = "--format=json" in given or ("--format", "json") in itertools.pairwise(given)
    return "--json" in given or (format_ and not any(word.partition("=")[0] == "--out" for word in given))


def _guarded(argv: list[str], ui: Ui) -> int:  # noqa: PLR0911 - one return for each kind of ending
    """Run the command; every error a person can cause or mend becomes diagnostics and its exit code."""
    try:
        return _invoke(argv, ui)
    except BrokenPipeError:
        raise
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        ui.notes(error.format_message())
        return 2
    except click.UsageError as error:
        return _usage(error, ui)
    except FtbenchError as error:
        return ui.failed(type(error).__name__, error.exit_code, error.diagnostics)
    except (KeyboardInterrupt, click.Abort):
        ui.note("")
        return ui.failed("Interrupted", 130, [])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in RUN_EXTRA:
            return _bug(error, ui)
        return _missing_package(error.name or "", ui)
    except OSError as error:
        return _refused(error, ui)
    except Exception as error:
        return _bug(error, ui)


def _invoke(argv: list[str], ui: Ui) -> int:
    with ftbench.make_context("ftbench", argv, obj=ui) as ctx:
        code = ftbench.invoke(ctx)
    return code if isinstance(code, int) else 0


def _usage(error: click.UsageError, ui: Ui) -> int:
    if error.ctx is not None:
        ui.notes(error.ctx.get_usage())
    hint = f"`{error.ctx.command_path} --help` shows what it takes" if error.ctx is not None else ""
    return ui.failed("UsageError", 2, [Diagnostic(codes.USAGE, _flat(error.format_message()), hint=hint)])


def _flat(text: str) -> str:
    """On one line: click and libraries put lists and traces on several."""
    return " ".join(text.split())


def _missing_package(name: str, ui: Ui) -> int:
    missing = Diagnostic(
        codes.NO_PACKAGE,
        f"the package that gives `{name}` is not installed",
        hint="install what a run needs: pip install 'ftbench[run]'; then look with `ftbench doctor`",
    )
    return ui.failed(MissingResource.__name__, MissingResource.exit_code, [missing])


def _refused(error: OSError, ui: Ui) -> int:
    """A full disk, a folder without rights and the like: nothing that ftbench could have done right."""
    _traceback(error)
    where = f": {error.filename}" if error.filename else ""
    refused = Diagnostic(
        codes.SYSTEM_REFUSED,
        f"{error.strerror or type(error).__name__}{where}",
        hint="check that the path is there, that you may write to it and that the disk has room",
    )
    return ui.failed(MissingResource.__name__, MissingResource.exit_code, [refused])


def _bug(error: BaseException, ui: Ui) -> int:
    shown = _traceback(error)
    bug = Diagnostic(
        codes.BUG,
        f"ftbench failed in a way it should not: {type(error).__name__}: {_flat(str(error))[:300]}",
        hint="please report this"
        + (
            " with the traceback above"
            if shown
            else "; the same command with FTBENCH_DEBUG=1 prints a traceback to add"
        ),
    )
    return ui.failed("InternalError", 70, [bug])


def _traceback(error: BaseException) -> bool:
    """Print the traceback where it was asked for. Returns whether it was."""
    if os.environ.get("FTBENCH_DEBUG") != "1":
        return False
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    return True


def _silence() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush raises nothing."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
