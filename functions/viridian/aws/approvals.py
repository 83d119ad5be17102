"""Approvals in the ledger: one item for each question that people are asked, found by its one-time id."""

import secrets

import msgspec
from msgspec.structs import replace

from viridian.approval import Answered, Question
from viridian.aws import items, ledger
from viridian.aws.items import Cancelled, Key
from viridian.gates import Passage
from viridian.record import SCHEMA, Record

_OPEN = "attribute_exists(pk) AND attribute_not_exists(#answered)"


def ask(record: Record, passage: Passage, passages: tuple[Passage, ...]) -> Passage:
    """Opens a question at a gate, and notes its id in the release's record, in one transaction."""
    asked = replace(passage, approval=secrets.token_hex(12))
    row = {
        **_question(str(asked.approval)),
        "service": record.plan.service,
        "release": record.plan.release,
        "epoch": record.epoch,
        "gate": passage.gate,
        "until": passage.until,
        "schema": SCHEMA,
    }
    ledger.note(record.fence(), items.put(row, "attribute_not_exists(pk)"), passages=(*passages, asked))
    return asked


def find(id_: str) -> Question | None:
    """The question of this id, read consistently; None if nobody was asked it."""
    item = items.get(_question(id_))
    if not item:
        return None
    answered = msgspec.json.decode(item["answered"]) if "answered" in item else None
    return msgspec.convert({**item, "id": id_, "answered": answered}, Question)


def attach(id_: str, token: str) -> bool:
    """Keeps what wakes the state that waits for the answer; False if there is an answer already."""
    try:
        items.transact(items.update(_question(id_), {"token": token}, _OPEN))
    except Cancelled:
        return False
    return True


def tell(id_: str) -> None:
    """Writes down that people have been told of the question."""
    items.set_fields(_question(id_), told=True)


def close(record: Record, question: Question, answered: Answered) -> bool:
    """Writes the answer and the release's journal, in one transaction; False if there is an answer already."""
    what = {"by": answered.by, "why": answered.reason}
    try:
        items.transact(
            items.update(_question(question.id), {"answered": items.text(answered)}, _OPEN),
            ledger.said(record.fence(), f"Answer:{answered.answer}", question.gate, what),
        )
    except Cancelled:
        return False
    return True


def _question(id_: str) -> Key:
    return {"pk": f"approval#{id_}", "sk": "approval"}
