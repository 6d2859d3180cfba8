"""A loaded model as lm-eval's LM: the harness's own scoring and generation, with our tokens, batches and cache.

Five things differ from the harness's `hf` model:

- Prompt and option are tokenised apart and joined as ids, as in training. The harness tokenises them joined and cuts
  where the prompt alone would end; a token that spans the cut would then be scored that the model never learnt.
- Nothing is cut: a prompt that is too long for the model is an error, not a shorter prompt.
- Likelihoods are computed packed (`packed`): a prompt once for all its options, without padding, the head only where
  something is asked. Of a family that no test holds to plain passes they are computed as the harness does.
- Passes are made of all requests before the cache is asked and before they are shared out, so a resumed evaluation, or
  one of several processes, computes each answer in the same company as any other, and gives the same bits.
- Generation is greedy and pads on the left whatever side the tokenizer likes, and nothing of the generation settings
  that come with a model (sampling, penalties) is used but its end tokens.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.run.evaluation import packed
from ftbench.run.evaluation.cache import Cache, Likelihood, key
from ftbench.run.evaluation.packs import packs
from ftbench.run.evaluation.steps import Recorder, Settings, Steps, steps_of
from ftbench.run.evaluation.tokens import (
    MAX_BATCH,
    ChatTemplate,
    Request,
    Tokens,
    batches,
    check_length,
    context_ids,
    decode,
    encode,
    safe_batch,
)
from ftbench.run.processes.forked import each

NOT_ASKED: Likelihood = (0.0, False)
"""Stands for the answer to a request of another share."""


def scoring_lm(
    model: Any,
    tokenizer: Any,
    *,
    bos: bool,
    chat_template: ChatTemplate = "none",
    batch_size: int | None,
    share: tuple[int, int] = (0, 1),
    cache: Cache,
    conditions: Mapping[str, object],
    on_progress: Callable[[int, int], None],
    steps: dict[tuple[str, Settings], Steps] | None = None,
    processes: int = 1,
    grown: list[int] | None = None,
) -> Any:
    """The model as an `lm_eval` LM that answers log-likelihood and generation requests.

    `conditions` is everything but the request that can move an answer; how passes are made is added. `on_progress` is
    called with the requests of one kind answered and their number after each pass.
    `batch_size`: the most prompts of a pass; None: as many as are safe.
    `processes` made of this one compute the passes, with the same bits whatever their number; `grown` gets the bytes of
    memory by which each grew. One alone where torch has a device or several threads.
    `share` (number, of how many): of all batches in turn only these are computed. For the others there are stand-ins,
    so that such an LM only fills its cache; batches, and with them the answers' bits, are those of a whole one.
    `steps` is filled with how sure the model was of each token of the texts that are not in the cache.
    Raises, when it is asked, InvalidInput (FTB564, FTB565, FTB572) and RunFailed (FTB566).
    """
    import torch
    from lm_eval.models.huggingface import HFLM

    why_not = packed.fits(model)
    growth: list[int] = [] if grown is None else grown
    if why_not:
        print(f"likelihoods are computed as lm-eval does: {why_not}", file=sys.stderr)
    if model.device.type != "cpu" or torch.get_num_threads() > 1:
        processes = 1

    class ScoringLM(HFLM):  # type: ignore[misc]
        """HFLM with our tokens, batches and cache."""

        def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[Likelihood]:
            asked: list[Request] = [tuple(request.args) for request in requests]
            encoded = {r: encode(tokenizer, *r, bos=bos, chat_template=chat_template) for r in dict.fromkeys(asked)}
            for (prompt, _), (context, option) in encoded.items():
                # The last token is predicted, never read.
                check_length(prompt, len(context), len(option) - 1, self.max_length, f"an option of {len(option)}")
            if why_not:
                size = batch_size or safe_batch(encoded, model.config.get_text_config().vocab_size)
                self.batch_size_per_gpu = size
                answers = self._kept(encoded, {"batch_size": size}, batches(encoded, size), list, self._as_harness)
                return [answers[request] for request in asked]
            made = packs(encoded, budget := packed.TOKENS[self.device.type], batch_size)
            told = {"pack": {"tokens": budget, "prompts": batch_size}}
            with packed.attending(model):
                answers = self._kept(
                    encoded, told, made, lambda pack: pack.requests, lambda pack, _: packed.likelihoods(model, pack)
                )
            return [answers[request] for request in asked]

        def _kept(
            self,
            encoded: Mapping[Request, Tokens],
            told: Mapping[str, object],
            passes: Sequence[Any],
            requests_of: Callable[[Any], list[Request]],
            compute: Callable[[Any, Mapping[Request, Tokens]], dict[Request, Likelihood]],
        ) -> dict[Request, Likelihood]:
            """The answers of all passes, those of whole passes from the cache where they are there."""
            all_conditions = {**conditions, **told}
            keys = {request: key(all_conditions, *request) for request in encoded}
            known = {request: value for request in encoded if (value := cache.likelihood(keys[request])) is not None}
            ours = [one for number, one in enumerate(passes) if number % share[1] == share[0]]
            left = [one for one in ours if any(request not in known for request in requests_of(one))]
            done = len(encoded) - sum(len(requests_of(one)) for one in left)
            answers: dict[Request, Likelihood] = dict.fromkeys(encoded, NOT_ASKED) | known
            if not left:
                on_progress(done, len(encoded))
            for _, found in each(lambda one: compute(one, encoded), left, processes, growth):
                _check_finite(found)
                cache.put((keys[request], value) for request, value in found.items() if request not in known)
                answers |= {request: value for request, value in found.items() if request not in known}
                done += len(found)
                on_progress(done, len(encoded))
            return answers

        def _as_harness(self, batch: list[Request], encoded: Mapping[Request, Tokens]) -> dict[Request, Likelihood]:
            # The harness groups options that end in one token under one forward pass and pads on the right.
            values = self._loglikelihood_tokens([(r, *encoded[r]) for r in batch], disable_tqdm=True)
            return {r: (float(value), bool(greedy)) for r, (value, greedy) in zip(batch, values, strict=True)}

        def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
            by_settings: dict[Settings, dict[str, list[Any]]] = {}
            for request in requests:
                prompt, settings = request.args
                group = by_settings.setdefault((settings["max_gen_toks"], tuple(settings["until"])), {})
                group.setdefault(prompt, []).append(request)
            texts: dict[tuple[Settings, str], str] = {}
            left: list[tuple[Settings, list[str], list[str]]] = []
            for settings, group in by_settings.items():
                for number, batch in enumerate(self._generation_batches(list(group), settings[0])):
                    keys = self._generation_keys(batch, settings)
                    known = [cache.text(name) for name in keys]
                    texts |= {(settings, prompt): text or "" for prompt, text in zip(batch, known, strict=True)}
                    if number % share[1] == share[0] and None in known:
                        left.append((settings, batch, keys))
            total = sum(map(len, by_settings.values()))
            done = total - sum(len(batch) for _, batch, _ in left)
            if not left:
                on_progress(done, total)

            def write(
                one: tuple[Settings, list[str], list[str]],
            ) -> tuple[list[str], dict[tuple[str, Settings], Steps]]:
                settings, batch, _ = one
                return self._written([by_settings[settings][prompt][0] for prompt in batch], settings)

            for number, (written, sure) in each(write, left, processes, growth):
                settings, batch, keys = left[number]
                new = [name for name in keys if cache.text(name) is None]
                cache.put((name, text) for name, text in zip(keys, written, strict=True) if name in new)
                texts |= {(settings, prompt): cache.text(name) or "" for prompt, name in zip(batch, keys, strict=True)}
                if steps is not None:
                    steps.update(sure)
                done += len(batch)
                on_progress(done, total)
            return [texts[(r.args[1]["max_gen_toks"], tuple(r.args[1]["until"])), r.args[0]] for r in requests]

        def _generation_batches(self, prompts: list[str], new_tokens: int) -> list[list[str]]:
            lengths = {p: len(context_ids(tokenizer, p, bos=bos, chat_template=chat_template)) for p in prompts}
            for prompt, length in lengths.items():
                check_length(prompt, length, new_tokens, self.max_length, f"{new_tokens} tokens to generate")
            size = batch_size or MAX_BATCH
            self.batch_size_per_gpu = size
            ordered = sorted(prompts, key=lambda prompt: (-lengths[prompt], prompt))
            return [ordered[i : i + size] for i in range(0, len(ordered), size)]

        def _generation_keys(self, batch: list[str], settings: Settings) -> list[str]:
            told = {**conditions, "request": "generation", "max_new_tokens": settings[0], "stop": list(settings[1])}
            told["batch_size"] = self.batch_size_per_gpu
            return [key(told, prompt, "") for prompt in batch]

        def _written(self, batch: list[Any], settings: Settings) -> tuple[list[str], dict[tuple[str, Settings], Steps]]:
            """The texts of a batch, and where it is asked for how sure the model was of them."""
            self.sure: dict[tuple[str, Settings], Steps] = {}
            self.written, self.asked = settings, [request.args[0] for request in batch]
            return super().generate_until(batch, disable_tqdm=True), self.sure

        def _model_generate(self, context: Any, max_length: int, stop: list[str], **more: Any) -> Any:
            if steps is None:
                return super()._model_generate(context, max_length, stop, **more)
            recorder, masks = Recorder(), more["attention_mask"]
            made = super()._model_generate(context, max_length, stop, logits_processor=[recorder], **more)
            ours = {tuple(context_ids(tokenizer, p, bos=bos, chat_template=chat_template)): p for p in self.asked}
            for row, (ids, mask) in enumerate(zip(context.tolist(), masks.tolist(), strict=True)):
                prompt = ours[tuple(one for one, kept in zip(ids, mask, strict=True) if kept)]
                tokens = made[row].tolist()[context.shape[1] :]
                found = steps_of(lambda some: decode(tokenizer, some), tokens, recorder.of_row(row))
                self.sure[prompt, self.written] = found
            return made

        def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
            """What was generated; the harness asks for its end token by a number."""
            if isinstance(tokens, list) and skip_special_tokens:
                return decode(tokenizer, tokens)
            return str(super().tok_decode(tokens, skip_special_tokens=skip_special_tokens))

        def tok_batch_encode(self, strings: list[str], **_: Any) -> tuple[Any, Any]:
            """Our tokens, padded on the left. What the harness asks of padding and cutting is not heeded."""
            rows = [context_ids(tokenizer, text, bos=bos, chat_template=chat_template) for text in strings]
            width = max(map(len, rows))
            ids = torch.full((len(rows), width), self.tokenizer.pad_token_id, dtype=torch.long)
            mask = torch.zeros((len(rows), width), dtype=torch.long)
            for number, row in enumerate(rows):
                ids[number, width - len(row) :] = torch.tensor(row)
                mask[number, width - len(row) :] = 1
            return ids, mask

    # Sums of probabilities are taken in float32 whatever the weights' precision.
    lm = ScoringLM(pretrained=model, tokenizer=tokenizer, batch_size=1, softmax_dtype="float32")
    model.generation_config = _greedy(model, lm.tokenizer)
    return lm


def _greedy(model: Any, tokenizer: Any) -> Any:
    """Generation settings with nothing in them but the tokens that end a text."""
    from transformers import GenerationConfig

    found = model.generation_config.eos_token_id
    ends = list(found) if isinstance(found, list | tuple) else [found]
    ends = sorted({int(end) for end in [*ends, tokenizer.eos_token_id] if end is not None})
    return GenerationConfig(
        do_sample=False, num_beams=1, eos_token_id=ends or None, pad_token_id=tokenizer.pad_token_id
    )


def _check_finite(answers: Mapping[Request, Likelihood]) -> None:
    for (prompt, option), (value, _) in answers.items():
        if not math.isfinite(value):
            message = f"the model gave log-likelihood {value} to option {option!r} of prompt {prompt[:80]!r}"
            hint = "the adapter's training diverged, or the base model is broken; try a lower learning rate"
            raise RunFailed(Diagnostic(codes.NOT_FINITE, message, hint=hint))
