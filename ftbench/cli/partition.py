"""`ftbench partition`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftbench import codes
from ftbench.cli.options import example, json_option, spec_argument, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.cli.outputs.partition import PartitionOutput
    from ftbench.data.skew import Skew
    from ftbench.data.store import Store
    from ftbench.spec.model import Spec
    from ftbench.spec.pins import PartitionPin, Pins


@click.command(
    "partition",
    epilog=example(
        "ftbench partition micro/finance-dirichlet",
        "ftbench partition quickstart --by answer",
        "ftbench partition quickstart --export sites",
    ),
)
@spec_argument
@click.option("--by", "by", metavar="COLUMN", help="Column whose values are counted. Default: the partition's own.")
@click.option(
    "--export",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each client's own rows as DIR/client-K.jsonl, for sites that hold no others.",
)
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, *, spec: str, by: str | None, export: Path | None, store: str | None) -> None:
    """Show which rows and labels each client holds, and how unlike the clients are.

    Read from the pins and the store, without network. Heterogeneity is the plain mean over clients of the total
    variation distance between a client's label distribution and that of all clients' rows together: 0 where all have
    the same mix, and the nearer to 1 the fewer labels two clients share.
    """
    from ftbench.cli.benchmark import load, pins_of
    from ftbench.cli.outputs.partition import ClientShare, PartitionOutput
    from ftbench.cli.partition_plot import plot
    from ftbench.data.store import Store

    loaded = load(ui, spec)
    wanted = _column(loaded.spec, by)
    pins = pins_of(ui, loaded)
    pin = _pinned(pins)
    opened = Store.default(store)
    found = _skew(loaded.spec, pins, wanted, opened) if wanted else None
    written: list[Path] = []
    if export is not None:
        from ftbench.data.export import export as write

        written = write(loaded.spec, pins, opened, export)
    output = PartitionOutput(
        spec=spec,
        partition=loaded.spec.federation.partition,
        digest=pin.digest,
        rows=sum(pin.sizes),
        validation_rows=pin.validation_rows,
        smallest=min(pin.sizes),
        largest=max(pin.sizes),
        column=wanted,
        labels=found.pooled if found else None,
        heterogeneity=found.heterogeneity if found else None,
        clients=[
            ClientShare(
                partition=number,
                rows=size,
                labels=found.counts[number] if found else None,
                distance=found.distances[number] if found else None,
            )
            for number, size in enumerate(pin.sizes)
        ],
        exported=[str(path) for path in written],
    )
    _head(ui, output)
    plot(ui, output)
    if export is not None:
        ui.line(f"{len(written)} files of rows in {export}")
    ui.answer(output)


def _head(ui: Ui, output: PartitionOutput) -> None:
    block = output.partition.model_dump(mode="json", exclude_none=True)
    settings = "".join(f", {name} {value}" for name, value in block.items() if name != "kind")
    ui.line(f"{block['kind']}{settings}", "strong")
    cut = f", {output.validation_rows:,} more set aside for validation" if output.validation_rows else ""
    ui.line(f"  rows           {output.rows:,} of {len(output.clients):,} clients{cut}")
    ui.line(f"  sizes          {output.smallest:,} to {output.largest:,}")
    if output.heterogeneity is not None:
        ui.line(f"  heterogeneity  {output.heterogeneity:.3f} (mean total variation distance by `{output.column}`)")


def _column(spec: Spec, by: str | None) -> str | None:
    """The column to count. Raises InvalidInput (FTB133) for one that the rows don't have."""
    from ftbench.diagnostics import Diagnostic, did_you_mean
    from ftbench.errors import InvalidInput
    from ftbench.spec.partitions import column

    block = spec.federation.partition
    if by is None:
        field = column(block)
        return getattr(block, field) if field else None
    if by not in spec.data.columns:
        hint = did_you_mean(by, spec.data.columns) or f"columns: {', '.join(spec.data.columns)}"
        raise InvalidInput(
            Diagnostic(codes.PARTITION_COLUMN, f"`--by {by}`: the training rows have no such column", hint=hint)
        )
    return by


def _pinned(pins: Pins) -> PartitionPin:
    """The partition's pin. Raises MissingResource (FTB326)."""
    from ftbench.diagnostics import Diagnostic
    from ftbench.errors import MissingResource

    if pins.partition is None:
        message = "the training rows are not resolved yet, so nobody knows who holds which"
        raise MissingResource(
            Diagnostic(codes.DATA_UNRESOLVED, message, hint="with a connection to the hub, run: ftbench lock SPEC")
        )
    return pins.partition


def _skew(spec: Spec, pins: Pins, wanted: str, store: Store) -> Skew:
    from ftbench.data import sources
    from ftbench.data.loaded import describe
    from ftbench.data.partition import label_of
    from ftbench.data.skew import skew
    from ftbench.data.sources import TRAIN
    from ftbench.spec.model import SitesSource

    train, pin = pins.sources[TRAIN], pins.partition
    assert train.digest is not None and pin is not None
    if isinstance(spec.data.source, SitesSource):
        sources.load(spec.data.source, spec.data.columns)  # which raises: they are at their sites
    rows = store.rows(train.digest, describe(spec.data.source, train.revision), "ftbench data fetch SPEC")
    shares = store.partition(pin.digest, "", "ftbench data fetch SPEC")
    # A text is its own label on screen; only what is no text is shown as JSON.
    labels = [value if isinstance(value := row[wanted], str) else label_of(value) for row in rows]
    return skew(shares, labels)
