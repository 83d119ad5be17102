"""What may go of the things that releases made: only where the ledger, the tags and the age agree."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from viridian import names, network
from viridian.record import CLOSED, Record
from viridian.traffic import Forward

# In the order in which they can go: none of them is given up while one before it still uses it.
Kind = Literal[
    "standby rule",
    "preview listener",
    "Auto Scaling group",
    "alarm",
    "load balancer",
    "target group",
    "launch template version",
    "image",
    "snapshot",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
STANDBYS: tuple[Kind, ...] = ("standby rule", "preview listener")
WAY_BACK: tuple[Kind, ...] = ("launch template version", "image", "snapshot")
# Longer than the 48 hours for which a lifecycle hook may hold an instance (aws-facts A18).
SAFE_AGE = timedelta(days=3)


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that says of itself which release made it; `owner` is who owns it instead.

    `made_of` are the snapshots of an image.
    """

    kind: Kind
    id: str
    service: str
    release: str
    made_at: datetime | None = None
    owner: str | None = None
    protected: bool = False
    made_of: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.id} of release {self.release} of {self.service or 'no service'}"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What decides: the records by service and release; by a thing's id, who uses it; by route, why it is closed to us."""

    records: Mapping[tuple[str, str], Record]
    uses: Mapping[str, str]
    closed: Mapping[str, str]

    def of(self, service: str) -> list[Record]:
        """The releases of one service, the newest first."""
        found = [record for (name, _), record in self.records.items() if name == service]
        return sorted(found, key=lambda record: record.plan.started_at, reverse=True)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a thing, and why; what is reported needs a person."""

    action: Literal["keep", "remove", "report"]
    why: str


def thing(kind: Kind, id_: str, tags: Mapping[str, str], made_at: Any = None, **more: Any) -> Thing | None:
    """A thing by its tags; None if no release claims it."""
    if names.RELEASE not in tags:
        return None
    made = datetime.fromisoformat(made_at) if isinstance(made_at, str) else made_at
    # Not by Terraform's tags: what a release makes has those of what it was cloned from.
    owner = "a CloudFormation stack" if any(key.startswith("aws:cloudformation:") for key in tags) else None
    service, release = tags.get(names.SERVICE, ""), tags[names.RELEASE]
    return Thing(kind=kind, id=id_, service=service, release=release, made_at=made, owner=owner, **more)


def things(found: Iterable[Thing | None]) -> list[Thing]:
    """Those that a release claims."""
    return [each for each in found if each is not None]


def judge(thing: Thing, known: Known, now: datetime) -> Verdict:
    """The table, from what forbids most to what allows."""
    record = known.records.get((thing.service, thing.release))
    if thing.owner:
        return _keep(f"{thing.owner} owns it")
    if record is None:
        return _report("its release is not in the ledger")
    if not record.ended:
        return _keep(f"its release is {record.status}")
    if not _made(record, thing):
        return _report("it has the tags of a release that, by the ledger, did not make it")
    if user := known.uses.get(thing.id):
        return _keep(user)
    if why := known.closed.get(record.plan.route):
        return _keep(why)
    if record.ended_at is None or now - max(record.ended_at, thing.made_at or record.ended_at) < SAFE_AGE:
        return _keep(f"it has been left for less than {SAFE_AGE.days} days")
    verdict = _spoken_for(thing, known) or _over(thing, record, known)
    if verdict.action == "remove" and thing.protected:
        return _report(f"{verdict.why}, but it is protected from deregistration")
    return verdict


def _made(record: Record, thing: Thing) -> bool:
    """Whether the ledger agrees with the tags: a copy of an image, say, carries those of the first one."""
    plan = record.plan
    match thing.kind:
        case "standby rule":
            return thing.id.startswith(plan.listener.replace(":listener/", ":listener-rule/") + "/")
        case "preview listener":
            return network.balancer(thing.id) == plan.load_balancer and thing.id != plan.listener
        case "Auto Scaling group":
            return thing.id == plan.green_group
        case "load balancer":
            return thing.id.split("/")[2] == names.balancer(plan.service, plan.release)
        case "target group":
            return thing.id.split("/")[1] == plan.green_target_group
        case "alarm":
            return thing.id.startswith(names.alarm(plan.service, plan.release, ""))
        case "launch template version":
            template, number = thing.id.split(" ")
            same = template == plan.blue_launch_template.template
            return same and record.launch_template_version in (None, number)
        case "image":
            return record.image is None or (record.image == thing.id and record.image_is_ours)
    return record.image is None or record.image_is_ours  # a snapshot is in no record, but its image is


def _spoken_for(thing: Thing, known: Known) -> Verdict | None:
    """A release that isn't closed still has to do with it."""
    for other in known.of(thing.service):
        if other.status in CLOSED:
            continue
        if thing.kind in STANDBYS:
            return _keep(f"release {other.plan.release} is {other.status}")
        if thing.id in _blue(other):
            if other.status == "Promoted" and other.retire_at is None:
                return _report(f"release {other.plan.release} has given up retiring it as its blue")
            return _keep(f"it is the blue of release {other.plan.release}")
    return None


def _blue(record: Record) -> tuple[str, str, str]:
    """What a release took over from; a load balancer that serves both sides is no release's."""
    plan = record.plan
    return plan.blue.group, plan.blue.target_group, plan.load_balancer


def _over(thing: Thing, record: Record, known: Known) -> Verdict:
    if record.status == "RolledBack":
        return _remove("its release was rolled back")
    if thing.kind in STANDBYS:
        return _remove("no release of its service is open")
    if thing.kind == "alarm":
        return _remove("it was to watch over a release that is over")
    if thing.kind in WAY_BACK:
        return _retained(thing, record, known)
    for other in known.of(thing.service):
        if other.status == "Retired" and thing.id in _blue(other):
            return _remove(f"release {other.plan.release} has replaced it")
    return _report("nothing forwards to it, and the ledger does not say what has replaced it")


def _retained(thing: Thing, record: Record, known: Known) -> Verdict:
    """How one goes back to a promoted release stays, for the newest of them."""
    if record.retire_at is not None and record.status == "Promoted":
        return _keep("its release can still be taken back")
    promoted = [other for other in known.of(thing.service) if other.status in ("Promoted", "Retired")]
    count = promoted[0].plan.profile.keep_images
    if record.plan.release in [other.plan.release for other in promoted[:count]]:
        return _keep(f"it is one of the newest {count} that were promoted")
    return _remove(f"{count} newer ones were promoted")


def uses(
    things: Iterable[Thing],
    groups: Iterable[Mapping[str, Any]],
    rules: Mapping[str, Forward],
    versions: Mapping[str, list[dict[str, Any]]],
    runs: Mapping[str, str],
) -> dict[str, str]:
    """Why each thing that is in use is: by rules, groups, launch template versions, images, and instances' images (`runs`)."""
    found = {group: f"{rule} forwards to it" for rule, forward in rules.items() for group in forward.weights}
    launched = {f"{t} {v['VersionNumber']}": "" for t in versions for v in versions[t] if v["DefaultVersion"]}
    found |= dict.fromkeys(launched, "it is its template's default version")
    for group in groups:
        name = str(group["AutoScalingGroupName"])
        for target_group in _targets(group):
            if target_group in found:
                found[name] = f"of its target group: {found[target_group]}"
            found.setdefault(target_group, f"group {name} registers its instances in it")
        for template, said in _launches(group):
            for version in versions.get(template, []):
                if _is(version, said, versions[template]):
                    found[f"{template} {version['VersionNumber']}"] = f"group {name} launches from it"
    claims = {each.id: each for each in things}
    for template, version in ((t, v) for t in versions for v in versions[t]):
        id_, image = f"{template} {version['VersionNumber']}", version["LaunchTemplateData"].get("ImageId")
        own = id_ in claims and image in claims and claims[id_].release == claims[image].release
        if image and (id_ in found or not own):
            found[image] = f"version {version['VersionNumber']} of {template} launches it"
    found |= {snapshot: f"{each.id} is made of it" for each in claims.values() for snapshot in each.made_of}
    found |= {image: f"instance {instance} runs on it" for image, instance in runs.items()}
    standing = [each for each in claims.values() if each.kind == "Auto Scaling group"]
    for alarm in (each for each in claims.values() if each.kind == "alarm"):
        for group_ in standing:
            if alarm.id.startswith(names.scaling_alarm(group_.service, group_.release)):
                found[alarm.id] = f"group {group_.id} scales by it"
    return found


def balancer_uses(
    behind: Mapping[str, Iterable[str]], groups: Iterable[Mapping[str, Any]], named: Mapping[str, Forward]
) -> dict[str, str]:
    """Why each load balancer that is in use is: by its target groups (`behind`), groups of instances, and names by route."""
    found: dict[str, str] = {}
    for route, forward in named.items():
        led = {arn for arn, own in behind.items() if set(own) & set(forward.weights)}
        found |= dict.fromkeys(sorted(led), f"{route} leads to it")
    for group in groups:
        served = {arn for arn, own in behind.items() if set(own) & _targets(group)}
        for arn in sorted(served):
            found.setdefault(arn, f"group {group['AutoScalingGroupName']} is behind it")
    return found


def templates(groups: Iterable[Mapping[str, Any]]) -> set[str]:
    """The launch templates that groups, or their instances, come from."""
    return {template for group in groups for template, _ in _launches(group)}


def _targets(group: Mapping[str, Any]) -> set[str]:
    sources = (source["Identifier"] for source in group.get("TrafficSources", []))
    return {*group.get("TargetGroupARNs", []), *sources}


def _launches(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every launch template version that a group names, its overrides and its instances' own included."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = [group.get("LaunchTemplate"), mixed.get("LaunchTemplateSpecification")]
    named += [each.get("LaunchTemplateSpecification") for each in mixed.get("Overrides", [])]
    named += [each.get("LaunchTemplate") for each in group.get("Instances", [])]
    for each in named:
        if each and "LaunchTemplateId" in each:
            yield str(each["LaunchTemplateId"]), str(each.get("Version", "$Default"))


def _is(version: Mapping[str, Any], said: str, all_: list[dict[str, Any]]) -> bool:
    """Whether a version is the one that a group means."""
    if said == "$Default":
        return bool(version["DefaultVersion"])
    latest = max(int(each["VersionNumber"]) for each in all_)
    return str(version["VersionNumber"]) == (str(latest) if said == "$Latest" else said)


def _keep(why: str) -> Verdict:
    return Verdict(action="keep", why=why)


def _remove(why: str) -> Verdict:
    return Verdict(action="remove", why=why)


def _report(why: str) -> Verdict:
    return Verdict(action="report", why=why)
