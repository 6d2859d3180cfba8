"""Standard errors of items that belong together: cluster keys read off the items themselves, and the sandwich formula.

Which items are one cluster is read from what a bundle holds, its samples, and not from the rows that they were made of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

JSON = dict[str, Any]


def labels(keys: JSON, tasks: Mapping[str, JSON], samples: Mapping[str, Sequence[JSON]]) -> dict[str, list[str]]:
    """Task → the cluster of each of its items, of the tasks that `reporting.clusters` names."""
    found = {}
    for name, key in keys.items():
        if key.get("blocks"):
            of = [f"{place}" for place, size in enumerate(key["blocks"]) for _ in range(size)]
        elif key.get("column"):
            of = [_value(one, tasks[name], key["column"]) for one in samples[name]]
        else:
            of = [str(one["prompt"]) for one in samples[name]]
        assert len(of) == len(samples[name])
        space = ("shared", key["shared"]) if key.get("shared") else ("own", name)
        found[name] = [f"{space} {one}" for one in of]
    return found


def _value(item: JSON, task: JSON, column: str) -> str:
    """What an item has in a column: the right option, or what stands in its prompt where the template names it."""
    if column == task["answer"]:
        return str(item["options"][item["target"]])
    parts = re.split(r"(\{\w+\})", task["prompt"])
    pattern = "".join(
        f"(?P<{one[1:-1]}>.*)" if one == f"{{{column}}}" else "(?:.*)" if one.startswith("{") else re.escape(one)
        for one in parts
    )
    read = re.fullmatch(pattern, item["prompt"], re.DOTALL)
    assert read is not None
    return read[column]


def numbered(sizes: Mapping[str, int], found: Mapping[str, list[str]]) -> np.ndarray:
    """The cluster of each item, tasks in the order of their names; an item of another task is one by itself."""
    every = [one for name in sorted(sizes) for one in found.get(name, [f"{name} {j}" for j in range(sizes[name])])]
    return np.unique(every, return_inverse=True)[1]


def sandwich(marks: np.ndarray, sizes: Mapping[str, int], clusters: np.ndarray) -> float:
    """Of the plain mean of the tasks' means, by least squares of marks on one dummy a task:

    V = G / (G − 1) · (X'X)⁻¹ (Σ_g X_g' e_g e_g' X_g) (X'X)⁻¹, and the error is √(a' V a), a = 1 / m for each task.
    """
    which = np.repeat(np.arange(len(sizes)), [sizes[name] for name in sorted(sizes)])
    design = (which[:, None] == np.arange(len(sizes))).astype(float)
    bread = np.linalg.inv(design.T @ design)
    left = marks - design @ (bread @ (design.T @ marks))
    meat = np.zeros_like(bread)
    count = int(clusters.max()) + 1
    for one in range(count):
        inside = clusters == one
        score = design[inside].T @ left[inside]
        meat += np.outer(score, score)
    each = np.full(len(sizes), 1 / len(sizes))
    return math.sqrt(max(float(each @ bread @ meat @ bread @ each), 0.0) * count / (count - 1))


def summed(columns: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Columns of items, added up to columns of clusters."""
    found = np.zeros((int(clusters.max()) + 1, columns.shape[1]))
    np.add.at(found, clusters, columns)
    return found
