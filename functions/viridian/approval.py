"""Approval: what people are asked at a gate, and what becomes of their answers. The first one in time counts."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from viridian import gates
from viridian.gates import Move, Passage
from viridian.moment import at
from viridian.request import Document, Reason, Release


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question: who said what, when, and why; `none` if nobody did in time."""

    answer: Literal["approve", "reject", "none"]
    at: datetime
    by: str = ""
    reason: str = ""

    def in_words(self) -> str:
        """As the history tells it."""
        if self.answer == "none":
            return "nobody answered in time, which is a no"
        return f"{'approved' if self.answer == 'approve' else 'rejected'} by {self.by}: {self.reason}"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An approval as the ledger has it; `token` wakes the state that waits for it, and never leaves AWS."""

    id: str
    service: str
    release: str
    epoch: int
    gate: str
    until: datetime
    token: str | None = None
    told: bool = False
    answered: Answered | None = None


class Reply(Document, frozen=True):
    """What a person says to a question: its one-time id, of which release it is, and a reason."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{24}$(?!\n)")]
    release: Release
    answer: Literal["approve", "reject"]
    reason: Reason


def move(passage: Passage, answered: Answered | None, now: datetime) -> Move:
    """What the people's answer means for the release, or how long it waits for one before it looks around."""
    if answered is None:
        assert passage.until is not None
        rest = max(1, min(gates.LONGEST_SECONDS, round((passage.until - now).total_seconds())))
        reason = f"waits for a yes {gates.where(passage.gate)}, until {at(passage.until)}"
        return Move(next="ask", reason=reason, again_in=rest)
    return Move(next="open" if answered.answer == "approve" else "closed", reason=answered.in_words())


def closed(question: Question, now: datetime) -> str:
    """Why no answer is taken any more; nothing while the question is open."""
    if question.answered is not None:
        return f"it is closed: {question.answered.in_words()}, at {at(question.answered.at)}"
    if now >= question.until:
        return f"it was open until {at(question.until)}"
    return ""


def is_repeated(question: Question, said: Answered) -> bool:
    """Whether a person says once more what has been taken of them."""
    before = question.answered
    return before is not None and (before.answer, before.by) == (said.answer, said.by)


def message(question: Question, preview: str, url: str, region: str) -> str:
    """What people are told: what is asked, where to look, and what to type."""
    reply = {
        "id": question.id,
        "release": question.release,
        "answer": "approve",
        "reason": "why, in ten characters",
    }
    return "\n".join(
        (
            f"It waits until {at(question.until)}; silence is a no, and takes it back to blue.",
            f"See green before anyone else: {preview}",
            "",
            'To approve, with your own credentials in the environment ("answer": "reject" says no):',
            f"curl --aws-sigv4 aws:amz:{region}:lambda \\",
            '  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" \\',
            f"  -H 'content-type: application/json' -d '{msgspec.json.encode(reply).decode()}' {url}",
        )
    )


def same_person(one: str, other: str) -> bool:
    """Whether two callers are one: the same identity, or the same session name under another role (SSO's user name)."""
    sessions = [arn.rpartition("/")[2] for arn in (one, other) if ":assumed-role/" in arn]
    return one == other or (len(sessions) == 2 and sessions[0] == sessions[1])
