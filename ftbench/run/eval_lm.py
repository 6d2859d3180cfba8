"""A loaded model as lm-eval's LM: the harness's own scoring, with our tokens, our batches and our cache.

Three things differ from the harness's `hf` model:

- Prompt and option are tokenised apart and joined as ids, as in training. The harness tokenises them joined and cuts
  where the prompt alone would end; a token that spans the cut would then be scored that the model never learnt.
- Nothing is cut: a prompt that is too long for the model is an error, not a shorter prompt.
- Batches are made of all requests before the cache is asked, so a resumed evaluation computes each answer in the same
  batch as one that was never interrupted, and gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, RunFailed
from ftbench.run import eval_codes as codes
from ftbench.run.eval_cache import Cache, Value, key

Request = tuple[str, str]
"""Prompt and option."""
Tokens = tuple[list[int], list[int]]
MAX_BATCH = 32
LOGITS = 2**28
"""Most logits in a batch: 1 GiB in float32, and as much again for their log-softmax."""


def encode(tokenizer: Any, prompt: str, option: str, *, bos: bool) -> Tokens:
    """Token ids of prompt (BOS first where the spec wants it) and option, each tokenised by itself.

    Raises InvalidInput where either is empty or the tokenizer has no BOS token.
    """
    head: list[int] = []
    if bos:
        if tokenizer.bos_token_id is None:
            message = "the spec sets data.bos, but the base model's tokenizer has no beginning-of-sequence token"
            raise InvalidInput(Diagnostic(codes.NO_BOS, message, hint="choose another base model"))
        head = [tokenizer.bos_token_id]
    context = head + tokenizer.encode(prompt, add_special_tokens=False)
    continuation = tokenizer.encode(option, add_special_tokens=False)
    if not context or not continuation:
        message = f"no tokens in {'the option' if context else 'the prompt'} of prompt {prompt!r}, option {option!r}"
        raise InvalidInput(Diagnostic(codes.NO_TOKENS, message, hint="mend the task's templates or data"))
    return context, continuation


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


def scoring_lm(
    model: Any,
    tokenizer: Any,
    *,
    bos: bool,
    batch_size: int | None,
    cache: Cache,
    conditions: Mapping[str, object],
    on_progress: Callable[[int, int], None],
) -> Any:
    """The model as an `lm_eval` LM that answers log-likelihood requests.

    `conditions` is everything but the request that can move an answer; the batch size is added. `on_progress` is
    called with the requests answered and their number after each batch.
    Raises, when it is asked, InvalidInput (FTB563–565) and RunFailed (FTB566).
    """
    from lm_eval.models.huggingface import HFLM

    class ScoringLM(HFLM):  # type: ignore[misc]
        """HFLM with our tokens, batches and cache."""

        def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[Value]:
            asked: list[Request] = [tuple(request.args) for request in requests]
            encoded = {r: encode(tokenizer, *r, bos=bos) for r in dict.fromkeys(asked)}
            _check_length(encoded, self.max_length)
            size = batch_size or safe_batch(encoded, model.config.get_text_config().vocab_size)
            self.batch_size_per_gpu = size
            all_conditions = {**conditions, "batch_size": size}
            answers: dict[Request, Value] = {}
            for batch in batches(encoded, size):
                answers.update(self._batch(batch, encoded, all_conditions))
                on_progress(len(answers), len(encoded))
            return [answers[request] for request in asked]

        def _batch(
            self, batch: list[Request], encoded: Mapping[Request, Tokens], conditions: Mapping[str, object]
        ) -> dict[Request, Value]:
            keys = {request: key(conditions, *request) for request in batch}
            known = {request: value for request in batch if (value := cache.get(keys[request])) is not None}
            if len(known) == len(batch):
                return known
            # The harness groups options that end in one token under one forward pass and pads on the right.
            values = self._loglikelihood_tokens([(r, *encoded[r]) for r in batch], disable_tqdm=True)
            answers = {r: (float(value), bool(greedy)) for r, (value, greedy) in zip(batch, values, strict=True)}
            _check_finite(answers)
            cache.put((keys[request], value) for request, value in answers.items() if request not in known)
            return answers | known

    return ScoringLM(pretrained=model, tokenizer=tokenizer, batch_size=1)


def _check_length(encoded: Mapping[Request, Tokens], longest: int) -> None:
    for (prompt, _), (context, continuation) in encoded.items():
        # The last token is predicted, never read.
        if len(context) + len(continuation) - 1 > longest:
            message = (
                f"a prompt of {len(context)} tokens with an option of {len(continuation)} does not fit the {longest} "
                f"tokens that the base model reads: {prompt[:80]!r}…"
            )
            raise InvalidInput(Diagnostic(codes.TOO_LONG, message, hint="choose a base model that reads more"))


def _check_finite(answers: Mapping[Request, Value]) -> None:
    for (prompt, option), (value, _) in answers.items():
        if not math.isfinite(value):
            message = f"the model gave log-likelihood {value} to option {option!r} of prompt {prompt[:80]!r}"
            hint = "the adapter's training diverged, or the base model is broken; try a lower learning rate"
            raise RunFailed(Diagnostic(codes.NOT_FINITE, message, hint=hint))
