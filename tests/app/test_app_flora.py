"""FLoRA: the stack against the sum of the clients' products, and the hooks that make it act."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from ftbench.app import adapter_files, arrays, initial, loading, model, seeding, stacked, strategy
from ftbench.app.arrays import Arrays
from ftbench.app.errors import AppError
from ftbench.app.strategy.flora import Strategy

MakeBench = Callable[..., Any]
RANK, WIDE, HIGH, ROUNDS = 3, 10, 7, 5
WEIGHTS = [5.0, 2.0, 11.0]
BLOCK = {"kind": "lora", "rank": RANK, "alpha": 4.5, "dropout": 0, "targets": "all-linear"}
A, B = "m.lora_A.weight", "m.lora_B.weight"
SHAPES = {A: (RANK, WIDE), B: (HIGH, RANK)}


def kind() -> Strategy:
    made = strategy.find_strategy("flora")({"kind": "flora"}, BLOCK)
    assert isinstance(made, Strategy)
    return made


def drawn(generator: numpy.random.Generator) -> Arrays:
    return {A: generator.normal(size=SHAPES[A]).astype("f4"), B: numpy.zeros(SHAPES[B], dtype="f4")}


def trained(generator: numpy.random.Generator) -> Arrays:
    return {name: generator.normal(size=shape).astype("f4") for name, shape in SHAPES.items()}


def product(found: Arrays) -> Any:
    return found[B].astype("f8") @ found[A].astype("f8")


def rounds(seed: int = 0, order: list[int] | None = None) -> Iterator[tuple[list[Arrays], Arrays]]:
    """(replies, the stack after) of five rounds."""
    generator = numpy.random.default_rng(seed)
    current = kind().start(drawn(generator))
    for _ in range(ROUNDS):
        replies = [trained(generator) for _ in WEIGHTS]
        given = [(WEIGHTS[k], replies[k]) for k in order or range(len(WEIGHTS))]
        current, state = kind().aggregate(current, given, None)
        assert state is None
        yield replies, current


def test_the_stack_is_the_sum_of_the_weighted_products_over_five_rounds() -> None:
    whole = numpy.zeros((HIGH, WIDE))
    for number, (replies, after) in enumerate(rounds(), start=1):
        each = [r[B].astype("f8") @ r[A].astype("f8") for r in replies]
        whole += BLOCK["alpha"] / RANK * numpy.average(each, axis=0, weights=WEIGHTS)
        assert numpy.abs(product(after) - whole).max() / numpy.abs(whole).max() < 1e-6
        assert after[A].shape == (RANK * len(WEIGHTS) * number, WIDE)
        assert after[B].shape == (HIGH, RANK * len(WEIGHTS) * number)
        assert {array.dtype for array in after.values()} == {numpy.dtype("f4")}


def test_averaging_the_factors_is_something_else() -> None:
    replies, after = next(rounds())
    mean = {name: numpy.average([r[name] for r in replies], axis=0, weights=WEIGHTS) for name in SHAPES}
    assert numpy.abs(product(after) - BLOCK["alpha"] / RANK * product(mean)).max() > 0.1


def test_what_is_stacked_stays_as_it_is() -> None:
    """The stack after a round begins with the stack before it, bit for bit: a verifier checks the whole history."""
    stacks = [after for _, after in rounds()]
    for before, after in pairwise(stacks):
        assert (after[A][: len(before[A])] == before[A]).all()
        assert (after[B][:, : len(before[A])] == before[B]).all()


def test_the_clients_order_does_not_matter() -> None:
    for (_, one), (_, other) in zip(rounds(), rounds(order=[2, 0, 1]), strict=True):
        assert numpy.abs(product(one) - product(other)).max() < 1e-5


@pytest.mark.parametrize("clients", [1, 4])
def test_equal_clients_are_one_client(clients: int) -> None:
    generator = numpy.random.default_rng(1)
    start, reply = kind().start(drawn(generator)), trained(generator)
    new, _ = kind().aggregate(start, [(3.0, reply)] * clients, None)
    assert numpy.abs(product(new) - BLOCK["alpha"] / RANK * product(reply)).max() < 1e-5


def test_clients_that_learn_nothing_add_nothing() -> None:
    fresh = drawn(numpy.random.default_rng(1))
    new, _ = kind().aggregate(kind().start(fresh), [(1.0, fresh), (2.0, fresh)], None)
    assert not product(new).any()


@pytest.mark.parametrize("weights", [[], [0.0]])
def test_nobody_s_answer_is_an_error(weights: list[float]) -> None:
    fresh = drawn(numpy.random.default_rng(1))
    with pytest.raises(ValueError):
        kind().aggregate(kind().start(fresh), [(weight, fresh) for weight in weights], None)


def test_a_fresh_adapter_each_round() -> None:
    fresh = drawn(numpy.random.default_rng(1))
    stacks = [kind().start(fresh), *(after for _, after in rounds())]
    begun = [kind().begin(stack, lambda: fresh) for stack in stacks]
    assert (begun[0][A] == fresh[A]).all(), "the first round begins from the run's draw"
    assert all(not found[B].any() for found in begun)
    assert all((numpy.sort(found[A], axis=None) == numpy.sort(fresh[A], axis=None)).all() for found in begun)
    assert len({found[A].tobytes() for found in begun}) == len(begun)
    again = kind().begin(stacks[2], lambda: fresh)
    assert (again[A] == begun[2][A]).all(), "the same at every client and after a resume"


def test_a_reply_has_the_spec_s_rank_whatever_the_stack_has() -> None:
    for _, after in rounds():
        awaited = kind().awaited(after, 1)
        assert {name: array.shape for name, array in awaited.items()} == SHAPES
        assert not any(array.any() for array in awaited.values())


def test_the_finished_adapter_is_one_lora_of_scale_1() -> None:
    for number, (_, after) in enumerate(rounds(), start=1):
        due = RANK * len(WEIGHTS) * number
        assert kind().described(after) == {**BLOCK, "rank": due, "alpha": due}


# --- the hooks, on the tiny model ---


@pytest.fixture
def net(make_bench: MakeBench) -> tuple[torch.nn.Module, Arrays, Any]:
    """The tiny model with a fresh adapter, what was drawn, and the benchmark."""
    bench = make_bench()
    spec = bench.plan.spec
    base = loading.load_base(bench.world.model_folder, spec["model"])
    fresh = initial.arrays(bench.world.model_folder, spec, 1)
    return model.attach(base, spec["adapter"], seeding.derive(1, "adapter")).eval(), fresh, bench


def stack_of(fresh: Arrays, rank: int, seed: int = 3) -> Arrays:
    generator = numpy.random.default_rng(seed)
    return {
        name: generator.normal(size=(rank, a.shape[1]) if "lora_A" in name else (a.shape[0], rank)).astype("f4") * 0.3
        for name, a in fresh.items()
    }


def logits(net: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return net(input_ids=torch.tensor([[3, 4, 5, 6]])).logits


def merge(net: torch.nn.Module, stack: Arrays) -> None:
    for name, layer in net.named_modules():
        if f"{name}.lora_A.weight" in stack:
            change = stack[f"{name}.lora_B.weight"].astype("f8") @ stack[f"{name}.lora_A.weight"].astype("f8")
            layer.base_layer.weight.data += torch.from_numpy(change.astype("f4"))


def test_the_hooks_add_the_product_and_leave_no_trace(net: Any) -> None:
    model_, fresh, _ = net
    before = logits(model_)
    stack = stack_of(fresh, 5)
    with stacked.added(model_, stack):
        with_hooks = logits(model_)
    assert torch.equal(logits(model_), before), "as it was, bit for bit"
    merge(model_, stack)
    merged = logits(model_)
    assert (with_hooks - merged).abs().max() < 1e-5
    assert (merged - before).abs().max() > 0.1
    with stacked.added(
        model_, {name: array[:0] if "lora_A" in name else array[:, :0] for name, array in stack.items()}
    ):
        assert torch.equal(logits(model_), merged), "a stack of nothing adds nothing"


def test_gradients_are_those_of_merged_weights(net: Any) -> None:
    model_, fresh, _ = net
    stack = stack_of(fresh, 5)
    generator = numpy.random.default_rng(4)
    model.set_arrays(model_, {name: generator.normal(size=a.shape).astype("f4") * 0.1 for name, a in fresh.items()})

    def gradients() -> dict[str, torch.Tensor]:
        model_.zero_grad(set_to_none=True)
        model_(input_ids=torch.tensor([[3, 4, 5, 6]])).logits.square().mean().backward()
        return {name: p.grad.clone() for name, p in model_.named_parameters() if p.grad is not None}

    with stacked.added(model_, stack):
        found = gradients()
    merge(model_, stack)
    due = gradients()
    assert found.keys() == due.keys() and len(due) == len(fresh)
    for name, gradient in due.items():
        assert (found[name] - gradient).abs().max() < 1e-4 * max(1.0, float(gradient.abs().max())), name


def test_hooks_go_even_when_training_breaks_off(net: Any) -> None:
    model_, fresh, _ = net
    before = logits(model_)
    with pytest.raises(KeyboardInterrupt), stacked.added(model_, stack_of(fresh, 2)):
        raise KeyboardInterrupt
    assert torch.equal(logits(model_), before)


def test_a_stack_of_another_model_is_refused(net: Any) -> None:
    model_, fresh, _ = net
    stack = stack_of(fresh, 2)
    name = next(iter(stack)).replace("lora_B", "lora_A")
    with pytest.raises(AppError, match="does not fit"), stacked.added(model_, {**stack, name: stack[name][:, :-1]}):
        pass
    other = {n.replace("layers.0", "layers.9"): a for n, a in stack.items()}
    with pytest.raises(AppError, match="has not"), stacked.added(model_, other):
        pass
    assert not any(layer._forward_hooks for layer in model_.modules())


def test_peft_loads_the_finished_adapter_as_what_was_trained(net: Any, tmp_path: Path) -> None:
    """One LoRA of the grown rank with scale 1 gives what the hooks gave."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model_, fresh, bench = net
    adapter = {**bench.plan.spec["adapter"], "alpha": 7}
    made = strategy.find_strategy("flora")({}, adapter)
    replies = [(weight, stack_of(fresh, adapter["rank"], seed)) for seed, weight in enumerate(WEIGHTS)]
    stack, _ = made.aggregate(made.start(fresh), replies, None)
    with stacked.added(model_, stack):
        due = logits(model_)
    adapter_files.write(tmp_path, made.described(stack), bench.plan.spec["model"]["base"], stack)
    base = AutoModelForCausalLM.from_pretrained(str(bench.world.model_folder), local_files_only=True)
    loaded = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    assert (logits(loaded) - due).abs().max() < 1e-5
    assert arrays.elements(model.get_arrays(loaded)) == len(WEIGHTS) * arrays.elements(fresh)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose layers fill bitsandbytes' blocks of 64."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4}
    folder = tmp_path_factory.mktemp("wide")
    LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes, max_position_embeddings=64)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "held",
    [None, {"bits": 4, "kind": "nf4", "double": True}, {"bits": 8, "kind": "int8"}],
    ids=["plain", "nf4", "int8"],
)
def test_frozen_weights_of_any_kind_stay_what_they_are(wide: Path, held: Any, dtype: str) -> None:
    """With checkpointing too: the hooks run again in the backward pass, and twice the same steps give the same bits."""
    block = {"dtype": dtype, "quantization": held, "gradient_checkpointing": True, "attention": "sdpa"}
    spec = {
        "model": {"max_parameters": 10**7, **block},
        "adapter": {"kind": "lora", "rank": 4, "alpha": 8, "dropout": 0, "targets": "all-linear"},
    }
    fresh = initial.arrays(wide, spec, 1)
    net = model.attach(loading.load_base(wide, spec["model"]), spec["adapter"], seeding.derive(1, "adapter"))
    weights = {n: p.detach().clone() for n, p in net.named_parameters() if "lora_" not in n}
    stack = {name: 0.2 * array for name, array in stack_of(fresh, 6).items()}
    ids = torch.tensor([[3, 4, 5, 6]])
    ends = []
    for _ in range(2):
        model.set_arrays(net, fresh)
        net.train()
        optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.01, foreach=False)
        with stacked.added(net, stack):
            for _ in range(2):
                optimizer.zero_grad(set_to_none=True)
                net(input_ids=ids, labels=ids).loss.backward()
                optimizer.step()
        ends.append(model.get_arrays(net))
    assert all((ends[0][name] == array).all() for name, array in ends[1].items())
    assert all((ends[0][name] != fresh[name]).any() for name in fresh if "lora_B" in name)
    for name, parameter in net.named_parameters():
        assert name not in weights or torch.equal(parameter, weights[name]), name
    net.eval()
    plain = logits(net)
    with stacked.added(net, stack):
        assert (logits(net) - plain).abs().max() > 0.01
    assert torch.equal(logits(net), plain)
