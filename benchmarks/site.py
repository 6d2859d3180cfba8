"""How long the site of many bundles, of many rows and of many items takes to build and to open.

    python benchmarks/site.py bundles        100 forged bundles of 640 choice items and 4 programs
    python benchmarks/site.py rows           one table of 500 rows of 640 items
    python benchmarks/site.py items          one bundle of 10,935 items, opened in chromium

Prints seconds, the largest resident set, files and bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("verify", "board", "site")]

import forge  # noqa: E402 - it lies with the tests


def bundles(root: Path) -> None:
    """100 bundles: 34 choices of rank and learning rate, three seeds of most."""
    forge.ITEMS = 320
    world = forge.make_world(root / "world")
    with timed("forging"):
        for number in range(100):
            rank, rate = number // 3 % 16 + 1, ("0.01", "0.02", "0.005")[number // 48]
            sets = (f"adapter.rank={rank}", f"training.schedule.learning_rate={rate}")
            forge.write_folder(forge.make(world, number % 3 + 1, sets).files, root / "bundles" / f"b{number:03}")
    with timed("building"):
        build(root, root / "world")
    opened(root / "site")


def rows(root: Path) -> None:
    """500 rows without samples in files: what the board, the table, its pairs and its comparisons take."""
    import importlib.util
    import random

    from ftbench.board.gather import Gathered
    from ftbench.board.rank import build as ranked
    from ftbench.data.store import Store
    from ftbench.site.build import write
    from ftbench.site.context import Context

    made = importlib.util.spec_from_file_location("board_conftest", ROOT / "tests" / "board" / "conftest.py")
    assert made is not None and made.loader is not None
    board_conftest = importlib.util.module_from_spec(made)
    made.loader.exec_module(board_conftest)
    draw = random.Random(1)
    found = []
    for number in range(500):
        share = 0.3 + 0.5 * number / 500
        marks = {name: [int(draw.random() < share) for _ in range(320)] for name in ("task-a", "task-b")}
        choice = {"adapter.rank": number}
        found.append(board_conftest.make(f"runs/{number}", name=f"entry-{number}", right=marks, knobs=choice))
    with timed("ranking"):
        board = ranked(found)
    by_bundle = {(one.verdict.bundle, one.path): one for one in found if one.verdict.bundle}
    gathered = Gathered(board, by_bundle, {}, {}, {}, Store([root / "store"]))
    with timed("writing"):
        files, size = write(Context(gathered, "500 rows", sources=["runs"]), root / "site")
    print(f"{files:,} files, {size / 2**20:.1f} MiB")
    opened(root / "site")


def items(root: Path) -> None:
    """One bundle as large as the largest domain."""
    forge.ITEMS = 5_467
    world = forge.make_world(root / "world")
    forge.write_folder(forge.make(world).files, root / "bundles" / "one")
    with timed("building"):
        build(root, root / "world")
    opened(root / "site")


def build(root: Path, world: Path) -> None:
    """By the command."""
    from ftbench.cli.main import run

    words = ["site", "build", str(root / "bundles"), "--out", str(root / "site")]
    with forge.programs_run():
        assert run([*words, "--store", str(world / "store"), "--benchmarks", str(world / "benchmarks")]) == 0


def opened(site: Path) -> None:
    """Seconds until a page is loaded, of the first page and of the largest of each kind."""
    from browser import browser

    listed = [site / name for name in json.loads((site / "site.json").read_bytes())["files"] if name.endswith(".html")]
    largest: dict[str, Path] = {}
    for path in sorted(listed, key=lambda one: one.stat().st_size):
        parts = path.relative_to(site).parts
        kind = "compare" if "compare" in parts else "samples" if path.stem[-1].isdigit() else path.stem
        largest["entry" if "entries" in parts and kind == "index" else kind] = path
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser(Path(folder)) as page:
        page.size(1440, 900)
        page.open("about:blank")
        for kind, path in {"first": site / "index.html", **largest}.items():
            seconds = page.open(path.as_uri())
            drawn = page.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
            assert drawn == 1
            print(f"  {kind}: {path.stat().st_size / 1024:.0f} KiB, loaded in {seconds:.2f} s")


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Seconds, and the largest resident set so far."""
    began = time.perf_counter()
    yield
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {time.perf_counter() - began:.1f} s, largest resident set {largest:.0f} MiB", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        {"bundles": bundles, "rows": rows, "items": items}[sys.argv[1]](Path(made))
