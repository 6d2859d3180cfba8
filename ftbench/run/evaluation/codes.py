"""Stable codes of what can go wrong in an evaluation: 560–579 of the run's codes."""

from __future__ import annotations

from ftbench.diagnostics import register

WORKER_FAILED = "FTB560"
OUT_OF_MEMORY = "FTB561"
PACKAGE_MISSING = "FTB562"
TOO_LONG = "FTB564"
NO_TOKENS = "FTB565"
NOT_FINITE = "FTB566"
ADAPTER_UNFIT = "FTB567"
MODEL_UNFIT = "FTB568"
ITEMS_UNFIT = "FTB569"
HARNESS_DISAGREES = "FTB570"
NOT_A_RUN = "FTB571"
NO_CHAT_TEMPLATE = "FTB572"
NO_SANDBOX = "FTB573"
SANDBOX_FAILED = "FTB574"
REFERENCE_MISSING = "FTB575"
QUANTIZATION_UNFIT = "FTB576"

register(
    {
        WORKER_FAILED: "the evaluation ended without a result",
        OUT_OF_MEMORY: "the evaluation ran out of memory",
        PACKAGE_MISSING: "a package that evaluation needs is not installed",
        TOO_LONG: "a prompt with its option is longer than the model can read",
        NO_TOKENS: "an empty prompt or option cannot be scored",
        NOT_FINITE: "the model gave a log-likelihood that is not finite",
        ADAPTER_UNFIT: "the adapter does not fit the base model",
        MODEL_UNFIT: "the base model cannot be loaded",
        ITEMS_UNFIT: "the task's items cannot be asked",
        HARNESS_DISAGREES: "the harness's own accuracy differs from the one computed from its samples",
        NOT_A_RUN: "a run folder lacks what evaluation needs",
        NO_CHAT_TEMPLATE: "the spec asks for the model's chat template and its tokenizer has none",
        NO_SANDBOX: "generated programs can't be run here: no sandbox, or no toolchain for their language",
        SANDBOX_FAILED: "the sandbox failed, not the program in it",
        REFERENCE_MISSING: "the adapter of a reference that the spec asks for is not there",
        QUANTIZATION_UNFIT: "the base model can't be loaded with the bits that the spec asks for",
    }
)
