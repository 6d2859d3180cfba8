"""Test sets: how they are asked and scored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block, Count, Name, PositiveFloat, Template
from ftbench.spec.sources import Columns, Source

PINNED = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+$"
"""A package and its exact version."""


class Generation(Block):
    """Greedy generation with a fixed budget: it never depends on the gold answers, nor on the batch."""

    max_new_tokens: Annotated[int, Field(ge=1, le=4096)]
    """Most tokens generated for an item."""
    stop: list[Annotated[str, Field(min_length=1, max_length=100)]] = []
    """Text that ends a generation and is cut off with all after it. The end-of-sequence token always ends one."""


class ChoiceTask(Block):
    """A test set whose items have one right option."""

    kind: Literal["choice"]
    """Kind of task."""
    name: Name
    """Name of the task in tables and in the harness."""
    source: Source
    """Where the items come from."""
    columns: Annotated[Columns, Field(min_length=1)]
    """Our column name → the source's, or `{column: NAME, type: integer}` where the file cannot say the type: values of
    csv are texts."""
    prompt: Template
    """Template of the question. Must not end in white space."""
    options: Annotated[list[Template], Field(min_length=2, max_length=1024)]
    """Templates of the answers to choose from, in order; each begins with the space that parts it from the prompt, or
    with `data.chat_template: model` without one."""
    answer: str
    """Our column that holds the right option: its index, counted from 0, or its text, white space at its ends left
    out."""
    scoring: Annotated[list[Literal["likelihood", "generated", "flowertune"]], Field(min_length=1)]
    """The first one ranks. `likelihood`: the option with the highest log-likelihood given the prompt is the answer;
    the first wins a tie. `generated`: the model writes, and `extraction` finds its answer. `flowertune`: the same text
    under the incumbent's rule, for comparison."""
    generation: Generation | None = None
    """How text is generated; needed for `generated` and `flowertune`."""
    extraction: Literal["option-text", "option-letter"] | None = None
    """For `generated`. `option-text`: the option that the text means by its own words; `option-letter`: by its
    letter A, B, C …, or by the words that the prompt lists after it. In this order: declared (`the answer is …`), boxed
    or in brackets, alone at the start, named anywhere. Nothing found, or two different ones: unparsable, which is
    wrong, and counted and reported apart."""
    flowertune: Literal["first-letter", "exact-label", "sentiment-substring"] | None = None
    """For `flowertune`: the first letter or digit against a–e; the text equal to the label; or `positive`, then
    `negative`, then everything else as neutral, by substring. docs/scoring.md has the details."""
    strip_prompt: Literal["right"] | None = None
    """`right`: white space at the end of a filled prompt is taken off. Null: where there is any, `lock` refuses it."""


class Sandbox(Block):
    """What the programs of a task find beside their language's own library."""

    packages: Annotated[list[Annotated[str, Field(pattern=PINNED, max_length=100)]], Field(min_length=1)]
    """Python only: packages that programs and tests may import, each as `NAME==VERSION`, read-only from the environment
    in which the sandbox runs. `[numpy==2.4.6]`."""


class CodeTask(Block):
    """A test set whose items are programming problems, scored by running what the model writes."""

    kind: Literal["code"]
    """Kind of task."""
    name: Name
    """Name of the task in tables and in the harness."""
    source: Source
    """Where the items come from."""
    columns: Annotated[Columns, Field(min_length=1)]
    """Our column name → the source's, or `{column: NAME, type: integer}` where the file cannot say the type: values of
    csv are texts."""
    prompt: Template
    """Template of what the model is given. Must not end in white space."""
    language: Literal["python", "javascript", "cpp"]
    """Language of the programs."""
    generation: Generation
    """How a completion is generated."""
    program: Template
    """Template of the program: our columns and `{completion}`."""
    tests: Template
    """Template of the tests. They run in a process of their own and call the program's functions from there; what
    stands before `{completion}` in `program` gives them its helpers, and for C++ the head of the function."""
    entry_point: Template
    """Template of the name of the function that the tests call. It is the program's even where the language has that
    name itself."""
    scoring: list[Literal["pass@1"]]
    """`pass@1`: share of items whose greedy completion passes every test in the sandbox."""
    cpu_seconds: PositiveFloat = 10.0
    """CPU time that a program may use."""
    memory_mib: Count = 512
    """Memory that a program may use."""
    strip_prompt: Literal["right"] | None = None
    """`right`: white space at the end of a filled prompt is taken off, and at the end of what stands before
    `{completion}` in `program`, so that a program is what the model read and wrote; public harnesses do so. Null: where
    there is any, `lock` refuses it."""
    extraction: Literal["none", "fenced"] | None = None
    """`fenced`: the completion is what stands in the text's first fence of the language, else in its first without a
    name, else the whole text; where that holds the whole function, its head is not repeated. `none` or null: the whole
    text."""
    reference: Template | None = None
    """Template of a completion by the authors, as the model would write it. `lock` refuses stop strings that cut it."""
    sandbox: Sandbox | None = None
    """What is in the sandbox beside the language's own library; null: nothing."""


Task = Annotated[ChoiceTask | CodeTask, Field(discriminator="kind")]


class References(Block):
    """What the tuned model is compared with, on the same items."""

    untuned: Literal[True] = True
    """Score the base model before any tuning."""
    local: bool = False
    """Train each client alone on its own rows, rounds × local steps, and score all of them: mean and spread."""
    centralised: bool = False
    """Train one model on all clients' rows pooled, rounds × local steps, and score it."""
    fault_free: bool = False
    """Train the same federation without the spec's `faults` and score it: what the faults cost is the difference."""
