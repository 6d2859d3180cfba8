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
CANNOT_DEAL = "FTB309"
NOT_WRITABLE = "FTB310"
STALE_SOURCE = "FTB320"
STALE_PARTITION = "FTB321"
DRIFTED_SOURCE = "FTB322"
DRIFTED_PARTITION = "FTB323"
PIN_SET = "FTB324"
NOT_COMPARED = "FTB325"
UNRESOLVED = "FTB326"
OTHER_ROWS = "FTB327"
NO_ROWS = "FTB328"
OVERLAP = "FTB329"
NO_FILE = "FTB330"
FILE_KIND = "FTB331"
UNREADABLE = "FTB332"
NORMALISER = "FTB333"
LAYOUT = "FTB334"
TOO_LARGE = "FTB335"
OTHER_COUNT = "FTB336"
UNREACHABLE = "FTB340"
NO_REPOSITORY = "FTB341"
NO_REVISION = "FTB342"
GATED = "FTB343"
RATE_LIMITED = "FTB344"
HUB_FAILED = "FTB345"
OTHER_FILE = "FTB346"
NO_ROOM = "FTB347"
NO_SAFETENSORS = "FTB350"
REMOTE_CODE = "FTB351"
MODEL_NAME = "FTB352"

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
        CANNOT_DEAL: "the training rows cannot be dealt to the clients as the partition says",
        NOT_WRITABLE: "the store cannot be written to",
        STALE_SOURCE: "a source's pin was made from another `source` or `columns` than the spec has",
        STALE_PARTITION: "the partition's pin was made from other rows, clients, partition or seed than the spec has",
        DRIFTED_SOURCE: "a source gives other rows than were pinned",
        DRIFTED_PARTITION: "the partition comes out otherwise than was pinned",
        PIN_SET: "the pins lack a source of the spec, or hold one that the spec does not have",
        NOT_COMPARED: "a pinned source could not be compared because its rows are not here",
        UNRESOLVED: "pins are not resolved yet: the data behind them has not been loaded",
        OTHER_ROWS: "a source gives other rows than its pin says; they were thrown away",
        NO_ROWS: "a source gives no rows",
        OVERLAP: "items of a test set occur in the training data",
        NO_FILE: "a repository has no file that a source names",
        FILE_KIND: "a file has an ending or a path that is never loaded",
        UNREADABLE: "a downloaded file is not what `format` says",
        NORMALISER: "a source names a normaliser that does not exist",
        LAYOUT: "rows do not have the layout that their normaliser expects",
        TOO_LARGE: "a file or archive is larger than data may be",
        OTHER_COUNT: "a source comes to another number of rows than the spec says",
        UNREACHABLE: "the hub could not be reached",
        NO_REPOSITORY: "a repository is not on the hub, or not for this token",
        NO_REVISION: "a repository does not have that commit, or no longer",
        GATED: "a repository gives its files only to accounts that accepted its conditions",
        RATE_LIMITED: "the hub asks for fewer requests, and still did after several waits",
        HUB_FAILED: "the hub answered with an error, and still did after several tries",
        OTHER_FILE: "a downloaded file does not have the digest that was promised",
        NO_ROOM: "the disk has no room for a download",
        NO_SAFETENSORS: "a base model has no weights in safetensors files",
        REMOTE_CODE: "a base model names code of its own, which is never run",
        MODEL_NAME: "a base model is not named as OWNER/NAME or OWNER/NAME@COMMIT",
    }
)
