"""What a tokenizer written for one test needs beside its letters."""

from __future__ import annotations

from typing import Any


class FakeTokenizer:
    """One id a character, its code point; ids 1 and 2 begin and end a text and are no words."""

    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    bos_token = eos_token = unk_token = chat_template = None
    all_special_tokens: tuple[str, ...] = ()
    all_special_ids: tuple[int, ...] = ()
    added_tokens_decoder: dict[int, Any] = {}

    def encode(self, text: str, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        assert not add_special_tokens and split_special_tokens
        return self.ids(text)

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(map(self.letter, ids))

    def ids(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def letter(self, number: int) -> str:
        return chr(number)
