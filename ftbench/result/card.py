"""The model card beside a bundle's adapter: what it is, made of result and entry alone, so that a verifier can make it
again."""

from __future__ import annotations

from ftbench.diagnostics import printable
from ftbench.result.documents import Result
from ftbench.spec.emit import emit
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.labels import number


def card(result: Result, entry: ResolvedEntry) -> bytes:
    """`adapter/README.md`: a hub's front matter, then a table and how to check it. The same bytes for the same run."""
    return emit(_matter(result)).join([b"---\n", b"---\n"]) + "\n".join(_lines(result, entry)).encode() + b"\n"


def _matter(result: Result) -> dict[str, object]:
    """https://huggingface.co/docs/hub/model-cards; built-in models are on no hub."""
    base = {} if result.model.name.startswith("builtin/") else {"base_model": result.model.name}
    return {
        **base,
        **({"base_model_relation": "adapter"} if base else {}),
        "library_name": "peft",
        "tags": ["ftbench", "federated-learning"],
    }


def _lines(result: Result, entry: ResolvedEntry) -> list[str]:
    scores = result.scores
    rows = [
        ("base model", f"`{result.model.name}` at `{result.model.revision}`"),
        ("benchmark", f"`{result.name}` {result.version}, {result.division} division"),
        ("table", f"that of spec hash `{result.spec_hash}`"),
        ("entry", f"`{entry.metadata.name}`, seed {result.seed}"),
        ("adapter", f"`{result.adapter}`, of round {result.checkpoint_round} of {result.cost.rounds}"),
        ("score", f"{_percent(scores.tuned.value)} %, untuned {_percent(scores.untuned.value)} %"),
        ("level", "CLAIMED, until somebody else has verified it"),
    ]
    chosen = [f"- `{path}`: {_value(value)}" for path, value in sorted(entry.knobs.items()) if value is not None]
    return [
        "",
        f"# An adapter trained for {result.name} {result.version}",
        "",
        "Low-rank weights from federated fine-tuning under a fixed benchmark of ftbench.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        *(["## Choices", "", *chosen, ""] if chosen else []),
        "## Check it",
        "",
        "Who has the whole bundle runs `ftbench verify BUNDLE`, which says how far it can be believed, and why.",
        "Scores of another spec hash answer another question and are not to be compared with these.",
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _value(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    text = printable(str(value)).replace("`", "'")
    return f"`{text}`"
