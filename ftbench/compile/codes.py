"""Diagnostic codes of compiling."""

from __future__ import annotations

from ftbench.diagnostics import register

FAB_REFUSED = "FTB401"
PUBLISHED_DIFFERS = "FTB402"
NOT_A_FOLDER = "FTB403"
CANNOT_WRITE = "FTB404"
NOT_COMPILED = "FTB405"
LOCK_BROKEN = "FTB406"
DRIFT = "FTB407"
OTHER_FLOWER = "FTB408"

register(
    {
        FAB_REFUSED: "Flower's builder refuses the app",
        PUBLISHED_DIFFERS: "a published version exists with other bytes",
        NOT_A_FOLDER: "the output path is not a folder",
        CANNOT_WRITE: "the compiled benchmark cannot be written",
        NOT_COMPILED: "there is no compiled benchmark in that folder",
        LOCK_BROKEN: "a compiled benchmark does not agree with its own lock",
        DRIFT: "the compiled benchmark differs from what its spec compiles to",
        OTHER_FLOWER: "another version of Flower is installed than the one whose builder makes the app bundle",
    }
)
