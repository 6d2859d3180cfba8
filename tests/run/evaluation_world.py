"""A small world for the evaluation's tests: a random Llama with a tokenizer, two tasks, an adapter, a run folder."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml as pyyaml

from ftbench.builtin import root
from ftbench.compile import emit_tasks
from ftbench.compile.plan import Plan
from ftbench.compile.sources import task_modules
from ftbench.compile.stack import STACK
from ftbench.data.store import Store
from ftbench.spec import yaml
from ftbench.spec.entry import EntryMetadata, ResolvedEntry
from ftbench.spec.model import BaseModelRef, Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin

COLOURS = [" red", " green", " dark blue", " blue"]
"""Options of one token and of several."""
TASKS: list[dict[str, Any]] = [
    {
        "kind": "choice",
        "name": "colours",
        "source": {"kind": "builtin", "name": "colours", "split": "test"},
        "columns": {"question": "q", "answer": "a"},
        "prompt": "{question}? The colour is",
        "options": COLOURS,
        "answer": "answer",
        "scoring": ["likelihood"],
    },
    {
        "kind": "choice",
        "name": "places",
        "source": {"kind": "builtin", "name": "places", "split": "test"},
        "columns": {"question": "q", "one": "x", "two": "y", "answer": "a"},
        "prompt": "{{{question}}}",
        "options": [" {one}", " {two}"],
        "answer": "answer",
        "scoring": ["likelihood"],
    },
]
RICH: list[dict[str, Any]] = [
    {
        **TASKS[0],
        "scoring": ["likelihood", "generated", "flowertune"],
        "generation": {"max_new_tokens": 6, "stop": ["\n"]},
        "extraction": "option-text",
        "flowertune": "exact-label",
    },
    {**TASKS[1], "scoring": ["generated"], "generation": {"max_new_tokens": 6}, "extraction": "option-text"},
    {
        "kind": "code",
        "name": "sums",
        "source": {"kind": "builtin", "name": "sums", "split": "test"},
        "columns": {"question": "q", "n": "n"},
        "prompt": "{question}: {n}",
        "language": "python",
        "generation": {"max_new_tokens": 6, "stop": ["\n"]},
        # What is generated stands in a comment, so that half of a random model's programs pass.
        "program": "value = {n}\n# {completion}\n",
        "tests": "assert value % 2 == 0\n",
        "entry_point": "value",
        "scoring": ["pass@1"],
        "cpu_seconds": 5,
        "memory_mib": 256,
    },
]
"""Tasks in which the model writes as well."""
NOUNS = ["sky", "sea", "grass", "rose", "a wide old road", "7", "straße", "snow — at {night}"]


@dataclass(frozen=True)
class World:
    """Where everything lies."""

    store: Store
    plan: Plan
    compiled: Path
    run: Path
    adapter: Path
    base: BaseModelRef


def make(
    folder: Path,
    *,
    items: int = 24,
    bos: bool = True,
    tasks: list[dict[str, Any]] | None = None,
    references: dict[str, Any] | None = None,
) -> World:
    """Build the world in `folder`."""
    store = Store([folder / "store"])
    digest = make_model(folder / "model", store)
    base = BaseModelRef(name="builtin/tiny", revision=digest)
    plan = make_plan(store, base, items=items, bos=bos, tasks=tasks, references=references)
    run = folder / "run"
    compiled = write_compiled(plan, run / "compiled")
    adapter = make_adapter(folder / "model", run / "adapter")
    entry = ResolvedEntry(metadata=EntryMetadata(name="tiny"), model=base, seed=1, knobs={})
    (run / "entry.yaml").write_text(pyyaml.safe_dump(entry.model_dump(mode="json")))
    return World(store, plan, compiled, run, adapter, base)


def make_plan(
    store: Store,
    base: BaseModelRef,
    *,
    items: int,
    bos: bool = True,
    tasks: list[dict[str, Any]] | None = None,
    references: dict[str, Any] | None = None,
) -> Plan:
    """The quickstart's conditions with our model and tasks; the store holds the items."""
    spec = yaml.read(root() / "specs" / "quickstart.yaml").value
    spec["data"]["bos"] = bos
    spec["model"]["base"] = base.model_dump()
    spec["evaluation"]["tasks"] = tasks or TASKS
    spec["evaluation"]["references"] = references or {}
    dice = random.Random(5)
    rows: dict[str, list[dict[str, Any]]] = {"colours": [], "places": [], "sums": []}
    for number in range(items):
        question = f"{dice.choice(NOUNS)} {number}"
        rows["colours"].append({"question": question, "answer": dice.randrange(4)})
        rows["places"].append({"question": question, "one": "red", "two": "a road", "answer": dice.randrange(2)})
        rows["sums"].append({"question": question, "n": number})
    pins = {"train": _pin("0" * 64, 8)} | {f"task:{n}": _pin(store.put_rows(r), len(r)) for n, r in rows.items()}
    typed = Spec.model_validate(spec)
    return Plan(
        metadata=typed.metadata,
        spec=typed.model_dump(mode="json", exclude={"metadata"}),
        pins=Pins(
            sources=pins,
            partition=PartitionPin(inputs="0" * 64, digest="0" * 64, sizes=[2] * 4, digests=["0" * 64] * 4),
        ),
        code={},
        stack=STACK,
    )


def write_compiled(plan: Plan, folder: Path) -> Path:
    """What the tasks need of a compiled benchmark."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "app/ftbench_app").mkdir(parents=True)
    (folder / "app/ftbench_app/plan.json").write_bytes(plan.to_bytes())
    for path, data in {**task_modules(plan.typed_spec()), **emit_tasks.emit(plan)}.items():
        (folder / path).write_bytes(data)
    return folder


def make_model(folder: Path, store: Store) -> str:
    """A random Llama with a byte-level tokenizer that puts BOS first, as Llama's does. Its digest in the store."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([" ".join([*NOUNS, *COLOURS]) + "? The colour is red blue"] * 9, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(str(folder))
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=96,
        initializer_range=0.4,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return store.put_model(folder)


def make_adapter(model: Path, folder: Path, *, seed: int = 11) -> Path:
    """A LoRA adapter with random weights in the form that a run leaves."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(str(model))
    config = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules="all-linear")
    tuned = get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    tuned.save_pretrained(str(folder))
    return folder


def _pin(digest: str, rows: int) -> SourcePin:
    return SourcePin(inputs="0" * 64, digest=digest, rows=rows, licence="CC0-1.0")
