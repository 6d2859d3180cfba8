"""The entries that come with ftbench: one a model of the catalogue that the domains admit, valid for each of them and
within its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.base_models.catalogue import find_base_model, models
from ftbench.base_models.estimate import estimate
from ftbench.base_models.from_spec import setting
from ftbench.spec.entries import apply, load_entry, resolve_entry
from ftbench.spec.entry import Entry
from ftbench.spec.load import load_spec

PAPER = {
    "SmolLM2-135M-Instruct", "Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-7B-Instruct", "Llama-3.2-1B-Instruct", "Llama-3.2-3B",
    "Llama-3.1-8B-Instruct", "gemma-2-9b", "gemma-2-9b-it", "Mistral-7B-v0.3", "Mistral-7B-Instruct-v0.3",
    "Phi-4-mini-instruct", "phi-4", "Mistral-Small-24B-Base-2501", "Mistral-Small-24B-Instruct-2501",
}  # fmt: skip
"""Models that the paper's texts or code name."""
FILES = [path for path in sorted(builtin.entries().rglob("*.yaml")) if not path.stem.startswith("quickstart")]
SPECS = [name for name in builtin.specs() if name.split("/")[-1] in ("general-nlp", "finance", "medical", "code")]
TRACKS = [name for name in SPECS if not name.startswith("micro/")]


def load(path: Path) -> Entry:
    entry = load_entry(path)
    assert entry.model is not None
    return entry


def test_every_model_of_the_catalogue_has_one_and_pairs_name_each_other() -> None:
    by_model = {entry.model.name: entry for path in FILES if (entry := load(path)).model}
    most = max(load_spec(builtin.specs()[name]).spec.model.max_parameters for name in TRACKS)
    admitted = {name: model for name, model in models().items() if model.parameters <= most}
    assert by_model.keys() == admitted.keys() and len(by_model) == len(FILES)
    for name, model in admitted.items():
        entry = by_model[name]
        assert entry.model and entry.model.revision == model.revision
        assert entry.metadata.pair == (by_model[model.pair].metadata.name if model.pair else None)
        assert str(model.variant) in entry.metadata.title


def test_file_names_are_the_entries_names() -> None:
    assert [load(path).metadata.name for path in FILES] == [path.stem for path in FILES]


def test_the_source_says_whether_the_paper_names_the_model() -> None:
    for path in FILES:
        entry = load(path)
        assert entry.model
        named = entry.model.name.split("/")[1] in PAPER
        assert named == entry.metadata.source.startswith("arXiv 2506.02961"), path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_entry_fits_every_domain_and_its_budget(path: Path) -> None:
    entry = load(path)
    for name in TRACKS:
        spec = load_spec(builtin.specs()[name]).spec
        resolved = resolve_entry(spec, entry, commit_of=lambda _: "0" * 40)
        found = estimate(find_base_model(resolved.model.name), setting(apply(spec, resolved), micro_batch=1))
        assert [limit.name for limit in found.limits if not limit.within] == [], name
        assert found.memory[0].name == "4-bit weights"
