"""From the folder of a FlowerTune app to an entry and every departure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftbench.base_models.catalogue import BaseModel
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.flowertune import adapter, aggregation, conditions, domains, sent, training, wording
from ftbench.flowertune import app as apps
from ftbench.flowertune.app import App
from ftbench.flowertune.case import Case, Chosen, Finding
from ftbench.flowertune.code import facts
from ftbench.flowertune.facts import Facts
from ftbench.flowertune.write import entry_text
from ftbench.spec.entries import NOBODY_ASKED, apply, resolve_entry
from ftbench.spec.entry import Entry, EntryMetadata, ModelChoice
from ftbench.spec.load import LoadedSpec

LookUp = Callable[[str], BaseModel]


@dataclass(frozen=True, slots=True)
class Imported:
    """An app beside the budget track of its domain."""

    app: App
    facts: Facts
    benchmark: str
    """Name of the spec."""
    loaded: LoadedSpec
    findings: Sequence[Finding]
    entry: str
    """The entry's text. It validates."""

    @property
    def conforms(self) -> bool:
        """Whether the entry says all that the app does."""
        return not any(one.kind == "departs" for one in self.findings)


def import_app(
    folder: Path, look_up: LookUp, *, domain: str | None = None, reference: Path | None = None, model: str | None = None
) -> Imported:
    """Read the app in a folder, and hold it to its domain's budget track. Nothing of it is carried out.

    `look_up` finds the architecture of a base model; `model` stands in for the app's own name of it. `reference`: an
    app or evaluation scripts to which prompts and scorers are held, in the place of the public ones.
    Raises InvalidInput (FTB912, FTB920).
    """
    app = apps.read(folder)
    told = facts(app)
    name, loaded = domains.of(app, told, domain)
    base = _known(model or (told.model.value if told.model else None), look_up)
    case = Case(app, folder, told, loaded.spec, base, wording.known() if reference is None else _reference(reference))
    conditions.look(case)
    training.look(case)
    adapter.look(case)
    aggregation.look(case)
    sent.look(case, folder)
    wording.look(case)
    _settle(case)
    return Imported(app, told, name, loaded, case.findings, entry_text(case, name))


def _known(name: str | None, look_up: LookUp) -> BaseModel | None:
    if name is None:
        return None
    try:
        return look_up(name)
    except (InvalidInput, MissingResource):
        return None


def _reference(folder: Path) -> wording.Reference:
    own, scorers = apps.functions_below(folder)
    return wording.of_modules(own, scorers)


def _settle(case: Case) -> None:
    """Knobs that pass alone may contradict one another: those are left out until the entry validates."""
    while problems := _problems(case, case.knobs):
        for path in list(case.knobs):
            rest = {name: chosen for name, chosen in case.knobs.items() if name != path}
            if len(_problems(case, rest)) < len(problems):
                one = case.knobs.pop(path)
                case.departs(
                    "entry", f"`{path}: {one.value}` does not stand beside the rest: {problems[0].message}", one.place
                )
                break
        else:
            case.knobs.clear()
            case.departs("entry", f"the settings contradict one another: {problems[0].message}")
            return


def _problems(case: Case, knobs: dict[str, Chosen]) -> list[Diagnostic]:
    model = case.facts.model
    entry = Entry(
        ftbench="entry/v1",
        metadata=EntryMetadata(name="imported"),
        model=ModelChoice(name=model.value, revision=None) if model else None,
        knobs={path: chosen.value for path, chosen in knobs.items()},
    )
    try:
        apply(case.spec, resolve_entry(case.spec, entry, commit_of=lambda name: NOBODY_ASKED))
    except InvalidInput as error:
        return error.diagnostics
    return []
