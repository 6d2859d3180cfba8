"""Small evaluation blocks for tests: tasks of each kind with the scorings asked for."""

from __future__ import annotations

from typing import Any

from ftbench.spec.model import Evaluation

SOURCE = {"kind": "builtin", "name": "world", "split": "test"}


def choice(name: str = "t", **changes: Any) -> dict[str, Any]:
    """A choice task; `generation` is filled in where the scorings need it."""
    task = {"kind": "choice", "name": name, "source": SOURCE, "columns": {"q": "q", "a": "a"}, "prompt": "{q}"}
    task |= {"options": [" a", " b", " c"], "answer": "a", "scoring": ["likelihood"], **changes}
    if task["scoring"] != ["likelihood"]:
        task.setdefault("generation", {"max_new_tokens": 8, "stop": []})
    return task


def code(name: str = "c", **changes: Any) -> dict[str, Any]:
    """A code task in Python."""
    task = {"kind": "code", "name": name, "source": SOURCE, "columns": {"q": "q", "tests": "t"}, "prompt": "{q}"}
    task |= {"language": "python", "generation": {"max_new_tokens": 8, "stop": []}, "scoring": ["pass@1"]}
    return {**task, "program": "{completion}", "tests": "{tests}", "entry_point": "f", **changes}


def evaluation(*tasks: dict[str, Any], confidence: float = 0.95) -> Evaluation:
    """The block with these tasks."""
    return Evaluation.model_validate({"tasks": list(tasks), "confidence": confidence})


def likelihood(*names: str, confidence: float = 0.95) -> Evaluation:
    """Choice tasks of these names scored by log-likelihood."""
    return evaluation(*(choice(name) for name in names), confidence=confidence)
