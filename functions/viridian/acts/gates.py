"""Going through a gate: whatever has a say there is asked, and asked again, until it has said it."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from viridian import approval, gates, names, windows
from viridian.acts import green
from viridian.approval import Answered
from viridian.aws import approvals, executions, functions, ledger
from viridian.errors import Busy
from viridian.fence import Fence
from viridian.gates import Gate, Move, Passage
from viridian.record import Record
from viridian.request import Hook


def go_through(record: Record, gate: Gate, step: int, now: datetime) -> tuple[Move, str | None]:
    """Takes the next step through a gate; answers with what comes next, and the id of the question that is open.

    Begins nothing twice: how far the release is through the gate is in its record.
    """
    return _go_through(record, gate, step, now, record.fence())


def tell_of_rollback(service: str, release: str, now: datetime) -> Move:
    """Asks the hook that hears of a rollback, unless the next release has begun meanwhile; it can't change the end."""
    record = ledger.find(service, release)
    fence = ledger.idle(record) if record and record.status == "RolledBack" else None
    if record is None or fence is None:
        return Move(next="open", reason="the route is another's already: the hook is left alone")
    return _go_through(record, gates.AFTER, 0, now, fence)[0]


def _go_through(
    record: Record, gate: Gate, step: int, now: datetime, fence: Fence
) -> tuple[Move, str | None]:
    passage = record.passage(gate, step) or Passage(gate=gates.name(gate, step), reached_at=now)
    if passage.passed:
        return Move(next="open", reason="the release is through"), None
    move = Move(next="open", reason="nothing stands in the way")
    if (hook := gates.hook(record.plan.profile, gate)) and not passage.hook_passed:
        passage, move = _ask_hook(record, passage, hook, step, now, fence)
    if move.next == "open" and gates.approves(record.plan.profile, gate):
        passage, move = _ask_people(record, passage, now)
    if move.next == "open":
        move = _look_at_window(record, gate, now) or move
    if move.next == "open":
        move = replace(move, next="look_again")
        passage = replace(passage, passed=True)
    if passage != record.passage(gate, step):
        # Green has had no reason to be healthy since it was: its time for that begins anew with the next look.
        anew = {"green_at": now} if passage.passed and gate == "before_traffic" else {}
        ledger.note(fence, passages=(*_others(record, passage), passage), **anew)
    return move, passage.approval


def _look_at_window(record: Record, gate: Gate, now: datetime) -> Move | None:
    """Who has overridden the windows, or goes on by hand, begins whenever it is."""
    decided = record.plan
    if gate != "before_traffic" or decided.override_window or decided.resumed:
        return None
    if (shut := windows.closed(decided.profile.windows, now)) is None:
        return None
    observed = timedelta(minutes=sum(step.observe_minutes for step in decided.profile.steps))
    return gates.at_window(shut.reason, shut.opens_at, record.deadline - observed, now)


def _ask_hook(
    record: Record, passage: Passage, hook: Hook, step: int, now: datetime, fence: Fence
) -> tuple[Passage, Move]:
    letter = _letter(record, passage, step)
    if gates.is_function(hook):
        heard = gates.heard(*functions.ask(hook.arn, letter, fence))
    else:
        name = f"{record.plan.release}-{passage.gate}-{record.epoch}"
        started = passage.hook or executions.start_hook(hook.arn, name, letter, fence)
        passage = replace(passage, hook=started)
        heard = gates.outcome(executions.outcome(started))
    move = gates.at_hook(passage, hook, heard, now)
    return replace(passage, hook_passed=move.next == "open"), move


def _letter(record: Record, passage: Passage, step: int) -> dict[str, Any]:
    """What a hook is told: enough to look at green before anyone else does."""
    decided, over = record.plan, passage.gate == gates.AFTER
    endpoint = decided.endpoint if over else green.endpoint(record)  # which is gone by then
    return {
        "gate": passage.gate.partition(".")[0],
        "step": step,
        "service": decided.service,
        "release": decided.release,
        "version": decided.version,
        "execution": decided.execution,
        "image": record.image,
        "green": {
            "group": decided.green_group,
            "target_group": record.green_target_group,
            "dns_name": endpoint.dns_name,
            "port": endpoint.port,
            "protocol": endpoint.protocol,
            "host": endpoint.host or endpoint.dns_name,
            "header": names.STANDBY_HEADER,
            "value": decided.standby.value,
        },
        "failure": record.failure,
    }


def _ask_people(record: Record, passage: Passage, now: datetime) -> tuple[Passage, Move]:
    if passage.approval is None:
        until = now + timedelta(minutes=record.plan.profile.approval.minutes)
        passage = replace(passage, until=until)
        passage = approvals.ask(record, passage, _others(record, passage))
    question = approvals.find(str(passage.approval))
    if question is None:
        raise Busy("the question that people are asked is not to be seen")
    answered = question.answered
    if answered is None and approval.closed(question, now):
        # At the last moment somebody may have been quicker: one of the two is written, and that one counts.
        answered = Answered(answer="none", at=now)
        if not approvals.close(record, question, answered):
            raise Busy("the question was answered at the last moment")
    return passage, approval.move(passage, answered, now)


def _others(record: Record, passage: Passage) -> tuple[Passage, ...]:
    return tuple(each for each in record.passages if each.gate != passage.gate)
