"""Generation through the harness's own `generate_until`: greedy, left-padded, the same in every batch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import evaluation_world as world
import pytest
import torch

from ftbench.app import tokens
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.run.evaluation import model as eval_model
from ftbench.run.evaluation.cache import Cache
from ftbench.run.evaluation.lm import scoring_lm
from ftbench.run.evaluation.tokens import context_ids, decode

Loaded = tuple[Any, Any]
PROMPTS = [f"{noun} {'and then ' * (n % 4)}{n}" for n in range(6) for noun in world.NOUNS]
CHAT = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<reply>"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    world.make_model(folder / "model", Store([folder / "store"]))
    return folder / "model"


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    return eval_model.load_base(folder)


def write(
    loaded: Loaded,
    cache: Path,
    prompts: list[str] = PROMPTS,
    *,
    batch_size: int | None = None,
    new_tokens: int = 8,
    stop: tuple[str, ...] = (),
    stop_after: int = 10**9,
    **more: Any,
) -> list[str]:
    def progress(done: int, total: int) -> None:
        assert total == len(set(prompts))
        if done >= stop_after:
            raise KeyboardInterrupt

    settings = {"until": list(stop), "max_gen_toks": new_tokens, "do_sample": False, "temperature": 0.0}
    with Cache(cache) as opened:
        lm = scoring_lm(
            *loaded, **{"bos": True, **more}, batch_size=batch_size, cache=opened, conditions={}, on_progress=progress
        )
        texts: list[str] = lm.generate_until([SimpleNamespace(args=(prompt, settings)) for prompt in prompts])
        return texts


def by_hand(loaded: Loaded, prompt: str, new_tokens: int = 8) -> str:
    """One token at a time, without padding, batch, cache of keys and values, or harness."""
    model, tokenizer = loaded
    ids = [tokenizer.bos_token_id, *tokenizer.encode(prompt, add_special_tokens=False)]
    start = len(ids)
    with torch.no_grad():
        while len(ids) < start + new_tokens:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == tokenizer.eos_token_id:
                break
    text: str = tokenizer.decode(ids[start:], skip_special_tokens=True)
    return text


def test_every_batch_size_and_padding_side_gives_the_same(folder: Path, tmp_path: Path) -> None:
    written = {}
    for side in ("left", "right"):
        for size in (1, 32):
            model, tokenizer = eval_model.load_base(folder)
            tokenizer.padding_side = side
            written[side, size] = write((model, tokenizer), tmp_path / f"{side}{size}", batch_size=size)
    first = written["left", 1]
    assert len(set(first)) > 10
    assert all(texts == first for texts in written.values())
    plain = eval_model.load_base(folder)
    assert first[:6] == [by_hand(plain, prompt) for prompt in PROMPTS[:6]]


def test_text_is_cut_at_the_first_stop_string(loaded: Loaded, tmp_path: Path) -> None:
    whole = write(loaded, tmp_path / "a")
    mark = next(text[2] for text in whole if len(text) > 4)
    cut = write(loaded, tmp_path / "b", stop=(mark, "never seen"))
    assert cut == [text.split(mark)[0] for text in whole]
    assert cut != whole


def test_settings_that_come_with_a_model_do_not_count(loaded: Loaded, tmp_path: Path) -> None:
    whole = write(loaded, tmp_path / "a")
    model, tokenizer = loaded
    model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=9.0, max_new_tokens=1)
    assert write((model, tokenizer), tmp_path / "b") == whole


def test_every_end_token_of_the_model_ends_a_text(loaded: Loaded, tmp_path: Path) -> None:
    model, tokenizer = loaded
    first = int(model(torch.tensor([context_ids(tokenizer, "sky", bos=True)])).logits[0, -1].argmax())
    assert write(loaded, tmp_path / "a", ["sky"]) != [""]
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, first]
    (text,) = write((model, tokenizer), tmp_path / "b", ["sky"])
    assert text == tokenizer.decode([first], skip_special_tokens=True)


def test_interrupted_and_resumed_gives_the_same(loaded: Loaded, tmp_path: Path) -> None:
    whole = write(loaded, tmp_path / "whole", batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        write(loaded, tmp_path / "cut", batch_size=4, stop_after=12)
    torn = (tmp_path / "cut").read_bytes()[:-5]
    (tmp_path / "cut").write_bytes(torn)
    assert write(loaded, tmp_path / "cut", batch_size=4) == whole


def test_the_cache_knows_the_settings(loaded: Loaded, tmp_path: Path) -> None:
    eight = write(loaded, tmp_path / "c", PROMPTS[:8])
    four = write(loaded, tmp_path / "c", PROMPTS[:8], new_tokens=4)
    assert four != eight and all(long.startswith(short) for short, long in zip(four, eight, strict=True))
    model, tokenizer = loaded
    model.generate = None  # nothing is generated again
    assert write((model, tokenizer), tmp_path / "c", PROMPTS[:8]) == eight


def test_a_prompt_that_leaves_no_room_is_refused(loaded: Loaded, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"FTB564.*8 tokens to generate.*96 tokens"):
        write(loaded, tmp_path / "c", ["sky " * 90])


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("chat", ["none", "model"])
def test_prompts_are_the_tokens_that_training_had(loaded: Loaded, tmp_path: Path, chat: Any, bos: bool) -> None:
    _, tokenizer = loaded
    tokenizer.chat_template = CHAT
    data = {
        "prompt": "{q}",
        "completion": " {a}",
        "chat_template": chat,
        "bos": bos,
        "eos": True,
        "over_length": "drop",
    }
    row = {"q": "the colour is bl", "a": "ue"}
    example = tokens.encode(row, data, 64, tokenizer)
    assert example is not None
    context = context_ids(tokenizer, row["q"], bos=bos, chat_template=chat)
    assert context == [i for i, label in zip(example.ids, example.labels, strict=True) if label == tokens.IGNORED]
    if chat == "model":
        assert tokenizer.decode(context) == "<s><user>the colour is bl<reply>"
    with Cache(tmp_path / "c") as cache:
        lm = scoring_lm(
            *loaded, bos=bos, chat_template=chat, batch_size=1, cache=cache, conditions={}, on_progress=lambda *_: None
        )
        ids, mask = lm.tok_batch_encode(["the colour is bl", "the colour is blue and green and red"])
    assert ids[0][mask[0].bool()].tolist() == context
    assert not mask[0][0] and mask[1].all()


def test_a_template_that_tells_the_date_says_the_same_every_day(loaded: Loaded) -> None:
    _, tokenizer = loaded
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }}" + CHAT
    text = tokenizer.decode(context_ids(tokenizer, "sky", bos=False, chat_template="model"))
    assert text.startswith("01 Jan 2025")


def test_without_a_chat_template_it_is_refused(loaded: Loaded) -> None:
    with pytest.raises(InvalidInput, match="FTB572"):
        context_ids(loaded[1], "sky", bos=False, chat_template="model")


def test_the_first_space_of_a_text_is_kept() -> None:
    """A decoder of SentencePiece's kind takes it off; the first line of an indented program needs it."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = {"▁▁▁▁": 0, "▁return": 1, "▁x": 2, "\n": 3, "<unk>": 4, "</s>": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")
    assert fast.decode([1, 2]) == "return x"
    assert decode(fast, [1, 2, 5]) == " return x"
    assert decode(fast, [0, 2]) == "     x"
    assert decode(fast, []) == ""


def test_an_adapter_comes_off_without_a_trace(folder: Path, tmp_path: Path) -> None:
    """References are scored one after the other on one base model."""
    model, tokenizer = eval_model.load_base(folder)
    plain = write((model, tokenizer), tmp_path / "plain")
    alone = {}
    for seed in (1, 2):
        adapter = world.make_adapter(folder, tmp_path / f"adapter{seed}", seed=seed)
        fresh, _ = eval_model.load_base(folder)
        alone[seed] = write((eval_model.attach(fresh, adapter), tokenizer), tmp_path / f"alone{seed}")
    for seed in (1, 2):
        tuned = eval_model.attach(model, tmp_path / f"adapter{seed}")
        assert write((tuned, tokenizer), tmp_path / f"again{seed}") == alone[seed] != plain
        model = tuned.unload()
    assert write((model, tokenizer), tmp_path / "plain2") == plain
    shutil.rmtree(tmp_path)
