"""Objectives against formulas written apart: DPO's loss and gradient, its limits, its reference, what is left out."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import pytest
import torch
from fake_tokenizer import FakeTokenizer

from ftbench.app import objective
from ftbench.app.objective.dpo import Objective, Pair, referred
from ftbench.app.tokens import IGNORED, Example
from ftbench.app.used import find_used

VOCABULARY = 30
DATA = {
    "prompt": "{q}",
    "completion": " {good}",
    "rejected": " {bad}",
    "chat_template": "none",
    "bos": True,
    "eos": True,
    "over_length": "drop",
    "loss_reduction": "example-mean",
}


def spec(beta: float = 0.3, length: int = 32, **data: Any) -> dict[str, Any]:
    return {
        "objective": {"kind": "dpo", "beta": beta, "loss": "sigmoid"},
        "data": {**DATA, **data},
        "training": {"sequence_length": length},
    }


class Policy(torch.nn.Module):
    """A model with a frozen twin of itself: what an adapter switched off would leave."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net
        self.base = [copy.deepcopy(net).eval()]
        self.off = False

    def forward(self, **inputs: Any) -> Any:
        return (self.base[0] if self.off else self.net)(**inputs)

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        self.off = True
        yield
        self.off = False


@pytest.fixture
def model() -> Policy:
    """A random Llama in double precision that has moved away from its base."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    policy = Policy(LlamaForCausalLM(config).double())
    with torch.no_grad():
        for parameter in policy.net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=torch.float64))
    return policy.train()


def example(prompt: list[int], answer: list[int]) -> Example:
    return Example(prompt + answer, [IGNORED] * len(prompt) + answer)


@pytest.fixture
def pairs(model: Policy) -> list[Pair]:
    generator = torch.Generator().manual_seed(5)

    def ids(count: int) -> list[int]:
        return torch.randint(1, VOCABULARY, (count,), generator=generator).tolist()

    made = []
    for prompt, chosen, rejected in [(1, 6, 2), (8, 1, 1), (3, 3, 5), (5, 1, 7), (2, 4, 4), (7, 2, 1), (4, 5, 3)]:
        asked = ids(prompt)
        made.append(Pair(example(asked, ids(chosen)), example(asked, ids(rejected))))
    found = referred(model, made)
    model.train()
    return found


def log_probability(net: torch.nn.Module, one: Example) -> torch.Tensor:
    """Σ log p of the answer's tokens, token by token, without padding."""
    table = net(input_ids=torch.tensor([one.ids])).logits[0].log_softmax(-1)
    learnt = [table[place, label] for place, label in enumerate(one.labels[1:]) if label != IGNORED]
    return torch.stack(learnt).sum()


def written_apart(policy: Policy, batch: Sequence[Pair], beta: float) -> torch.Tensor:
    """Equation 7 of arXiv 2305.18290 in its own order."""
    total = torch.zeros((), dtype=torch.float64)
    for pair in batch:
        ratios = [
            log_probability(policy.net, one) - log_probability(policy.base[0], one).detach()
            for one in (pair.chosen, pair.rejected)
        ]
        total = total - torch.log(torch.sigmoid(beta * ratios[0] - beta * ratios[1]))
    return total / len(batch)


def slope(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def accumulated(policy: Policy, batch: Sequence[Pair], micro: int, beta: float = 0.3) -> tuple[float, list[Any]]:
    wanted = Objective(spec(beta))
    policy.zero_grad(set_to_none=True)
    weights, losses = wanted.weights(batch), []
    for start in range(0, len(batch), micro):
        part = batch[start : start + micro], weights[start : start + micro]
        loss, _ = objective.loss(wanted, policy, *part)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
    return math.fsum(losses), [slope(parameter).clone() for parameter in policy.net.parameters()]


@pytest.mark.parametrize("beta", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("micro", [1, 2, 3, 7])
def test_loss_and_gradient_equal_the_paper_s_formula(model: Policy, pairs: list[Pair], beta: float, micro: int) -> None:
    loss, found = accumulated(model, pairs, micro, beta)
    model.zero_grad(set_to_none=True)
    expected = written_apart(model, pairs, beta)
    expected.backward()  # type: ignore[no-untyped-call]
    assert loss == pytest.approx(expected.item(), abs=1e-9)
    for gradient, parameter in zip(found, model.net.parameters(), strict=True):
        assert parameter.grad is not None
        assert (gradient - parameter.grad).abs().max() < 1e-9


def test_the_loss_of_known_log_probabilities(model: Policy, pairs: list[Pair]) -> None:
    """In numpy, from the log-probabilities alone."""
    with torch.no_grad():
        logs = numpy.array([[log_probability(model.net, one).item() for one in (p.chosen, p.rejected)] for p in pairs])
        reference = numpy.array(
            [[log_probability(model.base[0], one).item() for one in (p.chosen, p.rejected)] for p in pairs]
        )
    assert numpy.abs(reference - [pair.reference for pair in pairs]).max() < 1e-9
    margins = 0.3 * ((logs - reference) @ [1, -1])
    assert numpy.logaddexp(0, -margins).mean() == pytest.approx(accumulated(model, pairs, 7)[0], abs=1e-9)
    assert numpy.abs(margins).min() > 1e-3, "the model must have moved for this to say anything"


def test_swapped_pairs_give_the_mirrored_gradient(model: Policy, pairs: list[Pair]) -> None:
    """The slope of −log σ(m) is −σ(−m): the two gradients point apart, as long as σ(−m) and σ(m) are."""
    pair = pairs[0]
    swapped = Pair(pair.rejected, pair.chosen, pair.reference[::-1])
    loss, found = accumulated(model, [pair], 1)
    other_loss, other = accumulated(model, [swapped], 1)
    margin = -math.log(math.expm1(loss))
    assert other_loss == pytest.approx(loss + margin, rel=1e-9)
    ratio = math.exp(margin)  # σ(m) / σ(−m)
    for one, mirrored in zip(found, other, strict=True):
        torch.testing.assert_close(-ratio * one, mirrored, rtol=1e-4, atol=1e-6)  # the norms are in float32


def test_at_the_reference_the_mirror_is_exact(model: Policy, pairs: list[Pair]) -> None:
    model.net.load_state_dict(model.base[0].state_dict())
    loss, found = accumulated(model, pairs, 7)
    other_loss, other = accumulated(model, [Pair(p.rejected, p.chosen, p.reference[::-1]) for p in pairs], 7)
    assert loss == pytest.approx(math.log(2), abs=1e-12)
    assert other_loss == pytest.approx(math.log(2), abs=1e-12)
    for one, mirrored in zip(found, other, strict=True):
        torch.testing.assert_close(one, -mirrored, rtol=1e-4, atol=1e-6)


def test_towards_beta_zero_the_loss_is_log_two_and_the_gradient_vanishes(model: Policy, pairs: list[Pair]) -> None:
    sizes = []
    for beta in (1e-2, 1e-4, 1e-6):
        loss, found = accumulated(model, pairs, 7, beta)
        sizes.append(max(gradient.abs().max().item() for gradient in found))
        assert loss == pytest.approx(math.log(2), abs=100 * beta)
    assert sizes[0] > 50 * sizes[1] > 2500 * sizes[2]
    assert sizes[2] < 1e-4


def test_a_step_along_the_gradient_prefers_the_chosen_answers(model: Policy, pairs: list[Pair]) -> None:
    before = accumulated(model, pairs, 7)[0]
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.sub_(1e-3 * slope(parameter))
    assert accumulated(model, pairs, 7)[0] < before


def test_the_log_tells_of_what_was_noted_only(model: Policy, pairs: list[Pair]) -> None:
    wanted = Objective(spec())
    with torch.no_grad():
        _, margins = objective.loss(wanted, model, pairs, [1.0] * 7)
    assert not wanted.told()
    wanted.note(pairs, margins)
    assert "over 7 pairs" in wanted.told()
    assert [wanted.units(pair) for pair in pairs] == [1] * 7


# --- rows -------------------------------------------------------------------------------------------------------------


class Letters(FakeTokenizer):
    """A tokenizer of one token a character."""

    def ids(self, text: str) -> list[int]:
        return [3 + "abcdefghij \n".index(letter) for letter in text]

    def letter(self, number: int) -> str:
        return "abcdefghij \n"[number - 3]


def test_a_pair_shares_its_prompt_and_learns_both_ends() -> None:
    pair = Objective(spec()).encode({"q": "ab", "good": "c", "bad": "dd"}, Letters())
    assert isinstance(pair, Pair)
    assert pair.chosen == Example([1, 3, 4, 13, 5, 2], [IGNORED] * 3 + [13, 5, 2])
    assert pair.rejected == Example([1, 3, 4, 13, 6, 6, 2], [IGNORED] * 3 + [13, 6, 6, 2])


@pytest.mark.parametrize(
    ("row", "length", "rule", "reason"),
    [
        ({"q": "ab", "good": "c", "bad": "c"}, 32, "drop", "two equal answers"),
        ({"q": "ab", "good": "cde", "bad": "c"}, 6, "drop", "longer than"),
        ({"q": "ab", "good": "c", "bad": "cde"}, 6, "drop", "longer than"),
        ({"q": "ab", "good": "", "bad": "d"}, 6, "truncate", "an empty answer"),
        ({"q": "ab", "good": "c", "bad": None}, 6, "truncate", "column 'bad' is neither text nor a whole number"),
        ({"q": "ab", "good": "ccc", "bad": "ccd"}, 4, "truncate", "two equal answers"),
    ],
)
def test_rows_without_a_preference_are_left_out_with_the_reason(
    row: dict[str, str], length: int, rule: str, reason: str
) -> None:
    wanted = Objective(spec(length=length, over_length=rule))
    assert reason in str(wanted.encode(row, Letters()))
    found = find_used(wanted, [row], Letters(), Policy(torch.nn.Linear(1, 1)), [7])
    assert (found.examples, found.held) == ([], 1)
    (line,) = found.told("client 3")
    assert line.startswith(f"client 3: 1 of 1 rows left out: {reason}")
    assert line.endswith("(row 7)")


def test_truncation_leaves_both_answers_the_same_prompt() -> None:
    pair = Objective(spec(length=6, over_length="truncate")).encode({"q": "ab", "good": "c", "bad": "dddd"}, Letters())
    assert isinstance(pair, Pair)
    assert pair.chosen.ids == [1, 3, 4, 13, 5, 2]
    assert pair.rejected.ids == [1, 3, 4, 13, 6, 6]
    long = {"q": "aaaaaaaaab", "good": "c", "bad": "dd"}
    pair = Objective(spec(length=7, over_length="truncate")).encode(long, Letters())
    assert isinstance(pair, Pair)
    assert (pair.chosen.ids, pair.rejected.ids) == ([1, 3, 4, 13, 5, 2], [1, 3, 4, 13, 6, 6, 2])


def test_unknown_kinds_and_losses_are_errors() -> None:
    with pytest.raises(ValueError, match="there is no objective 'ppo'"):
        objective.find_objective({"objective": {"kind": "ppo"}})
    with pytest.raises(ValueError, match="unknown loss 'hinge'"):
        objective.find_objective({**spec(), "objective": {"kind": "dpo", "beta": 0.1, "loss": "hinge"}})
    with pytest.raises(ValueError, match="unknown loss reduction"):
        objective.find_objective({**spec(loss_reduction="sum"), "objective": {"kind": "sft"}})
