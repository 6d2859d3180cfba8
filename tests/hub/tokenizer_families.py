"""Small tokenizers with the normalizer, pre-tokenizer, decoder and control words of each family of base models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

LLAMA3 = "|".join(
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+|\s+(?!\S)|\s+",
    ]
)
QWEN = LLAMA3.replace("{1,3}", "")
BYTES = [f"<0x{number:02X}>" for number in range(256)]
CHAT = (
    "{{ bos_token or '' }}{% for m in messages %}START{{ m['role'] }}\n{{ m['content'] | trim }}END\n{% endfor %}"
    "{% if add_generation_prompt %}STARTassistant\n{% endif %}"
)

Control = tuple[str, str, str, str]
"""Begin and end of a text, begin and end of a turn."""
LLAMA2_WORDS = ("<s>", "</s>", "<s>", "</s>")
FAMILIES: dict[str, Control] = {
    "llama2": LLAMA2_WORDS,
    "llama2-metaspace": LLAMA2_WORDS,
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"),
    "qwen": ("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|im_end|>"),
    "gemma": ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    "phi3": ("<s>", "<|endoftext|>", "<|user|>", "<|end|>"),
    "phi4": ("<|endoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
}


def pieces(texts: Sequence[str], size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges as SentencePiece's BPE learns them: over whole sentences, a space as a mark."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False))
    model = json.loads(learner.to_str())["model"]
    # What a vocabulary lacks is bytes: line breaks (Llama's) and here whatever is not ASCII.
    kept = {word for word in model["vocab"] if all(" " < letter < "\x7f" or letter == "▁" for letter in word)}
    merges = [(left, right) for left, right in model["merges"] if {left, right, left + right} <= kept]
    # Gemma's and Llama's vocabularies have marks that merge with marks.
    merges += [("▁", "▁"), ("▁▁", "▁▁")]
    words = ["<unk>", *BYTES, "▁", "▁▁", "▁▁▁▁", *sorted(kept)]
    return {word: number for number, word in enumerate(dict.fromkeys(words))}, merges


def _sentencepiece(texts: Sequence[str], family: str, size: int) -> Tokenizer:
    vocabulary, merges = pieces(texts, size)
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    ends = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if family == "gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    elif family == "llama2-metaspace":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        ends += [decoders.Strip(" ", 1, 0)]
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        ends += [decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(ends)
    return tokenizer


def _bytes(texts: Sequence[str], family: str, size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    split = Regex(QWEN if family == "qwen" else LLAMA3)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if family == "qwen":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer


def build(family: str, texts: Sequence[str], size: int = 600) -> Any:
    """A tokenizer of the family, learnt from the texts, with a chat template in the family's control words."""
    begin, end, opens, closes = FAMILIES[family]
    made = (_sentencepiece if family in ("llama2", "llama2-metaspace", "gemma", "phi3") else _bytes)(
        texts, family, size
    )
    strips = {"llama2": (False, False), "phi3": (False, True), "phi4": (True, True)}
    left, right = strips.get(family, (False, False))
    words = dict.fromkeys([begin, end, opens, closes])
    made.add_special_tokens([AddedToken(w, special=True, lstrip=left, rstrip=right, normalized=False) for w in words])
    if family == "phi3":  # not special there, and it swallows white space
        made.add_tokens([AddedToken("</s>", special=False, rstrip=True, normalized=False)])
    if family == "gemma":
        made.add_tokens([AddedToken("\n" * n, special=False, normalized=False) for n in (1, 2, 3)])  # as Gemma has them
    first = None if family == "qwen" else begin
    unknown = "<unk>" if "<unk>" in made.get_vocab() else None
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=first, eos_token=end, unk_token=unknown)
    fast.chat_template = CHAT.replace("START", opens).replace("END", closes)
    return fast
