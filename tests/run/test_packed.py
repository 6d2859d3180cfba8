"""Likelihoods in packs, by family and process, against plain passes of one sequence at a time."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.run.evaluation import packed
from ftbench.run.evaluation.packs import WORTH, packs
from ftbench.run.evaluation.tokens import Request, Tokens
from ftbench.run.processes.forked import each

SMALL = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OWN: dict[str, dict[str, Any]] = {
    "cohere": {"logit_scale": 0.3},
    "gemma3_text": {"sliding_window": 5, "query_pre_attn_scalar": 8, "final_logit_softcapping": 4.0},
    "granite": {"logits_scaling": 3.0},
    "mistral": {"sliding_window": 6},
    "qwen2": {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
}
"""What a family has of its own, with values at which it matters."""
HEAD = list(range(3, 3 + WORTH + 2))
"""What most prompts begin with."""


def net(family: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    config = AutoConfig.for_model(family, **SMALL, **OWN.get(family, {}))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model


def asked() -> dict[Request, Tokens]:
    """Options of one token and of several, prompts with a beginning in common and without, one that begins another."""
    prompts = {
        "a": [*HEAD, 20, 21],
        "b": [*HEAD, 22],
        "c": [*HEAD, 20, 21, 23, 24, 25, 26],
        "d": [40],
        "e": [41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52],
    }
    options = {"x": [30], "y": [31, 32], "z": [31, 33, 34, 35, 36, 37, 38]}
    return {(p, o): (context, option) for p, context in prompts.items() for o, option in options.items()}


def plain(model: Any, context: list[int], option: list[int]) -> tuple[float, bool]:
    with torch.no_grad():
        logs = model(torch.tensor([context + option])).logits[0].double().log_softmax(-1)
    at = range(len(context) - 1, len(context) + len(option) - 1)
    value = sum(float(logs[row, token]) for row, token in zip(at, option, strict=True))
    return value, all(int(logs[row].argmax()) == token for row, token in zip(at, option, strict=True))


@pytest.mark.parametrize("family", sorted(packed.FAMILIES))
def test_a_family_equals_plain_passes(family: str) -> None:
    model, requests = net(family), asked()
    assert packed.fits(model) == ""
    wanted = {request: plain(model, *tokens) for request, tokens in requests.items()}
    for tokens in (1, 40, 10_000):
        found = {}
        with packed.attending(model):
            for pack in packs(requests, tokens):
                found |= packed.likelihoods(model, pack)
        assert found.keys() == wanted.keys()
        for request, (value, greedy) in found.items():
            assert value == pytest.approx(wanted[request][0], abs=2e-5), (request, tokens)
            assert greedy == wanted[request][1]
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"_attn_implementation": "eager"}, "attention is eager"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "positions are dynamic"),
        ({"model_type": "unheard-of"}, "no test holds"),
    ],
)
def test_what_is_not_tested_is_not_packed(change: dict[str, Any], why: str) -> None:
    model = net("llama")
    for name, value in change.items():
        setattr(model.config, name, value)
    assert why in packed.fits(model)


def test_packs_hold_every_request_once_and_share_what_prompts_begin_with() -> None:
    requests = asked()
    (whole,) = packs({r: t for r, t in requests.items() if r[0] in "abc"}, 10_000)
    assert whole.shared == len(HEAD)
    for tokens in (1, 30, 10_000):
        made = packs(requests, tokens)
        assert sorted(r for pack in made for r in pack.requests) == sorted(requests)
        assert made == packs(dict(reversed(requests.items())), tokens)
        for pack in made:
            assert pack.shared == 0 or WORTH <= pack.shared < min(len(prompt.context) for prompt in pack.prompts)
            assert len({tuple(prompt.context[: pack.shared]) for prompt in pack.prompts}) == 1
    assert all(len(pack.prompts) == 1 for pack in packs(requests, 1))
    assert all(len(pack.prompts) <= 2 for pack in packs(requests, 10_000, 2))


def test_the_number_of_processes_moves_no_bit() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    model, made = net("llama"), packs(asked(), 30)
    with packed.attending(model):
        found = [
            dict(each(lambda pack: packed.likelihoods(model, pack), made, processes, [])) for processes in (1, 2, 3)
        ]
    torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]
    assert len(made) > 2


def test_every_item_is_worked_once_and_memory_is_told() -> None:
    grown: list[int] = []
    assert sorted(each(lambda item: (item * item, os.getpid()) != (0, 0), range(20), 3, grown)) == [
        (number, True) for number in range(20)
    ]
    assert len(grown) == 1, "of the processes that there were, however many were asked for"
    pids = {pid for _, pid in each(lambda _: os.getpid(), range(9), 2, [])}
    assert os.getpid() not in pids
    assert len(pids) <= 2


def test_what_a_process_raises_is_raised_here_whole() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise RunFailed(Diagnostic(codes.NOT_FINITE, "no number", hint="mend it"))
        return item

    with pytest.raises(RunFailed, match="no number") as raised:
        list(each(work, range(4), 2, []))
    assert raised.value.diagnostics[0].hint == "mend it"


def test_a_process_that_is_killed_is_told() -> None:
    with pytest.raises(RunFailed, match="FTB561"):
        list(each(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(4), 2, []))
