"""FPB, FIQA and TFNS: a text and its sentiment."""

from __future__ import annotations

from typing import Any

from ftbench.data.normalise.base import SENTIMENT_COLUMNS, LayoutError, Normaliser, Row, index, sentiment, text

FIQA_BOUND = 0.1
"""Scores below its negative are negative, from it on positive, neutral between."""


def _fpb(row: Row) -> dict[str, Any]:
    sentence, at, label = text(row["text"]).rpartition("@")
    if not at:
        raise LayoutError(f"no `@` parts the sentence from its label in {row['text'][:60]!r}")
    return sentiment(sentence.strip(), label.strip())


def _fiqa(row: Row) -> dict[str, Any]:
    score = row["score"]
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise LayoutError(f"the score is {score!r}; a number from -1 to 1 is expected")
    if not -1 <= score <= 1:
        raise LayoutError(f"the score is {score}; a number from -1 to 1 is expected")
    label = "negative" if score < -FIQA_BOUND else "neutral" if score < FIQA_BOUND else "positive"
    return sentiment(text(row["sentence"]), label)


def _tfns(row: Row) -> dict[str, Any]:
    return sentiment(text(row["text"]), ("negative", "positive", "neutral")[index(row["label"], 3)])


FPB = Normaliser(
    "fpb",
    "Financial PhraseBank: lines `sentence@label` of its archive, read as zip-text (arXiv 1307.5336)",
    SENTIMENT_COLUMNS,
    _fpb,
)
FIQA = Normaliser(
    "fiqa",
    "FiQA 2018 task 1: score below -0.1 negative, below 0.1 neutral, else positive (doi 10.1145/3184558.3192301)",
    SENTIMENT_COLUMNS,
    _fiqa,
    types={"score": "number"},
)
TFNS = Normaliser(
    "tfns",
    "Twitter Financial News Sentiment: 0 negative, 1 positive, 2 neutral",
    SENTIMENT_COLUMNS,
    _tfns,
    types={"label": "integer"},
)
