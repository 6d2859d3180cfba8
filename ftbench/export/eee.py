"""Every Eval Ever, schema 0.3.0: an aggregate and its instances for the tuned and for the untuned model.

Schemas: `eval.schema.json` and `instance_level_eval.schema.json` of the package every-eval-ever 0.3.0.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from ftbench import __version__
from ftbench.export.source import Exported
from ftbench.result.documents import Answer, Sample, Score, ScoringScores, Withheld
from ftbench.result.marks import Given, mark, picked
from ftbench.spec.canonical import sha256
from ftbench.spec.model import FileSource, HubSource
from ftbench.spec.sources import CanarySource
from ftbench.spec.tasks import ChoiceTask, Task

SCHEMA = "0.3.0"
WITHHELD = "withheld, sha256 "
Model = Literal["tuned", "untuned"]


@dataclass(frozen=True)
class Told:
    """What a bundle does not say of itself."""

    organisation: str
    """Who hands the record in."""
    relationship: Literal["first_party", "third_party", "collaborative", "other"]
    """What they are to the tuned model; to its base model they are a third party."""
    retrieved: str
    """Seconds since 1970 when the record was made."""
    source: str = ""
    """Address of the entry's page."""


def records(one: Exported, told: Told) -> dict[str, bytes]:
    """Path below a folder → bytes: `data/BENCHMARK/DEVELOPER/MODEL/UUID.json` and `UUID_samples.jsonl`."""
    files: dict[str, bytes] = {}
    models: tuple[Model, ...] = ("tuned", "untuned")
    for model in models:
        name, stem = model_id(one, model), _uuid(one, model)
        developer, short = name.split("/", 1)
        path = f"data/{one.result.name}/{developer}/{short}/{stem}"
        lines = b"".join(_line(instance) for instance in _instances(one, told, model))
        files[f"{path}_samples.jsonl"] = lines
        files[f"{path}.json"] = _pretty(_aggregate(one, told, model, f"{path}_samples.jsonl", lines))
    return files


def model_id(one: Exported, model: Model) -> str:
    """The base model's own name, or a name of the tuned one that holds its adapter's digest."""
    if model == "untuned":
        return one.result.model.name
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", one.result.model.name.rpartition("/")[2])
    return f"ftbench/{base}-{one.result.adapter[:12]}"


def _uuid(one: Exported, model: Model) -> str:
    """A version 4 UUID whose bits are the bundle's digest: the same bundle, the same file."""
    digest = bytes.fromhex(sha256(f"{one.verdict.bundle} {model}".encode()))
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _evaluation_id(one: Exported, told: Told, model: Model) -> str:
    return f"{one.result.name}/{model_id(one, model)}/{told.retrieved}"


# --- aggregate --------------------------------------------------------------------------------------------------------


def _aggregate(one: Exported, told: Told, model: Model, path: str, lines: bytes) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA,
        "evaluation_id": _evaluation_id(one, told, model),
        "retrieved_timestamp": told.retrieved,
        "source_metadata": {
            "source_name": "ftbench",
            "source_type": "evaluation_run",
            "source_organization_name": told.organisation,
            "evaluator_relationship": told.relationship if model == "tuned" else "third_party",
            "additional_details": {
                "bundle_sha256": str(one.verdict.bundle),
                "spec_hash": one.result.spec_hash,
                "benchmark": f"{one.result.name} {one.result.version}",
                "division": one.result.division,
                "level": one.verdict.level,
                "verifier": one.verdict.verifier,
                **({"entry_page": told.source} if told.source else {}),
            },
        },
        "eval_library": {
            "name": "ftbench",
            "version": __version__,
            "additional_details": {f"{name} version": version for name, version in sorted(one.plan.stack.items())},
        },
        "model_info": _model(one, model),
        "evaluation_results": [*_results(one, model), _mean(one, model)],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": path,
            "hash_algorithm": "sha256",
            "checksum": sha256(lines),
            "total_rows": lines.count(b"\n"),
        },
    }


def _model(one: Exported, model: Model) -> dict[str, Any]:
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "open_weights",
        "base_model": one.result.model.name,
        "base_model_revision": one.result.model.revision,
    }
    if model == "tuned":
        details |= {
            "adapter_sha256": one.result.adapter,
            "entry": one.entry.metadata.name,
            "seed": str(one.result.seed),
            "choices": json.dumps(one.entry.knobs, sort_keys=True),
        }
    name = model_id(one, model)
    told = f"{one.result.model.name} tuned by {one.entry.metadata.name}" if model == "tuned" else name
    engine = {"name": "transformers", "version": one.plan.stack.get("transformers", "unknown")}
    developer = "ftbench" if model == "tuned" else name.partition("/")[0]
    return {"name": told, "id": name, "developer": developer, "inference_engine": engine, "additional_details": details}


def _results(one: Exported, model: Model) -> Iterator[dict[str, Any]]:
    evaluation = one.plan.typed_spec().evaluation
    for task in evaluation.scored:
        scores = one.result.scores.tasks[task.name]
        every: dict[str, ScoringScores] = {scores.scoring: scores, **scores.also}
        for scoring, told in every.items():
            score = told.tuned if model == "tuned" else told.untuned
            yield {
                "evaluation_result_id": _result_id(task.name, scoring),
                "evaluation_name": task.name,
                "source_data": _data(one, task),
                "metric_config": _metric(scoring, ranks=scoring == scores.scoring),
                "score_details": _score(score, evaluation.confidence),
                "generation_config": {"generation_args": _arguments(task, scoring)},
            }


def _result_id(task: str, scoring: str) -> str:
    return f"{task}/{scoring}"


def _metric(scoring: str, *, ranks: bool) -> dict[str, Any]:
    code = scoring == "pass@1"
    about = "the scoring that ranks" if ranks else "reported beside the scoring that ranks"
    return {
        "evaluation_description": f"{scoring}: {about}; rules in ftbench's docs/scoring.md",
        "metric_id": "pass_at_k" if code else "accuracy",
        "metric_name": "pass@1" if code else f"accuracy ({scoring})",
        "metric_kind": "pass_rate" if code else "accuracy",
        "metric_unit": "proportion",
        "metric_parameters": {"k": 1} if code else {"scoring": scoring},
        "lower_is_better": False,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": 1.0,
    }


def _score(score: Score, confidence: float) -> dict[str, Any]:
    interval: dict[str, Any] = {"lower": score.interval.low, "upper": score.interval.high}
    interval |= {"confidence_level": confidence, "method": "Wilson's score interval"}
    return {
        "score": score.value,
        "details": {"correct": str(score.correct), "items": str(score.items), "unparsable": str(score.unparsable)},
        "uncertainty": {"confidence_interval": interval, "num_samples": score.items},
    }


def _mean(one: Exported, model: Model) -> dict[str, Any]:
    scores = one.result.scores
    mean = scores.tuned if model == "tuned" else scores.untuned
    interval: dict[str, Any] = {"lower": mean.interval.low, "upper": mean.interval.high}
    interval |= {"confidence_level": one.plan.typed_spec().evaluation.confidence, "method": "MOVER over tasks"}
    items = sum(task.tuned.items for task in scores.tasks.values())
    metric = _metric("mean", ranks=True) | {
        "evaluation_description": "plain mean over tasks of the scoring that ranks",
        "metric_id": "ftbench.mean",
        "metric_name": "mean over tasks",
        "metric_parameters": {"tasks": len(scores.tasks)},
    }
    details = {"adapter_sha256": one.result.adapter} if model == "tuned" else {}
    return {
        "evaluation_result_id": "mean",
        "evaluation_name": f"{one.result.name} mean",
        "source_data": {"dataset_name": one.result.name, "source_type": "other"},
        "metric_config": metric,
        "score_details": {
            "score": mean.value,
            "details": details,
            "uncertainty": {"confidence_interval": interval, "num_samples": items},
        },
    }


def _data(one: Exported, task: Task) -> dict[str, Any]:
    pin = one.plan.pins.sources.get(f"task:{task.name}")
    details = {"rows_sha256": pin.digest} if pin is not None and pin.digest is not None else {}
    source = task.source
    if isinstance(source, FileSource | CanarySource):
        return {"dataset_name": task.name, "source_type": "other", "additional_details": details}
    if not isinstance(source, HubSource):
        return {
            "dataset_name": source.name,
            "source_type": "other",
            "additional_details": details | {"split": source.split},
        }
    revision = (pin.revision if pin is not None else None) or source.revision
    if revision is not None:
        details["revision"] = revision
    return {
        "dataset_name": source.repo,
        "source_type": "hf_dataset",
        "hf_repo": source.repo,
        "samples_number": len(one.samples[task.name]),
        "additional_details": details | {"files": ", ".join(source.files)},
    }


def _arguments(task: Task, scoring: str) -> dict[str, Any]:
    found: dict[str, Any] = {"prompt_template": task.prompt}
    if scoring != "likelihood" and task.generation is not None:
        found |= {"temperature": 0.0, "max_tokens": task.generation.max_new_tokens}
    return found


# --- instances --------------------------------------------------------------------------------------------------------


def _instances(one: Exported, told: Told, model: Model) -> Iterator[dict[str, Any]]:
    for task in one.plan.typed_spec().evaluation.scored:
        scores = one.result.scores.tasks[task.name]
        for scoring in (scores.scoring, *scores.also):
            for sample, whole in zip(one.samples[task.name], one.whole[task.name], strict=True):
                yield _instance(one, told, model, task, scoring, sample, whole)


def _instance(  # noqa: PLR0917
    one: Exported, told: Told, model: Model, task: Task, scoring: str, sample: Sample, whole: Sample
) -> dict[str, Any]:
    answer = sample.tuned if model == "tuned" else sample.untuned
    hidden = isinstance(sample.prompt, Withheld)
    choices = [_shown(option) for option in sample.options]
    reference = [choices[sample.target]] if sample.target is not None else []
    marked = mark(task, scoring, Given(answer, whole.options, whole.target, whole.prompt))
    raw = _shown(sample.prompt)
    wrote = _wrote(answer, scoring, choices, hidden=hidden)
    read = _read(task, scoring, answer, whole, choices)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": _evaluation_id(one, told, model),
        "model_id": model_id(one, model),
        "evaluation_name": task.name,
        "evaluation_result_id": _result_id(task.name, scoring),
        "sample_id": f"{task.name}/{sample.index}",
        "sample_hash": sha256((raw + "".join(reference)).encode()),
        "interaction_type": "single_turn",
        "input": {"raw": raw, "reference": reference, "choices": choices or None},
        "output": {"raw": [wrote]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": read,
                "extraction_method": scoring,
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": float(marked == "right"), "is_correct": marked == "right"},
        "metadata": {"item_sha256": sample.item, "mark": marked, **_numbers(answer, scoring)},
    }


def _shown(text: str | Withheld) -> str:
    return text if isinstance(text, str) else f"{WITHHELD}{text.sha256}"


def _wrote(answer: Answer, scoring: str, choices: Sequence[str], *, hidden: bool) -> str:
    """What the model answered; of items that may not be passed on no text, since it may repeat them."""
    if scoring == "likelihood":
        values = answer.loglikelihoods or [0.0]
        return choices[values.index(max(values))]
    text = answer.text or ""
    return f"{WITHHELD}{sha256(text.encode())}" if hidden else text


def _read(task: Task, scoring: str, answer: Answer, whole: Sample, choices: Sequence[str]) -> str:
    """The option that the answer was taken for, empty for none; how a program ended."""
    if not isinstance(task, ChoiceTask):
        return answer.status or ""
    with suppress(ValueError):
        found = picked(task, scoring, Given(answer, whole.options, whole.target, whole.prompt))
        return "" if found is None else choices[found]
    return ""


def _numbers(answer: Answer, scoring: str) -> dict[str, str]:
    if scoring != "likelihood" or answer.loglikelihoods is None:
        return {}
    return {"loglikelihoods": json.dumps(answer.loglikelihoods)}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _pretty(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
