"""Small files in the layouts in which the real data sets are published, and small repositories of base models."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

Rows = Sequence[dict[str, Any]]

FPB_MEMBER = "FinancialPhraseBank-v1.0/Sentences_50Agree.txt"


def parquet(rows: Rows) -> bytes:
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


def csv_(rows: Rows) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def json_(rows: Rows) -> bytes:
    return json.dumps(list(rows), indent=1).encode()


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def zip_(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def alpaca(count: int = 60) -> list[dict[str, Any]]:
    return [
        {"instruction": f"Say number {n} in words, please.", "input": "" if n % 3 else f"hint {n}", "output": f"{n}."}
        for n in range(count)
    ]


def fpb() -> bytes:
    lines = [
        "Net sales rose 5 % @ home to EUR 3 mn .@positive",
        "Sampo kept its view .@neutral",
        "Säästö fell .@negative",
    ]
    text = "".join(line + "\r\n" for line in lines).encode("iso-8859-1")
    return zip_({FPB_MEMBER: text, "__MACOSX/._x": b"\0"})


LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "alpaca": (
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {"instruction": "Add.", "input": "1 and 2", "request": "Add.\n\n1 and 2", "output": "3"},
    ),
    "mmlu": (
        {"question": "Q?", "subject": "anatomy", "choices": ["w", "x", "y", "z"], "answer": 2},
        {
            "question": "Q?",
            "subject": "anatomy",
            "option_a": "w",
            "option_b": "x",
            "option_c": "y",
            "option_d": "z",
            "answer": 2,
        },
    ),
    "fiqa": (
        {"_id": "1", "sentence": "Up!", "target": "X", "aspect": "[]", "score": 0.1, "type": "post"},
        {"sentence": "Up!", "label": "positive", "answer": 2},
    ),
    "tfns": ({"text": "$X beats", "label": 1}, {"sentence": "$X beats", "label": "positive", "answer": 2}),
    "medmcqa": (
        {
            "id": "a",
            "question": "Q?",
            "opa": "w",
            "opb": "x",
            "opc": "y",
            "opd": "z",
            "cop": 3,
            "choice_type": "single",
            "exp": None,
            "subject_name": "Anatomy",
            "topic_name": None,
        },
        {"question": "Q?", "option_a": "w", "option_b": "x", "option_c": "y", "option_d": "z", "answer": 3},
    ),
    "medqa": (
        {
            "question": "Q?",
            "answer": "x",
            "options": {"A": "w", "B": "x", "C": "y", "D": "z"},
            "meta_info": "step1",
            "answer_idx": "B",
            "metamap_phrases": ["p"],
        },
        {"question": "Q?", "option_a": "w", "option_b": "x", "option_c": "y", "option_d": "z", "answer": 1},
    ),
    "careqa": (
        {
            "exam_id": 1,
            "question": "Q?",
            "op1": "w",
            "op2": "x",
            "op3": "y",
            "op4": "z",
            "cop": 1,
            "year": 2020,
            "category": "Biology",
            "unique_id": "u",
        },
        {"question": "Q?", "option_a": "w", "option_b": "x", "option_c": "y", "option_d": "z", "answer": 0},
    ),
    "humaneval": (
        {
            "task_id": "HumanEval/0",
            "prompt": "def one():\n",
            "canonical_solution": "    return 1\n",
            "test": "def check(candidate):\n    assert candidate() == 1\n",
            "entry_point": "one",
        },
        {
            "task_id": "HumanEval/0",
            "prompt": "def one():\n",
            "tests": "def check(candidate):\n    assert candidate() == 1\n",
            "entry_point": "one",
            "reference": "    return 1\n",
        },
    ),
    "mbpp": (
        {
            "task_id": 11,
            "text": "Write a function that gives two.",
            "code": "def helper():\r\n  return 1\r\ndef two():\r\n  return helper() + 1",
            "test_list": ["assert two() == 2", "assert two() != 3"],
            "test_setup_code": "",
            "challenge_test_list": [],
        },
        {
            "task_id": "11",
            "problem": "Write a function that gives two.",
            "tests": "assert two() == 2\nassert two() != 3",
            "first_test": "assert two() == 2",
            "setup": "",
            "entry_point": "two",
            "reference": "def helper():\n  return 1\ndef two():\n  return helper() + 1",
        },
    ),
    "multipl-e": (
        {
            "name": "HumanEval_0_has_close_elements",
            "language": "js",
            "prompt": "function has_close_elements(a){\n",
            "doctests": "transform",
            "original": "x",
            "prompt_terminology": "reworded",
            "tests": "test();",
            "stop_tokens": ["\nfunction "],
        },
        {
            "task_id": "HumanEval_0_has_close_elements",
            "prompt": "function has_close_elements(a){\n",
            "tests": "test();",
            "entry_point": "has_close_elements",
        },
    ),
    "ultrafeedback": (
        {
            "prompt": "Name a metal. ",
            "prompt_id": "x",
            "chosen": [
                {"content": "Name a metal. ", "role": "user"},
                {"content": "Iron.\r\nIt rusts.", "role": "assistant"},
            ],
            "rejected": [{"content": "Name a metal. ", "role": "user"}, {"content": "Oak.", "role": "assistant"}],
            "score_chosen": 8.5,
            "score_rejected": 2.0,
        },
        {
            "prompt": "Name a metal.",
            "chosen": "Iron.\nIt rusts.",
            "rejected": "Oak.",
            "option_a": "Iron.\nIt rusts.",
            "option_b": "Oak.",
            "answer": 0,
        },
    ),
    "hh-rlhf": (
        {
            "chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: A metal?\n\nAssistant: Iron.",
            "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: A metal?\n\nAssistant: Oak.",
        },
        {
            "prompt": "Human: Hi\n\nAssistant: Yes?\n\nHuman: A metal?",
            "chosen": "Iron.",
            "rejected": "Oak.",
            "option_a": "Iron.",
            "option_b": "Oak.",
            "answer": 0,
        },
    ),
}
"""Normaliser → (a row as it is published, what becomes of it)."""


def tensors(seed: int = 0, size: int = 512) -> bytes:
    """A safetensors file of one tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, size * 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes((seed + n) % 251 for n in range(size * 4))


def builtin_model() -> dict[str, bytes]:
    """The micro model's files, as a repository of the hub would hold them: small, and it runs."""
    from ftbench import builtin
    from ftbench.builtin import MODELS

    folder = builtin.store() / "models" / MODELS["builtin/micro"]
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def model(**files: bytes) -> dict[str, bytes]:
    """A repository of a base model: what is fetched, and beside it what is not."""
    return {
        "config.json": json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}).encode(),
        "generation_config.json": b"{}",
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b"{}",
        "model.safetensors": tensors(),
        "pytorch_model.bin": b"\x80\x02pickle",
        "modeling_own.py": b"raise SystemExit('must never run')\n",
        "original/consolidated.safetensors": tensors(3),
        "README.md": b"# a model\n",
        **files,
    }
