"""Deliberate bugs of the product, put in as patches: each must be seen by name, or the matrix has a hole."""

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.faults import crowds as crowds
from tests.faults import deadlines as deadlines
from tests.faults import nursery
from tests.faults.nursery import Task
from tests.faults.points import ANY_END, SAFE, Fault, Outcome, Point, Run

Change = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutant:
    """A bug; the run that is clean without it, and the check of that run that must see it."""

    name: str
    words: str
    change: Change
    run: Run
    check: str


def seen(outcome: Outcome) -> set[str]:
    """The names of everything that is wrong with an outcome."""
    found = {each.check for each in outcome.ours}
    found |= {"orphans"} if outcome.orphans else set()
    found |= {"lost"} if round(outcome.traffic.lost_by_us, 3) > 0 else set()
    return found | ({"broken"} if outcome.broken else set())


def caught(mutant: Mutant, without: Outcome, with_it: Outcome) -> bool:
    """Whether the check sees the bug, and nothing is seen where it isn't."""
    return without.good and not without.missed and mutant.check in seen(with_it)


def played(mutants: Sequence[Mutant], jobs: int = 2) -> Iterator[tuple[Mutant, Outcome, Outcome]]:
    """Each mutant with its run's outcome without it, and with it; runs that several share are played once."""
    runs = {mutant.run.text(): mutant.run for mutant in mutants}
    clean = {
        task.run.text(): outcome
        for task, outcome in nursery.played([Task(run) for run in runs.values()], jobs)
    }
    kept = [Task(mutant.run, mutant.change) for mutant in mutants]
    tasks = dict(zip(map(id, kept), mutants, strict=True))
    for task, outcome in nursery.played(kept, jobs):
        mutant = tasks[id(task)]
        yield mutant, clean[mutant.run.text()], outcome


# --- how a patch is put in -----------------------------------------------------------------------------------


def altered(where: str, old: str, new: str, *more: tuple[str, str]) -> Change:
    """One function ("module:name" or "module:Class.name") with pieces of its source replaced by others."""
    return partial(_altered, where, [(old, new), *more])


@contextmanager
def _altered(where: str, pieces: Sequence[tuple[str, str]]) -> Iterator[None]:
    module_name, _, name = where.partition(":")
    module = importlib.import_module(module_name)
    *outer, last = name.split(".")
    owner: Any = getattr(module, outer[0]) if outer else module
    found = inspect.getattr_static(owner, last)
    source = textwrap.dedent(inspect.getsource(getattr(found, "fget", found)))
    for old, new in pieces:
        if source.count(old) != 1:
            raise ValueError(f"{where} has {source.count(old)} times {old!r}: the patch needs mending")
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    exec(compile(source, f"<{where}>", "exec"), module.__dict__, made)
    with patch.object(owner, last, made[last]):
        yield


def all_of(*changes: Change) -> Change:
    """Several at once."""
    return partial(_all_of, changes)


@contextmanager
def _all_of(changes: Sequence[Change]) -> Iterator[None]:
    with ExitStack() as stack:
        for change in changes:
            stack.enter_context(change())
        yield


def value(where: str, new: Any) -> Change:
    """A constant of a module."""
    module, _, name = where.partition(":")
    return partial(patch, f"{module}.{name}", new)


def machine(name: str, pattern: str, new: str) -> Change:
    """The text of a state machine, where a pattern is found in it, as it is deployed."""
    return partial(_machine, name, pattern, new)


@contextmanager
def _machine(name: str, pattern: str, new: str) -> Iterator[None]:
    read = Path.read_text

    def altered_text(path: Path, *args: Any, **more: Any) -> str:
        text = read(path, *args, **more)
        if path.name != f"{name}.asl.json":
            return text
        changed, count = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
        if not count:
            raise ValueError(f"{name} has no {pattern!r}: the patch needs mending")
        return changed

    with patch.object(Path, "read_text", altered_text):
        yield


# --- the runs ------------------------------------------------------------------------------------------------

BACK = frozenset({"RolledBack"})
PROMOTED = frozenset({"Promoted"})
HELD = frozenset({"Held"})
DISTURBED = SAFE | {"RollbackIncomplete"}
EAGER = {"scaling_in_seconds": 60.0, "scaling_out_seconds": 60.0}
FAST_BACK = {"deadlines": {"rollback_minutes": 10}}
OPEN = {"inconclusive": {"minutes": 4, "then": "hold"}}

GATE = Point("ShiftTrafficFunction", "GetItem", 1)
FIRST_WEIGHT = Point("ShiftTrafficFunction", "ModifyRule", 1)
SECOND_LOOK = Point("ShiftTrafficFunction", "DescribeRules", 3)
SECOND_WEIGHT = Point("ShiftTrafficFunction", "ModifyRule", 2)
POLL = Point("JudgeGreenFunction", "DescribeRules", 1)
POLLED = Point("JudgeGreenFunction", "DescribeAlarms", 1)
CREATED = Point("CreateGreenFunction", "DescribeAutoScalingGroups", 1)
FIRST_BATCH = Point("ShiftTrafficFunction", "ChangeResourceRecordSets", 1)
RETIRING = Point("RetireBlueFunction", "GetItem", 1)


def fault(kind: str, point: Point | None = None, **args: Any) -> Fault:
    return Fault(kind, point, args)


def run(
    row: str,
    scenario: str,
    *faults: Fault,
    ends: frozenset[str] = SAFE,
    reality: Mapping[str, Any] | None = None,
    **service: Any,
) -> Run:
    return Run(row, scenario, faults, 1, reality or {}, service, ends)


GOOD = run("F01", "release", ends=PROMOTED)
FOREIGN = run("F22", "release", fault("person_weights", POLLED, blue=70, green=30), ends=DISTURBED)
BEFORE_SHIFT = run("F22", "release", fault("person_weights", SECOND_LOOK, blue=70, green=30), ends=DISTURBED)
STUCK = {"which": "guard", "state": "INSUFFICIENT_DATA"}
UNSURE = run("F60", "release", fault("alarm_stuck", POLL, **STUCK), ends=HELD, **OPEN)
DROPPED = fault("events", which="status", do="drop")

MUTANTS: list[Mutant] = [
    Mutant(
        "fence removed",
        "a write is journaled, whoever holds the route",
        altered(
            "viridian.aws.ledger:_holds",
            "*_ours(fence, also))",
            '"attribute_exists(pk)", {})',
        ),
        run("F06", "release", fault("zombie", state="ShiftTraffic", at="fence", wakes_after=30)),
        "C5",
    ),
    Mutant(
        "client retries on",
        "the client that writes tries four times behind one fence",
        altered("viridian.aws.clients:writer", "_WRITE", "_READ"),
        run("F01", "release", fault("fail_before", FIRST_WEIGHT, code="ServiceUnavailable", status=503)),
        "C5",
    ),
    Mutant(
        "brake leaves at once",
        "the brake returns after its first read-back",
        altered("viridian.acts.rescue:_settle", "while braked and", "while False and"),
        run(
            "F14",
            "release",
            fault("braked_at", SECOND_WEIGHT, seconds=5),
            fault("blue_within", Point("BrakeFunction", "ModifyRule", 1), within=30),
            ends=BACK,
        ),
        "promptness",
    ),
    Mutant(
        "epoch bumped after the write",
        "the way back reads and writes first, and takes the release over then",
        altered(
            "viridian.acts.way_back:_step",
            "        record = ledger.take_over(record, errand.execution, errand.failure, **errand.terms())\n",
            "        seen = picture(record)\n"
            "        step = _make(record, seen, converge.next_move(seen))\n"
            "        ledger.take_over(record, errand.execution, errand.failure, **errand.terms())\n"
            "        return step\n",
        ),
        run(
            "F06",
            "release",
            fault("zombie", state="ShiftTraffic", nth=2, at="fence", wakes_after=5),
            fault("delay", Point("RestoreBlueFunction", "TransactWriteItems", 3), seconds=10),
            fault("blue_within", Point("RestoreBlueFunction", "ModifyRule", 1), within=20),
            ends=BACK,
        ),
        "promptness",
    ),
    Mutant(
        "settle 0",
        "nothing is waited for once blue is restored",
        altered(
            "viridian.converge:Picture.settles_in",
            "settle = max(self.settle_seconds, LATE_WRITER_SECONDS)",
            "return 0.0",
        ),
        run(
            "F20",
            "bad",
            fault("slow_rules", seconds=60),
            ends=BACK,
            reality={"propagation_seconds": 60.0},
            settle_seconds=120,
        ),
        "C3",
    ),
    Mutant(
        "settle measured from the start",
        "a second restore does not begin the settle time again",
        altered(
            "viridian.acts.way_back:_restore",
            "(not alone or record.restored_at is None)",
            "record.restored_at is None",
            (", restored_at=None", ""),
        ),
        run(
            "F21",
            "ordered",
            fault("reverted", Point("RestoreBlueFunction", "ModifyRule", 1), seconds=100),
            ends=BACK,
            reality={"propagation_seconds": 115.0},
            settle_seconds=120,
        ),
        "lost",
    ),
    Mutant(
        "read-back ignored",
        "what AWS shows after a write is not looked at",
        altered("viridian.aws.load_balancer:set_forward", "if shown.weights != wanted.weights:", "if False:"),
        run("F21", "release", fault("lost_update", FIRST_WEIGHT), ends=PROMOTED),
        "end",
    ),
    Mutant(
        "blue scaled in first",
        "blue is emptied before green gets its weight",
        altered(
            "handlers.shift_traffic:lambda_handler",
            "    shown = ",
            "    from viridian.aws import auto_scaling\n"
            '    auto_scaling.empty(record.plan.blue.group, {"viridian:managed": "true"}, record.fence())\n'
            "    shown = ",
        ),
        run("F01", "release", ends=PROMOTED),
        "C4",
    ),
    Mutant(
        "floor dropped",
        "no fleet stands on a floor",
        altered("viridian.fleet:below", "return side.minimum < floor", "return False"),
        run("F44b", "release", fault("load", POLL, rate=3), ends=SAFE, reality=EAGER),
        "F44b",
    ),
    Mutant(
        "need stands still",
        "the need doesn't follow the requests",
        altered("viridian.fleet:grown", "percent > _RISE", "False"),
        run("F44d", "release", fault("load", POLL, rate=220), rate=110.0, past_minutes=8.0),
        "F44d",
    ),
    Mutant(
        "floor never given back",
        "minimum sizes stay as the release set them",
        altered(
            "viridian.aws.auto_scaling:set_minimum",
            "if side.minimum != minimum:",
            "if side.minimum < minimum:",
        ),
        GOOD,
        "C8",
    ),
    Mutant(
        "INSUFFICIENT_DATA passes",
        "an alarm that knows nothing is as good as one that is OK",
        altered("viridian.verdict:judge", 'if alarm.state != "OK":', 'if alarm.state == "ALARM":'),
        UNSURE,
        "end",
    ),
    Mutant(
        "guard alarm missing counts as OK",
        "an alarm that is gone is not asked for",
        altered("viridian.verdict:judge", "if name not in found:", "if False:"),
        run("F61", "release", fault("alarm_vanishes", POLL, which="guard"), ends=BACK),
        "end",
    ),
    Mutant(
        "stale OK counts as evidence",
        "an alarm's state is believed however short the step was",
        altered("viridian.verdict:evidence_seconds", "return max(", "return 0 * max("),
        run(
            "F63",
            "release",
            ends=PROMOTED,
            reality={"metric_delay_seconds": 0.0},
            thresholds={"minimum_requests": 1},
            steps=[{"weight": 50, "observe_minutes": 1}, {"weight": 100, "observe_minutes": 1}],
        ),
        "F63",
    ),
    Mutant(
        "request floor ignored",
        "green is judged on no requests at all",
        altered("viridian.verdict:judge", "if signals.requests < signals.minimum_requests:", "if False:"),
        run("F62", "release", fault("load", rate=0), ends=frozenset({"Held", "RolledBack"}), **OPEN),
        "end",
    ),
    Mutant(
        "weights written blindly",
        "the shift doesn't compare what the rule shows with what it wrote",
        altered(
            "handlers.shift_traffic:lambda_handler",
            "traffic.ensure_ours(rule.forward, traffic.expected(record.written, wanted))",
            "pass",
        ),
        BEFORE_SHIFT,
        "C7",
    ),
    Mutant(
        "drift ignored",
        "nobody compares what the rule shows with what was written",
        altered("viridian.traffic:ensure_ours", "if now.weights not in", "if False and now.weights not in"),
        FOREIGN,
        "C7",
    ),
    Mutant(
        "third group dropped",
        "groups that are neither side's fall out of the rule",
        altered(
            "viridian.traffic:split",
            "{group: share for group, share in now.weights.items() if group not in (blue, green)}",
            "dict[str, int]()",
        ),
        run("F32", "release", fault("person_lists_groups", groups=2), ends=PROMOTED),
        "F32",
    ),
    Mutant(
        "step left out",
        "half the traffic is as good as all of it",
        altered(
            "viridian.plan:Plan.split",
            "return traffic.split(blue, green, weight, now,",
            "return traffic.split(blue, green, 100 if weight == 50 else weight, now,",
        ),
        GOOD,
        "C7",
    ),
    Mutant(
        "green not health-gated",
        "green gets weight whatever its health",
        altered(
            "handlers.shift_traffic:lambda_handler",
            "fleet.ensure_fit(candidate, blue, record.need, cross_zone=record.plan.cross_zone)",
            "pass",
        ),
        run("F25", "release", fault("ill", GATE, side="green", count=3, lasting=True), ends=BACK),
        "C2",
    ),
    Mutant(
        "capacity ignored on the way back",
        "everything goes to blue, alive or dead",
        altered("viridian.traffic:restore", "if blue_healthy >= need > 0:", "if True:"),
        run(
            "F27",
            "ordered",
            fault("ill", Point("RestoreBlueFunction", "GetItem", 1), side="blue"),
            ends=DISTURBED,
            **FAST_BACK,
        ),
        "C2",
    ),
    Mutant(
        "standby rule missing",
        "green is in no rule before its first weight",
        altered(
            "viridian.acts.green:set_standby",
            "load_balancer.set_standby(record.plan.listener, record.plan.standby, wanted, tags(record), record.fence())",
            "pass",
        ),
        GOOD,
        "end",
    ),
    Mutant(
        "DNS failover left on",
        "an empty green takes the load balancer out of DNS",
        value("viridian.aws.target_groups:_OUT_OF_DNS", {}),
        GOOD,
        "C9",
    ),
    Mutant(
        "delete by name",
        "whatever has green's name is green",
        all_of(
            altered(
                "viridian.aws.auto_scaling:is_ours",
                "group is not None and wanted.items() <= tags(group).items()",
                "group is not None",
            ),
            altered(
                "viridian.aws.auto_scaling:_ensure_tagged",
                "if not wanted.items() <= tags(group).items():",
                "if False:",
            ),
        ),
        run("F49", "bad", fault("person_squats", CREATED, what="group"), ends=BACK | {"RollbackIncomplete"}),
        "C6",
    ),
    Mutant(
        "deleted by force",
        "a group goes with its instances in it",
        altered(
            "viridian.aws.auto_scaling:delete",
            'if group["Instances"] or group.get("Status"):',
            "if False:",
            ("(AutoScalingGroupName=name)", "(AutoScalingGroupName=name, ForceDelete=True)"),
        ),
        run(
            "F51",
            "bad",
            fault(
                "fail_before", Point("ConvergeFunction", "DeleteAutoScalingGroup", 1), code="ResourceInUse"
            ),
            ends=DISTURBED,
        ),
        "F51",
    ),
    Mutant(
        "evidence after deletion",
        "what is to be kept of green is looked for once it is gone",
        altered(
            "viridian.converge:_tidy",
            "if not picture.evidence_kept:",
            "if not picture.evidence_kept and not picture.leftovers:",
        ),
        run("F26", "release", fault("ill", POLL, side="green", lasting=True), ends=BACK),
        "F26",
    ),
    Mutant(
        "lock freed when Held",
        "the next release may begin while a person has yet to decide",
        altered("viridian.aws.ledger:end", "_holds(fence) if status in KEEPS_LOCK else free", "free"),
        UNSURE,
        "C8",
    ),
    Mutant(
        "lock without condition",
        "whoever comes has the route",
        altered(
            "viridian.aws.ledger:take_lock",
            'else "attribute_not_exists(#release)"',
            'else "(attribute_exists(#release) OR attribute_not_exists(#release))"',
        ),
        run("F80", "crowd-5", ends=PROMOTED),
        "F80",
    ),
    Mutant(
        "lock by TTL",
        "a lock that is older than ten seconds is nobody's",
        all_of(
            altered(
                "viridian.aws.ledger:take_lock",
                'values = {":release": plan.release} if plan.resumed else {}',
                'free = "(attribute_not_exists(#release) OR #since < :old)"\n'
                '    values = {":old": now - timedelta(seconds=10)}',
            ),
            altered("viridian.aws.ledger:holder", "return f", "return None and f"),
        ),
        run(
            "F80",
            "release",
            fault("another_starts", Point("CheckGreenFunction", "DescribeTargetHealth", 2)),
            ends=PROMOTED,
        ),
        "end",
    ),
    Mutant(
        "event keyed on its input",
        "the guard takes back whatever its execution's service is releasing now",
        altered(
            "viridian.acts.rescue:guard",
            "    if record := ledger.find_by_execution(execution):\n"
            "        return _rescue(record, now, failure, dead=execution)\n",
            "    for service, release in ledger.open_releases():\n"
            "        record = ledger.find(service, release)\n"
            '        if record and record.status == "Releasing":\n'
            "            return _rescue(record, now, failure, dead=record.worker)\n",
        ),
        run("F11", "next", fault("events", which="status", do="delay", until="next release"), ends=PROMOTED),
        "end",
    ),
    Mutant(
        "guard looks away",
        "an execution that was aborted is nobody's business",
        altered("viridian.acts.rescue:guard", ":= ledger.find_by_execution(execution)", ":= None"),
        run("F07", "release", fault("abort_at", state="Observe", machine="Release", within=60), ends=BACK),
        "promptness",
    ),
    Mutant(
        "sweeper ignores dead executions",
        "the sweeper sees to nothing but retirements",
        altered(
            "viridian.acts.rescue:_see_to",
            "    execution = _rescue(",
            "    return None\n    execution = _rescue(",
        ),
        run(
            "F08",
            "release",
            fault("abort_at", state="Observe", machine="Release", within=120),
            DROPPED,
            ends=BACK,
        ),
        "promptness",
    ),
    Mutant(
        "rollback named at random",
        "guard and sweeper each start a rollback of their own",
        altered(
            "viridian.aws.executions:rollback",
            'f"{release}-{epoch}"',
            "f\"{release}-{epoch}-{__import__('secrets').token_hex(4)}\"",
        ),
        run("F14", "aborted", fault("together", nth=1), ends=BACK),
        "F14",
    ),
    Mutant(
        "Catch missing",
        "what fails in the box is nobody's but the guard's",
        machine("release", r'("Branches": \[.*?\n      \],\n.*?)"Catch": \[.*?\n      \]', r'\1"Catch": []'),
        run(
            "F10",
            "release",
            fault("fail_before", SECOND_WEIGHT, code="AccessDenied", status=403),
            fault("blue_within", SECOND_LOOK, within=20),
            DROPPED,
            ends=BACK,
        ),
        "promptness",
    ),
    Mutant(
        "green's alarms not asked",
        "only the service's own guards are judged by",
        altered(
            "viridian.acts.evidence:weighed",
            "(*plan.profile.guards, *own_alarms(record))",
            "plan.profile.guards",
            ("signals.breach(own, measured, since)", '""'),
        ),
        run("F63", "bad", fault("events", which="alarm", do="drop"), ends=BACK, guards=[]),
        "end",
    ),
    Mutant(
        "late measurements ignored",
        "what an alarm never saw, because it was published too late, is not looked at either",
        altered("viridian.acts.evidence:weighed", "signals.breach(own, measured, since)", '""'),
        Run(
            "F63",
            "bad",
            (Fault("slow_metrics", None, {"seconds": 180.0}),),
            1,
            {"metric_delay_seconds": 180.0},
            {"inconclusive": {"minutes": 4, "then": "hold"}},
            BACK,
        ),
        "end",
    ),
    Mutant(
        "sent again without a look",
        "a throttled write is sent again, whoever has taken the release over meanwhile",
        altered("viridian.aws.ledger:mutation", "partial(_transact, fence, holds)", "lambda: None"),
        run("F70b", "release", fault("ordered_at", SECOND_WEIGHT, seconds=4, throttled=True), ends=BACK),
        "C5",
    ),
    Mutant(
        "blue left out of use",
        "a blue that stood at zero is scaled out where no rule uses it, and nobody checks its health",
        altered("viridian.acts.way_back:_make", "            _use_blue(record, seen)\n", ""),
        run("F01", "revived", ends=BACK),
        "end",
    ),
    Mutant(
        "smoke test ignored",
        "green passes whatever it answers",
        altered("handlers.run_smoke_tests:lambda_handler", "ask.tests)", "ask.tests[:0])"),
        run(
            "F65",
            "release",
            fault("smoke", how="500", attempts=1),
            ends=BACK,
            smoke_tests=[{"path": "/", "timeout_seconds": 1, "attempts": 1}],
        ),
        "end",
    ),
    Mutant(
        "green's alarms left",
        "a release that is over leaves its alarms",
        altered("viridian.aws.alarms:delete", "if standing := sorted(found)", "if standing := []"),
        GOOD,
        "orphans",
    ),
    Mutant(
        "retires whatever serves",
        "blue goes though what serves is sick",
        altered("viridian.acts.retirement:_short", "if weight > 0 and", "if False and"),
        run("F31", "retired", fault("ill", RETIRING, side="green"), ends=frozenset({"Retired"})),
        "C4",
    ),
    Mutant(
        "a denied retirement goes on",
        "a retirement that is not permitted fails, and keeps the route until the next one fails",
        altered("viridian.acts.retirement:retire", "return _put_off(locked, error)", "raise error"),
        run(
            "F72",
            "retired",
            fault("forbidden", action="autoscaling:SuspendProcesses"),
            deadlines={"healthy_minutes": 5, "image_minutes": 5, "rollback_minutes": 15},
        ),
        "C8",
    ),
    Mutant(
        "blind to others",
        "weights are shifted while the stack that owns blue is updated",
        altered("viridian.acts.others:_at_work", "if stack and", "if False and"),
        run("F44e", "release", fault("iac_updates_stack", POLLED, minutes=10)),
        "F44e",
    ),
    Mutant(
        "deaf to a pause",
        "a paused release goes on",
        all_of(
            altered("viridian.orders:Taken.pauses", "now < self.until", "False"),
            altered("viridian.orders:since", "if order is None:", "if True:"),
        ),
        run("F01", "paused", ends=PROMOTED),
        "C7",
    ),
    Mutant(
        "a word that saves a failed green",
        "whoever has a release promoted has its failed verdict passed over",
        altered("viridian.verdict:heed", 'order is None or found.outcome == "Failed"', "order is None"),
        run("F61", "hastened", fault("alarm_vanishes", POLL, which="guard"), ends=BACK),
        "end",
    ),
    Mutant(
        "silence is a yes",
        "what nobody has answered in time counts as approved",
        altered("viridian.approval:move", 'answered.answer == "approve"', 'answered.answer != "reject"'),
        run("F66", "gated", fault("answers", said=()), ends=BACK),
        "F66",
    ),
    Mutant(
        "a gate with nothing behind it",
        "the machine goes past the gate, and no handler looks whether it was open",
        all_of(
            machine("release", "'before_traffic' in \\$plan.gates", "false"),
            altered(
                "viridian.record:Record.ensure_through", "if gate in self.plan.gates and", "if False and"
            ),
        ),
        run("F66", "gated", fault("answers", said=()), ends=BACK),
        "F66",
    ),
    Mutant(
        "an answer for any release",
        "whoever has been asked about one release answers for another",
        altered("viridian.acts.approving:answer", "question.release != reply.release", "False"),
        run(
            "F66",
            "gated",
            fault(
                "answers",
                said=(
                    {"after": 20, "answer": "approve", "who": "mara", "other": {"release": "2.0.0-ffffff"}},
                ),
            ),
            ends=BACK,
        ),
        "end",
    ),
    Mutant(
        "a batch that replaces whatever is there",
        "weights of a name are set without a word of what they were",
        altered(
            "viridian.dns:batch",
            "for record in old.values())",
            "for key, record in old.items() if key not in wanted.weights)",
            ('"CREATE"', '"UPSERT"'),
        ),
        run(
            "F33",
            "named",
            fault("person_changes_records", FIRST_BATCH, blue=80, green=20),
            ends=DISTURBED,
        ),
        "C7",
    ),
    Mutant(
        "observed before it is told",
        "a step of a name counts from its write, whoever still has the old answer",
        altered("viridian.acts.spreading:since", "if not dns.is_name(record.plan.route):", "if True:"),
        run("F33", "named", fault("slow_names", seconds=120), ends=PROMOTED),
        "F33",
    ),
    Mutant(
        "green's load balancer left behind",
        "a release by name that is over leaves what it alone has",
        altered("viridian.acts.green:find_balancer", "if not dns.is_name(record.plan.route):", "if True:"),
        run("F01", "named_bad", ends=BACK),
        "end",
    ),
    Mutant(
        "nobody is paged",
        "a Held release is told to no one",
        altered(
            "viridian.aws.pages:tell",
            'if not (topic := os.environ.get("PAGES_TOPIC_ARN")):',
            'if not (topic := ""):',
        ),
        run(
            "F28",
            "release",
            fault("ill", POLL, side="blue", lasting=True),
            fault(
                "ill", Point("JudgeGreenFunction", "DescribeAutoScalingGroups", 1), side="green", lasting=True
            ),
            ends=HELD,
            **FAST_BACK,
        ),
        "F28",
    ),
]

__all__ = ["ANY_END", "MUTANTS", "Mutant", "caught", "played", "seen"]
