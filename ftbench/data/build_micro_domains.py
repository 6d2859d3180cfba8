"""Makes the four domains' micro model anew: `python -m ftbench.data.build_micro_domains --out STORE`.

One model for all four: it reads their text, one thread, a few minutes. As with the quickstart's, another processor or
torch version may round otherwise and give another digest; the committed one is what the micro specs name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ftbench.data.store import Store
from ftbench.micro import domains
from ftbench.micro.model import Shape, pretrain, save
from ftbench.micro.words import word_tokenizer

LINES = 90_000
"""Lines of text; pre-training goes over them several times."""
SHAPE = Shape(vocabulary=1500, steps=2400, learning_rate=3e-3)
"""The text has fewer words than the vocabulary may have."""


def build(out: Path, shape: Shape = SHAPE, lines: int = LINES) -> str:
    """Make tokenizer and model, put them into the store at `out`, return the model's digest."""
    start = time.monotonic()

    def report(step: int, loss: float) -> None:
        print(f"step {step}/{shape.steps}  loss {loss:.3f}  {time.monotonic() - start:.0f} s", file=sys.stderr)

    text = domains.text(lines)
    tokenizer = word_tokenizer(text, shape.vocabulary)
    model = pretrain(shape, tokenizer, text, report)
    with tempfile.TemporaryDirectory() as folder:
        save(model, shape, tokenizer, Path(folder))
        return Store([out]).put_model(Path(folder))


def main() -> None:
    """Command line of the script; prints the digest."""
    parser = argparse.ArgumentParser(description="Pre-train the domains' micro model and put it into a store.")
    parser.add_argument("--out", type=Path, required=True, help="root of the store to write to")
    parser.add_argument("--steps", type=int, default=SHAPE.steps, help="pre-training steps")
    arguments = parser.parse_args()
    print(build(arguments.out, replace(SHAPE, steps=arguments.steps)))


if __name__ == "__main__":
    main()
