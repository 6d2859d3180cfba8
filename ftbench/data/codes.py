"""Diagnostic codes of data, pins and store: FTB3xx."""

from __future__ import annotations

from ftbench.diagnostics import register

MISSING_DATA = "FTB301"
MISSING_MODEL = "FTB302"
CORRUPT = "FTB303"
UNKNOWN_DATA_SET = "FTB304"
UNKNOWN_SPLIT = "FTB305"
UNKNOWN_COLUMN = "FTB306"
BAD_VALUE = "FTB307"
TOO_FEW_ROWS = "FTB308"
REVISION_FORM = "FTB309"
NOT_WRITABLE = "FTB310"
STALE_SOURCE = "FTB320"
STALE_PARTITION = "FTB321"
DRIFTED_SOURCE = "FTB322"
DRIFTED_PARTITION = "FTB323"
PIN_SET = "FTB324"
NOT_COMPARED = "FTB325"

register(
    {
        MISSING_DATA: "rows or a partition are not in the store",
        MISSING_MODEL: "a base model is not in the store",
        CORRUPT: "a file in the store does not have the digest that it is named by",
        UNKNOWN_DATA_SET: "a data source names a built-in data set that does not exist",
        UNKNOWN_SPLIT: "a data source names a split that the data set does not have",
        UNKNOWN_COLUMN: "`columns` names a column that the source does not have",
        BAD_VALUE: "a row holds a value that has no canonical form",
        TOO_FEW_ROWS: "there are fewer training rows than clients",
        REVISION_FORM: "a base model's revision is not the sha256 digest of its files",
        NOT_WRITABLE: "the store cannot be written to",
        STALE_SOURCE: "a source's pin was made from another `source` or `columns` than the spec has",
        STALE_PARTITION: "the partition's pin was made from other rows, clients, partition or seed than the spec has",
        DRIFTED_SOURCE: "a source gives other rows than were pinned",
        DRIFTED_PARTITION: "the partition comes out otherwise than was pinned",
        PIN_SET: "the pins lack a source of the spec, or hold one that the spec does not have",
        NOT_COMPARED: "a pinned source could not be compared because its rows are not here",
    }
)
