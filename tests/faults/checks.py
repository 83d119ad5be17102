"""The checks of every run, C1 to C10: after each call that reaches the cloud, charged to whoever made it."""

import base64
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.control.calls import CLOUD, STATES, route_of
from local.demo.orphans import GONE, KEPT, RETIRING_SECONDS, WAY_BACK
from tests import ledger
from tests.faults import sight
from tests.faults.injector import Send
from tests.faults.points import Violation
from tests.faults.sight import SERVICE, Sizes
from tests.workflow.world import Release

if TYPE_CHECKING:
    from tests.faults.place import Place

OURS, PERSON, FAULT = "viridian", "person", "fault"
MOST_GROUPS, MOST_WEIGHT = 5, 999
KEEPS_LOCK = ("Held", "RollbackIncomplete")
LEDGER = ("TransactWriteItems", "UpdateItem", "PutItem", "DeleteItem", "BatchWriteItem")
BATCH = "ChangeResourceRecordSets"
ROUTE_WRITES = ("ModifyRule", "ModifyListener", BATCH)
READS_ROUTE = ("DescribeRules", "DescribeListeners", "ListResourceRecordSets")
LOOK_SECONDS = (
    15.0  # what a function that writes routes may work: what it read longer ago, it must read again
)
TRIED_SECONDS = 95.0  # a share may be on its way when a pause is taken: that, and the retries of one state
READS_LOCK = ("GetItem", "BatchGetItem")  # looked at again: as good as a fence for one more request
UNFENCED = (
    *LEDGER,
    "Publish",
    "SendTaskSuccess",  # it only wakes what then looks into the ledger
    "SendMessage",
    "StartExecution",
    "StopExecution",
    "PutMetricData",
    "PutEvents",
)
CANARY = "canary-7c1f0a55e3"

# Calls that delete, or change what only its owner may: the parameter that names what is touched.
DELETES = {
    "DeleteRule": "RuleArn",
    "DeleteListener": "ListenerArn",
    "DeleteTargetGroup": "TargetGroupArn",
    "DeleteLoadBalancer": "LoadBalancerArn",
    "ModifyLoadBalancerAttributes": "LoadBalancerArn",
    "CreateListener": "LoadBalancerArn",
    "ModifyListenerAttributes": "ListenerArn",
    "AddListenerCertificates": "ListenerArn",
    "AssociateWebACL": "ResourceArn",
    "DeleteAutoScalingGroup": "AutoScalingGroupName",
    "DeleteAlarms": "AlarmNames",
    "DeregisterImage": "ImageId",
    "DeleteSnapshot": "SnapshotId",
    "ModifyImageAttribute": "ImageId",
    "EnableImageDeregistrationProtection": "ImageId",
    "DisableImageDeregistrationProtection": "ImageId",
    "TerminateInstances": "InstanceIds",
    "TerminateInstanceInAutoScalingGroup": "InstanceId",
    "DeletePolicy": "AutoScalingGroupName",
    "DeleteScheduledAction": "AutoScalingGroupName",
    "ModifyTargetGroup": "TargetGroupArn",
    "ModifyTargetGroupAttributes": "TargetGroupArn",
    "DeregisterTargets": "TargetGroupArn",
    "RegisterTargets": "TargetGroupArn",
    "AddTags": "ResourceArns",
    "RemoveTags": "ResourceArns",
    "CreateTags": "Resources",
    "DeleteTags": "Resources",
    "PutScalingPolicy": "AutoScalingGroupName",
    "PutScheduledUpdateGroupAction": "AutoScalingGroupName",
    "PutLifecycleHook": "AutoScalingGroupName",
    "ModifyLaunchTemplate": "LaunchTemplateId",
}
# Calls that may change what was lent, and the parameters they may have then.
LENT = {
    "UpdateAutoScalingGroup": (
        "AutoScalingGroupName",
        {"AutoScalingGroupName", "MinSize", "DesiredCapacity"},
    ),
    "SetDesiredCapacity": (
        "AutoScalingGroupName",
        {"AutoScalingGroupName", "DesiredCapacity", "HonorCooldown"},
    ),
    "SuspendProcesses": ("AutoScalingGroupName", {"AutoScalingGroupName", "ScalingProcesses"}),
    "ResumeProcesses": ("AutoScalingGroupName", {"AutoScalingGroupName", "ScalingProcesses"}),
    "ModifyRule": ("RuleArn", {"RuleArn", "Actions"}),
    "ModifyListener": ("ListenerArn", {"ListenerArn", "DefaultActions"}),
}
SHRINKS = re.compile(
    r"^(Update|Delete)AutoScalingGroup$|^SetDesiredCapacity$|^TerminateInstance|^DetachInstances$"
)


class Checks:
    """C1 to C10 on one world. `see` is told of each call, `sent` of each attempt, `final` looks at the end."""

    def __init__(self, world: "Place") -> None:
        self.world = world
        self.violations: list[Violation] = []
        self.printed: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._claims: dict[str, tuple[str, int, float]] = {}
        self._fresh: set[str] = set()
        self._read: dict[str, tuple[float, dict[str, int]]] = {}
        self._able: dict[str, dict[str, int]] = {}
        self._poor: dict[str, dict[str, int]] = {}
        self._written: list[dict[str, int]] = []
        self._holder: tuple[Any, ...] = ()
        self._last_writer = OURS
        self._excused: set[str] = set()

    def begin(self) -> None:
        """From here on it looks."""
        self.need = self._blue().desired
        self.groups_before = sight.groups()
        self._ours, self._groups = sight.ours(), self.groups_before
        self._images = sight.images()  # what comes later, a pipeline or a build may have made for the release
        self._production = dict(sight.routes().get(self.world.shop.route_arn, {}))
        self._written = [self._production]
        self.world.cloud.calls.listeners.append(self.see)

    def add(self, check: str, writer: str, what: str) -> None:
        """Each thing that is wrong once."""
        if (check, what) not in self._known:
            self._known.add((check, what))
            self.violations.append(Violation(check, writer, self.world.since(), what))

    def excuse(self, invocation: str) -> None:
        """A fault held this function up after its fence: nothing can stop its next write, so that one is the fault's."""
        self._excused.add(invocation)

    # --- each attempt, each call --------------------------------------------------------------------------

    def sent(self, send: Send) -> None:
        """C5: what is fenced once is sent once; a second attempt needs a fence of its own."""
        if not _fenced(send.call) or send.mutating is False:
            return
        if send.invocation in self._fresh:
            self._fresh.discard(send.invocation)
        elif send.invocation in self._claims:
            self.add("C5", OURS, f"{send.function} sent {send.call} again behind one fence")

    def see(self, entry: dict[str, Any]) -> None:
        """Looks at the world as this call left it."""
        writer = _charged(entry["principal"])
        if entry["invocation"] in self._excused and _fenced(entry["call"]):
            writer = self._overtaken(entry)
        mine = writer == OURS and entry["mutating"] and not entry["error"]
        healthy = sight.healthy(self.world.cloud)
        self._remember(entry, healthy)
        groups, routes = sight.groups(), sight.routes()
        if entry["mutating"] and not entry["error"] and entry["call"] not in LEDGER:
            self._last_writer = writer
        if (
            entry["call"] in READS_ROUTE
            and _names(entry["request"], self.world.shop.route_arn)
            and entry["invocation"]
        ):
            weights = dict(routes.get(self.world.shop.route_arn, {}))
            self._read[entry["invocation"]] = (entry["at"], weights)
        self._c1(writer, routes)
        if entry["call"] in READS_LOCK and "route#" in str(entry["request"]):
            self._fresh.add(entry["invocation"] or "")
        if mine and entry["call"] == "TransactWriteItems":
            self._claim(entry, routes)
        elif mine and _fenced(entry["call"]):
            self._c5(entry)
            self._c6(entry)
            self._c2_and_c7(entry, routes, groups)
            self._c3_and_c4(entry, groups, routes)
        self._c9(writer if entry["mutating"] else self._last_writer, routes)
        if entry["mutating"]:
            self._ours |= sight.ours()
        self._groups = groups

    def _overtaken(self, entry: Mapping[str, Any]) -> str:
        self._excused.discard(entry["invocation"])
        if entry["call"] in ROUTE_WRITES:
            self._written.append(entry["after"] or {})  # late, but what our own writer had meant to write
        return FAULT

    def _remember(self, entry: Mapping[str, Any], healthy: dict[str, int]) -> None:
        """Nobody can know better than what could be read since the invocation began."""
        if (invocation := entry.get("invocation")) is None:
            self._now = self._least = healthy
            return
        known = self._able.setdefault(invocation, dict(healthy))
        least = self._poor.setdefault(invocation, dict(healthy))
        for group, count in healthy.items():
            known[group] = max(known.get(group, 0), count)
            least[group] = min(least.get(group, count), count)
        self._now, self._least = known, least

    def _c1(self, writer: str, routes: dict[str, dict[str, int]]) -> None:
        there = sight.target_groups()
        for arn, weights in routes.items():
            name = arn.split(":")[-1]
            if sum(weights.values()) <= 0:
                self.add("C1", writer, f"{name} gives no weight to anybody: {weights}")
            if any(not 0 <= weight <= MOST_WEIGHT for weight in weights.values()):
                self.add("C1", writer, f"{name} has a weight that can't be: {weights}")
            if len(weights) > MOST_GROUPS:
                self.add("C1", writer, f"{name} has {len(weights)} groups")
            for group in weights:
                if group not in there:
                    self.add("C1", writer, f"{name} forwards to {sight.named(group)}, which is gone")

    # --- weights ------------------------------------------------------------------------------------------

    def _c2_and_c7(
        self, entry: dict[str, Any], routes: dict[str, dict[str, int]], groups: dict[str, Sizes]
    ) -> None:
        request = entry["request"]
        if entry["call"] not in ROUTE_WRITES or route_of(request) != self.world.shop.route_arn:
            return
        before, after = entry["before"] or {}, entry["after"] or {}
        self._c2(after, groups)
        # A batch may be sent again to learn when all are told of it: who leaves each share as it is overwrites nobody.
        if entry["call"] != BATCH or _parts(before) != _parts(after):
            self._c7(before, after, self._looked(entry, before))
        self._written.append(after)
        asked = _asked(request)
        if asked is not None:
            self._written.append(asked)

    def _c2(self, after: dict[str, int], groups: dict[str, Sizes]) -> None:
        total = sum(after.values())
        sides = self._sides(groups)
        for group, weight in after.items():
            if not weight:
                continue
            wanted = math.ceil(self.need * weight / total)
            able = self._now.get(group, 0)
            others = [each for each in sides if each != group and self._now.get(each, 0) >= self.need]
            if able < wanted and others:
                self.add(
                    "C2",
                    OURS,
                    f"{weight} of {total} to {sight.named(group)}, where {able} of {wanted} are healthy, "
                    f"while {sight.named(others[0])} has {self._now[others[0]]}",
                )

    def _looked(self, entry: Mapping[str, Any], now: dict[str, int]) -> dict[str, int]:
        """The production route's weights as this invocation read them last; as they are if that was long ago."""
        if entry["call"] == BATCH:
            return now  # a batch that says what it replaces can't be late
        at, weights = self._read.get(entry["invocation"] or "", (-math.inf, now))
        return weights if entry["at"] - at <= LOOK_SECONDS else now

    def _c7(self, before: dict[str, int], after: dict[str, int], looked: dict[str, int]) -> None:
        record, plan = self._holding()
        if not plan:
            return
        blue = plan["blue"]["target_group"]
        green = record.get("green_target_group") or ""
        overwrite = bool(record.get("overwrite"))
        if not overwrite and looked not in self._written and not self._dead(looked):
            self.add("C7", OURS, f"wrote {_told(after)} over {_told(before)}, which somebody else wrote")
        strangers = set(looked) | set(after)
        for group in strangers - {blue, green}:
            if looked.get(group, 0) != after.get(group, 0) and not overwrite:
                self.add("C7", OURS, f"changed the weight of {sight.named(group)}, which is neither side's")
        was, now = _share(looked, blue, green), _share(after, blue, green)
        steps = [0, *(step["weight"] for step in plan["profile"]["steps"])]
        if now <= was or (self._least.get(blue, 0) <= 0 < self._now.get(green, 0)):
            return
        following = [share for share in steps if share > was][:1]
        order = json.loads(record.get("last_order") or "{}")
        if order.get("order") == "promote":
            following.append(steps[-1])
        if _paused(order, self.world.cloud.clock.now()):
            self.add("C7", OURS, f"green went from {was:g}% to {now:g}% while the release was paused")
        if record.get("status") != "Releasing" or now not in following:
            self.add("C7", OURS, f"green went from {was:g}% to {now:g}% while {record.get('status')}")

    def _dead(self, weights: dict[str, int]) -> bool:
        """Whether a side with traffic has nobody to serve it."""
        return any(weight > 0 and self._least.get(group, 0) <= 0 for group, weight in weights.items())

    # --- capacity -----------------------------------------------------------------------------------------

    def _c3_and_c4(
        self, entry: dict[str, Any], groups: dict[str, Sizes], routes: dict[str, dict[str, int]]
    ) -> None:
        if not SHRINKS.match(entry["call"]):
            return
        name = entry["request"].get("AutoScalingGroupName") or ""
        before, after = self._groups.get(name), groups.get(name)
        if before is None or (after is not None and after.desired >= before.desired):
            return
        self.world.loads.shrunk(name, OURS)
        taken = before.desired - (after.desired if after else 0)
        if taken <= 0:
            return
        carried = sight.carried(self.world.cloud)
        production = routes.get(self.world.shop.route_arn, {})
        for group in before.target_groups:
            if carried.get(group, 0) > 0:
                self.add("C3", OURS, f"{entry['call']} takes {taken} from {name}, which still gets requests")
            if production.get(group, 0) > 0:
                # Weight that somebody gave after this invocation had looked is theirs to answer for.
                writer = OURS if self._looked(entry, production).get(group, 0) > 0 else FAULT
                self.add("C4", writer, f"{entry['call']} takes {taken} from {name}, which has weight")
        others = [size for size in groups.values() if size.name != name and self._is_side(size)]
        standing = [
            size
            for size in others
            if self._able_of(size) >= max(1, min(self.need, size.desired)) or self._able_of(size) >= self.need
        ]
        if not standing and any(self._now.get(group, 0) > 0 for group in before.target_groups):
            self.add("C4", OURS, f"{entry['call']} takes {taken} from {name}, the last side that can serve")

    def _able_of(self, size: Sizes) -> int:
        return sum(self._now.get(group, 0) for group in size.target_groups)

    def _is_side(self, size: Sizes) -> bool:
        given = sight.tags().get(size.name, {})
        return given.get(SERVICE) == self.world.shop.service or size.name == self.world.shop.group_name

    def _sides(self, groups: dict[str, Sizes]) -> list[str]:
        """The target groups of every fleet of this service."""
        return [group for size in groups.values() if self._is_side(size) for group in size.target_groups]

    # --- epochs -------------------------------------------------------------------------------------------

    def _claim(self, entry: dict[str, Any], routes: dict[str, dict[str, int]]) -> None:
        """A transaction that holds only at one epoch gives its invocation the right to one write."""
        for write in entry["request"].get("TransactItems", []):
            ((_, asked),) = write.items()
            pk = (asked.get("Key") or {}).get("pk", {}).get("S", "")
            if not pk.startswith("route#") or (asked["Key"].get("sk") or {}).get("S") != "lock":
                continue
            lock = ledger.item(self.world.table, pk, "lock")
            if _names_epoch(asked):
                self._claims[entry["invocation"]] = (pk, int(lock.get("epoch", 0)), entry["at"])
                self._fresh.add(entry["invocation"])
            self._took_over(lock, routes)

    def _took_over(self, lock: Mapping[str, Any], routes: dict[str, dict[str, int]]) -> None:
        """A release that takes the route finds the weights it finds: they are not somebody else's change."""
        holder = (lock.get("release"), lock.get("execution"))
        record, _ = self._holding()
        if holder != self._holder and record.get("status") == "Releasing":
            self._written = [dict(routes.get(self.world.shop.route_arn, {}))]
        self._holder = holder

    def _c5(self, entry: dict[str, Any]) -> None:
        claim = self._claims.get(entry["invocation"] or "")
        if claim is None:
            self.add("C5", OURS, f"{entry['principal']} sent {entry['call']} behind no fence")
            return
        pk, epoch, at = claim
        now = int(ledger.item(self.world.table, pk, "lock").get("epoch", 0))
        if now == epoch:
            return
        # A function that somebody froze between its fence and its request can't know; every other can.
        frozen = entry["at"] - at <= self.world.injector.paused(entry["invocation"]) and entry["at"] > at
        words = f"{entry['principal']} sent {entry['call']} at epoch {epoch}, the route is at {now}"
        self.add("C5", FAULT if frozen else OURS, words)

    def old_epoch_writes(self) -> int:
        return sum(each.check == "C5" and each.writer == OURS for each in self.violations)

    # --- what isn't ours ----------------------------------------------------------------------------------

    def _c6(self, entry: dict[str, Any]) -> None:
        call, request = entry["call"], entry["request"]
        if call in DELETES:
            for name in _several(request.get(DELETES[call])):
                had_made = call == "CreateTags" and name in sight.images() - self._images
                if name not in self._ours and not had_made:
                    self.add("C6", OURS, f"{call} of {name}, which no release made")
        elif call == "DeleteLaunchTemplateVersions":
            for version in _several(request.get("Versions")):
                if f"{request.get('LaunchTemplateId')} {version}" not in self._ours:
                    self.add("C6", OURS, f"{call} of version {version}, which no release made")
        elif call in LENT:
            named, allowed = LENT[call]
            name, fields = request.get(named), {key for key, value in request.items() if value is not None}
            if name not in self._ours and not fields <= allowed:
                self.add("C6", OURS, f"{call} of {name} changes {', '.join(sorted(fields - allowed))}")
        elif call == BATCH:
            for change in request["ChangeBatch"]["Changes"]:
                record = change["ResourceRecordSet"]
                name = record["Name"].rstrip(".")
                if (name, record["Type"]) != (sight.name_of(self.world.shop.route_arn), "A"):
                    self.add("C6", OURS, f"{change['Action']} of {record['Type']} {name}, which nobody lent")

    # --- DNS ----------------------------------------------------------------------------------------------

    def _c9(self, writer: str, routes: dict[str, dict[str, int]]) -> None:
        listed = {group for weights in routes.values() for group in weights}
        for arn, group in sight.target_groups().items():
            if arn not in listed or group.targets or arn not in self._ours:
                continue
            failover = group.attributes.get("target_group_health.dns_failover.minimum_healthy_targets.count")
            if failover != "off":
                self.add("C9", writer, f"{group.name} is listed, has no targets, and counts in DNS")

    # --- the end ------------------------------------------------------------------------------------------

    def final(self, release: Release) -> None:
        """C8 and C10, once it is over."""
        record = self.world.record_of(release)
        status = str(record.get("status") or "Refused")
        self._lock(record, status)
        self._limits(record, status)
        self._one_side(record, status)
        self._secrets()

    def _retiring(self, lock: Mapping[str, Any]) -> bool:
        """A retirement has the lock as long as it runs; the run ended in the midst of it."""
        running = {each.exec_arn for each in self.world.executions() if each.status == "RUNNING"}
        return ":RetireStateMachine" in str(lock.get("execution")) and lock["execution"] in running

    def _lock(self, record: Mapping[str, Any], status: str) -> None:
        if not record:
            return
        lock = ledger.item(self.world.table, f"route#{json.loads(record['plan'])['route']}", "lock")
        release = record["pk"].split("#", 2)[2]
        if status in KEEPS_LOCK and lock.get("release") != release:
            self.add("C8", OURS, f"{status}, and the lock is {lock.get('release') or 'free'}")
        if status not in KEEPS_LOCK and lock.get("release") == release and not self._retiring(lock):
            self.add("C8", OURS, f"{status}, and the lock is still held")

    def _limits(self, record: Mapping[str, Any], status: str) -> None:
        """MinSize, MaxSize and processes as they were, where the release is done with the fleet."""
        now, need = sight.groups(), max(self.need, int(record.get("need") or 0))
        replaced = self._replaced()
        for name, before in self.groups_before.items():
            there, writer = now.get(name), self.world.foreign.get(name, OURS)
            if there is None:
                self.add("C8", writer, f"{name} is gone")
                continue
            held = status in (*KEEPS_LOCK, "Promoted") and before.minimum <= there.minimum <= need
            retired = there.minimum == 0 and name in replaced
            if there.limits != before.limits and not (
                (held or retired) and _like(there, before, retires=name in replaced)
            ):
                self.add("C8", writer, f"{status}, and {name} has {there.limits}, before {before.limits}")
        plan = json.loads(record["plan"]) if record else {}
        green = now.get(plan.get("green_group", ""))
        blue = self.groups_before.get(plan.get("blue", {}).get("group", ""))
        if green and blue and status in ("Promoted", "Retired") and green.minimum != blue.minimum:
            writer = self.world.foreign.get(green.name, OURS)
            self.add("C8", writer, f"{status}, and green's floor is {green.minimum}, not {blue.minimum}")

    def _replaced(self) -> set[str]:
        """The blue groups of all releases that were promoted: they retire, in their time.

        One whose launches nobody could resume when it was to serve again still stands as its retirement left it.
        """
        records = [each for each in ledger.items(self.world.table) if each["sk"] == "record"]
        promoted = [each for each in records if each["status"] in ("Promoted", "Retired")]
        past = [each for each in promoted if _retires(each) <= self.world.cloud.clock.now()]
        stuck = [each for each in records if each["status"] in KEEPS_LOCK and each.get("launches_suspended")]
        return {str(json.loads(each["plan"])["blue"]["group"]) for each in (*past, *stuck)}

    def _one_side(self, record: Mapping[str, Any], status: str) -> None:
        """P3: traffic all on one side; a third group keeps what it had."""
        if status not in ("Promoted", "Retired", "RolledBack") or not record:
            return
        plan = json.loads(record["plan"])
        blue, green = plan["blue"]["target_group"], record.get("green_target_group") or ""
        wanted = blue if status == "RolledBack" else green
        weights = sight.routes().get(plan["route"], {})
        if weights.get(wanted, 0) <= 0 or any(weights.get(each, 0) for each in {blue, green} - {wanted}):
            self.add(
                "C8", self._unseen_writer(plan, record), f"{status}, and the route forwards {_told(weights)}"
            )

    def _unseen_writer(self, plan: Mapping[str, Any], record: Mapping[str, Any]) -> str:
        """Who wrote the route last, if it was somebody else and we never looked at it again before the end, or paged; else we."""
        route, ended = plan["route"], datetime.fromisoformat(record["ended_at"]).timestamp()
        entries = [
            each
            for each in self.world.cloud.calls.entries
            if not each["error"]
            and each["principal"] != "TellFunction"  # which names the route, and isn't a page
        ]
        named = (route, plan["listener"])
        about = [
            each
            for each in entries
            if any(_names(each["request"], name) for name in named) and each["call"] not in LEDGER
        ]
        writes = [each for each in about if each["mutating"]]
        if not writes or _charged(writes[-1]["principal"]) == OURS:
            return OURS
        since = [
            each for each in entries if each["n"] > writes[-1]["n"] and _charged(each["principal"]) == OURS
        ]
        looked = [
            each for each in since if each in about and each["call"] in READS_ROUTE and each["at"] <= ended
        ]
        paged = any(each["call"] == "Publish" for each in since)
        return OURS if looked and not paged else _charged(writes[-1]["principal"])

    def _secrets(self) -> None:
        """C10: what an instance is told in confidence stays there."""
        hidden = [CANARY, base64.b64encode(CANARY.encode()).decode()[:16]]
        places = {
            "the ledger": [json.dumps(each, default=str) for each in ledger.items(self.world.table)],
            "a log": self.printed,
            "a history": [
                json.dumps(run.exec_worker.env.event_manager._history_event_list, default=str)
                for run in self.world.executions()
                if run.exec_worker and run.exec_worker.env
            ],
        }
        for place, texts in places.items():
            if any(secret in text for text in texts for secret in hidden):
                self.add("C10", OURS, f"a secret of the launch template is in {place}")

    def orphans(self) -> list[str]:
        """Everything of a release that should be gone by now, by its tags."""
        now = self.world.cloud.clock.now()
        entries = {
            each["pk"].split("#", 2)[2]: each
            for each in ledger.items(self.world.table)
            if each["sk"] == "record"
        }
        return [
            f"{kind} {name} of {release}"
            for kind, name, release in sight.standing()
            if _is_orphan(kind, release, entries, now)
        ] + [
            f"blue of {release}, kept past its time"
            for release, entry in entries.items()
            if entry["status"] == "Promoted" and _retires(entry) + RETIRING_SECONDS < now
        ]

    # --- who --------------------------------------------------------------------------------------------

    def _blue(self) -> Sizes:
        return sight.groups()[self.world.shop.group_name]

    def _holding(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The record and the plan of the release that holds the production route."""
        lock = ledger.item(self.world.table, f"route#{self.world.shop.route_arn}", "lock")
        if not lock.get("release"):
            return {}, {}
        record = ledger.item(self.world.table, f"release#{lock['service']}#{lock['release']}", "record")
        return record, json.loads(record["plan"]) if record else {}


def _charged(principal: str) -> str:
    if principal.endswith("Function") or principal == STATES:
        return OURS
    return FAULT if principal == CLOUD else principal if principal in (PERSON, FAULT) else FAULT


def _fenced(call: str) -> bool:
    return call not in UNFENCED and call != "Invoke"


def _names_epoch(asked: Mapping[str, Any]) -> bool:
    """Whether a write to the lock depends on the epoch that it finds."""
    names = dict(asked.get("ExpressionAttributeNames") or {})
    condition = asked.get("ConditionExpression") or ""
    return any(names.get(word, word) == "epoch" for word in re.findall(r"(#?\w+)\s*=\s*:\w+", condition))


def _names(request: Mapping[str, Any], route: str) -> bool:
    """Whether a request is about a route: it has the ARN of a rule or a listener, or the hosted zone and the name."""
    zone, name = [*route.split("/"), ""][1:3]
    return route in str(request) or (
        ":route53:" in route and zone in str(request.get("HostedZoneId")) and name in str(request)
    )


def _several(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, (list, tuple)) else [str(value)]


def _asked(request: Mapping[str, Any]) -> dict[str, int] | None:
    for action in request.get("Actions") or request.get("DefaultActions") or []:
        if groups := (action.get("ForwardConfig") or {}).get("TargetGroups"):
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return None


def _parts(weights: Mapping[str, int]) -> dict[str, float]:
    """Who gets which part of the traffic."""
    return {group: weight / sum(weights.values()) for group, weight in weights.items() if weight > 0}


def _share(weights: Mapping[str, int], blue: str, green: str) -> float:
    both = weights.get(blue, 0) + weights.get(green, 0)
    return 100 * weights.get(green, 0) / both if both else 0.0


def _paused(order: Mapping[str, Any], now: float) -> bool:
    """Whether a person's pause holds, and has long enough for whatever was under way to be over."""
    if not order.get("until"):
        return False
    at, until = (datetime.fromisoformat(order[name]).timestamp() for name in ("at", "until"))
    return at + TRIED_SECONDS < now < until


def _told(weights: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{sight.named(group)} {weight}" for group, weight in sorted(weights.items())) or "nothing"
    )


def _like(there: Sizes, before: Sizes, *, retires: bool) -> bool:
    """Whether no more is changed than the floor; and the launches, from the moment at which a group may retire."""
    stopped = set(there.stopped) - ({"Launch"} if retires else set())
    return there.maximum == before.maximum and stopped == set(before.stopped)


def _retires(entry: Mapping[str, Any]) -> float:
    told = entry.get("retire_at")
    return datetime.fromisoformat(told).timestamp() if told else math.inf


def _is_orphan(kind: str, release: str, entries: Mapping[str, Mapping[str, Any]], now: float) -> bool:
    entry = entries.get(release)
    if entry is None or entry["status"] == GONE:
        return True
    if entry["status"] not in KEPT or kind in WAY_BACK:
        return False
    past = any(
        _retires(later) + RETIRING_SECONDS < now
        and json.loads(later["plan"])["blue"]["group"].endswith(release)
        for later in entries.values()
    )
    return kind == "alarm" or past
