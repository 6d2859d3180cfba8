"""`ftbench models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftbench.cli.options import example, json_option, store_option
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.base_models.catalogue import BaseModel


@click.command("models", epilog=example("ftbench models", "ftbench models Mistral-7B-v0.3"))
@click.argument("name", required=False)
@store_option
@json_option
@click.pass_obj
def command(ui: Ui, name: str | None, store: str | None) -> None:
    """List base models and the facts of their architecture, each with its source.

    NAME is a repository on the hub (of the catalogue's the publisher may be left out; NAME@COMMIT for one commit), a
    built-in model such as `builtin/micro`, or the path of a config.json. The catalogue holds no weights and asks the
    network for nothing; of a model that neither it nor the store has, config.json alone is asked for.
    """
    from ftbench.base_models import catalogue
    from ftbench.cli.benchmark import look_up_online
    from ftbench.cli.outputs.base_models import ModelsOutput

    if name is not None:
        repository, _, revision = name.partition("@")
        model = look_up_online(ui, repository, revision or None, store)
        _one(ui, model)
        ui.answer(ModelsOutput(models=[model]))
        return
    found = list(catalogue.models().values())
    _table(ui, found)
    ui.answer(ModelsOutput(models=found))


def _table(ui: Ui, models: list[BaseModel]) -> None:
    head = ("name", "parameters", "variant", "licence", "layers", "hidden", "heads", "kv", "pair")
    rows = [head, *(_row(model) for model in models)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    right = {1, 4, 5, 6, 7}
    for number, row in enumerate(rows):
        cells = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        ui.line("  ".join(cells).rstrip(), "" if number else "strong")


def _row(model: BaseModel) -> tuple[str, ...]:
    shape = model.architecture
    return (
        model.name,
        f"{model.parameters:,}",
        model.variant or "",
        (model.licence or "").removeprefix("LicenseRef-"),
        str(shape.layers),
        str(shape.hidden),
        str(shape.heads),
        str(shape.kv_heads),
        (model.pair or "–").rpartition("/")[2],
    )


def _one(ui: Ui, model: BaseModel) -> None:
    from ftbench.base_models.shapes import families

    shape = model.architecture
    ui.line(model.name, "strong")
    facts = [
        ("variant", model.variant or "not known"),
        ("pair", model.pair or "none"),
        ("licence", model.licence or "not known"),
        ("revision", model.revision or "not known here"),
        ("parameters", f"{model.parameters:,}"),
        ("context", f"{shape.context:,} positions"),
        ("type", shape.model_type),
        ("layers", str(shape.layers)),
        ("hidden", str(shape.hidden)),
        ("heads", f"{shape.heads} of width {shape.head_dim}, {shape.kv_heads} for keys and values"),
        ("intermediate", str(shape.intermediate)),
        ("vocabulary", f"{shape.vocabulary:,}"),
        ("tied head", "yes" if shape.tied else "no"),
        ("biases", {"none": "none", "qkv": "q, k, v", "qkvo": "q, k, v, o"}[shape.attention_bias]),
        ("norms a layer", str(shape.norms)),
    ]
    for label, value in facts:
        ui.line(f"  {label:<17} {value}")
    for part, names in families(shape).items():
        ui.line(f"  {part + ' targets':<17} {', '.join(names) or 'none of the names that this group has'}")
    if shape.counted is not None:
        every = sorted({one.name.rpartition(".")[2] for one in shape.counted.linears if not one.head})
        ui.line(f"  {'linear layers':<17} {', '.join(every)}")
    ui.line("sources", "strong")
    for fact, source in model.sources.items():
        ui.line(f"  {fact:<17} {source}")
