"""The LM that lm-eval asks: tokens, batches, cache and errors, against plain torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import evaluation_world as world
import pytest
import torch
from fake_tokenizer import FakeTokenizer

from ftbench.builtin import PACKAGE
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run.evaluation import model as eval_model
from ftbench.run.evaluation.cache import Cache, Value
from ftbench.run.evaluation.lm import scoring_lm
from ftbench.run.evaluation.tokens import batches, encode, safe_batch

Loaded = tuple[Any, Any]
ASKED = [(f"{noun} {n}? The colour is", option) for n, noun in enumerate(world.NOUNS) for option in world.COLOURS]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    world.make_model(folder / "model", Store([folder / "store"]))
    world.make_adapter(folder / "model", folder / "adapter")
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return eval_model.load_base(folder / "model")


def ask(
    loaded: Loaded,
    cache: Path,
    asked: list[tuple[str, str]] = ASKED,
    *,
    bos: bool = True,
    batch_size: int | None = 4,
    adapter: str | None = None,
    stop_after: int = 10**9,
) -> list[Value]:
    def progress(done: int, total: int) -> None:
        assert total == len(set(asked))
        if done >= stop_after:
            raise KeyboardInterrupt

    with Cache(cache) as opened:
        lm = scoring_lm(
            *loaded,
            bos=bos,
            batch_size=batch_size,
            cache=opened,
            conditions={"adapter": adapter},
            on_progress=progress,
        )
        answers: list[Value] = lm.loglikelihood([SimpleNamespace(args=request) for request in asked])
        return answers


def by_hand(loaded: Loaded, prompt: str, option: str, *, bos: bool = True) -> Value:
    """One forward pass without padding, batch or harness."""
    model, tokenizer = loaded
    context = ([tokenizer.bos_token_id] if bos else []) + tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(option, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([context + answer])).logits[0].log_softmax(-1)
    steps = range(len(context) - 1, len(context) + len(answer) - 1)
    value = sum(logits[at, token].item() for at, token in zip(steps, answer, strict=True))
    return value, all(logits[at].argmax() == token for at, token in zip(steps, answer, strict=True))


@pytest.mark.parametrize("bos", [True, False])
def test_agrees_with_plain_torch(loaded: Loaded, tmp_path: Path, bos: bool) -> None:
    for request, (value, greedy) in zip(ASKED, ask(loaded, tmp_path / "c", bos=bos), strict=True):
        expected, expected_greedy = by_hand(loaded, *request, bos=bos)
        assert value == pytest.approx(expected, abs=1e-4)
        assert greedy == expected_greedy


def test_batch_size_moves_nothing(loaded: Loaded, tmp_path: Path) -> None:
    one = ask(loaded, tmp_path / "1", batch_size=1)
    for size in (2, 7, 32):
        many = ask(loaded, tmp_path / str(size), batch_size=size)
        assert [v for v, _ in many] == pytest.approx([v for v, _ in one], abs=1e-4)
        assert [g for _, g in many] == [g for _, g in one]


def test_order_and_repeats_of_requests_move_no_bit(loaded: Loaded, tmp_path: Path) -> None:
    straight = dict(zip(ASKED, ask(loaded, tmp_path / "a"), strict=True))
    again = [*reversed(ASKED), *ASKED[:3]]
    assert ask(loaded, tmp_path / "b", again) == [straight[request] for request in again]


def test_interrupted_and_resumed_gives_the_same_bits(loaded: Loaded, tmp_path: Path) -> None:
    whole = ask(loaded, tmp_path / "whole")
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    with pytest.raises(KeyboardInterrupt):
        ask(loaded, tmp_path / "cut", stop_after=1)
    first = (tmp_path / "cut").read_bytes()
    assert 0 < first.count(b"\n") < len(lines)
    (tmp_path / "cut").write_bytes(first[:-9])  # and torn within a batch
    assert ask(loaded, tmp_path / "cut") == whole
    assert sorted((tmp_path / "cut").read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_answers_from_the_cache_need_no_model(loaded: Loaded, tmp_path: Path) -> None:
    answers = ask(loaded, tmp_path / "c")
    size = (tmp_path / "c").stat().st_size

    class Mute(type(loaded[0])):  # type: ignore[misc]
        def forward(self, *_: object, **__: object) -> None:
            raise AssertionError("asked again")

    mute = Mute(loaded[0].config)
    assert ask((mute, loaded[1]), tmp_path / "c") == answers
    assert (tmp_path / "c").stat().st_size == size
    with pytest.raises(AssertionError, match="asked again"):
        ask((mute, loaded[1]), tmp_path / "c", batch_size=5)


def test_tuned_model_never_gets_an_untuned_answer(folder: Path, tmp_path: Path) -> None:
    base = eval_model.load_base(folder / "model")
    untuned = ask(base, tmp_path / "c")
    digest = eval_model.adapter_digest(folder / "adapter")
    tuned = eval_model.attach(base[0], folder / "adapter"), base[1]
    answers = ask(tuned, tmp_path / "c", adapter=digest)
    assert all(abs(a - b) > 1e-6 for (a, _), (b, _) in zip(answers, untuned, strict=True))
    assert answers[0][0] == pytest.approx(by_hand(tuned, *ASKED[0])[0], abs=1e-4)


def test_an_adapter_computes_by_the_compiled_benchmark_s_layers(folder: Path, tmp_path: Path) -> None:
    """The same as by peft's, and nothing of them stays with the base model."""
    base, tokenizer = eval_model.load_base(folder / "model")
    untuned = by_hand((base, tokenizer), *ASKED[0])
    with eval_model.tuned(base, folder / "adapter", tmp_path) as (theirs, layers):
        assert layers == "peft"
        expected = by_hand((theirs, tokenizer), *ASKED[0])
    package = tmp_path / "app" / "ftbench_app"
    shutil.copytree(PACKAGE / "app", package, ignore=shutil.ignore_patterns("__pycache__"))
    for _ in range(2):  # a second phase attaches another adapter to the same base model
        with eval_model.tuned(base, folder / "adapter", tmp_path) as (ours, layers):
            assert layers == "ftbench"
            assert by_hand((ours, tokenizer), *ASKED[0])[0] == pytest.approx(expected[0], abs=1e-5)
        assert by_hand((base, tokenizer), *ASKED[0]) == untuned
    assert not list(package.rglob("*.pyc"))


def test_prompt_and_option_are_tokenised_apart(loaded: Loaded) -> None:
    _, tokenizer = loaded
    context, answer = encode(tokenizer, "the colour is bl", "ue", bos=False)
    joined = tokenizer.encode("the colour is blue", add_special_tokens=False)
    assert context + answer != joined  # a token spans the cut when the joined text is tokenised
    assert tokenizer.decode(context + answer) == "the colour is blue"
    assert encode(tokenizer, "x", " y", bos=True)[0][0] == tokenizer.bos_token_id


def test_batches_hold_whole_prompts_longest_first() -> None:
    prompts, options = {"a": 3, "b": 9, "c": 5}, {"x": 1, "y": 2}
    encoded = {(p, o): ([0] * n, [1] * k) for p, n in prompts.items() for o, k in options.items()}
    assert [sorted({p for p, _ in batch}) for batch in batches(encoded, 2)] == [["b", "c"], ["a"]]
    assert batches(encoded, 1) == batches(dict(reversed(encoded.items())), 1)
    assert {request for batch in batches(encoded, 1) for request in batch} == set(encoded)


def test_safe_batch_bounds_the_logits() -> None:
    encoded = {("p", "o"): ([0] * 1_000, [1] * 24)}
    assert safe_batch(encoded, 640) == 32
    assert safe_batch(encoded, 131_072) == 2
    assert safe_batch(encoded, 2**30) == 1


def test_refuses_what_does_not_fit_the_model(loaded: Loaded, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"FTB564.*96 tokens"):
        ask(loaded, tmp_path / "c", [("sky " * 200, " red")])


@pytest.mark.parametrize("request_", [("", " red"), ("sky", "")])
def test_refuses_empty_prompt_and_option(loaded: Loaded, tmp_path: Path, request_: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput, match="FTB565"):
        ask(loaded, tmp_path / "c", [request_], bos=False)


def test_empty_prompt_after_bos_is_scored(loaded: Loaded, tmp_path: Path) -> None:
    ((value, _),) = ask(loaded, tmp_path / "c", [("", " red")])
    assert value == pytest.approx(by_hand(loaded, "", " red")[0], abs=1e-4)


def test_a_model_without_bos_has_none_to_begin_with() -> None:
    letters = FakeTokenizer()
    letters.bos_token_id = None
    assert encode(letters, "p", " o", bos=True) == encode(letters, "p", " o", bos=False)


def test_refuses_answers_that_are_not_finite(folder: Path, tmp_path: Path) -> None:
    model, tokenizer = eval_model.load_base(folder / "model")
    with torch.no_grad():
        model.lm_head.weight[3] = float("nan")
    with pytest.raises(RunFailed, match="FTB566"):
        ask((model, tokenizer), tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b""


def test_adapter_must_reach_the_model(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter" / "adapter_model.safetensors")
    config = (folder / "adapter" / "adapter_config.json").read_bytes()
    wrong = {
        "missing": dict(list(tensors.items())[1:]),
        "renamed": {name.replace("q_proj", "x_proj"): value for name, value in tensors.items()},
        "shape": {name: value[:, :1].contiguous() for name, value in tensors.items()},
        "empty": {"x": torch.zeros(1)},
    }
    for name, content in wrong.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_bytes(config)
        save_file(content, tmp_path / name / "adapter_model.safetensors")
        with pytest.raises(InvalidInput, match="FTB567"):
            eval_model.attach(eval_model.load_base(folder / "model")[0], tmp_path / name)
    with pytest.raises(MissingResource, match=r"no adapter_model\.safetensors"):
        (tmp_path / "missing" / "adapter_model.safetensors").unlink()
        eval_model.adapter_digest(tmp_path / "missing")


def test_base_model_must_be_whole(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(InvalidInput, match="FTB568"):
        eval_model.load_base(tmp_path)
    for path in (folder / "model").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInput, match=r"FTB568.*model\.norm\.weight"):
        eval_model.load_base(tmp_path)
