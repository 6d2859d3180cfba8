"""A federation of several domains' clients: rows of the four micro worlds, each as its own domain's spec puts it."""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro import answers, domains, programs
from ftbench.micro.world import Row, World

CLIENTS = 2
"""Clients of each domain."""
ROWS = 300
"""Training rows of each domain."""

PUT: dict[str, tuple[Callable[[], list[Row]], str, str]] = {
    "general-nlp": (answers.flashcards(answers.GENERAL, ""), "Task:\n{request}\n\nReply:", "{output}"),
    "finance": (answers.news, "Text: {input}\n{instruction}\nSentiment:", "{output}"),
    "medical": (
        answers.flashcards(answers.MEDICAL, "Answer this question truthfully"),
        "Question: {input}\nAnswer:",
        "{output}",
    ),
    "code": (programs.instructions, "{request}", "\n{output}"),
}
"""Domain → its training rows, and the templates of its spec; a reply has a space before it."""


def rows() -> list[Row]:
    """Prompt, reply, domain and client, the domains by turns so that no cut of the rows lacks one."""
    made = []
    for domain, (every, prompt, reply) in PUT.items():
        own = every()[:ROWS]
        made.append(
            [
                {
                    "prompt": prompt.format(**row),
                    "reply": reply.format(**row),
                    "domain": domain,
                    "client": f"{domain}-{number % CLIENTS}",
                }
                for number, row in enumerate(own)
            ]
        )
    return [row for turn in zip(*made, strict=True) for row in turn]


MIXED = World(
    name="micro-mixed",
    licence="CC0-1.0",
    summary="Rows of all four micro worlds, with the domain and the client of each.",
    splits={"train": rows},
    text=domains.text,
)
