"""Stable codes of what can go wrong in an evaluation: 560–579 of the run's codes."""

from __future__ import annotations

from ftbench.diagnostics import register

WORKER_FAILED = "FTB560"
OUT_OF_MEMORY = "FTB561"
PACKAGE_MISSING = "FTB562"
NO_BOS = "FTB563"
TOO_LONG = "FTB564"
NO_TOKENS = "FTB565"
NOT_FINITE = "FTB566"
ADAPTER_UNFIT = "FTB567"
MODEL_UNFIT = "FTB568"
ITEMS_UNFIT = "FTB569"
HARNESS_DISAGREES = "FTB570"
NOT_A_RUN = "FTB571"

register(
    {
        WORKER_FAILED: "the evaluation ended without a result",
        OUT_OF_MEMORY: "the evaluation ran out of memory",
        PACKAGE_MISSING: "a package that evaluation needs is not installed",
        NO_BOS: "the spec asks for a beginning-of-sequence token that the tokenizer has not",
        TOO_LONG: "a prompt with its option is longer than the model can read",
        NO_TOKENS: "an empty prompt or option cannot be scored",
        NOT_FINITE: "the model gave a log-likelihood that is not finite",
        ADAPTER_UNFIT: "the adapter does not fit the base model",
        MODEL_UNFIT: "the base model cannot be loaded",
        ITEMS_UNFIT: "the task's items cannot be asked",
        HARNESS_DISAGREES: "the harness's own accuracy differs from the one computed from its samples",
        NOT_A_RUN: "a run folder lacks what evaluation needs",
    }
)
