"""What the models wrote does not go on past where the plan would have ended it."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Sample
from ftbench.spec.tasks import Generation
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context

LONGEST_TOKEN = 256
"""Characters of one token at most: vocabularies hold runs of white space or rules of half that length."""


def run(context: Context) -> str | Failure:
    """No text holds a stop string, at which it would have been cut, nor more than the tokens of its budget can give."""
    problems: list[str] = []
    count = 0
    for task in context.spec.evaluation.tasks:
        if task.generation is None:
            continue
        for sample in context.samples.get(task.name, []):
            problems += _sample(sample, task.generation, f"{task.name}, item {sample.index}")
            count += 2 + len(sample.references)
    return judge(
        problems,
        f"{plural(count, 'text')}: no stop string in any, none of more than {LONGEST_TOKEN} characters a token",
    )


def _sample(sample: Sample, generation: Generation, where: str) -> Iterator[str]:
    for model, answer in {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}.items():
        text = answer.text or ""
        for stop in generation.stop:
            if stop in text:
                yield f"{where}, {model}: the text goes on after the stop string {stop!r}"
        if len(text) > LONGEST_TOKEN * generation.max_new_tokens:
            yield f"{where}, {model}: {len(text)} characters, of at most {generation.max_new_tokens} tokens"


CHECK = Check(
    "texts-possible", "RESCORED", "FTB665", "no text goes on past a stop string or what its tokens can hold", run
)
