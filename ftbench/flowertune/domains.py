"""Which domain's budget track an app belongs to: the one whose training set it names, or whose copy."""

from __future__ import annotations

from pathlib import Path

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.flowertune.app import App
from ftbench.flowertune.facts import Facts
from ftbench.spec.load import LoadedSpec, find_spec, load_spec
from ftbench.spec.sources import HubSource

DOMAINS = ("general-nlp", "finance", "medical", "code")


def alike(one: str, other: str) -> bool:
    """Whether two repositories are called the same but for their owners and for how words are parted."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return "".join(character for character in name.rpartition("/")[2].lower() if character.isalnum())


def of(app: App, facts: Facts, wanted: str | None) -> tuple[str, LoadedSpec]:
    """Name of the budget track's spec, and the spec. Raises InvalidInput (FTB920) where the app tells no domain."""
    if wanted is not None:
        return f"budget/{wanted}", load_spec(find_spec(f"budget/{wanted}"))
    for domain in DOMAINS:
        if f"budget/{domain}" not in builtin.specs():
            continue
        loaded = load_spec(find_spec(f"budget/{domain}"))
        source = loaded.spec.data.source
        if facts.dataset and isinstance(source, HubSource) and alike(facts.dataset.value, source.repo):
            return f"budget/{domain}", loaded
    told = f"it trains on `{facts.dataset.value}`" if facts.dataset else "it names no training set"
    hint = f"say which: --domain {'|'.join(DOMAINS)}"
    message = f"the app belongs to none of the domains by its data: {told}"
    raise InvalidInput(Diagnostic(codes.NO_FLOWER_APP, message, Place(str(Path(app.shown))), hint))
