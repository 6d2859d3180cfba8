"""Loading the base model and attaching an adapter, each checked: nothing is left at its initial value in silence."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.compile.sources import APP_PACKAGE
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.run.kernels import check_attention
from ftbench.spec.canonical import digest, sha256
from ftbench.spec.model import Quantization

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
NOT_TOKENIZER = ("config.json", "generation_config.json")


def load_base(
    folder: Path, *, dtype: str = "float32", quantization: Quantization | None = None, attention: str = "sdpa"
) -> tuple[Any, Any]:
    """Model (for inference) and tokenizer from a folder: safetensors only, no remote code, no network.

    Precision, bits and attention kernel are those of the spec's `model`, the same as in training. Runs on the first
    CUDA device where there is one, else on the CPU. Raises InvalidInput (FTB568, FTB576), MissingResource (FTB578).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check_attention(attention, torch.cuda.is_available)
    quiet = {"local_files_only": True, "trust_remote_code": False}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kernel = "flash_attention_2" if attention == "flash-attention-2" else attention
    more: dict[str, Any] = {"attn_implementation": kernel}
    if quantization is not None:
        more |= {"quantization_config": _bits(quantization, dtype), "device_map": {"": device}}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **quiet)
        model, loading = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=getattr(torch, dtype), use_safetensors=True, output_loading_info=True, **quiet, **more
        )
    except ImportError as error:
        message = f"the base model can't be loaded as the spec asks: {error}"
        raise InvalidInput(Diagnostic(codes.QUANTIZATION_UNFIT, message)) from error
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(Diagnostic(codes.MODEL_UNFIT, f"{folder} is no causal language model: {error}")) from error
    if loading["missing_keys"] or loading["mismatched_keys"]:
        names = sorted(map(str, [*loading["missing_keys"], *loading["mismatched_keys"]]))
        message = f"the weights in {folder} lack {len(names)} tensors of the model, first {names[0]}"
        raise InvalidInput(Diagnostic(codes.MODEL_UNFIT, message))
    if quantization is None:
        model.to(device)
    for module in model.modules():
        # On some CPUs bitsandbytes repacks 4-bit weights when scoring, into values that training did not see.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model.eval(), tokenizer


def _bits(block: Quantization, dtype: str) -> Any:
    """The spec's block for bitsandbytes."""
    import torch
    from transformers import BitsAndBytesConfig

    if block.bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=block.kind,
        bnb_4bit_use_double_quant=block.double,
        bnb_4bit_compute_dtype=getattr(torch, block.compute_dtype or dtype),
    )


def attach(model: Any, folder: Path) -> Any:
    """The model with the adapter of `folder` attached, every tensor of the file in its place and none beside.

    peft leaves a tensor that the file lacks at its initial value and warns at most, which would score an untrained
    adapter. Raises InvalidInput (FTB567).
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    hint = "give the adapter folder of a run with this base model"
    try:
        tensors = load_file(str(folder / "adapter_model.safetensors"))
        # Trainable is what our layers ask for; nothing is trained here.
        tuned = PeftModel.from_pretrained(model, str(folder), is_trainable=True).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        message = f"the adapter in {folder} cannot be attached to the base model: {error}"
        raise InvalidInput(Diagnostic(codes.ADAPTER_UNFIT, message, hint=hint)) from error
    loaded: Mapping[str, Any] = get_peft_model_state_dict(tuned)
    if loaded.keys() != tensors.keys():
        wrong = sorted(loaded.keys() ^ tensors.keys())
        message = f"the adapter in {folder} and its configuration differ in {len(wrong)} tensors, first {wrong[0]}"
        raise InvalidInput(Diagnostic(codes.ADAPTER_UNFIT, message, hint=hint))
    for name, tensor in tensors.items():
        if not torch.equal(loaded[name].cpu(), tensor.to(loaded[name].dtype)):
            message = f"tensor {name} of the adapter in {folder} did not reach the model"
            raise InvalidInput(Diagnostic(codes.ADAPTER_UNFIT, message, hint=hint))
    return tuned


@contextlib.contextmanager
def tuned(model: Any, folder: Path, compiled: Path) -> Iterator[tuple[Any, str]]:
    """While it lasts: the model with the adapter of `folder` attached, and whose layers: `ftbench` or `peft`.

    The layers are those that the compiled benchmark trains with; where they know nothing of the model, or it has none,
    peft's own stay. Raises as `attach`.
    """
    tuned = attach(model, folder)
    try:
        layers = _layers(compiled)
        why_not = layers.install(tuned) if layers is not None else "the compiled benchmark has none"
        if why_not:
            print(f"the adapter's layers are peft's: {why_not}", file=sys.stderr)
            yield tuned, "peft"
        else:
            with layers.holding(tuned):
                yield tuned, "ftbench"
    finally:
        base = tuned.unload()
        # The layers looked after the adapter before each pass.
        base._forward_pre_hooks.clear()


def _layers(compiled: Path) -> Any:
    """The app's module of adapter layers, from the compiled benchmark; None where it has none."""
    app = compiled / "app"
    if not (app / APP_PACKAGE / "layers.py").is_file():
        return None
    sys.dont_write_bytecode = True  # a compiled benchmark is frozen
    if str(app) not in sys.path:
        sys.path.insert(0, str(app))
    return importlib.import_module(f"{APP_PACKAGE}.layers")


def adapter_digest(folder: Path) -> str:
    """Digest of an adapter folder's two files, for the cache. Raises MissingResource where one is not there."""
    check_adapter(folder)
    return digest({name: sha256((folder / name).read_bytes()) for name in ADAPTER_FILES})


def check_adapter(folder: Path) -> None:
    """The two files of an adapter are there. Raises MissingResource."""
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        message = f"{folder} is no adapter folder: it has no {' and no '.join(missing)}"
        hint = "a run's adapter is in its folder `adapter`"
        raise MissingResource(Diagnostic(codes.ADAPTER_UNFIT, message, hint=hint))


def tokenizer_digest(folder: Path) -> str:
    """Digest of a model folder's files but weights and model configuration: the tokenizer's, and nothing missed."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".safetensors" and p.name not in NOT_TOKENIZER]
    return digest({p.relative_to(folder).as_posix(): sha256(p.read_bytes()) for p in files})
