"""A tokenizer that has every word of a small world as one token, and bytes for all else.

It is byte-level BPE without merges: a piece that is in the vocabulary is a token, any other falls to its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftbench.micro.model import BOS, EOS, PAD

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def word_tokenizer(lines: Sequence[str], vocabulary: int) -> Tokenizer:
    """At most `vocabulary` tokens: three special ones, the 256 bytes, and the commonest pieces of `lines`.

    A text always decodes to itself. It adds BOS where special tokens are asked for.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts = Counter(piece for line in lines for piece, _ in splitter.pre_tokenize_str(line) if len(piece) > 1)
    first = [BOS, EOS, PAD, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    common = sorted(counts, key=lambda piece: (-counts[piece], piece))[: vocabulary - len(first)]
    ids = {token: number for number, token in enumerate([*first, *common])}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[], ignore_merges=True))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (BOS, EOS, PAD)])
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ids[BOS])]
    )
    return tokenizer
