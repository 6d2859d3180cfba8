"""A real run's bundle and archive in memory, to be edited and sealed again as a cheat with our source would."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "verify"))

import forge

from ftbench.app import arrays as arr
from ftbench.compile.compiler import Compiled
from ftbench.data.store import Store
from ftbench.result import adapter, archive, ledger, manifest, names
from ftbench.spec.canonical import pretty, sha256

Arrays = dict[str, NDArray[Any]]


@dataclass
class Run:
    """What somebody would hand in, and what they would keep beside it."""

    forged: forge.Forged
    config: dict[str, Any]
    """The adapter block in force, as digests hold it."""
    kept: dict[str, bytes]
    """Name in the archive's `state/` → bytes."""
    listed: dict[str, Any]
    """`archive.json`."""

    def copy(self) -> Run:
        return Run(self.forged.copy(), self.config, dict(self.kept), dict(self.listed))

    def rounds(self) -> list[dict[str, Any]]:
        """The rounds of the ledger, to read."""
        lines = [json.loads(line)["body"] for line in ledger.split(self.forged.files[names.LEDGER])]
        return [body for body in lines if body["event"] == "round"]

    def start(self) -> str:
        """Digest of the adapter before round 1."""
        return str(json.loads(ledger.split(self.forged.files[names.LEDGER])[0])["body"]["adapter"])

    def arrays(self, name: str) -> Arrays:
        """A file of the archive; the adapter of the bundle lies there too where it was a round's beginning."""
        data = self.kept.get(f"{name}.safetensors", self.forged.files[names.ADAPTER])
        return {
            key: np.frombuffer(tensor.data, "<f4").reshape(tensor.shape).copy()
            for key, tensor in adapter.read_tensors(data, name).items()
        }

    def final(self) -> Arrays:
        """The adapter that is scored."""
        return self.arrays("")

    def put(self, arrays: Arrays) -> str:
        """Keep arrays in the archive; their digest."""
        name = arr.digest(self.config, arrays)
        self.kept[f"{name}.safetensors"] = adapter.write_tensors(tensors(arrays))
        return name

    def hand_in(self, arrays: Arrays) -> None:
        """Make these the bundle's adapter; sealing names it in ledger and result."""
        self.forged.files[names.ADAPTER] = adapter.write_tensors(tensors(arrays))

    def seal(self) -> None:
        """Ledger chain, digests, scores, the archive's list and the manifest set right."""
        self.forged.files.pop(names.CARD, None)
        self.forged.keep |= {"config", "checkpoint"}
        forge.reseal(self.forged)
        files = {name: {"size": len(data), "sha256": sha256(data)} for name, data in sorted(self.kept.items())}
        self.listed |= {"files": files, "ledger": ledger.head(self.forged.files[names.LEDGER])}
        with self.forged.result() as result:
            result["archive"] = sha256(pretty(self.listed))
        self.forged.files[names.MANIFEST] = manifest.to_bytes(manifest.make(self.forged.files))

    def write(self, folder: Path) -> Path:
        """As a run's folder: `bundle/` and `archive/`."""
        forge.write_folder(self.forged.files, folder / "bundle")
        kept = {f"{archive.STATE}/{name}": data for name, data in self.kept.items()}
        forge.write_folder({archive.LIST: pretty(self.listed), **kept}, folder / archive.FOLDER)
        return folder


def tensors(arrays: Arrays) -> dict[str, adapter.Tensor]:
    return {key: adapter.Tensor(a.shape, a.astype("<f4").tobytes()) for key, a in arrays.items()}


def load(folder: Path, compiled: Compiled, store: Store) -> Run:
    """The run in a folder."""
    bundle = folder / "bundle"
    files = {p.relative_to(bundle).as_posix(): p.read_bytes() for p in sorted(bundle.rglob("*")) if p.is_file()}
    world = forge.World(
        folder, store, compiled, {task.name: [] for task in compiled.plan.typed_spec().evaluation.tasks}
    )
    kept = {path.name: path.read_bytes() for path in sorted((folder / archive.FOLDER / archive.STATE).iterdir())}
    listed = json.loads((folder / archive.FOLDER / archive.LIST).read_bytes())
    config = compiled.plan.typed_spec().adapter.model_dump(mode="json", exclude_none=True)
    return Run(forge.Forged(world, files), config, kept, listed)
