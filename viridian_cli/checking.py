"""What `viridian doctor` says of each thing that it looks at: words where it is well, or a Refusal that says what to do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

import msgspec

from viridian import arns, preflight, traffic
from viridian.errors import Drifted, Refusal
from viridian.record import ENDED, KEEPS_LOCK, Record
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli import failures, runbooks
from viridian_cli.exits import Exit

_ALARMS = ("DeadLettersAlarm", "SweeperSilentAlarm")
T = TypeVar("T")
State = Literal["ok", "to do", "not known"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at, how it was found, and what to do if that isn't well."""

    subject: str
    state: State
    found: str
    fix: str = ""


class Checks:
    """Everything that was looked at so far."""

    def __init__(self) -> None:
        self.made: list[Check] = []

    def look(self, subject: str, ask: Callable[[], T], words: Callable[[T], str] = str) -> T | None:
        """What `ask` finds, told by `words`; None where it refuses that, or AWS doesn't tell."""
        try:
            found = ask()
            self.made.append(Check(subject=subject, state="ok", found=words(found)))
            return found
        except Refusal as refusal:
            check = Check(subject=subject, state="to do", found=str(refusal.value), fix=refusal.fix)
        except Exception as error:
            stop = failures.told(error)
            state: State = "to do" if stop.exit == Exit.REFUSED else "not known"
            check = Check(subject=subject, state=state, found=str(stop))
        self.made.append(check)
        return None

    def code(self) -> Exit:
        """What there is to do comes before what couldn't be told."""
        states = {check.state for check in self.made}
        if "to do" in states:
            return Exit.REFUSED
        return Exit.UNKNOWN if "not known" in states else Exit.PROMOTED


def deployed(stack: str, status: str) -> str:
    """How the stack stands; a Refusal if it isn't as its template says, or not yet."""
    told = f"{stack} is {status}"
    if status.endswith("_IN_PROGRESS"):
        raise Refusal("stack", told, "Wait until it is complete.")
    if not status.endswith("_COMPLETE") or status == "ROLLBACK_COMPLETE":
        raise Refusal("stack", told, "See its events in CloudFormation, and deploy it again.")
    return told


def version(stack: str, command: str) -> str:
    """The version of both."""
    if stack != command:
        found = f"the stack is {stack}, this command {command}"
        raise Refusal("version", found, "Deploy that version, or install the command of the stack's.")
    return stack


def permitted(actions: Sequence[str], lacking: Sequence[str]) -> str:
    """What the caller may do."""
    if lacking:
        raise Refusal(
            "permissions", f"not permitted: {', '.join(lacking)}", "Ask for that, if it is for you."
        )
    return ", ".join(actions)


def subscribed(topic: str, confirmed: int) -> str:
    """How many are paged."""
    if not confirmed:
        fix = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint ADDRESS"
        raise Refusal("pages", "nobody is subscribed, so nobody is called", f"Subscribe those on call: {fix}")
    return f"{confirmed} subscribed"


def quiet(asked: Sequence[str], alarms: Iterable[AlarmState]) -> str:
    """How the alarms on Viridian itself stand."""
    found = {alarm.name: alarm for alarm in alarms}
    for name in asked:
        if name not in found:
            raise Refusal("alarms", f"{name} is gone", "Deploy the stack again.")
        if found[name].state == "ALARM":
            told = f"{name} is in ALARM since {found[name].since:%Y-%m-%d %H:%M}: {found[name].reason}"
            raise Refusal(
                "alarms",
                told,
                _runbook(next((known for known in _ALARMS if known in name), "viridians-own-alarms")),
            )
    return ", ".join(f"{name} is {found[name].state}" for name in asked)


def dead_letters(queue: str, count: int) -> str:
    """That no event came to nothing."""
    if count:
        raise Refusal(
            "dead letters", f"{count} events came to nothing in {queue}", _runbook("DeadLettersAlarm")
        )
    return "none"


def handed(profile: str, role: str | None, may: Sequence[str]) -> str:
    """The role that blue's instances have, if a release may hand it to green's; `may` are ARNs as IAM takes them."""
    if not profile:
        return "none"
    preflight.ensure_role(profile, role)
    if role is None or not any(fnmatchcase(role, each) for each in may):
        fix = "Deploy the stack again with it among them, or no release can launch its green."
        raise Refusal("role", f"{role} is not among the stack's InstanceRoleArns", fix)
    return role


def hands(service: str, off: str | None) -> str:
    """That Viridian may write to a service's route."""
    if off:
        fix = f"Once that is over: `viridian hands-off {service} --off`, or `viridian hands-off --all --off`."
        raise Refusal("hands_off", f"nothing may be written: {off}", fix)
    return "on"


def tended(record: Record, execution: str | None) -> str:
    """How a release that isn't over stands; a Refusal if it waits for a person, or if nobody works on it any more."""
    service, release = record.plan.service, record.plan.release
    if record.status in KEEPS_LOCK:
        ways = [*(["resume"] if record.status == "Held" else []), "rollback", "resolve"]
        fix = (
            f"Decide: {' or '.join(f'`viridian {way} {service}`' for way in ways)}. {_runbook(record.status)}"
        )
        raise Refusal("release", f"{release} is {record.status}: {record.failure or 'no reason given'}", fix)
    if record.status not in ENDED and execution != "RUNNING":
        fix = f"The sweeper takes it over within minutes; if it doesn't, `viridian brake {service}`."
        raise Refusal("release", f"{release} is {record.status}, and no execution works on it", fix)
    return f"{release} is {record.status}"


def weights(record: Record, shown: Forward) -> str:
    """The weights of a route, if they are those that its release has written."""
    try:
        traffic.ensure_ours(shown, record.written)
    except Drifted as drifted:
        fix = f"Set them back, or say with `viridian resolve {record.plan.service}` that they are to stay."
        raise Refusal("route", str(drifted), fix) from None
    return traffic.describe(shown)


def needs(outputs: Mapping[str, str], near: str) -> dict[str, Any]:
    """The actions that the commands need, and on what; `near` is an ARN of the same account and Region."""
    machines = [outputs[name] for name in ("ReleaseStateMachineArn", "RollbackStateMachineArn")]
    executions = [f"{machine.replace(':stateMachine:', ':execution:')}:*" for machine in machines]
    partition, here = arns.partition(near), f"{arns.region(near)}:{arns.account(near)}"
    table = f"arn:{partition}:dynamodb:{here}:table/{outputs['ReleasesTableName']}"
    profiles = f"arn:{partition}:ssm:{here}:parameter{outputs['ServicesPrefix']}"
    collector = f"arn:{partition}:lambda:{here}:function:{outputs['CollectFunctionName']}"
    return {
        "start and take back": (["states:StartExecution"], machines),
        "follow and abort": (["states:DescribeExecution", "states:StopExecution"], executions),
        "read the ledger": (["dynamodb:GetItem", "dynamodb:BatchGetItem"], [table]),
        "list releases": (["dynamodb:Query"], [table, f"{table}/index/*"]),
        "keep hands off": (["dynamodb:UpdateItem"], [table]),
        "read profiles": (["ssm:GetParameter"], [f"{profiles}/*"]),
        "list services": (["ssm:GetParametersByPath"], [profiles]),
        "collect": (["lambda:InvokeFunction"], [collector]),
    }


def _runbook(title: str) -> str:
    """Where it is said what a finding means, what to look at, and what to type."""
    return f"{runbooks.of(title)} says what to do."
