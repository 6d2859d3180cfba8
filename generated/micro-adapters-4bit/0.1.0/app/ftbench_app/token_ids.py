"""Text and token ids: a text that begins, one that goes on from another, a prompt in the model's chat template.

There are two copies of this module, one in the frozen app and one in ftbench's evaluation, equal to the letter: what is
scored is made of the same ids as what was learnt.

Prompt and answer are tokenised apart and their ids joined, so that no token spans the joint. Tokenizers of the
SentencePiece family put a space before whatever they are given; an answer is therefore encoded after an anchor that is
cut off again, unless its ids alone decode, after another text, to the answer itself. Then ids(prompt) + ids(answer)
decode to prompt + answer. Control words (`<s>`, `<|im_end|>`) in a prompt or an answer are text and never control
tokens; only the chat template writes those.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

ANCHORS = ("\n", "=", "x", "\x01")
"""Texts before an answer, tried in this order until one is found whose tokens do not merge with the answer's."""
FIXED_DATE = (
    "{% macro strftime_now(format) %}{{ format|replace('%Y', '2025')|replace('%m', '01')|replace('%d', '01')"
    "|replace('%b', 'Jan')|replace('%B', 'January')|replace('%A', 'Wednesday') }}{% endmacro %}{{ '' }}"
)
"""Put before a chat template: one that writes the current date says the same every day, in training and in evaluation.
A function given as an argument would not do: transformers hands templates nothing but plain data."""


class ControlInText(Exception):
    """The tokenizer makes a control token of plain text, whatever is done."""


def start_ids(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text that stands first, as the tokenizer makes them, its control words as text. Raises ControlInText."""
    ids = _plain(tokenizer, text)
    control, words = _control(tokenizer, str(tokenizer.chat_template or ""))
    if control.isdisjoint(ids):
        return ids
    # Some control words are found in text even so (those that a tokenizer does not call special): they are parted
    # after their first character, and each part goes on from the one before.
    cuts = [match.start() + 1 for match in words.finditer(text)]
    first, *rest = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    ids = _plain(tokenizer, first)
    for part in rest:
        ids += running_ids(tokenizer, part)
    if not control.isdisjoint(ids):
        raise ControlInText(f"the tokenizer makes a control token of plain text: {text[:80]!r}")
    return ids


def running_ids(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text that goes on from another. They decode to it where the tokenizer can write it at all.

    Raises ControlInText.
    """
    if not text:
        return []
    alone = start_ids(tokenizer, text)
    if _goes_on(tokenizer, alone, text):
        return alone
    found = []
    for anchor in ANCHORS:
        before, whole = _anchor(tokenizer, anchor)[0], start_ids(tokenizer, anchor + text)
        if tuple(whole[: len(before)]) == before:
            found.append(whole[len(before) :])
            if _goes_on(tokenizer, found[-1], text):
                return found[-1]
    # No ids decode to this text: the tokenizer changes some of its characters or has none for them.
    return found[0] if found else alone


def chat_ids(tokenizer: Any, prompt: str) -> list[int]:
    """Ids of the prompt as one user turn in the tokenizer's chat template, up to where the reply begins.

    Raises ControlInText.
    """
    template = tokenizer.get_chat_template()
    before = tokenizer.chat_control_tokens
    tokenizer.chat_control_tokens = [*(before or ()), *_words(tokenizer, template)]
    try:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            chat_template=FIXED_DATE + template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
            sanitize_control_tokens=True,
        )
    except ValueError as error:
        if "sanitize" not in str(error):
            raise
        raise ControlInText(f"the tokenizer makes a control token of plain text: {prompt[:80]!r}") from error
    finally:
        tokenizer.chat_control_tokens = before
    return list(ids)


def running_text(tokenizer: Any, ids: list[int], *, skip_special_tokens: bool) -> str:
    """The text of ids that go on from another text, with the space that it begins with.

    Decoders made for whole texts (SentencePiece's) take off a leading space, which would break the first line of an
    indented program. So the ids are decoded after a line break, and that is taken off again.
    """
    anchor, before = _anchor(tokenizer, ANCHORS[0])
    whole = _decoded(tokenizer, [*anchor, *ids], skip_special_tokens)
    if before and whole.startswith(before):
        return whole[len(before) :]
    return _decoded(tokenizer, ids, skip_special_tokens)


def _goes_on(tokenizer: Any, ids: list[int], text: str) -> bool:
    return running_text(tokenizer, ids, skip_special_tokens=False) == text


def _plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)) if text else []


def _decoded(tokenizer: Any, ids: list[int], skip_special_tokens: bool) -> str:
    if not ids:
        return ""
    plain = {"skip_special_tokens": skip_special_tokens, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(ids, **plain))


@lru_cache(maxsize=64)
def _anchor(tokenizer: Any, anchor: str) -> tuple[tuple[int, ...], str]:
    """An anchor's ids, and the text that they decode to."""
    ids = _plain(tokenizer, anchor)
    return tuple(ids), _decoded(tokenizer, ids, skip_special_tokens=False)


@lru_cache(maxsize=8)
def _control(tokenizer: Any, template: str) -> tuple[frozenset[int], re.Pattern[str]]:
    """Ids of control tokens and what finds their words. What is unknown is none of them, unless it has another part."""
    words = _words(tokenizer, template)
    words |= dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    if tokenizer.unk_token not in (tokenizer.bos_token, tokenizer.eos_token):
        words.pop(tokenizer.unk_token, None)
    longest = sorted(words, key=len, reverse=True)
    return frozenset(words.values()), re.compile("|".join(map(re.escape, longest)) or "(?!)")


def _words(tokenizer: Any, template: str) -> dict[str, int]:
    """Control words with their ids: special ones, those of the chat template, those that swallow white space."""
    return {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or token.lstrip or token.rstrip or (token.content in template and not token.content.isspace())
    }
