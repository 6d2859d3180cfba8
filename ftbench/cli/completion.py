"""`ftbench completion`."""

from __future__ import annotations

import click

from ftbench.cli.options import example, json_option
from ftbench.cli.ui import Ui


@click.command("completion", epilog=example('eval "$(ftbench completion bash)"', "ftbench completion fish | source"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_obj
def command(ui: Ui, shell: str) -> None:
    """Print the completion script of a shell.

    Load it in the shell's start-up file; it completes commands, options and the names of built-in specs.
    """
    from click.shell_completion import get_completion_class

    from ftbench.cli.main import COMPLETE, ftbench
    from ftbench.cli.outputs.general import CompletionOutput

    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(ftbench, {}, "ftbench", COMPLETE)
    # click's `source()` starts bash to ask for its version; the template alone is the same text.
    script = kind.source_template % completer.source_vars()
    ui.raw(script + "\n")
    ui.answer(CompletionOutput(shell=shell, script=script))
