"""The preview's own process: a job on standard input, a `Preview` as JSON on standard output."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ftbench import codes
from ftbench.errors import FtbenchError
from ftbench.parallel import end_with
from ftbench.run.evaluation.tokens import context_ids, encode
from ftbench.run.evaluation.trial import Told
from ftbench.run.preview import Job, Piece, Preview, Shown, Wanted
from ftbench.spec.answers import right_option
from ftbench.spec.model import Spec, Task
from ftbench.spec.prompts import filled
from ftbench.spec.template import fill

IGNORED = -100
"""The app's label of a token that is not learnt."""


def main() -> int:
    """Carry out the job; exit code 0 where it came to an answer."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = Job.model_validate_json(sys.stdin.buffer.read())
    try:
        answer = _look(job)
    except ImportError as error:
        message = f"package {error.name or error} is not installed"
        told = Told(code=codes.PACKAGE_MISSING, message=message, hint="pip install 'ftbench[run]'")
        answer = Preview(problems=[told])
    except FtbenchError as error:
        answer = Preview(
            problems=[Told(code=one.code, message=one.message, hint=one.hint) for one in error.diagnostics]
        )
    out.write(answer.model_dump_json())
    out.flush()
    return 0


def _look(job: Job) -> Preview:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(job.model, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # `tokenizers` raises no narrower one
        message = f"{job.name} has no tokenizer that can be read: {error}"
        return Preview(problems=[Told(code=codes.MODEL_UNFIT, message=message, hint="choose another base model")])
    spec, shown = Spec.model_validate(job.spec), list[Shown]()
    for wanted in job.wanted:
        if wanted.key == "train":
            shown += _training(job, wanted, tokenizer)
        else:
            task = next(one for one in spec.evaluation.tasks if f"task:{one.name}" == wanted.key)
            shown += _items(spec, task, wanted, tokenizer)
    return Preview(model=job.name, sequence_length=spec.training.sequence_length, shown=shown)


def _training(job: Job, wanted: Wanted, tokenizer: Any) -> Iterator[Shown]:
    """Examples by the app's own code; of a pair both answers."""
    tokens = importlib.import_module("ftbench.app.tokens")
    data = job.spec["data"]
    answers = [data["completion"], *([data["rejected"]] if data.get("rejected") else [])]
    for number, row in zip(wanted.numbers, wanted.rows, strict=True):
        made = tokens.encode_answers(row, data, answers, job.spec["training"]["sequence_length"], tokenizer)
        if isinstance(made, str):
            yield Shown(key=wanted.key, row=number, left_out=made)
            continue
        for example in made:
            learnt = [label != IGNORED for label in example.labels]
            yield Shown(key=wanted.key, row=number, pieces=_pieces(tokenizer, example.ids, learnt))


def _items(spec: Spec, task: Task, wanted: Wanted, tokenizer: Any) -> Iterator[Shown]:
    """Requests as the evaluation makes them."""
    bos, template = spec.data.bos, spec.data.chat_template
    for number, row in zip(wanted.numbers, wanted.rows, strict=True):
        prompt = filled(task, row)
        if task.kind == "choice" and "likelihood" in task.scoring:
            options = [fill(option, row) for option in task.options]
            right = right_option(row.get(task.answer), options)
            for place, option in enumerate(options):
                context, asked = encode(tokenizer, prompt, option, bos=bos, chat_template=template)
                flags = [False] * len(context) + [True] * len(asked)
                pieces = _pieces(tokenizer, context + asked, flags)
                yield Shown(key=wanted.key, row=number, option=place, right=place == right, pieces=pieces)
        else:
            ids = context_ids(tokenizer, prompt, bos=bos, chat_template=template)
            yield Shown(key=wanted.key, row=number, pieces=_pieces(tokenizer, ids, [False] * len(ids)))


def _pieces(tokenizer: Any, ids: Sequence[int], flags: Sequence[bool]) -> list[Piece]:
    """Runs of tokens with the same flag as text."""
    found: list[Piece] = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or flags[end] != flags[start]:
            text = tokenizer.decode(ids[start:end], skip_special_tokens=False, clean_up_tokenization_spaces=False)
            found.append(Piece(text=text, tokens=end - start, learnt=flags[start]))
            start = end
    return found


if __name__ == "__main__":
    end_with(os.getppid())
    sys.exit(main())
