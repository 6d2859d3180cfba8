"""Our adapter layers, head and attention against peft's and transformers' own, on small random models by family."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from ftbench.app import flat, layers, model, prepared
from ftbench.app.objective import likelihood
from ftbench.app.tokens import IGNORED, Example

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
    "gemma2": {"sliding_window": 5, "query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0},
    "gemma3_text": {"sliding_window": 5, "query_pre_attn_scalar": 8, "final_logit_softcapping": 4.0},
    "granite": {"logits_scaling": 3.0},
    "mistral": {"sliding_window": 6},
    "qwen2": {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
}
"""What a family has of its own, with values at which it matters."""


def net(family: str, kind: str, dropout: float = 0.0, attention: str | None = None, **block: Any) -> torch.nn.Module:
    from transformers import AutoConfig, AutoModelForCausalLM

    attention = attention or ("eager" if family == "gemma2" else "sdpa")
    config = AutoConfig.for_model(family, **SMALL, **OWN.get(family, {}))
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    adapter = {"kind": kind, "rank": 4, "alpha": 6, "dropout": dropout, "targets": "all-linear", **block}
    made = model.attach(base, adapter, 5)
    with torch.no_grad():
        for name, parameter in model.trainable(made).items():
            parameter.add_((0.1 if "magnitude" in name else 0.3) * torch.randn(parameter.shape))
    return made


@pytest.fixture
def batch() -> list[Example]:
    generator = torch.Generator().manual_seed(5)
    examples = []
    for prompt, completion in [(1, 6), (8, 1), (9, 3), (5, 2)]:
        ids = torch.randint(3, 60, (prompt + completion,), generator=generator).tolist()
        examples.append(Example(ids, [IGNORED] * prompt + ids[prompt:]))
    return examples


def their_losses(made: torch.nn.Module, batch: list[Example]) -> torch.Tensor:
    """Every counted token's loss from the model's own logits, one example at a time, without padding."""
    found = []
    for example in batch:
        logits = made(input_ids=torch.tensor([example.ids])).logits[0, :-1]
        labels = torch.tensor(example.labels[1:])
        found.append(cross_entropy(logits[labels >= 0], labels[labels >= 0], reduction="none"))
    return torch.cat(found)


def gradients(made: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    named = model.trainable(made)
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("family", sorted(layers.FAMILIES))
def test_a_family_equals_peft_and_transformers(family: str, kind: str, batch: list[Example]) -> None:
    theirs = net(family, kind).train()
    ours = copy.deepcopy(theirs)
    assert prepared.prepare(ours) == ""
    assert prepared.of(ours).head is not None
    assert prepared.of(ours).unmasked == (family != "gemma2")
    expected = their_losses(theirs, batch)
    found = likelihood.token_losses(ours, likelihood.batch(batch, length=15, counted=20))
    assert len(found) == 20
    torch.testing.assert_close(found[: len(expected)], expected, rtol=1e-6, atol=1e-6)
    weights = torch.linspace(0.5, 1.5, len(expected)) / len(expected)
    due = gradients(theirs, (expected * weights).sum())
    got = gradients(ours, (found[: len(expected)] * weights).sum())
    # Through a whole model in float32 rounding grows; the next test holds each layer to 1e-6.
    whole = torch.cat([gradient.flatten() for gradient in due.values()])
    apart = torch.cat([(got[name] - gradient).flatten() for name, gradient in due.items()])
    assert torch.linalg.vector_norm(apart) <= 1e-5 * torch.linalg.vector_norm(whole)


def near(found: torch.Tensor, due: torch.Tensor) -> bool:
    return bool(torch.linalg.vector_norm(found - due) <= 1e-6 * torch.linalg.vector_norm(due))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("family", ["llama", "phi3", "qwen2"])
def test_a_layer_equals_peft_forward_and_backward(family: str, kind: str, dropout: float) -> None:
    theirs = net(family, kind, dropout).train()
    ours = copy.deepcopy(theirs)
    assert prepared.prepare(ours) == ""
    names = [name for name, module in theirs.named_modules() if hasattr(module, "lora_dropout")]
    seen = 0
    with layers.holding(ours):
        for name in names:
            found = []
            for made in (theirs, ours):
                layer: Any = made.get_submodule(name)
                generator = torch.Generator().manual_seed(2)
                x = torch.randn(3, 5, layer.in_features, generator=generator, requires_grad=True)
                torch.manual_seed(9)
                y = layer(x)
                slope = torch.randn(y.shape, generator=generator)
                trained = [p for p in layer.parameters() if p.requires_grad]
                found.append([y.detach(), *torch.autograd.grad(y, [x, *trained], slope)])
            assert all(near(one, due) for due, one in zip(*found, strict=True)), name
            seen += 1
    assert seen == len(layers.known(ours).every)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_sums_in_place_are_the_gradients(kind: str, batch: list[Example]) -> None:
    made = net("llama", kind).train()
    assert prepared.prepare(made) == ""
    tensors = likelihood.batch(batch)
    due = gradients(made, likelihood.token_losses(made, tensors).sum())
    whole = flat.of(made)
    own = layers.known(made)
    whole.bind()
    own.bind()
    for _ in range(2):
        likelihood.token_losses(made, tensors).sum().backward()  # type: ignore[no-untyped-call]
    own.finish()
    for name, parameter in model.trainable(made).items():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, 2 * due[name], rtol=1e-5, atol=1e-5)
    own.release()
    whole.release()


def test_checkpointing_changes_nothing(batch: list[Example]) -> None:
    found = []
    for checkpointing in (False, True):
        made = net("llama", "dora", 0.2).train()
        if checkpointing:
            made.get_base_model().gradient_checkpointing_enable()  # type: ignore[operator]
        assert prepared.prepare(made) == ""
        torch.manual_seed(4)
        found.append(gradients(made, likelihood.token_losses(made, likelihood.batch(batch)).sum()))
    for name, due in found[0].items():
        torch.testing.assert_close(found[1][name], due, rtol=1e-5, atol=1e-5)


def test_a_switched_off_adapter_is_the_base_model(batch: list[Example]) -> None:
    made = net("llama", "dora").eval()
    assert prepared.prepare(made) == ""
    base = made.get_base_model()  # type: ignore[operator]
    with torch.no_grad(), made.disable_adapter():  # type: ignore[operator]
        found = likelihood.token_losses(made, likelihood.batch(batch))
        with torch.no_grad():
            due = their_losses(base, batch)
    torch.testing.assert_close(found, due, rtol=1e-6, atol=1e-6)


def test_other_families_and_other_adapters_keep_peft_s_layers() -> None:
    from transformers import AutoModelForCausalLM, GPT2Config

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_config(GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2))
    adapter = {"kind": "lora", "rank": 2, "alpha": 2, "dropout": 0, "targets": ["c_attn"]}
    other = model.attach(base, adapter, 1)
    assert "gpt2" in prepared.prepare(other)
    assert "Conv1D" in prepared.prepare(other, any_family=True)
    assert prepared.of(other) == prepared.PLAIN
    with pytest.raises(KeyError):
        layers.known(other)
