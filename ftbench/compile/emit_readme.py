"""Emit the compiled benchmark's README and requirements: how to run and score it with `flwr` and `lm_eval` alone."""

from __future__ import annotations

from ftbench.compile.emit_app import requirements
from ftbench.compile.emit_tasks import lm_eval_command
from ftbench.compile.plan import PLAN, Plan
from ftbench.spec.objective import DpoObjective


def emit(plan: Plan, spec_hash: str) -> dict[str, bytes]:
    """`README.md` and `requirements.txt`."""
    lines = [f"{name}=={version}" for name, version in sorted(requirements(plan).items())]
    return {
        "README.md": _readme(plan, spec_hash).encode(),
        "requirements.txt": ("\n".join(lines) + "\n").encode(),
    }


def _readme(plan: Plan, spec_hash: str) -> str:
    spec = plan.typed_spec()
    base = spec.model.base
    knobs = [f"| `{path}` | {_allowed(spec.knobs[path].model_dump(mode='json'))} |" for path in sorted(spec.knobs)]
    status = {"draft": "a draft: it may still change", "published": "published: these files never change again"}
    return "\n".join(
        [
            f"# {plan.metadata.title}",
            "",
            f"`{plan.metadata.name}` {plan.metadata.version}, {status[plan.metadata.status]}.",
            f"Spec hash `{spec_hash}`.",
            "",
            "Made by `ftbench compile`; `ftbench.lock` names every file with its digest. Edit the spec instead.",
            "",
            "| file | what it is |",
            "|---|---|",
            f"| `{PLAN}` | conditions, data and code digests, package versions: what the spec hash is made of |",
            "| `app/` | the Flower app |",
            "| `tasks/` | the evaluation-harness tasks |",
            "| `requirements.txt` | the exact packages |",
            "",
            "## Run it without ftbench",
            "",
            "```sh",
            "python3 -m venv venv && . venv/bin/activate && pip install -r requirements.txt",
            'export FTBENCH_STORE="$(cd ../store && pwd)"   # the folder with data and models, by digest',
            "export FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1 FLWR_TELEMETRY_ENABLED=0",
            'export FLWR_HOME="$(mktemp -d)"',
            "flower-superlink --insecure --simulation --host 127.0.0.1 --port 9093 \\",
            "  --disable-runtime-dependency-installation &",
            'printf \'[superlink.sim]\\naddress = "127.0.0.1:9093"\\ninsecure = true\\n\' > "$FLWR_HOME/config.toml"',
            "until flwr list sim > /dev/null 2>&1; do sleep 1; done   # until the SuperLink answers",
            f"flwr federation simulation-config @none/default sim --num-supernodes {spec.federation.clients} \\",
            "  --client-resources-num-cpus 1 --init-args-num-cpus 2",
            "mkdir -p run && flwr run app sim --stream \\",
            "  --run-config \"store='$FTBENCH_STORE' run-dir='$PWD/run'\"",
            'tail -n 1 run/ledger.jsonl   # the last line of a whole run says "finished"',
            "kill %1",
            "```",
            "",
            "`flwr run` exits 0 even when the app fails: the ledger's last line is the truth.",
            *_training_notes(plan),
            "",
            "## Score it",
            "",
            "```sh",
            *(
                f"{lm_eval_command(plan, adapter)}   # {label}"
                for adapter, label in ((None, "untuned"), ("run/adapter", "tuned"))
            ),
            "```",
            "",
            f"The base model `{base.name}` has revision `{base.revision}`.",
            *_scoring_notes(plan),
            "",
            "## What an entry may set",
            "",
            "Each of these is a run-config key of the same name; everything else is frozen.",
            "",
            "| knob | allowed |",
            "|---|---|",
            *knobs,
            "",
        ]
    )


def _training_notes(plan: Plan) -> list[str]:
    """What to know of the training, where it is not plain supervised tuning."""
    objective = plan.typed_spec().objective
    if not isinstance(objective, DpoObjective):
        return []
    return [
        "",
        f"Clients train on pairs by direct preference optimisation (arXiv 2305.18290) with beta {objective.beta:g}; "
        "the reference is the base model. The log tells the reward accuracy of each client's round.",
    ]


def _scoring_notes(plan: Plan) -> list[str]:
    """What to know of the harness's scores, where there is something to know."""
    spec, notes = plan.typed_spec(), []
    if any(task.kind == "choice" and task.scoring != ["likelihood"] for task in spec.evaluation.tasks):
        notes.append("`<task>-generated` has the model write its answer; `unparsable` is the share without any.")
    if any(task.kind == "code" for task in spec.evaluation.tasks):
        notes.append("Programs run in `tasks/ftbench_sandbox.py`, which needs bubblewrap and the languages' tools.")
    if spec.model.quantization is not None:
        bits = spec.model.quantization.bits
        notes.append(
            f"This scores weights in {spec.model.dtype}: lm-eval cannot hold them in {bits} bits with these packages. "
            f"`ftbench evaluate` can, as in training."
        )
    return notes


def _allowed(knob: dict[str, object]) -> str:
    if "choices" in knob:
        return ", ".join(f"`{value}`" for value in knob["choices"])  # type: ignore[attr-defined]
    if "min" in knob:
        return f"{knob['min']:g} to {knob['max']:g}"
    return "anything the spec's own limits allow"
