"""Counts a model of any family that `transformers` has, made on torch's meta device, which allocates no weights.

A program of its own, `python -m ftbench.base_models.meta_count`: the settings come on stdin, the count goes to stdout.
So whoever asks needs no torch in their own process, and settings that make a model without end are ended with it. No
code of a repository is loaded and no hub asked. `ftbench.base_models.counting` starts it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ftbench.parallel import end_with

SIZES = {
    "hidden": ("hidden_size",),
    "layers": ("num_hidden_layers",),
    "heads": ("num_attention_heads",),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "intermediate": ("intermediate_size", "ffn_dim", "n_inner"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings",),
}
"""Size → attributes of a configuration that hold it; transformers maps other names of theirs to these."""
CPU_SECONDS = 120
"""Most CPU time of a count."""
MEMORY = 32 * 2**30
"""Most bytes of address space: torch takes several GiB of it for nothing."""
LEFT_OUT = ("auto_map", "quantization_config", "_attn_implementation", "attn_implementation")
"""Settings that a count has no use for: code of a repository, stored forms, kernels."""


def count(settings: dict[str, Any]) -> dict[str, Any]:
    """Parameters, linear layers and sizes of the model that these settings describe. Raises whatever transformers
    raises for what it does not understand."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    plain = {key: value for key, value in settings.items() if key not in LEFT_OUT}
    config = AutoConfig.for_model(plain.pop("model_type"), **plain)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", trust_remote_code=False)
    head = model.get_output_embeddings()
    linears = [
        {
            "name": name,
            "inputs": module.in_features,
            "outputs": module.out_features,
            "bias": module.bias is not None,
            "head": module is head,
        }
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    text = config.get_text_config()
    sizes = {size: _first(text, names) for size, names in SIZES.items()}
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "linears": linears,
        "sizes": sizes,
        "tied": bool(getattr(config, "tie_word_embeddings", False)),
    }


def _first(config: Any, names: tuple[str, ...]) -> int | None:
    found = (getattr(config, name, None) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), None)


def _bounded() -> None:
    """Settings may ask for modules without end: they end this process, and nothing else."""
    import resource

    for kind, most in ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    end_with(os.getppid())
    _bounded()
    try:
        told = count(json.load(sys.stdin))
    except ModuleNotFoundError as error:
        told = {"missing": error.name}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told))
