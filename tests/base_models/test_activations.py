"""The count of activations against the bytes that autograd keeps, on CPU, for a decoder layer of each kind."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from ftbench.app import layers, prepared
from ftbench.base_models import activations
from ftbench.base_models.activations import Attention, Step, layer_bytes
from ftbench.base_models.adapters import AdapterKind, Targets, adapted
from ftbench.base_models.architecture import Architecture

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

BATCH, LENGTH, RANK = 2, 64, 8


def shape(layers: int, kind: str = "llama") -> Architecture:
    return Architecture.model_validate(
        {
            "model_type": kind,
            "hidden": 128,
            "layers": layers,
            "heads": 8,
            "kv_heads": 2,
            "head_dim": 16,
            "intermediate": 384,
            "vocabulary": 100,
            "tied": True,
            "norms": 4 if kind.startswith("gemma") else 2,
            "qk_norm": kind in {"qwen3", "gemma3_text"},
            "context": 256,
            "fused": kind == "phi3",
        }
    )


def kept_by_autograd(
    a: Architecture,
    targets: Targets,
    bits: int,
    dropout: float,
    kind: AdapterKind,
    attention: Attention,
    ours: bool = False,
) -> int:
    """Bytes of the storages that the graph holds, each once, parameters and buffers left out."""
    torch.set_num_threads(1)
    more: dict[str, Any] = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    if a.model_type != "phi3":
        more["head_dim"] = a.head_dim
    config = transformers.AutoConfig.for_model(
        a.model_type,
        hidden_size=a.hidden,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.kv_heads,
        intermediate_size=a.intermediate,
        vocab_size=a.vocabulary,
        max_position_embeddings=a.context,
        **more,
    )
    dtype = torch.float32 if bits == 32 else torch.bfloat16
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    lora = peft.LoraConfig(
        r=RANK,
        lora_dropout=dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        use_dora=kind == "dora",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(model, lora).train()
    fixed = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    held: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in fixed:
            held[storage.data_ptr()] = tensor  # kept alive, so that no address is used twice
        return tensor

    tokens = torch.zeros(BATCH, LENGTH, dtype=torch.long)
    if ours:
        assert prepare_float32(model) == ""
        own = layers.known(model)
        stay = [own.flat.values, own.copies, own.norms, own.gains, *(group.products for group in own.groups)]
        # Anew: what was there before preparing is freed, and its addresses are used again.
        stay += [*model.parameters(), *model.buffers()]
        fixed = {t.untyped_storage().data_ptr() for t in stay if t is not None}
        own.refresh()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), own.holding():
            prepared.hidden(model, tokens)
        return sum(tensor.untyped_storage().nbytes() for tensor in held.values())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=tokens, labels=tokens, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


def prepare_float32(net: Any) -> str:
    """Our layers on an adapter that is trained in float32."""
    for parameter in net.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return prepared.prepare(net)


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize(("bits", "dropout"), [(32, 0.0), (16, 0.0), (32, 0.1), (16, 0.1)])
@pytest.mark.parametrize(
    ("family", "targets"),
    [
        ("llama", "all-linear"),
        ("llama", ["q_proj", "v_proj"]),
        ("phi3", "all-linear"),
        ("qwen3", "all-linear"),
        ("gemma3_text", "all-linear"),
    ],
)
def test_our_layers_keep_what_is_counted(
    family: str, targets: Targets, bits: int, dropout: float, kind: AdapterKind
) -> None:
    step = Step(BATCH * LENGTH, LENGTH, bits, kind, RANK, dropout, ours=True)  # type: ignore[arg-type]
    few, many = (shape(n, family) for n in (2, 3))
    real = kept_by_autograd(many, targets, bits, dropout, kind, "sdpa", ours=True)
    real -= kept_by_autograd(few, targets, bits, dropout, kind, "sdpa", ours=True)
    inside = [x for x in adapted(few, targets) if x.name.startswith("model.layers.0.")]
    assert real == pytest.approx(layer_bytes(few, inside, step), rel=0.07)


def test_what_is_told_of_the_app_is_so() -> None:
    from ftbench.app import head, norms

    assert activations.OURS == layers.FAMILIES
    assert (activations.CHUNK, activations.LEAST) == (head.CHUNK, head.LEAST)
    assert len(activations.NORMS) == len(norms.CLASSES)


CASES: list[tuple[str, Targets, int, float, AdapterKind, Attention, float]] = [
    ("llama", ["q_proj", "v_proj"], 32, 0.0, "lora", "sdpa", 0),
    ("llama", ["q_proj", "v_proj"], 16, 0.0, "lora", "sdpa", 0),
    ("llama", "all-linear", 32, 0.0, "lora", "sdpa", 0),
    ("llama", "all-linear", 16, 0.0, "lora", "sdpa", 0),
    ("llama", "all-linear", 32, 0.1, "lora", "sdpa", 0),
    ("llama", "all-linear", 16, 0.1, "lora", "sdpa", 0),
    ("phi3", "all-linear", 16, 0.1, "lora", "sdpa", 0),
    ("llama", "all-linear", 16, 0.1, "lora", "eager", 0.03),
    ("gemma2", "all-linear", 32, 0.0, "lora", "eager", 0.05),
]


@pytest.mark.parametrize(("model", "targets", "bits", "dropout", "kind", "attention", "slack"), CASES)
def test_a_layer_keeps_what_is_counted(
    model: str,
    targets: Targets,
    bits: int,
    dropout: float,
    kind: AdapterKind,
    attention: Attention,
    slack: float,
) -> None:
    step = Step(
        tokens=BATCH * LENGTH,
        sequence_length=LENGTH,
        bits=bits,  # type: ignore[arg-type]
        kind=kind,
        rank=RANK,
        dropout=dropout,
        attention=attention,
        padded=False,
        mask_bytes=4,
    )
    few, many = (shape(n, model) for n in (2, 3))
    # The first layer's input needs no gradient, so one layer is the difference of three and two.
    real = kept_by_autograd(many, targets, bits, dropout, kind, attention) - kept_by_autograd(
        few, targets, bits, dropout, kind, attention
    )
    inside = [x for x in adapted(few, targets) if x.name.startswith("model.layers.0.")]
    counted = layer_bytes(few, inside, step)
    assert real <= counted <= real * (1 + slack)


@pytest.mark.parametrize(("bits", "dropout"), [(32, 0.0), (32, 0.1), (16, 0.0), (16, 0.1)])
def test_dora_keeps_what_is_counted(bits: int, dropout: float) -> None:
    """The hook also sees the product of the factors and the identity, which are gone after each layer's forward."""
    few, many = shape(2), shape(3)
    inside = [x for x in adapted(few, "all-linear") if x.name.startswith("model.layers.0.")]
    step = Step(BATCH * LENGTH, LENGTH, bits, "dora", RANK, dropout, padded=False, mask_bytes=4)  # type: ignore[arg-type]
    passing = sum(4 * x.inputs * (x.inputs + RANK) for x in inside)
    real = kept_by_autograd(many, "all-linear", bits, dropout, "dora", "sdpa") - kept_by_autograd(
        few, "all-linear", bits, dropout, "dora", "sdpa"
    )
    assert layer_bytes(few, inside, step) == real - passing
