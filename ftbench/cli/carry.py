"""`ftbench carry`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench.cli.options import SPEC, benchmarks_option, example, json_option, store_option
from ftbench.cli.progress import EvaluationProgress
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.submit.carry import Asked


@click.command(
    "carry",
    epilog=example(
        "ftbench carry results/submissions/mine-s1.json --to specs/medical.yaml --verifier you@example.org --key KEY",
        "ftbench carry mine-s1.zip --to specs/medical.yaml --verifier you@example.org --out carried.json",
    ),
)
@click.argument("bundle", metavar="BUNDLE|ROW", type=click.Path(path_type=Path))
@click.option("--to", "spec", type=SPEC, required=True, help="The benchmark that the result is carried to.")
@click.option("--verifier", metavar="WHO", required=True, help="Who makes the scores.")
@click.option(
    "--key", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="SSH key to sign the result with."
)
@click.option("--ask", is_flag=True, help="Where recorded answers do not tell: ask the items again with the adapter.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Of a BUNDLE: file to write."
)
@benchmarks_option
@store_option
@json_option
@click.pass_obj
def command(
    ui: Ui,
    *,
    bundle: Path,
    spec: str,
    verifier: str,
    key: Path | None,
    ask: bool,
    out: Path | None,
    benchmarks: tuple[Path, ...],
    store: str | None,
) -> None:
    """Score a result under another spec hash, where only evaluation or stack moved.

    The bundle must hold on the benchmark that it was run on, which must be known here. Recorded answers are scored
    again where they suffice. ROW is an accepted submission: the scores are kept in results/carried, and a decision
    says who made them.
    """
    from ftbench.atomic import write_file
    from ftbench.cli.benchmark import compiled
    from ftbench.cli.outputs.trust import CarryOutput
    from ftbench.cli.submit import judge_of
    from ftbench.result.opening import open_bundle
    from ftbench.signing import keygen
    from ftbench.signing.kinds import CARRIED
    from ftbench.spec.canonical import pretty
    from ftbench.submit.carry import carry
    from ftbench.submit.decide import note_carried
    from ftbench.submit.place import bring

    row = bundle.suffix == ".json"
    if row == (out is not None):
        raise click.UsageError("--out goes with a BUNDLE, and a BUNDLE needs it")
    _, made = compiled(ui, spec)
    opened = bring(bundle) if row else open_bundle(bundle)
    judge = judge_of(None, None, benchmarks, store)
    with EvaluationProgress(ui) as progress:
        found = carry(opened, made, judge, verifier, _asked(opened.files, judge.store, progress) if ask else None)
    if row:
        written = note_carried(bundle.parent.parent, bundle.stem, found, verifier=verifier, key=key)
    else:
        assert out is not None
        data = pretty(found.model_dump(mode="json"))
        signature = keygen.sign(data, key, CARRIED) if key is not None else None
        write_file(out, data)
        if signature is not None:
            write_file(out.with_name(out.name + ".sig"), signature)
        written = str(out)
    means = found.scores
    again = "recorded answers were scored again" if found.how == "answers" else "the items were asked again"
    ui.line(f"{written}: {found.from_spec_hash[:12]} → {found.to_spec_hash[:12]}, {again}", "good")
    ui.line(f"tuned {means.tuned.value:.4f}, untuned {means.untuned.value:.4f}")
    for edit in found.edits:
        ui.line(f"  {edit.impact}: {edit.path}", "dim")
    ui.answer(CarryOutput(written=written, carried=found))


def _asked(files: dict[str, bytes], store: object, progress: EvaluationProgress) -> Asked:
    from ftbench.data.store import Store
    from ftbench.result import names
    from ftbench.spec.entries import parse_resolved
    from ftbench.submit.asking import ask

    assert isinstance(store, Store)
    base = parse_resolved(files[names.ENTRY], names.ENTRY).model
    return lambda compiled, adapter: ask(compiled, adapter, base, store, on_progress=progress.update)
