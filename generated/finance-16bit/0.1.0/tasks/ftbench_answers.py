"""From what a model wrote to the option that it meant: the harness hook's copy of `ftbench/result/extraction.py`.

Below the line of dashes both are word for word the same; a test holds them equal. It is copied beside the task files
of benchmarks whose models write answers to choice tasks, and loaded by file.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

# --- how an answer is read -------------------------------------------------------------------------------------------

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
READ = 20_000
"""Characters of a text that are read."""
NOUNS = (
    "answer|option|choice|response|solution|sentiment|label|classification|category|verdict|conclusion|decision|"
    "antwort|réponse|respuesta|risposta|resposta|ответ|答案|选项|答"
)
DECLARED = re.compile(
    rf"(?<![a-z])(?:{NOUNS})(?:\s+(?:choice|option|letter|here|correcta?|correcte))?"
    rf"(?:\s+(?:to|for|of)\s[^.\n:;]{{1,80}}?)?[\"'”’)\]]*\s*"
    rf"(?:(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be|lautet|ist|est|es|è|é)(?![a-z])|是|应?为|:|=|→|->)"
    rf"|^[#\s]*(?:the\s+|final\s+|correct\s+)*(?:answer|sentiment)[ \t]*$"
    rf"|(?<![a-z])(?:choose|chose|pick|select|go\s+with|opt\s+for|vote\s+for)(?![a-z])|[选選](?:[择擇项項])?",
    re.MULTILINE,
)
FINAL = re.compile(r"(?<![a-z])final(?:ly)?[\s,]+(?:the\s+)?$")
FILLING = re.compile(
    r"(?:[\s:=,\"'“‘`(\[{<]|(?:therefore|thus|clearly|likely|probably|definitely|most\s+likely|simply|indeed|still|"
    r"rather|but|that|it\s+is|it's|the|option|choice|letter|answer)(?![a-z'])|应?选[择项]?|[为是])*"
)
OPENING = re.compile(
    r"(?:[\s\"'“‘`(\[{<>•#.,;:-]|(?:so|thus|therefore|hence|then|well|ok|okay|sure|certainly|but|rather|i\s+think|"
    r"i\s+believe|i(?:'d|\s+would)\s+say|it\s+is|it's|this\s+is|that\s+is|option|choice|letter)(?![a-z'])[,:!]?)*"
)
NEGATED = re.compile(
    r"(?:(?<![a-z])(?:not|never|neither|nor|(?:is|was|are)n['’]t|rather\s+than|instead\s+of|except|unlike|nicht|pas)"
    r"(?![a-z])|不是|并非)[\s\"'“‘(\[]*(?:(?:the|option|choice|answer)\s+)*[\"'“‘(\[]*"
)
DENIED = re.compile(
    r"[\"'”’)\].]{0,3}(?:\s+(?:is|are|was|were|would\s+be)\s+(?:not|incorrect|wrong|false|unlikely)|"
    r"\s+(?:is|was)n['’]t|\s*是?(?:错|不对))"
)
AFFIRMED = re.compile(
    r"[\"'”’)\].]{0,3}(?:\s+(?:is|was|would\s+be|must\s+be|seems|looks)\s+(?:the\s+)?(?:most\s+\w{1,20}\s+|single\s+)?"
    r"(?:correct|right|best|true|answer|appropriate)|\s*是?(?:正确|对的))"
)
JOINED = re.compile(
    r"[\"'”’)\]]*\s*(?:[,/&+、]\s*(?:(?:and|or)\s+)?|(?:and|or|to|as\s+well\s+as|und|oder)\s+|[和与或及])"
    r"(?:(?:also|option|choice|the)\s+)*[\"'“‘(\[]*"
)
ENDS = re.compile(
    r"\s*$|\s*[.,;:!?\n\"'”’`)\]}>/&、。，；：！？]|\s+[-–—=(]|\s*[–—]|"
    r"\s+(?:because|since|as|is|was|due|given|based|but|so|and|or|if|according|would|seems)(?![a-z])"
)
BRACKETED = re.compile(r"[(\[{<【「]\s*([^()\[\]{}<>【】「」\n]{1,200}?)\s*[)\]}>】」]")
QUOTED = re.compile(r"(?<!\w)[\"'“‘`]\s*([^\"'“”‘’`\n]{1,200}?)\s*[\"'”’`](?!\w)")
BOXED = re.compile(r"boxed\s*\{([^{}\n]{1,200})\}")
PAUSE = re.compile(
    r"(?:^|[.,:;!?\n\"'“‘(\[、，。]|(?<![a-z])(?:option|choice|answer|letter|so|thus|that|hence|therefore|but|and|only))\s*$"
)
NEXT_ITEM = re.compile(
    r"\n[ \t]*#*[ \t]*(?:text|question|task|abstract|problem|instruction|input|context|passage|user|human|q)[ \t]*\d*:"
)
SPECIES = re.compile(r"\. [a-z]{2,}(?:us|is|ae|li|ni|ri|um|ans|ens|ile|eri|ei|zae|ogaster)(?![a-z])")
PRONOUN = re.compile(
    r"[AI] (?!(?:because|since|as|is|was|and|or|nor|to|rather|due|given|based|but|so|would|seems|if|according)\b)[a-z]"
)


def extract(rule: str, text: str, options: list[str], prompt: str = "") -> int | None:
    """Index of the option that `text` means, or None: `option-text`, or `option-letter` with the letters' own texts as
    `prompt` lists them (`A. text` in a line). Raises ValueError for another rule."""
    if rule not in ("option-text", "option-letter"):
        raise ValueError(f"{rule!r} is no rule of extraction")
    lettered = rule == "option-letter"
    own = listed(prompt, len(options)) if lettered else list(options)
    return _Reader(text, min(len(options), len(LETTERS)) if lettered else 0, own).meant()


def listed(prompt: str, count: int) -> list[str]:
    """The options' own texts as the last lines `A. …`, `B. …` of a prompt have them; empty where they do not."""
    found: list[str] = []
    end = len(prompt)
    for letter in reversed(LETTERS[: min(count, len(LETTERS))]):
        lines = list(re.finditer(rf"^[ \t]*\(?{letter}[.):][ \t]*(.+)$", prompt[:end], re.MULTILINE))
        if not lines:
            return []
        found.insert(0, lines[-1][1].strip())
        end = lines[-1].start()
    return found


def _expand(text: str) -> str:
    """Compatible characters as one, without marks of emphasis, tags and mathematics; a long s as two."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]{0,200})\}", r"\1", text)
    text = re.sub(r"</?[a-z][a-z0-9]{0,20}>", " ", text)
    text = re.sub(r"\*|\$|__|~~|\\[()\[\]]", "", text)
    return "".join(c if len(c.casefold()) == 1 else c.casefold() for c in text)


def _fold(text: str) -> str:
    return "".join(c.casefold() for c in text)


@functools.lru_cache(maxsize=4096)
def _names(own: tuple[str, ...]) -> tuple[dict[str, int], re.Pattern[str] | None]:
    """Option's own text as it is looked for → index, and what finds any of them; several models answer to the same."""
    folded = [" ".join(_fold(_expand(name)).split()).rstrip(".") for name in own]
    names = {name: index for index, name in reversed(list(enumerate(folded))) if name}
    ways = sorted(names, key=len, reverse=True)
    words = "|".join(r"\s+".join(map(re.escape, name.split(" "))) for name in ways)
    return names, re.compile(rf"(?<!\w)(?<!\w-)({words})(?!\w|-\w)") if words else None


class _Reader:
    """One text with its options. `plain` and `low`, its lower case, have the same positions."""

    def __init__(self, text: str, letters: int, own: list[str]) -> None:
        text = re.sub(r"<think>.*?</think>|^.*</think>", " ", text[:READ], flags=re.DOTALL)
        plain = re.sub(r"[^\S\n]+", " ", _expand(text)).strip()
        cut = NEXT_ITEM.search(_fold(plain))
        self.plain = plain[: cut.start()].rstrip() if cut else plain
        self.letters = letters
        self.names, self.own = _names(tuple(own))
        self._reset()
        self._deny()

    def _reset(self) -> None:
        self.low = _fold(self.plain)

    def meant(self) -> int | None:
        """The first way of answering that names an option decides; where it names several, nothing is meant."""
        for found in (self._declared(), self._marked(), self._alone(), self._named()):
            if found:
                return found.pop() if len(found) == 1 else None
        return None

    def _declared(self) -> set[int]:
        """`the answer is B`, `Answer: yes`, `B is correct`; what is called final goes before the rest."""
        found: set[int] = set()
        final: set[int] = set()
        for match in DECLARED.finditer(self.low):
            start = FILLING.match(self.low, match.end())
            said = self._several(start.end() if start else match.end())
            found |= said
            if FINAL.search(self.low[max(0, match.start() - 20) : match.start()]):
                final |= said
        for match in AFFIRMED.finditer(self.low):
            back = self._back(match.start())
            if back is not None:
                found.add(back[0])
        return final or found

    def _marked(self) -> set[int]:
        """In a box, else in brackets or quotation marks."""
        for patterns in ((BOXED,), (BRACKETED, QUOTED)):
            insides = [match for pattern in patterns for match in pattern.finditer(self.low)]
            found = [self._whole(match.start(1), match.end(1)) for match in insides]
            if any(index is not None for index in found):
                return {index for index in found if index is not None}
        return set()

    def _alone(self) -> set[int]:
        """At the start of the text, else in a line of its own."""
        start = OPENING.match(self.low)
        at = start.end() if start else 0
        found = self._several(at, alone=True)
        if found and self.letters:
            lines = [line.strip() for line in self.plain[at:].split("\n") if line.strip()]
            for line in lines[1:2]:
                if re.match(r"\(?[A-Z][.):] ", line) and line.lstrip("(")[0] in LETTERS[: self.letters]:
                    found |= {LETTERS.index(line.lstrip("(")[0])}
        if found:
            return found
        for match in re.finditer(r"^.{1,200}$", self.low, re.MULTILINE):
            line = match[0].strip(" .!:,;\"'`()[]-")
            begin = match.start() + match[0].find(line) if line else 0
            index = self._whole(begin, begin + len(line)) if line else None
            found |= set() if index is None else {index}
        return found

    def _named(self) -> set[int]:
        """The option's own text, anywhere; a number or a word of two letters beside letters only where it is alone."""
        found: set[int] = set()
        for match in self.own.finditer(self.low) if self.own else ():
            name = " ".join(match[1].split())
            short = self.letters and (len(name) < 3 or not re.search(r"[^\W\d_]", name))
            if not short and not self._determiner(match.end(), name):
                found.add(self.names[name])
        return found

    def _several(self, at: int, *, alone: bool = False) -> set[int]:
        """The option named at a place, with those that are joined to it; empty where there is none."""
        first = self._at(at, alone=alone)
        if first is None:
            return set()
        found, end = {first[0]}, first[1]
        while (joint := JOINED.match(self.low, end)) and (more := self._at(joint.end(), alone=True)):
            found.add(more[0])
            end = more[1]
        return found | self._beside(first)

    def _beside(self, first: tuple[int, int]) -> set[int]:
        """The option whose own text, or the next whose letter, follows a letter: `A. text of B`, `A. one B. two`."""
        index, end = first
        if not self.letters:
            return set()
        gap = re.compile(r"[\s\"').:\]-]*").match(self.low, end)
        after = gap.end() if gap else end
        own = self.own.match(self.low, after) if self.own else None
        said = self.names[" ".join(own[1].split())] if own and own.end() - own.start(1) > 2 else None
        rest = self.plain[own.end() if own else after :].split("\n", 1)[0]
        following = LETTERS[index + 1] if index + 1 < self.letters else ""
        more = {index + 1} if following and re.search(rf"(?:^|\s)\(?{following}[.)] ", rest) else set()
        return more if said is None or said == index else {said} | more

    def _at(self, at: int, *, alone: bool) -> tuple[int, int] | None:
        """The option that is named at a place, and where its name ends."""
        own = self.own.match(self.low, at) if self.own else None
        if own is not None and (not self.letters or own.end() - at > 1):
            name = " ".join(own[1].split())
            if not self._determiner(own.end(), name) and (not alone or ENDS.match(self.low, own.end())):
                return self.names[name], own.end()
        index = self._letter(at)
        if index is None:
            return None
        small, end = self.plain[at].islower(), at + 1
        if small and not re.compile(r"[ ]*(?:$|[\n.,;:!?\"'”’)\]}<])").match(self.low, end):
            return None
        follows = self.own.match(self.low, end + 1) if self.own else None
        mine = follows is not None and self.names[" ".join(follows[1].split())] == index
        return (index, end) if not alone or mine or ENDS.match(self.low, end) else None

    def _letter(self, at: int) -> int | None:
        """An option's letter that no word, number, hyphen or apostrophe touches, and that is no article, no genus."""
        if at >= len(self.plain) or self.plain[at].upper() not in LETTERS[: self.letters]:
            return None
        before, after = self.plain[at - 1 : at], self.plain[at + 1 : at + 3]
        if re.match(r"[A-Za-zÀ-ɏ0-9_’\-]", before) or re.match(r"[A-Za-zÀ-ɏ0-9_]|['’]\w|-\w", after):
            return None
        if PRONOUN.match(self.plain, at):
            return None
        index = LETTERS.index(self.plain[at].upper())
        if SPECIES.match(self.plain, at + 1):
            own = self.own.match(self.low, at + 3) if self.own else None
            return index if own and self.names[" ".join(own[1].split())] == index else None
        return index

    def _whole(self, begin: int, end: int) -> int | None:
        """The option that a stretch is the name of: its letter, its own text, or both."""
        inside = self.low[begin:end].strip(" .")
        inside = re.sub(r"^(?:option|choice|letter|answer)[ :]+", "", inside)
        if inside in self.names:
            return self.names[inside]
        if len(inside) == 1 and inside.upper() in LETTERS[: self.letters]:
            return LETTERS.index(inside.upper())
        both = re.match(r"([a-z])[.):] (.+)$", inside)
        if both and both[1].upper() in LETTERS[: self.letters]:
            index = LETTERS.index(both[1].upper())
            return index if self.names.get(both[2], index) == index else None
        return None

    def _determiner(self, end: int, name: str) -> bool:
        """Whether `no` belongs to the word after it, as in `no evidence`."""
        return name == "no" and not ENDS.match(self.low, end)

    def _back(self, end: int) -> tuple[int, int] | None:
        """The option whose name ends at a place, and where it begins: its own text, or a letter after a pause."""
        for name in sorted(self.names, key=len, reverse=True):
            start = end - len(name)
            if start >= 0 and self.low.startswith(name, start) and not re.search(r"[\w-]$", self.low[:start][-1:]):
                return self.names[name], start
        index = self._letter(end - 1) if end else None
        pause = PAUSE.search(self.low[max(0, end - 30) : max(end - 1, 0)])
        return (index, end - 1) if index is not None and pause else None

    def _deny(self) -> None:
        """Blank out what the text says that it is not."""
        spans = []
        for match in NEGATED.finditer(self.low):
            end, place = 0, self._at(match.end(), alone=False)
            while place is not None:
                end = place[1]
                joint = re.compile(r"[\"'”’)\]]*\s*(?:,|or|nor|and)\s+").match(self.low, end)
                place = self._at(joint.end(), alone=True) if joint and joint[0].strip(" \"'”’)]") != "," else None
            spans += [(match.start(), end)] if end else []
        for match in DENIED.finditer(self.low):
            back = self._back(match.start())
            spans += [(back[1], match.end())] if back is not None else []
        for start, end in spans:
            self.plain = self.plain[:start] + " " * (end - start) + self.plain[end:]
        self._reset()


def flowertune(rule: str, text: str, options: list[str]) -> int | None:
    """Index of the option that a text gives by the FlowerTune evaluation's rule, or None.

    `sentiment-substring`: up to a second `Answer: `, and case counts. The others: in lower case; after a line break and
    `##`, the rest of that line. `first-letter`: the first letter or digit against a–e. `exact-label`: what is left of
    `yesyes`, `nono`, `yesno`, `noyes` against yes and no; else the whole text, spaces too, against the label.
    """
    labels = [option.strip().lower() for option in options]
    if rule == "sentiment-substring":
        said = text.split("Answer: ", maxsplit=1)[0]
        found = (word for word in ("positive", "negative") if word in said or word.capitalize() in said)
        label = next(found, "neutral")
        return labels.index(label) if label in labels else None
    if rule not in ("first-letter", "exact-label"):
        raise ValueError(f"{rule!r} is no rule of the flowertune scoring")
    whole = text.lower()
    said = whole.split("\n##")[1].split("\n")[0].strip() if "\n##" in whole else whole
    said = re.sub(" +", " ", re.sub(r"[^a-zA-Z0-9]", " ", said).strip())
    if rule == "first-letter":
        index = "abcde".find(said[:1]) if said else -1
        return index if 0 <= index < len(options) else None
    for doubled in ("yesyes", "nono", "yesno", "noyes"):
        if doubled in said:
            said = said.replace(doubled, "no" if doubled in ("nono", "noyes") else "yes")
            break
    given = said if said in ("a", "b", "c", "d", "e", "yes", "no") else whole
    return labels.index(given) if given in labels else None


LANGUAGES = {
    "python": ("python", "py", "python3"),
    "javascript": ("javascript", "js", "node", "nodejs"),
    "cpp": ("cpp", "c++", "cxx", "cc"),
}
"""Language → what fences call it."""
DEFINITIONS = {
    "python": r"^(?:async\s+)?def\s+{name}\s*\(",
    "javascript": r"^(?:async\s+)?(?:function\s*\*?\s*{name}\s*\(|(?:const|let|var)\s+{name}\s*=)",
    "cpp": r"^[^\n;={{}}]*\b{name}\s*\([^;{{}}]*\)\s*(?:noexcept\s*)?\{{",
}
"""Language → where a function begins in a line of its own."""
FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?=^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)


def fenced(text: str, language: str) -> str | None:
    """What stands in a text's first fence of the language, else in its first without a name; None where there is none.
    A fence that is not closed goes to the end."""
    named: dict[bool, str] = {}
    at = 0
    while match := FENCE.search(text, at):
        name = match[1].lower()
        if not name or name in LANGUAGES[language]:
            named.setdefault(bool(name), match[2])
        at = match.end() + 3
        rest = text.find("\n", at)
        at = rest if rest >= 0 else len(text)
    return named.get(True, named.get(False))


def program_parts(head: str, text: str, entry_point: str, task: dict[str, Any]) -> tuple[str, str]:
    """What stands before a program's completion, and the completion: `head` and `text` as the task's `language`,
    `strip_prompt` and `extraction` have them.

    A fence begins in a line of its own. Where it holds the whole function, its head is not there twice; in C++ the
    tests close the function, so that its last brace goes.
    """
    said = fenced(text, task["language"]) if task.get("extraction") == "fenced" else None
    if said is None:
        return (head.rstrip() if task.get("strip_prompt") == "right" else head), text
    pattern = re.compile(DEFINITIONS[task["language"]].format(name=re.escape(entry_point)), re.MULTILINE)
    begins = pattern.search(head)
    if begins and pattern.search(said):
        head = head[: begins.start()]
        if task["language"] == "cpp":
            said = re.sub(r"\}\s*$", "", said)
    return (head if not head or head.endswith("\n") else head + "\n"), said
