"""The trial's own process: `python -m ftbench.run.evaluation.trial_worker JOB.json`.

It writes one JSON document (`trial.Report`) on standard output; what libraries print, and which rows are left out, goes
to standard error. It ends when its standard input is closed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.errors import FtbenchError
from ftbench.run.evaluation.tokens import context_ids, model_length
from ftbench.run.evaluation.trial import ROWS, Counted, Report, Told, Trial
from ftbench.spec.template import fill

SHOWN = 5
"""Items and rows that are named for one fault of a task or client; the rest are counted."""
AUTHOR = "the benchmark's author may"
Row = dict[str, Any]


class _Refused(Exception):
    """What stands in the way of all that follows."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.told = Told(code=code, message=message, hint=hint)
        super().__init__(message)


def main(path: Path) -> int:
    """Carry out the job in `path`; exit code 0 where it came to a report."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        tokenizers_alone()
        report = try_all(Trial.model_validate_json(path.read_bytes()))
    except _Refused as refused:
        report = Report(problems=[refused.told])
    except ImportError as error:
        message = f"package {error.name or error} is not installed"
        report = Report(problems=[Told(code=codes.PACKAGE_MISSING, message=message, hint="pip install 'ftbench[run]'")])
    out.write(report.model_dump_json())
    out.flush()
    return 0


def tokenizers_alone() -> None:
    """Let transformers believe that PyTorch is not there: a tokenizer and a configuration need nothing of it, and to
    import what it brings along takes longer than the trial itself. For good, so only in a process like this one.
    """
    if "torch" in sys.modules:
        return
    # It would tell readers of the log that PyTorch is missing.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    # None is how the import system is told that a module does not exist.
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        from transformers.utils import is_torch_available

        is_torch_available()  # asked once, and kept
    finally:
        del sys.modules["torch"]


def try_all(trial: Trial) -> Report:
    """Tokenizer and chat template, items, a row for each client, then the counts. Raises _Refused and ImportError."""
    tokenizer, longest = _load(trial)
    _try_prompt(trial, tokenizer)
    problems = list(_items(trial, tokenizer, longest))
    rows = None if problems else _Rows.of(trial, tokenizer)
    if rows is None:
        return Report(problems=problems)
    problems = list(rows.empty())
    return Report(problems=problems) if problems else rows.count(longest)


def _load(trial: Trial) -> tuple[Any, int]:
    """The tokenizer, and the tokens that the model reads."""
    from transformers import AutoConfig, AutoTokenizer

    quiet = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(trial.model, **quiet)
        config = AutoConfig.from_pretrained(trial.model, **quiet)
    except Exception as error:  # `tokenizers` raises no narrower one
        message = f"{trial.name} has no tokenizer and configuration that can be read: {error}"
        raise _Refused(codes.MODEL_UNFIT, message, "choose another base model") from error
    return tokenizer, model_length(config, tokenizer)


def _context(trial: Trial, tokenizer: Any, prompt: str) -> list[int]:
    data = trial.spec["data"]
    return context_ids(tokenizer, prompt, bos=data["bos"], chat_template=data["chat_template"])


def _try_prompt(trial: Trial, tokenizer: Any) -> None:
    """One prompt, as training and evaluation have it: a chat template is a program, and may fail at every prompt."""
    data = trial.spec["data"]
    try:
        _context(trial, tokenizer, "What is asked?")
    except FtbenchError as error:
        told = error.diagnostics[0]
        hint = f"choose an instruct model; {AUTHOR} set data.chat_template to none"
        raise _Refused(told.code, f"{trial.name}: {told.message}", hint) from error
    except Exception as error:  # whatever a template raises
        message = f"the chat template of {trial.name} fails on a single user turn: {' '.join(str(error).split())[:300]}"
        hint = f"choose another base model; {AUTHOR} set data.chat_template to none"
        raise _Refused(codes.NO_CHAT_TEMPLATE, message, hint) from error
    if data["eos"] and tokenizer.eos_token_id is None:
        message = f"the tokenizer of {trial.name} has no end-of-sequence token, which data.eos asks for"
        hint = f"choose another base model; {AUTHOR} set data.eos to false"
        raise _Refused(codes.MODEL_UNFIT, message, hint)


# --- items ------------------------------------------------------------------------------------------------------------


def _items(trial: Trial, tokenizer: Any, longest: int) -> Iterator[Told]:
    """Items that the model cannot read whole, and those of which nothing is left to read."""
    for task in trial.spec["evaluation"]["tasks"]:
        if (path := trial.items.get(task["name"])) is None:
            continue
        long: list[str] = []
        empty: list[str] = []
        lengths = _Lengths(tokenizer)
        for number, row in enumerate(_read(Path(path))[: trial.limit]):
            try:
                context = len(_context(trial, tokenizer, fill(task["prompt"], row)))
            except FtbenchError:
                empty.append(f"item {number}: the prompt has no tokens")
                continue
            more, what = 0, ""
            if task["kind"] == "choice" and "likelihood" in task["scoring"]:
                options = [lengths.of(fill(option, row)) for option in task["options"]]
                empty += [f"item {number}: option {n} has no tokens" for n, length in enumerate(options) if not length]
                # The last token is predicted, never read.
                more, what = max(options) - 1, f"an option {max(options)}"
            if task["kind"] == "code" or any(scoring != "likelihood" for scoring in task["scoring"]):
                budget = task["generation"]["max_new_tokens"]
                more, what = max((more, what), (budget, f"the answer up to {budget}"))
            if context + more > longest:
                long.append(f"item {number}: the prompt has {context:,} tokens and {what}")
        name = task["name"]
        hint = (
            f"{AUTHOR} shorten the task's `prompt`, leave such items out{_generation(task)}; "
            "an entry may take a base model that reads more"
        )
        yield from _grouped(codes.TOO_LONG, name, long, f"; {trial.name} reads {longest:,}", hint)
        yield from _grouped(codes.NO_TOKENS, name, empty, "", f"{AUTHOR} mend the task's templates or data")


def _generation(task: Mapping[str, Any]) -> str:
    return " or lower `generation.max_new_tokens`" if task.get("generation") else ""


def _grouped(code: str, task: str, texts: Sequence[str], end: str, hint: str) -> Iterator[Told]:
    for text in texts[:SHOWN]:
        yield Told(code=code, message=f"task {task}, {text}{end}", hint=hint)
    if len(texts) > SHOWN:
        yield Told(code=code, message=f"task {task}: {len(texts) - SHOWN:,} more items like these", hint=hint)


class _Lengths:
    """Tokens of texts that turn up again and again."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}

    def of(self, text: str) -> int:
        """Tokens of a text by itself."""
        if text not in self._known:
            self._known[text] = len(self._tokenizer.encode(text, add_special_tokens=False))
        return self._known[text]


# --- rows -------------------------------------------------------------------------------------------------------------


class _Rows:
    """The training rows and who holds them, seen through the app's own code."""

    def __init__(self, trial: Trial, tokenizer: Any, objective: Any, find_used: Callable[..., Any]) -> None:
        self._tokenizer = tokenizer
        self._objective = objective
        self._find_used = find_used
        self._name = trial.name
        self._length = trial.spec["training"]["sequence_length"]
        self._rows = _read(Path(str(trial.rows)))
        self._shares: list[list[int]] = json.loads(Path(str(trial.shares)).read_bytes())
        self._cut: list[int] | None = None
        if trial.validation is not None:
            (self._cut,) = json.loads(Path(trial.validation).read_bytes())

    @classmethod
    def of(cls, trial: Trial, tokenizer: Any) -> _Rows | None:
        """None where rows are not here, or the compiled app is older than the code that counts them."""
        if trial.rows is None or trial.shares is None:
            return None
        package = "ftbench.app"
        if trial.app is not None:
            sys.path.insert(0, trial.app)
            package = "ftbench_app"
        try:
            find_used = importlib.import_module(f"{package}.used").find_used
        except ImportError as error:
            if error.name == f"{package}.used":
                return None
            raise
        objective = importlib.import_module(f"{package}.objective").find_objective(trial.spec)
        return cls(trial, tokenizer, objective, find_used)

    def empty(self) -> Iterator[Told]:
        """Clients of which no row can be learnt from, and such a validation cut. Quick where there are none."""
        none = [client for client, share in enumerate(self._shares) if not self._teaches(share)]
        for client in none[:SHOWN]:
            yield self._none(f"client {client}", self._shares[client])
        if len(none) > SHOWN:
            message = f"{len(none) - SHOWN:,} more clients have no such row"
            yield Told(code=codes.NOTHING_TO_LEARN, message=message, hint="")
        if self._cut is not None and not self._teaches(self._cut):
            yield self._none("the validation cut", self._cut)

    def _teaches(self, numbers: Sequence[int]) -> bool:
        return any(self._used([number]).examples for number in numbers)

    def _used(self, numbers: Sequence[int]) -> Any:
        return self._find_used(self._objective, [self._rows[n] for n in numbers], self._tokenizer, None, numbers)

    def _none(self, whose: str, numbers: Sequence[int]) -> Told:
        reasons = "; ".join(line.partition(": ")[2] for line in self._used(numbers).told(whose))
        return Told(
            code=codes.NOTHING_TO_LEARN,
            message=f"{whose} has no row that {self._name} can learn from: {reasons}",
            hint=f"{AUTHOR} raise training.sequence_length (now {self._length}), set data.over_length to truncate, or "
            "mend the rows; an entry may take a base model whose tokenizer needs fewer tokens",
        )

    def count(self, longest: int) -> Report:
        """Rows of every client, and those that are longer than the model reads."""
        total = sum(map(len, self._shares))
        step = max(1, -(-total // ROWS))
        clients: list[Counted] = []
        left_out: dict[str, int] = {}
        long: list[str] = []
        for client, share in enumerate(self._shares):
            looked = share[::step]
            found = self._used(looked)
            for line in found.told(f"client {client}"):
                print(line, file=sys.stderr)
            for reason, numbers in found.left_out.items():
                left_out[reason] = left_out.get(reason, 0) + len(numbers)
            clients.append(Counted(held=len(share), looked=len(looked), used=len(found.examples)))
            most = max((self._objective.length(example) for example in found.examples), default=0)
            if most > longest:
                long.append(f"client {client} has a row of {most:,} tokens")
        if long:
            more = f", and so have {len(long) - 1:,} others" if len(long) > 1 else ""
            message = f"{long[0]}{more}; {self._name} reads {longest:,}"
            hint = f"{AUTHOR} lower training.sequence_length (now {self._length}); an entry may take a base model "
            return Report(problems=[Told(code=codes.TOO_LONG, message=message, hint=hint + "that reads more")])
        cut = None
        if self._cut is not None:
            looked = self._cut[:: max(1, -(-len(self._cut) // ROWS))]
            found = self._used(looked)
            for line in found.told("validation cut"):
                print(line, file=sys.stderr)
            cut = Counted(held=len(self._cut), looked=len(looked), used=len(found.examples))
        return Report(clients=clients, validation=cut, left_out=left_out)


def _read(path: Path) -> list[Row]:
    """Rows of a data file. Only a line feed parts them."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the other end is closed
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
