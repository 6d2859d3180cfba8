"""A draft spec as YAML with a comment beside what was guessed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ftbench.draft.files import Given
from ftbench.draft.guess import Guess
from ftbench.spec.emit import flow
from ftbench.spec.model import BaseModelRef

HEAD = """\
# Written by `ftbench new`. What was guessed has its reason beside it: change what is not so, then
#   ftbench preview {path}     prompts and answers as a model gets them
#   ftbench lock {path}        digests the rows into the store
#   ftbench run {path}         trains, scores, packs the bundle
# `ftbench explain {path} PATH` says what a field is; what is not under `knobs` is the same for every entry.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the files do not say."""

    name: str
    path: str
    """The spec's own path, for the comments."""
    base: BaseModelRef
    parameters: int | None
    """Parameters of the base model; None where it is not known here."""
    communication_mib: float | None = None
    """Budget; None: not known, and so high that it limits nobody."""

    @property
    def micro(self) -> bool:
        """Whether the base model is a built-in toy."""
        return self.base.name.startswith("builtin/")


class _Lines:
    """YAML that grows line by line; comments are kept short and at the line that they are about."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, indent: int, key: str, value: Any = None, why: str = "", *, block: bool = False) -> None:
        """A key with its value, or one that begins a block."""
        if why and len(why) > 60:
            self.text.append(f"{' ' * indent}# {key}: {why}")
            why = ""
        body = f"{key}:" if block else f"{key}: {flow(value)}"
        self.text.append(f"{' ' * indent}{body}{f'  # {why}' if why else ''}")


def names(found: Guess) -> dict[str, str]:
    """The files' columns → names that a template can take, each once."""
    made: dict[str, str] = {}
    own = found.own.columns if found.own else []
    wanted = [*found.questions, *own, found.answer, *([found.group] if found.group else [])]
    for column in wanted:
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_").lower() or "column"
        plain = plain if not plain[0].isdigit() else f"column_{plain}"
        while plain in made.values():
            plain += "_"
        made[column] = plain
    return made


def prompt(found: Guess, named: dict[str, str]) -> str:
    """The prompt's template: each question under its name, what may be answered, and where the answer begins."""
    lines = [f"{named[one].replace('_', ' ').capitalize()}: {{{named[one]}}}" for one in found.questions]
    if found.own is not None:
        lines += [f"{mark}. {{{named[one]}}}" for mark, one in zip(found.own.marks, found.own.columns, strict=False)]
        kind = "letter" if found.own.marks and found.own.marks[0].isalpha() else "number"
        asked = [f"Reply with the {kind} of the right answer."] if found.own.marks else []
        return "\n".join([*lines, *asked, "Answer:"])
    listed = ", ".join(option.replace("{", "{{").replace("}", "}}") for option in found.options)
    return "\n".join([*lines, f"Answer with one of: {listed}.", "Answer:"])


def write(frame: Frame, train: Given, test: Given, found: Guess) -> str:
    """The spec's text; it validates as it is."""
    named, out = names(found), _Lines()
    own = found.own.columns if found.own else []
    columns: dict[str, Any] = {named[one]: one for one in [*found.questions, found.answer]}
    if found.number:
        columns[named[found.answer]] = {"column": found.answer, "type": "text"}
    group = {named[found.group]: found.group} if found.group else {}
    asked = {named[one]: one for one in [*found.questions, *own]} | columns
    learnt = asked if found.own is not None and found.own.marks else columns
    out.put(0, "ftbench", "spec/v1")
    out.put(0, "metadata", block=True)
    out.put(2, "name", frame.name)
    out.put(2, "version", "0.1.0")
    out.put(2, "title", f"{frame.name.replace('-', ' ').capitalize()}: say in a line what is asked")
    out.put(2, "licence", "CC0-1.0", "of this spec; a source has its own `licence`")
    _data(out, train, found, {**learnt, **group}, named)
    _federation(out, frame, found, named)
    _model(out, frame, max(_longest(train, found), _longest(test, found)))
    _evaluation(out, test, found, asked, named)
    out.put(0, "seeds", block=True)
    out.put(2, "partition", 1, "deals the rows to the clients, the same for every entry")
    out.put(2, "runs", [1, 2, 3], "a table tells methods apart by several seeds")
    _knobs(out)
    return HEAD.format(path=frame.path) + "\n".join(out.text) + "\n"


def _data(out: _Lines, train: Given, found: Guess, columns: dict[str, Any], named: dict[str, str]) -> None:
    out.put(0, "data", block=True)
    out.put(2, "source", _source(train), "paths are relative to this file")
    out.put(2, "columns", columns, f"answer: {found.notes['answer']}")
    if "left out" in found.notes:
        out.text.append(f"  # left out: {found.notes['left out']}")
    out.put(2, "prompt", prompt(found, named), found.notes["prompt"])
    out.put(2, "completion", f" {{{named[found.answer]}}}", found.notes.get("training answers", ""))
    out.put(2, "chat_template", "none", "`model`: one user turn of an instruct model's own template; bos is false then")
    out.put(2, "bos", True)
    out.put(2, "eos", True)
    out.put(2, "over_length", "truncate", "a prompt that is too long loses its beginning, never its answer")
    out.put(2, "loss_on", "completion")
    out.put(2, "loss_reduction", "token-mean")


def _federation(out: _Lines, frame: Frame, found: Guess, named: dict[str, str]) -> None:
    out.put(0, "federation", block=True)
    out.put(2, "clients", found.clients, found.notes["clients"])
    if found.group:
        deal = "one-each" if found.clients <= 100 else "in-turn"
        out.put(2, "partition", {"kind": "natural", "group": named[found.group], "deal": deal})
    else:
        out.put(2, "partition", {"kind": "iid"}, "or dirichlet by the answer, where clients should differ")
    out.put(2, "sampling", {"fraction": 0.5 if found.clients > 2 else 1.0})
    out.put(2, "rounds", 8 if frame.micro else 10)
    out.put(2, "min_replies", 1)
    out.put(0, "training", block=True)
    first, last = (1e-2, 1e-3) if frame.micro else (5e-4, 5e-5)
    out.put(2, "optimizer", {"kind": "adamw"})
    out.put(2, "schedule", {"kind": "cosine", "learning_rate": first, "final_learning_rate": last})
    out.put(2, "local_steps", 10)
    out.put(2, "batch_size", 16)


def _model(out: _Lines, frame: Frame, longest: int) -> None:
    tokens = 2 ** math.ceil(math.log2(max(64, longest if frame.micro else longest / 2.5)))
    limit = 256 if frame.micro else 8192
    why = f"the longest row has {longest} characters; `ftbench preview` counts tokens"
    out.put(2, "sequence_length", min(limit, tokens), why)
    out.put(2, "max_grad_norm", 1.0)
    out.put(0, "model", block=True)
    if frame.micro:
        out.text.append(
            "  # A toy that comes with ftbench: it shows that the line works, and knows nothing of your field."
        )
        out.text.append(
            "  # A real one: ftbench data fetch --model OWNER/NAME, or data add --model DIR --name OWNER/NAME."
        )
    out.put(2, "base", {"name": frame.base.name, "revision": frame.base.revision})
    known = frame.parameters
    out.put(2, "max_parameters", 1_000_000 if frame.micro else 25_000_000_000, "of an entry's base model")
    small = frame.micro or (known is not None and known < 500_000_000)
    out.put(2, "dtype", "float32" if small else "bfloat16")
    out.put(0, "adapter", block=True)
    out.put(2, "kind", "lora")
    out.put(2, "rank", 8)
    out.put(2, "alpha", 8 if frame.micro else 16)
    out.put(2, "dropout", 0.0)
    out.put(2, "targets", "all-linear")
    out.put(0, "strategy", {"kind": "fedavg"})
    out.put(0, "budget", block=True)
    if frame.communication_mib is None:
        out.put(2, "communication_mib", 200_000, "limits nobody; `ftbench estimate` says what a run sends")
    else:
        out.put(2, "communication_mib", frame.communication_mib, "twice what these settings send")
    out.put(2, "trainable_parameters", 1_000_000 if frame.micro else 1_000_000_000)


def _evaluation(out: _Lines, test: Given, found: Guess, columns: dict[str, Any], named: dict[str, str]) -> None:
    out.put(0, "evaluation", block=True)
    out.put(2, "tasks", block=True)
    out.put(4, "- kind", "choice")
    out.put(6, "name", "test")
    out.put(6, "source", _source(test), "add `redistribute: no` where its text may not be passed on")
    out.put(6, "columns", columns)
    out.put(6, "prompt", prompt(found, named), "as in training")
    options = [" " + option.replace("{", "{{").replace("}", "}}") for option in found.options]
    if found.own is not None and not found.own.marks:
        options = [f" {{{named[one]}}}" for one in found.own.columns]
    out.put(6, "options", options, found.notes["options"])
    out.put(6, "answer", named[found.answer])
    out.put(6, "scoring", ["likelihood"], found.notes["majority"])
    out.put(2, "references", {"untuned": True, "local": False, "centralised": False})


def _knobs(out: _Lines) -> None:
    out.text.append("# What an entry may choose, and in which range; everything above is frozen.")
    out.put(0, "knobs", block=True)
    out.put(2, "model.base", {"free": True})
    out.put(2, "adapter.rank", {"min": 1, "max": 64})
    out.put(2, "adapter.alpha", {"min": 1, "max": 128})
    out.put(2, "training.schedule.learning_rate", {"min": 1e-6, "max": 1e-1})


def _source(given: Given) -> dict[str, Any]:
    return {"kind": "file", "files": [given.name], "format": given.format}


def _longest(given: Given, found: Guess) -> int:
    """Characters of the longest row with what stands around it."""
    around = len(prompt(found, names(found)))
    used = [*found.questions, found.answer, *(found.own.columns if found.own else [])]
    return around + max(sum(len(str(row.get(one) or "")) for one in used) for row in given.rows)
