"""Putting a run's bundle together."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_folder
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource
from ftbench.result import manifest, names, samples
from ftbench.result.documents import Environment, Result
from ftbench.result.exposure import asked
from ftbench.result.files import Bundle
from ftbench.result.opening import open_bundle
from ftbench.result.pack import pack
from ftbench.result.withheld import withhold
from ftbench.spec.canonical import pretty

__all__ = ["Bundle", "assemble", "open_bundle", "pack"]

COPIED = {
    names.ENTRY: "entry.yaml",
    names.LOCK: "compiled/ftbench.lock",
    names.LEDGER: "ledger.jsonl",
    names.MODEL: "model.json",
    names.ADAPTER: "adapter/adapter_model.safetensors",
    names.ADAPTER_CONFIG: "adapter/adapter_config.json",
}
"""Path in the bundle → path in the run folder it is copied from."""


def assemble(
    run_dir: Path,
    result: Result,
    environment: Environment,
    withheld: Collection[str] = (),
    card: bytes | None = None,
) -> Path:
    """Write `run_dir/bundle/` and return it: whole or not at all; an older bundle of this run is replaced.

    `withheld`: tasks whose text may not be passed on; their samples hold digests, and the result is of format v2.
    `card`: the adapter's model card.
    Raises MissingResource (FTB609) where the run folder lacks a file, OSError where the disk refuses.
    """
    sources = {name: run_dir / path for name, path in COPIED.items()}
    for task in sorted(asked(result.scores)):
        sources[names.samples_name(task)] = run_dir / "evaluation" / names.samples_name(task)
    sources |= {name: run_dir / name for name in names.OPEN.values() if (run_dir / name).is_file()}
    missing = [path for path in sources.values() if not path.is_file()]
    if missing:
        hint = "a bundle is put together after training and evaluation; `ftbench run --resume` ends what is unfinished"
        raise MissingResource(
            [
                Diagnostic(codes.RUN_LACKS_FILE, "the run folder lacks this file", Place(str(path)), hint)
                for path in missing
            ]
        )
    files = {name: path.read_bytes() for name, path in sources.items()}
    for name in map(names.samples_name, withheld):
        files[name] = samples.dump(withhold(samples.parse(files[name], name)))
    if withheld:
        result = result.model_copy(update={"format": "ftbench/result/v2"})
    if card is not None:
        files[names.CARD] = card
    files[names.RESULT] = pretty(result.model_dump(mode="json"))
    files[names.ENVIRONMENT] = pretty(environment.model_dump(mode="json"))
    files[names.MANIFEST] = manifest.to_bytes(manifest.make(files))
    target = run_dir / "bundle"
    write_folder(target, files)
    return target
