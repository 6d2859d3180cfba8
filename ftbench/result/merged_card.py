"""The model card of merged weights: what they are made of, and what their score is not."""

from __future__ import annotations

from ftbench.result.documents import Result
from ftbench.spec.emit import emit
from ftbench.spec.entry import ResolvedEntry


def merged_card(result: Result, entry: ResolvedEntry, dtype: str) -> bytes:
    """`README.md` beside the weights. The same bytes for the same run and element type."""
    base = {} if result.model.name.startswith("builtin/") else {"base_model": result.model.name}
    matter = {
        **base,
        **({"base_model_relation": "finetune"} if base else {}),
        "library_name": "transformers",
        "tags": ["ftbench", "federated-learning"],
    }
    lines = [
        "",
        f"# Merged weights of an adapter trained for {result.name} {result.version}",
        "",
        f"`{result.model.name}` at `{result.model.revision}` with the adapter `{result.adapter}` added to its weights,",
        f"in {dtype}. The adapter is that of entry `{entry.metadata.name}`, seed {result.seed}, spec hash",
        f"`{result.spec_hash}`.",
        "",
        f"The result's score, {100 * result.scores.tuned.value:.1f} %, is the adapter's beside the weights that it was",
        "trained on, and not of these weights: `ftbench merge` prints what the difference on the same items is.",
    ]
    return emit(matter).join([b"---\n", b"---\n"]) + "\n".join(lines).encode() + b"\n"
