"""What a function may answer to a document: what it asks for, or a refusal that names the field; and never a change."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from tests.faults.documents import Paper, names_its_field

LONGEST = 4_000  # characters: an error's words are a Cause, an output, and a page
PAYLOAD = 32 * 1024
Answer = tuple[Any, str, str]  # what was answered, or the error's name and words


class Judge:
    """Counts the answers to documents of one kind, and raises AssertionError for one that may not be."""

    def __init__(self, kind: Any, writes: Callable[[], list[str]], *prefixes: str) -> None:
        self.counts: Counter[str] = Counter()
        self._kind, self._writes, self._prefixes = kind, writes, prefixes or ("",)

    def look(self, paper: Paper, answer: Answer) -> None:
        """One document, what came of it, and that nothing was changed for it."""
        found, error, words = answer
        self.counts["documents"] += 1
        self.counts[error or "answered"] += 1
        assert not (changed := self._writes()), f"{changed} for {paper}"
        assert error in ("", "Refusal"), f"{error}: {words[:300]} for {paper}"
        if error:
            self._refused(paper, words)
        else:
            size = len(msgspec.json.encode(found))
            assert size <= PAYLOAD, f"an answer of {size} bytes to {paper}"

    def _refused(self, paper: Paper, words: str) -> None:
        assert len(words) <= LONGEST, f"a refusal of {len(words)} characters to {paper}"
        assert not re.search("[\ud800-\udfff]", words), f"half a character in {words[:300]!a} to {paper}"
        if paper.places and not self._fits(paper.document):
            named = any(names_its_field(_placed(words), paper, prefix) for prefix in self._prefixes)
            whole = words.startswith("message: 'utf-8' codec ") or " is not JSON " in words
            assert named or whole or _elsewhere(words, paper), f"{words[:300]!a} names no field of {paper}"
        else:  # what stands in AWS is in its way
            assert re.match(r"[a-z_]+[a-z_.0-9\[\]]*: ", words), f"{words[:300]!a} names no field"

    def _fits(self, document: Any) -> bool:
        try:
            msgspec.convert(document, self._kind)
        except (msgspec.ValidationError, RecursionError, UnicodeError):
            return False
        return True


# A field may be at odds with another one, which is as good a name for it.
ELSEWHERE = {"resume": ("",)}
_MESSAGE = re.compile(
    r"message: (?:.* - at `\$\.?(?P<at>.*)`|Object missing required field `(?P<missing>.*?)`(?: - at.*)?)\. Send ",
    re.DOTALL,
)


def _placed(words: str) -> str:
    """What a machine's message is refused with has its place at the end."""
    if found := _MESSAGE.match(words):
        missing = re.match(r"message: Object missing required field `(.*?)`", words)
        at = ".".join(each for each in (found["at"], missing and missing[1]) if each)
        return f"{at}: {words}"
    return words


def _elsewhere(words: str, paper: Paper) -> bool:
    fields = {at.split(".")[0].split("[")[0] for at in paper.places}
    return any(words.startswith(each) for field in fields for each in ELSEWHERE.get(field, ()))
