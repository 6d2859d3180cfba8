"""Strategies, LoRA against DoRA and 4 against 32 bits on a real model of 135M, three seeds each, and what they say.

`python benchmarks/demo/studies.py FOLDER`: the demo's model and rows (see demo.py), in a folder of its own. It
took 39 minutes of processor; stopped at any moment, the same command goes on. The last of it is `ftbench analyse`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import demo
import make_rows

SPECS = {
    "bakery-32bit": """\
ftbench: spec/v1
extends: bakery.yaml
metadata: {name: bakery-32bit, title: "Messages by intent, weights of 32 bits"}
# Two clients train six steps of eight rows in each of two rounds: it learns, and reaches no ceiling.
federation: {rounds: 2}
training:
  local_steps: 6
  batch_size: 8
  sequence_length: 96
  schedule: {learning_rate: 1e-3, final_learning_rate: 2e-4}
model: {dtype: float32}
knobs:
  adapter.kind: {choices: [lora, dora]}
  strategy.kind: {choices: [fedavg, flexlora]}
""",
    "bakery-4bit": """\
ftbench: spec/v1
extends: bakery-32bit.yaml
metadata: {name: bakery-4bit, title: "Messages by intent, weights of 4 bits"}
model: {quantization: {bits: 4, kind: fp4}}
""",
}
COMMON = """\
ftbench: sweep/v1
title: {title}
claim: {claim}
refuted_by: A paired difference whose interval lies beyond 2 points, over the seeds.
fixed: Messages of four shops by intent, SmolLM2-135M-Instruct, two rounds of two clients, rank 8.
"""
SWEEPS = {
    "adapters": COMMON.format(
        title="LoRA against DoRA, 4 against 32 bits", claim="Adapters score alike, and so do bits."
    )
    + """\
specs: [bakery-32bit.yaml, bakery-4bit.yaml]
vary: {adapter.kind: [lora, dora]}
seeds: 3
claims:
  - kind: equivalent
    says: DoRA scores as LoRA, to 2 points
    factor: adapter
    level: dora
    against: lora
    within: 0.02
  - kind: equivalent
    says: 4-bit weights score as 32-bit ones, to 2 points
    factor: bits
    level: 4 bits fp4 in float32
    against: 32 bits
    within: 0.02
""",
    "strategies": COMMON.format(title="FlexLoRA against FedAvg", claim="Strategies score alike.")
    + """\
specs: [bakery-32bit.yaml]
vary: {strategy.kind: [fedavg, flexlora]}
seeds: 3
claims:
  - kind: equivalent
    says: FlexLoRA scores as FedAvg, to 2 points
    factor: strategy
    level: flexlora
    against: fedavg
    within: 0.02
""",
}


def main(folder: Path) -> int:
    """Carry the studies out in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    make_rows.main(folder)
    name = demo.model(folder)
    if not (folder / "bakery.yaml").exists():
        demo.ftbench(folder, "new", "bakery", "--train", "train.jsonl", "--test", "test.jsonl", "--model", name)
    for spec, text in SPECS.items():
        (folder / f"{spec}.yaml").write_text(text)
        demo.ftbench(folder, "lock", f"{spec}.yaml")
        demo.ftbench(folder, "compile", f"{spec}.yaml", "--out", "generated")  # where `analyse` knows it
    lanes = [] if (os.cpu_count() or 1) < 2 else ["--devices", "cpu,cpu"]
    for study, text in SWEEPS.items():
        (folder / f"{study}.yaml").write_text(text)
        words = ["--engine", "inline", "--keep", "none", *lanes, "--out", study]
        demo.ftbench(folder, "sweep", f"{study}.yaml", *words)
    for study in SWEEPS:
        demo.ftbench(folder, "analyse", study, "--claims", f"{study}.yaml", "--out", f"{study}.md")
        print((folder / f"{study}.md").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
