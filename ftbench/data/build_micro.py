"""Makes the micro model anew: `python -m ftbench.data.build_micro --out STORE`.

It learns the tokenizer and pre-trains the model on the world's unlabelled text, one thread, a few minutes. The same
machine and library versions give the same bytes. Another processor or torch version may round otherwise and so give
another digest, which is another base model: the committed one is what the quickstart's hash stands on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ftbench.data.builtin import data_set
from ftbench.data.store import Store
from ftbench.micro.model import Shape, pretrain, save, train_tokenizer

LINES = 60_000
"""Lines of text; pre-training goes over them several times."""


def build(world: str, out: Path, shape: Shape) -> str:
    """Make tokenizer and model of a world, put them into the store at `out`, return the model's digest."""
    start = time.monotonic()

    def report(step: int, loss: float) -> None:
        print(f"step {step}/{shape.steps}  loss {loss:.3f}  {time.monotonic() - start:.0f} s", file=sys.stderr)

    lines = data_set(world).text(LINES)
    tokenizer = train_tokenizer(lines, shape.vocabulary)
    model = pretrain(shape, tokenizer, lines, report)
    with tempfile.TemporaryDirectory() as folder:
        save(model, shape, tokenizer, Path(folder))
        return Store([out]).put_model(Path(folder))


def main() -> None:
    """Command line of the script; prints the digest."""
    parser = argparse.ArgumentParser(description="Pre-train a micro model and put it into a store.")
    parser.add_argument("--out", type=Path, required=True, help="root of the store to write to")
    parser.add_argument("--world", default="micro-world", help="built-in data set whose text it learns")
    parser.add_argument("--steps", type=int, default=Shape().steps, help="pre-training steps")
    arguments = parser.parse_args()
    print(build(arguments.world, arguments.out, Shape(steps=arguments.steps)))


if __name__ == "__main__":
    main()
