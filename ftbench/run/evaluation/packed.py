"""The likelihoods of a pack: one row through the model, attention prompt by prompt, the head where something is asked.

A pack lies in one row as: what all its prompts begin with; then of each prompt the rest and its options, each option
after the prompt as if it alone were there. Linear layers see the whole row. Attention is ours: each prompt sees what is
shared and itself, each of its options the prompt and itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ftbench.run.evaluation.cache import Likelihood
from ftbench.run.evaluation.packs import Pack
from ftbench.run.evaluation.tokens import Request

NAME = "ftbench_packed"
FAMILIES = frozenset(
    {
        "cohere",
        "gemma",
        "gemma3_text",
        "granite",
        "llama",
        "mistral",
        "olmo2",
        "phi3",
        "qwen2",
        "qwen3",
        "smollm3",
    }
)
"""`model_type` of the models of which a test holds packed likelihoods to plain ones."""
FIXED_POSITIONS = frozenset({"default", "linear", "llama3", "yarn"})
"""Kinds of rotary positions of which a token's does not depend on what else is in the row."""
TOKENS = {"cpu": 1024, "cuda": 8192}
"""About how many tokens a pack has."""


@dataclass
class Layout:
    """Where the prompts of a pack lie in its row."""

    shared: int
    spans: list[tuple[int, int]]
    """Begin and end of each prompt's own tokens; first, where there is any, what is shared."""
    positions: Any
    """[tokens]: of each in its prompt, from 0."""
    owners: Any
    """[tokens]: 0 for a prompt's, the number of its option for an option's."""
    masks: dict[tuple[int, int | None], Any] = field(default_factory=dict)

    def mask(self, number: int, window: int | None, dtype: Any) -> Any:
        """What is added to the scores [1, 1, own, shared + own] of span `number`; None where causal is all there is.

        `window`: how many tokens back are seen, None for all.
        """
        import torch

        begin, end = self.spans[number]
        if begin < self.shared and window is not None and window >= end:
            window = None
        if (number, window) in self.masks:
            return self.masks[number, window]
        seen = self.shared if begin >= self.shared else 0
        own, before = self.positions[begin:end], self.positions[:seen]
        places = torch.cat([before, own])
        owner = torch.cat([self.owners[:seen], self.owners[begin:end]])
        apart = own[:, None] - places[None, :]
        allowed = (apart >= 0) & ((owner[None, :] == 0) | (owner[None, :] == self.owners[begin:end, None]))
        if window is not None:
            allowed &= apart < window
        if seen == 0 and bool((allowed == (apart >= 0)).all()) and not bool(owner.any()):
            self.masks[number, window] = None
            return None
        made = torch.zeros(allowed.shape, dtype=dtype, device=own.device).masked_fill_(~allowed, float("-inf"))
        self.masks[number, window] = made[None, None]
        return made[None, None]


def fits(model: Any) -> str:
    """Why the model's likelihoods cannot be computed packed; an empty text where they can."""
    config = _base(model).config
    family = str(config.model_type)
    if family not in FAMILIES:
        return f"no test holds the family {family!r} to plain passes"
    if config._attn_implementation != "sdpa":
        return f"its attention is {config._attn_implementation}"
    kinds = set(_kinds(getattr(config, "rope_parameters", None)))
    if not kinds <= FIXED_POSITIONS:
        return f"its positions are {', '.join(sorted(kinds))}"
    return ""


def _kinds(parameters: Any) -> Iterator[str]:
    """The kinds of rotary positions in a configuration: one for all layers, or one a kind of layer."""
    if not isinstance(parameters, dict):
        return
    if isinstance(kind := parameters.get("rope_type"), str):
        yield kind
    for inner in parameters.values():
        yield from _kinds(inner)


@contextlib.contextmanager
def attending(model: Any) -> Iterator[None]:
    """While it lasts the model's attention is that of packs."""
    from transformers import AttentionInterface

    base = _base(model)
    AttentionInterface.register(NAME, _attend)
    before = base.config._attn_implementation
    base.set_attn_implementation(NAME)
    try:
        yield
    finally:
        base.set_attn_implementation(before)


def likelihoods(model: Any, pack: Pack) -> dict[Request, Likelihood]:
    """Log-likelihood in nats of each option, and whether each of its tokens is the likeliest. Within `attending`.

    Sums of probabilities are taken in float32 whatever the weights' precision.
    """
    import torch

    ids, layout, rows, asked = _lay(pack, model.device)
    with torch.no_grad():
        logits = model(
            input_ids=ids[None],
            position_ids=layout.positions[None],
            use_cache=False,
            logits_to_keep=rows,
            ftbench_layout=layout,
        ).logits[0]
        logs = logits.float().log_softmax(-1)
        wanted = torch.tensor([token for _, _, tokens in asked for token in tokens], device=logs.device)
        where = torch.tensor([row for _, own, _ in asked for row in own], device=logs.device)
        values = logs[where, wanted].double().tolist()
        best = (logs.argmax(-1)[where] == wanted).tolist()
    found: dict[Request, Likelihood] = {}
    at = 0
    for request, own, _ in asked:
        found[request] = sum(values[at : at + len(own)]), all(best[at : at + len(own)])
        at += len(own)
    return found


def _lay(pack: Pack, device: Any) -> tuple[Any, Layout, Any, list[tuple[Request, list[int], list[int]]]]:
    """Ids, layout, the places whose logits are asked for, and of each request its rows among these and its tokens."""
    import torch

    shared = pack.shared
    ids = list(pack.prompts[0].context[:shared])
    positions, owners, spans = list(range(shared)), [0] * shared, [(0, shared)] if shared else []
    kept: list[int] = []
    asked: list[tuple[Request, list[int], list[int]]] = []
    for prompt in pack.prompts:
        begin, length = len(ids), len(prompt.context)
        ids += prompt.context[shared:]
        positions += range(shared, length)
        owners += [0] * (length - shared)
        last = len(kept)
        kept.append(len(ids) - 1)
        for number, (request, option) in enumerate(zip(prompt.requests, prompt.options, strict=True), 1):
            more = len(option) - 1
            asked.append((request, [last, *range(len(kept), len(kept) + more)], option))
            kept += range(len(ids), len(ids) + more)
            ids += option[:-1]
            positions += range(length, length + more)
            owners += [number] * more
        spans.append((begin, len(ids)))
    tensors = [torch.tensor(one, device=device) for one in (ids, positions, owners, kept)]
    return tensors[0], Layout(shared, spans, tensors[1], tensors[2]), tensors[3], asked


def _attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *, ftbench_layout: Layout, **more: Any
) -> tuple[Any, None]:
    """Attention [1, tokens, heads, width] of a pack, by transformers' own kernel a prompt at a time."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    layout, window = ftbench_layout, more.pop("sliding_window", None)
    shared, parts = layout.shared, []
    for number, (begin, end) in enumerate(layout.spans):
        keys, values = key[:, :, begin:end], value[:, :, begin:end]
        if shared and number:
            keys = torch.cat([key[:, :, :shared], keys], 2)
            values = torch.cat([value[:, :, :shared], values], 2)
        mask = layout.mask(number, window, query.dtype)
        parts.append(sdpa_attention_forward(module, query[:, :, begin:end], keys, values, mask, **more)[0])
    return torch.cat(parts, 1), None


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
