"""Diagnostic codes of the model catalogue and the estimate."""

from __future__ import annotations

from ftbench.diagnostics import register

register(
    {
        "FTB801": "no base model of that name is known",
        "FTB802": "a model's config.json cannot be understood",
        "FTB803": "an adapter target names no linear layer of the model",
        "FTB804": "adapter and precision do not work together",
        "FTB805": "the files of a base model are not here",
    }
)
