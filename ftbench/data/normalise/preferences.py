"""UltraFeedback and HH-RLHF: a prompt, the answer that was preferred and the one that was not."""

from __future__ import annotations

import hashlib
from typing import Any

from ftbench.data.normalise.base import LayoutError, Normaliser, Row, text

ASSISTANT = "\n\nAssistant:"
"""What begins a reply in HH-RLHF."""
HUMAN = "\n\nHuman:"
COLUMNS = {
    "prompt": "what is asked; in HH-RLHF the conversation so far",
    "chosen": "the answer that was preferred",
    "rejected": "the other answer",
    "option_a": "one of the two, the same one in every run",
    "option_b": "the other of the two",
    "answer": "place of the preferred one, from 0",
}


def _pair(prompt: str, chosen: str, rejected: str) -> dict[str, Any] | None:
    """One row; None where neither answer can be preferred. Which comes first goes by a digest, not by the answer."""
    if chosen == rejected or not (chosen and rejected):
        return None
    swapped = hashlib.sha256("\n".join([prompt, *sorted([chosen, rejected])]).encode()).digest()[0] % 2
    ordered = sorted([chosen, rejected], reverse=bool(swapped))
    options = {"option_a": ordered[0], "option_b": ordered[1], "answer": ordered.index(chosen)}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **options}


def _ultrafeedback(row: Row) -> dict[str, Any] | None:
    prompt = text(row["prompt"]).strip()
    return _pair(prompt, *(_reply(row[side], prompt) for side in ("chosen", "rejected")))


def _reply(messages: Any, prompt: str) -> str:
    """The reply in a conversation of two messages, or a text that is the reply itself."""
    if isinstance(messages, str):
        return text(messages).strip()
    if [message["role"] for message in messages] != ["user", "assistant"]:
        raise LayoutError("a message of the user and one of the assistant are expected")
    if text(messages[0]["content"]).strip() != prompt:
        raise LayoutError("the conversation does not begin with the prompt")
    return text(messages[1]["content"]).strip()


def _hh_rlhf(row: Row) -> dict[str, Any] | None:
    sides = [text(row[side]).rpartition(ASSISTANT) for side in ("chosen", "rejected")]
    if not all(before.startswith(HUMAN) and mark for before, mark, _ in sides):
        raise LayoutError(f"a conversation that begins with {HUMAN!r} and has a reply after {ASSISTANT!r} is expected")
    (before, _, chosen), (other, _, rejected) = sides
    if before != other:
        return None  # a few conversations part before the last reply, so that there is no one prompt
    return _pair(before.strip(), chosen.strip(), rejected.strip())


ULTRAFEEDBACK = Normaliser(
    "ultrafeedback",
    "UltraFeedback in pairs, in the layout of HuggingFaceH4/ultrafeedback_binarized (arXiv 2310.01377); equal answers "
    "are left out",
    COLUMNS,
    _ultrafeedback,
)
HH_RLHF = Normaliser(
    "hh-rlhf",
    "HH-RLHF in the layout of Anthropic/hh-rlhf (arXiv 2204.05862), from a copy that is not gzipped: the last replies; "
    "conversations that part earlier are left out",
    COLUMNS,
    _hh_rlhf,
)
