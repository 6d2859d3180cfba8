"""Diagnostic codes of the spec language: FTB1xx for specs and pins, FTB2xx for entries and knobs."""

from __future__ import annotations

from ftbench.diagnostics import register

CANNOT_READ = "FTB100"
BAD_TEXT = "FTB101"
SYNTAX = "FTB102"
UNKNOWN_FIELD = "FTB103"
REPEATED_KEY = "FTB104"
MISSING_FIELD = "FTB105"
WRONG_TYPE = "FTB106"
OUT_OF_LIMITS = "FTB107"
YAML_FEATURE = "FTB108"
BAD_NUMBER = "FTB109"
TOO_LARGE = "FTB110"
NOT_A_CHOICE = "FTB111"
RESERVED = "FTB112"
EXTENDS = "FTB113"
UNKNOWN_SPEC = "FTB114"
TEMPLATE = "FTB120"
TEMPLATE_COLUMN = "FTB121"
JOINT = "FTB122"
DUPLICATE = "FTB123"
ANSWER_COLUMN = "FTB124"
NO_EFFECT = "FTB125"
CONTRADICTION = "FTB126"
ONE_LINE = "FTB127"
SOURCE = "FTB128"
MISSING_PARAMETER = "FTB129"
KNOB_PATH = "FTB130"
KNOB_RANGE = "FTB131"
KNOB_DEFAULT = "FTB132"
PARTITION_COLUMN = "FTB133"
BUILTIN_MODEL = "FTB134"
NO_PINS = "FTB190"
BAD_PINS = "FTB191"
STALE_PINS = "FTB192"
PIN_SOURCES = "FTB193"
PIN_SIZES = "FTB194"
UNRESOLVED = "FTB195"

FROZEN = "FTB201"
UNKNOWN_KNOB = "FTB202"
KNOB_VALUE = "FTB203"
SET_SYNTAX = "FTB204"
MODEL_SYNTAX = "FTB205"
MODEL_REVISION = "FTB206"
SEED = "FTB207"
MISSING_KNOB = "FTB208"
UNKNOWN_PATH = "FTB209"
OPEN_CODE = "FTB230"
VARY_SYNTAX = "FTB210"

register(
    {
        CANNOT_READ: "a file cannot be read",
        BAD_TEXT: "a file is not UTF-8 text, or holds characters that are not allowed",
        SYNTAX: "a file is not YAML",
        UNKNOWN_FIELD: "a field that this block does not have",
        REPEATED_KEY: "a key stands twice in one mapping",
        MISSING_FIELD: "a required field is missing",
        WRONG_TYPE: "a value of another type or form than the field asks for",
        OUT_OF_LIMITS: "a value outside the limits of its field",
        YAML_FEATURE: "a feature of YAML that is not read: tags, anchors, aliases, merge keys, several documents",
        BAD_NUMBER: "a number that cannot be kept exactly: infinite, not a number, or 2^53 and above",
        TOO_LARGE: "a file is too large or nested too deeply",
        NOT_A_CHOICE: "a word that is not one of those allowed",
        RESERVED: "planned, but not supported yet",
        EXTENDS: "`extends` cannot be followed",
        UNKNOWN_SPEC: "neither a file nor the name of a built-in spec",
        TEMPLATE: "a template that cannot be read",
        TEMPLATE_COLUMN: "a template names a column that `columns` does not have",
        JOINT: "white space at the wrong side of the joint between prompt and completion",
        DUPLICATE: "the same value twice in a list where each may stand once",
        ANSWER_COLUMN: "the answer's column is not one of `columns`",
        NO_EFFECT: "a setting that changes nothing",
        CONTRADICTION: "two fields that cannot hold together",
        ONE_LINE: "a line break where one line is expected",
        SOURCE: "a source whose fields do not fit one another",
        MISSING_PARAMETER: "a field that the chosen kind, scoring or checkpoint needs",
        KNOB_PATH: "a field that cannot be a knob",
        KNOB_RANGE: "a knob's range that makes no sense for its field",
        KNOB_DEFAULT: "the spec's own value lies outside the knob's range",
        PARTITION_COLUMN: "a partition goes by a column that is not one of `data.columns`",
        BUILTIN_MODEL: "a built-in base model, or a revision of one, that does not exist",
        NO_PINS: "the pins file is missing",
        BAD_PINS: "the pins file cannot be used",
        STALE_PINS: "a pin was made from other inputs than the spec's",
        PIN_SOURCES: "the pins name other sources than the spec",
        PIN_SIZES: "partition sizes in the pins do not fit rows or clients",
        UNRESOLVED: "a source, commit or partition that `ftbench lock` has not resolved yet",
        FROZEN: "an entry sets what the spec freezes",
        UNKNOWN_KNOB: "an entry sets a path that the spec does not have",
        KNOB_VALUE: "a knob's value is outside its range or breaks the spec's rules",
        SET_SYNTAX: "`--set` is not PATH=VALUE",
        MODEL_SYNTAX: "`--model` is not NAME or NAME@REVISION",
        MODEL_REVISION: "a base model without an exact revision",
        SEED: "a seed that the spec does not list",
        MISSING_KNOB: "a resolved entry lacks a knob",
        UNKNOWN_PATH: "a path that the spec does not have",
        OPEN_CODE: "a module that an entry in the open division brings cannot be used",
        VARY_SYNTAX: "`--vary` is not PATH=VALUE,VALUE, or varies what a sweep cannot",
    }
)
