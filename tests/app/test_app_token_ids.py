"""Ids of prompt and answer decode to the running text, with tokenizers of every family; data hold no control tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tokenizer_families as families
import yaml

from ftbench.app import token_ids, tokens
from ftbench.builtin import root
from ftbench.run.evaluation import token_ids as scored_ids
from ftbench.run.evaluation import tokens as scored

TEXTS = [
    "Text: profits rose by 12.5 % to EUR 3,4 mn\nIs the sentiment negative, neutral or positive?\nSentiment: positive",
    "Problem:\nAdd two numbers.\n\nSolution:\ndef add(a, b):\n    if a:\n        return a + b\n\n\nprint(add(1, 2))",
    "Task:\nName a café in Zürich — or “two”.\n\nReply: A B C D neutral negative yes no maybe",
]
PROMPTS = ["Sentiment:", "Problem:\nAdd.\n\nSolution:", "x", "def f(x):\n", "Sign: ✓", "a  b\t"]
ANSWERS = [
    *(" positive", "positive", " A", "A", "  two", "\ndef f(x):\n    return x", "\n\n\tx", "\r\nx", " .", "\n-", "\t,"),
    *("é", " ü — “x”", "数学", " 🙂", "\x01", "= 3", ":", "x", " x\n", "<a href='x'>", "None", "0x1", "-1.5e3"),
]
KINDS = list(families.FAMILIES)
ROWS = [(prompt, answer) for prompt in PROMPTS for answer in ANSWERS]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return families.build(request.param, TEXTS * 20)


@pytest.fixture(scope="module")
def prepending() -> Any:
    return families.build("llama2", TEXTS * 20)


def data(chat: str = "none") -> dict[str, Any]:
    block = {"prompt": "{q}", "completion": "{a}", "chat_template": chat, "bos": True, "eos": True}
    return {**block, "over_length": "drop"}


def learnt(example: tokens.Example) -> list[int]:
    return [i for i, label in zip(example.ids, example.labels, strict=True) if label != tokens.IGNORED]


def read(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def trained(tokenizer: Any, prompt: str, answer: str, chat: str = "none") -> tuple[list[int], list[int]]:
    """Prompt and answer of an example, without BOS where the spec put it there, and without EOS."""
    example = tokens.encode({"q": prompt, "a": answer}, data(chat), 9999, tokenizer)
    assert example is not None and example.ids[-1] == tokenizer.eos_token_id
    answer_ids = learnt(example)[:-1]
    context = example.ids[: len(example.ids) - len(answer_ids) - 1]
    if tokenizer.bos_token_id is not None and chat == "none":
        assert context[0] == tokenizer.bos_token_id
        context = context[1:]
    return context, answer_ids


def test_the_two_copies_are_one() -> None:
    here, there = Path(str(token_ids.__file__)), Path(str(scored_ids.__file__))
    assert here.read_bytes() == there.read_bytes()


def test_ids_decode_to_the_running_text(tokenizer: Any) -> None:
    for prompt, answer in ROWS:
        context, ids = trained(tokenizer, prompt, answer)
        assert read(tokenizer, context + ids) == prompt + answer
        # What is written by a model with these ids is the answer, too.
        assert scored.decode(tokenizer, ids) == answer


def test_training_and_scoring_have_the_same_ids(tokenizer: Any) -> None:
    for prompt, answer in ROWS:
        head = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        context, ids = trained(tokenizer, prompt, answer)
        assert scored.encode(tokenizer, prompt, answer, bos=True) == ([*head, *context], ids)
        assert scored.context_ids(tokenizer, prompt, bos=True) == [*head, *context]
        context, ids = trained(tokenizer, prompt, answer, "model")
        assert scored.encode(tokenizer, prompt, answer, bos=True, chat_template="model") == (context, ids)


def test_alone_an_answer_had_other_pieces(prepending: Any) -> None:
    """What this is about: a doubled space, and a stray mark before code."""
    alone = prepending.encode(" positive", add_special_tokens=False)
    assert read(prepending, [*prepending.encode("x", add_special_tokens=False), *alone]) == "x  positive"
    assert token_ids.running_ids(prepending, " positive") != alone
    code = prepending.convert_ids_to_tokens(token_ids.running_ids(prepending, "\ndef f"))
    assert code[0] == "<0x0A>"


def test_options_are_the_pieces_of_the_running_text(prepending: Any) -> None:
    """Where no token spans the joint, prompt and option apart are the ids of the whole text."""
    for option in (" negative", " neutral", " positive"):
        context, ids = scored.encode(prepending, "Sentiment:", option, bos=False)
        assert context + ids == prepending.encode("Sentiment:" + option, add_special_tokens=False)


@pytest.mark.parametrize("name", ["finance", "medical", "general-nlp", "code"])
def test_the_options_of_the_domains(tokenizer: Any, name: str) -> None:
    spec = yaml.safe_load((root() / "specs" / f"{name}.yaml").read_text())
    for task in spec["evaluation"]["tasks"]:
        for option in task.get("options", []):
            context, ids = scored.encode(tokenizer, "Answer:", option, bos=False)
            assert read(tokenizer, context + ids) == "Answer:" + option


# --- control words ----------------------------------------------------------------------------------------------------


def control_ids(tokenizer: Any) -> set[int]:
    return {number for number, token in tokenizer.added_tokens_decoder.items() if not token.content.isspace()}


def words(tokenizer: Any) -> list[str]:
    return [tokenizer.convert_ids_to_tokens(number) for number in sorted(control_ids(tokenizer))]


def test_control_words_of_data_are_text(tokenizer: Any) -> None:
    for word in words(tokenizer):
        for answer in (f"{word}old price{word}", f" a {word}  b", f"\n{word}{word}", word):
            context, ids = trained(tokenizer, f"Quote {word} x:", answer)
            assert not control_ids(tokenizer) & {*context, *ids}, word
            assert read(tokenizer, context + ids) == f"Quote {word} x:{answer}"
            assert scored.encode(tokenizer, f"Quote {word} x:", answer, bos=False) == (context, ids)


def test_the_chat_template_writes_control_tokens_and_data_do_not(tokenizer: Any) -> None:
    quiet, _ = trained(tokenizer, "Quote this x:", "y", "model")
    for word in words(tokenizer):
        context, ids = trained(tokenizer, f"Quote {word} x:", f"{word}y", "model")
        kept = [i for i in context if i in control_ids(tokenizer)]
        assert kept == [i for i in quiet if i in control_ids(tokenizer)], word
        assert word in read(tokenizer, context) and not control_ids(tokenizer) & set(ids)
        assert scored.decode(tokenizer, ids) == f"{word}y"


def test_a_chat_without_control_words_is_as_ever(tokenizer: Any) -> None:
    """Byte for byte what transformers makes of it."""
    turns = [{"role": "user", "content": "How are you?"}]
    expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert trained(tokenizer, "How are you?", "well", "model")[0] == list(expected)


def test_a_text_that_the_vocabulary_lacks_does_not_stop_anything(prepending: Any) -> None:
    """Gemma's, Llama's and Phi's marks decode to spaces: no ids stand for the mark itself."""
    ids = token_ids.running_ids(prepending, " a▁b")
    assert read(prepending, [*prepending.encode("x", add_special_tokens=False), *ids]) == "x a b"


def test_an_unknown_character_after_all(tokenizer: Any) -> None:
    for text in ("é", "e\u0301"):  # NFC and not: Qwen's normalizer makes them one
        assert token_ids.running_ids(tokenizer, text)


def test_a_control_token_that_text_cannot_escape_is_told() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from ftbench.app.errors import AppError
    from ftbench.errors import InvalidInput

    letters = Tokenizer(models.WordLevel({"a": 0, "<": 1, "s>": 2, "?": 3}, unk_token="?"))
    letters.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=letters, bos_token="<", eos_token="a", unk_token="?")
    with pytest.raises(AppError, match=r"FTB548.*control token"):
        tokens.encode({"q": "a", "a": "<"}, data(), 99, fast)
    with pytest.raises(InvalidInput, match="FTB577"):
        scored.encode(fast, "a", "<", bos=False)
