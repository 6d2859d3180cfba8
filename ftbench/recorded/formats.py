"""Reading recorded answers: bundles' samples, lm-eval's samples, FlowerTune's generations, and plain JSON lines.

Which it is, the first line tells. lm-eval: files `samples_*.jsonl` of `--log_samples`. FlowerTune: `generation_*.jsonl`
of its evaluation scripts; that of finance keeps the label that its rule made of a text, and not the text. Its code
domain is evaluated by bigcode-evaluation-harness, whose `generations_*.json` is a list with a list of whole programs,
prompt and completion, for each problem in order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from ftbench import codes
from ftbench.data.formats.base import packing
from ftbench.diagnostics import Diagnostic, Place, because, printable
from ftbench.errors import InvalidInput
from ftbench.result import safejson, samples
from ftbench.result.documents import Answer, Sample

Kind = Literal["bundle", "lm-eval", "flowertune", "bigcode", "plain"]

MAX_BYTES = samples.MAX_BYTES
ONE = "recorded"
"""What the one model of a file is called that names none."""
LABELS = "The text that the models wrote: the file keeps the labels that FlowerTune's rule made of it."
DUMP = "`inspect log dump`, and a line with `index` and `text` for each sample"
PROMPTS = "The prompts: they are those of the tool that recorded the answers, not the spec's."


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says of one item."""

    number: int
    """From 1."""
    index: int | None
    """Position of the item; None: the line's own position."""
    item: str | None
    """Digest of the item's row, where it is told."""
    gold: str | int | None
    """The right answer, as the file tells it: text, letter or index; None: not told."""
    answers: Mapping[str, Answer]
    """Model → answer."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file of answers to one task."""

    kind: Kind
    lines: Sequence[Line]
    notes: Sequence[str]
    """What such a file does not tell, in sentences."""


def read(path: Path) -> Recorded:
    """The answers in a file of JSON lines, or of a JSON list; it may be packed with gzip.

    Raises InvalidInput (FTB770) for what is none of these forms.
    """
    if not path.is_file():
        raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such file", Place(str(path))))
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if data[:2] == b"\x1f\x8b":
        data = samples.gunzip(data, str(path), MAX_BYTES)
    elif (packed := packing(data)) is not None:
        _refuse(path, 0, f"is compressed, by {packed[0]}", f"unpack it first; of inspect's .eval: {DUMP}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if len(data) > MAX_BYTES:
        _refuse(path, 0, f"has more than {MAX_BYTES} bytes")
    values = _values(path, data)
    kind = _kind(path, values[0])
    reader = READERS[kind]
    lines = []
    for number, value in enumerate(values, 1):
        try:
            lines.append(reader(number, value))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            why = f"lacks {error}" if isinstance(error, KeyError) else because(error)
            _refuse(path, number, f"does not read as {kind}: {why}"[:300])
    lines = _filtered_once(lines, values) if kind == "lm-eval" else lines
    notes = [PROMPTS] if kind in ("flowertune", "bigcode", "plain") else []
    return Recorded(kind, lines, [LABELS, *notes] if kind == "flowertune" and "new_out" in values[0] else notes)


def _values(path: Path, data: bytes) -> list[Any]:
    if data.lstrip()[:1] == b"[":
        found = safejson.parse(data, str(path), max_bytes=MAX_BYTES)
    else:
        numbered = enumerate(data.split(b"\n"), 1)
        found = [safejson.parse(line, f"{path} line {n}", max_bytes=2**22) for n, line in numbered if line.strip()]
    if not isinstance(found, list) or not found:
        _refuse(path, 0, "holds no answers")
    return found


def _kind(path: Path, first: Any) -> Kind:
    keys = set(first) if isinstance(first, dict) else set()
    if keys >= {"untuned", "tuned", "item"}:
        return "bundle"
    if keys >= {"doc_id", "resps"}:
        return "lm-eval"
    if keys >= {"prompt", "gold", "output"} or keys >= {"context", "new_out"}:
        return "flowertune"
    if keys & {"text", "loglikelihoods"}:
        return "plain"
    if isinstance(first, list) and first and all(isinstance(one, str) for one in first):
        return "bigcode"
    hint = "a bundle's samples, lm-eval's samples_*.jsonl, FlowerTune's generation_*.jsonl or generations_*.json, or "
    hint += "lines with `text`"
    _refuse(path, 1, f"is none of the forms that are read; its keys: {', '.join(sorted(keys))[:200] or 'none'}", hint)


def _bundle(number: int, value: Any) -> Line:
    sample = safejson.to_strict(value, Sample, f"line {number}")
    answers = {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}
    return Line(number, sample.index, sample.item, sample.target, answers)


def _lm_eval(number: int, value: dict[str, Any]) -> Line:
    """A choice has a pair (log-likelihood, whether greedy) for each option, a generation one text."""
    if not isinstance(value["resps"], list):
        raise ValueError("`resps` is no list")
    given = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in value["resps"]]
    if len(given) == 1 and _texts(given[0]):
        raise ValueError(f"{len(given[0])} answers to one item (`repeats`), and a scoring looks at one")
    doc: dict[str, Any] = value["doc"] if isinstance(value.get("doc"), dict) else {}
    if len(given) == 1 and isinstance(given[0], str):
        answer = Answer(text=given[0])
    elif given and all(isinstance(pair, list) and pair for pair in given):
        answer = Answer(loglikelihoods=[_number(pair[0], texts=True) for pair in given])
    else:
        raise ValueError(f"`resps` holds neither one text nor a pair for each option: {json.dumps(given)[:60]}")
    item, gold = doc.get("item"), doc.get("target")
    told = gold if isinstance(gold, str | int) and not isinstance(gold, bool) else None
    return Line(number, _index(value["doc_id"]), item if isinstance(item, str) else None, told, {ONE: answer})


def _texts(value: Any) -> bool:
    """Whether it is several texts, and not an option's pair, which lm-eval writes as texts: number, greedy or not."""
    pair = isinstance(value, list) and len(value) == 2 and value[1] in ("True", "False")
    return isinstance(value, list) and bool(value) and not pair and all(isinstance(one, str) for one in value)


def _filtered_once(lines: Sequence[Line], values: Sequence[Any]) -> list[Line]:
    """lm-eval writes a line for every filter of a task, each with the same answer: one of them is kept."""
    seen: dict[tuple[int | None, str], object] = {}
    kept = []
    for line, value in zip(lines, values, strict=True):
        key = (line.index, json.dumps(value["resps"]))
        name = value.get("filter")
        if key not in seen:
            seen[key] = name
        elif name is not None and name != seen[key]:
            continue
        kept.append(line)
    return kept


def _flowertune(number: int, value: dict[str, Any]) -> Line:
    text, gold = (value["output"], value["gold"]) if "gold" in value else (value["new_out"], value.get("new_target"))
    return Line(number, None, None, _gold(gold), {ONE: Answer(text=_text(text))})


def _bigcode(number: int, value: Any) -> Line:
    """One program: of several a share would have to be estimated, which is another scoring."""
    if not isinstance(value, list) or len(value) != 1:
        raise ValueError(
            f"one program to each problem is scored, not {len(value) if isinstance(value, list) else value}"
        )
    return Line(number, None, None, None, {ONE: Answer(text=_text(value[0]))})


def _plain(number: int, value: dict[str, Any]) -> Line:
    known = {"index", "item", "gold", "target", "text", "loglikelihoods"}
    if set(value) - known:
        raise ValueError(f"unknown keys {', '.join(sorted(set(value) - known))}; known are {', '.join(sorted(known))}")
    numbers = value.get("loglikelihoods")
    answer = Answer(
        text=None if value.get("text") is None else _text(value["text"]),
        loglikelihoods=None if numbers is None else [_number(one) for one in _listed(numbers)],
    )
    index, item, gold = value.get("index"), value.get("item"), value.get("gold", value.get("target"))
    if item is not None and not isinstance(item, str):
        raise ValueError(f"`item` is the digest of the item's row, not {json.dumps(item)[:60]}")
    return Line(number, None if index is None else _index(index), item, _gold(gold), {ONE: answer})


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"an item's number is a whole one from 0, not {json.dumps(value)[:60]}")
    return value


def _gold(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError(f"the right answer is a text, a letter or an index, not {json.dumps(value)[:60]}")
    return value


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError("`loglikelihoods` is a list with a number for each option")
    return value


def _number(value: Any, *, texts: bool = False) -> float:
    """`texts`: lm-eval writes its numbers as texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or (isinstance(value, str) and not texts):
        raise ValueError(f"a log-likelihood is a number, not {json.dumps(value)[:60]}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"an answer is no text: {json.dumps(value)[:60]}")
    return value


READERS: dict[Kind, Callable[[int, Any], Line]] = {
    "bundle": _bundle,
    "lm-eval": _lm_eval,
    "flowertune": _flowertune,
    "bigcode": _bigcode,
    "plain": _plain,
}


def _refuse(path: Path, number: int, message: str, hint: str = "") -> NoReturn:
    place = Place(str(path), number, 1) if number else Place(str(path))
    raise InvalidInput(Diagnostic(codes.BAD_ANSWERS, printable(message), place, hint))
