"""`ftbench sign`."""

from __future__ import annotations

from pathlib import Path

import click

from ftbench import codes
from ftbench.cli.options import example, json_option, signer_options, signers_of
from ftbench.cli.ui import Ui


@click.command(
    "sign",
    epilog=example(
        "ftbench sign runs/quickstart-1/bundle --key ~/.ssh/id_ed25519",
        "ftbench sign verdict.json --key ~/.ssh/id_ed25519",
        "ftbench sign verdict.json --check --signers allowed_signers",
    ),
)
@click.argument("target", metavar="BUNDLE|FILE", type=click.Path(path_type=Path))
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SSH key to sign with: a private key, or a public one whose private half an agent holds.",
)
@click.option("--check", is_flag=True, help="Verify the signature that is there instead of making one.")
@signer_options
@json_option
@click.pass_obj
def command(
    ui: Ui, *, target: Path, key: Path | None, check: bool, signers: Path | None, revoked: Path | None, at: str | None
) -> None:
    """Sign a bundle, a verdict or another document of ftbench with an SSH key, or verify such a signature.

    BUNDLE is the folder `bundle` of a run, or the run's: its manifest is signed, before `ftbench pack`. The signature
    lies beside what it signs, as FILE.sig, and `ssh-keygen -Y verify` takes it as well.
    """
    from ftbench.atomic import write_file
    from ftbench.cli.outputs.trust import SignOutput
    from ftbench.signing import keygen, kinds

    if check == (key is not None):
        raise click.UsageError("give --key to sign, or --check to verify")
    known = signers_of(signers, revoked, at)
    if known is not None and not check:
        raise click.UsageError("--signers goes with --check")
    file = _signed_file(target)
    data = _read(file)
    signature, namespace = file.with_name(file.name + ".sig"), kinds.namespace_of(data, str(file))
    if key is not None:
        made = keygen.sign(data, key, namespace)
        found = keygen.signed(data, made, namespace, str(signature))
        write_file(signature, made)
    else:
        found = keygen.signed(data, _read(signature, codes.NOT_SIGNED), namespace, str(signature), known)
    output = SignOutput(file=str(file), signature=str(signature), namespace=namespace, signed=found)
    by = f" by {found.identity}" if found.identity else ""
    ui.line(f"{signature}: {'made' if key else 'holds'}{by}, key {found.key}, for {namespace}", "good")
    if not found.identity:
        ui.line(f"verify it: ssh-keygen -Y verify -f allowed_signers -I WHO -n {namespace} -s {signature} < {file}")
    ui.answer(output)


def _signed_file(target: Path) -> Path:
    """What is signed of a bundle or run: its manifest."""
    for folder in (target / "bundle", target):
        if (folder / "manifest.json").is_file():
            return folder / "manifest.json"
    return target


def _read(path: Path, code: str = codes.NO_PATH) -> bytes:
    from ftbench.diagnostics import Diagnostic, Place
    from ftbench.errors import InvalidInput

    if not path.is_file():
        what = "there is no signature here" if code == codes.NOT_SIGNED else "there is no such file to sign"
        raise InvalidInput(Diagnostic(code, what, Place(str(path))))
    return path.read_bytes()
