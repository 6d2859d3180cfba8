"""What a request becomes as tokens, and which requests share a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.run.evaluation import token_ids

Request = tuple[str, str]
"""Prompt and option."""
Tokens = tuple[list[int], list[int]]
ChatTemplate = Literal["none", "model"]
UNSET_LENGTH = 1000000000000000019884624838656
"""transformers' number for a tokenizer that sets no limit."""
DEFAULT_LENGTH = 2048
"""What lm-eval takes where nothing says how many tokens a model reads."""
MAX_BATCH = 32
LOGITS = 2**28
"""Most logits in a batch: 1 GiB in float32, and as much again for their log-softmax."""


def context_ids(tokenizer: Any, prompt: str, *, bos: bool, chat_template: ChatTemplate = "none") -> list[int]:
    """Token ids of a prompt as training had them: BOS first where the spec wants it and the tokenizer has one; or as
    one user turn in the tokenizer's chat template, up to where the reply begins.

    Raises InvalidInput where the tokenizer has no chat template (FTB572), or the prompt is empty (FTB565).
    """
    # Some models, such as Qwen 2.5, have no such token; there is none to go first then.
    head = [tokenizer.bos_token_id] if bos and tokenizer.bos_token_id is not None else []
    if chat_template == "model":
        if not tokenizer.chat_template:
            message = "the spec uses the model's chat template, but the base model's tokenizer has none"
            raise InvalidInput(Diagnostic(codes.NO_CHAT_TEMPLATE, message, hint="choose an instruct model"))
        ids = _made(token_ids.chat_ids, tokenizer, prompt)
        # Most templates begin with BOS themselves.
        return ids if ids[: len(head)] == head else [*head, *ids]
    context = [*head, *_made(token_ids.start_ids, tokenizer, prompt)]
    if not context:
        raise InvalidInput(Diagnostic(codes.NO_TOKENS, "no tokens in the prompt", hint="mend the task's templates"))
    return context


def encode(tokenizer: Any, prompt: str, option: str, *, bos: bool, chat_template: ChatTemplate = "none") -> Tokens:
    """Token ids of prompt and option, which goes on from it. Raises InvalidInput, also where the option is empty."""
    context = context_ids(tokenizer, prompt, bos=bos, chat_template=chat_template)
    goes_on = bool(prompt) or chat_template == "model"
    continuation = _made(token_ids.running_ids if goes_on else token_ids.start_ids, tokenizer, option)
    if not continuation:
        message = f"no tokens in the option of prompt {prompt!r}, option {option!r}"
        raise InvalidInput(Diagnostic(codes.NO_TOKENS, message, hint="mend the task's templates or data"))
    return context, continuation


def _made(make: Callable[[Any, str], list[int]], tokenizer: Any, text: str) -> list[int]:
    try:
        return make(tokenizer, text)
    except token_ids.ControlInText as error:
        hint = "choose another base model: its tokenizer cannot be used so"
        raise InvalidInput(Diagnostic(codes.CONTROL_TOKEN, str(error), hint=hint)) from error


def decode(tokenizer: Any, ids: list[int]) -> str:
    """The text of generated tokens, with the space that it begins with."""
    return token_ids.running_text(tokenizer, ids, skip_special_tokens=True)


def batches(encoded: Mapping[Request, Tokens], size: int) -> list[list[Request]]:
    """Requests in batches of `size` prompts, the longest first; all options of a prompt are in one batch."""
    groups: dict[str, list[Request]] = {}
    for request in encoded:
        groups.setdefault(request[0], []).append(request)

    def order(requests: list[Request]) -> tuple[int, list[int], str]:
        longest = max(len(encoded[r][0]) + len(encoded[r][1]) for r in requests)
        return -longest, encoded[requests[0]][0], requests[0][0]

    ordered = sorted((sorted(requests) for requests in groups.values()), key=order)
    return [[r for group in ordered[i : i + size] for r in group] for i in range(0, len(ordered), size)]


def safe_batch(encoded: Mapping[Request, Tokens], vocabulary: int) -> int:
    """Prompts in one forward pass so that its logits stay within LOGITS; at least one."""
    longest = max(len(context) + len(continuation) for context, continuation in encoded.values())
    return max(1, min(MAX_BATCH, LOGITS // (longest * vocabulary)))


def model_length(config: Any, tokenizer: Any) -> int:
    """Tokens that a model reads, as lm-eval reckons it from configuration and tokenizer."""
    text = getattr(config, "text_config", None) or config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if (value := getattr(text, name, None)) is not None:
            return int(value)
    told = getattr(tokenizer, "model_max_length", None)
    return int(told) if told is not None and told != UNSET_LENGTH else DEFAULT_LENGTH


def check_length(prompt: str, context: int, more: int, longest: int, what: str) -> None:
    """A prompt of `context` tokens with `more` that the model must read fits. Raises InvalidInput (FTB564)."""
    if context + more > longest:
        message = (
            f"a prompt of {context} tokens with {what} does not fit the {longest} tokens that the base model reads: "
            f"{prompt[:80]!r}…"
        )
        raise InvalidInput(Diagnostic(codes.TOO_LONG, message, hint="choose a base model that reads more"))
