"""People's say: they are told of a question with its one-time id, and the first answer in time is taken."""

import os
from datetime import datetime

from viridian import approval, arns, plan
from viridian.acts import green
from viridian.approval import Answered, Question, Reply
from viridian.aws import approvals, executions, ledger, pages, trail
from viridian.door import Replied
from viridian.errors import AlreadyAnswered
from viridian.gates import where
from viridian.record import Record


def wait(record: Record, id_: str, token: str) -> None:
    """Keeps what wakes the waiting state, then tells people what to look at and what to type; once.

    Raises AlreadyAnswered if they have said it.
    """
    question = approvals.find(id_)
    if question is None or not approvals.attach(id_, token):
        raise AlreadyAnswered(f"question {id_} is closed")
    if not question.told:
        url, region = os.environ["APPROVALS_URL"], arns.region(record.plan.execution)
        words = approval.message(question, plan.preview(record.plan, green.endpoint(record)), url, region)
        what = f"waits for a yes {where(question.gate)}"
        pages.ask(question.service, question.release, what, words)
        approvals.tell(id_)


def answer(reply: Reply, by: str, now: datetime) -> Replied:
    """Takes an answer, if it is the first, in time, and from somebody who may give it; then wakes the release.

    Said again by the same person it is harmless: the first time may have died before the release was woken.
    """
    question = approvals.find(reply.id)
    if question is None or question.release != reply.release:
        return Replied(status=404, words=f"nobody was asked {reply.id} about release {reply.release}")
    said = Answered(answer=reply.answer, at=now, by=by, reason=reply.reason)
    if not approval.is_repeated(question, said) and (refused := _refused(question, said, now)):
        return refused
    executions.wake(question.token)
    return Replied(status=200, words=f"release {question.release} of {question.service}: {said.in_words()}")


def _refused(question: Question, said: Answered, now: datetime) -> Replied | None:
    record = ledger.find(question.service, question.release)
    if late := approval.closed(question, now):
        return Replied(status=409, words=late)
    if record is None or record.status != "Releasing" or record.epoch != question.epoch:
        status = record.status if record else "not in the ledger"
        return Replied(status=409, words=f"release {question.release} waits no more: it is {status}")
    if said.answer == "approve" and (words := _not_theirs(record, said.by)):
        return Replied(status=403, words=words)
    if not approvals.close(record, question, said):
        return Replied(status=409, words="somebody was quicker")
    return None


def _not_theirs(record: Record, by: str) -> str:
    """Why this caller may not approve, if whoever started the release, or resumed it, may not."""
    if not record.plan.profile.approval.not_by_starter:
        return ""
    starters = [trail.starter(execution, at) for execution, at in record.starts.items()]
    if theirs := next((each for each in starters if each and approval.same_person(by, each)), None):
        return f"{theirs} started the release, or resumed it: somebody else has to approve it"
    if None in starters:
        return (
            "CloudTrail doesn't show who started the release; that takes some minutes: say it again then. "
            "After 90 days it never will: take the release back, and start another"
        )
    return ""
