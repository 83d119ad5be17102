"""What a release asks for and what a service is registered with: the two documents people write."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from viridian import dns
from viridian.errors import Refusal

T = TypeVar("T")

SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$(?!\n)"
)
RULE = (
    r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:"
    r"(listener/app/[^/\s]+(/[0-9a-f]+){2}|listener-rule/app/[^/\s]+(/[0-9a-f]+){3})$(?!\n)"
)
ROUTE = f"{RULE}|{dns.ROUTE}"

PIPELINE = r"^arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:[0-9]{12}:image-pipeline/[a-z0-9_-]+$(?!\n)"
CONTAINER = r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_.-]{1,128})?(@sha256:[0-9a-f]{64})?$(?!\n)"
HOOK = (
    r"^arn:aws[a-z-]*:(lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?"
    r"|states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_-]{1,80})$(?!\n)"
)
PARAMETER = r"^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*(:[A-Za-z0-9_.-]{1,100})?$(?!\n)"

ServiceName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$(?!\n)")]
Version = Annotated[str, Meta(pattern=SEMVER, max_length=40)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,127}$(?!\n)")]
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=256)]
Minutes = Annotated[int, Meta(ge=1, le=1440)]


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that people write: nothing unknown is let in."""


class Step(Document, frozen=True):
    """Green's share in percent, and how long it carries that share before the next."""

    weight: Annotated[int, Meta(ge=1, le=100)]
    observe_minutes: Minutes


Status = Annotated[int, Meta(ge=100, le=599)]
HeaderValue = Annotated[str, Meta(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$(?!\n)")]


class SmokeTest(Document, frozen=True, omit_defaults=True):
    """What green must answer, `requests` times in a row, before it gets user traffic; never a host, that is AWS's to say.

    Each of the requests has its own `attempts`. `expect` is JSONata over the answer's JSON.
    """

    path: Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$(?!\n)", max_length=512)]
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    headers: Annotated[dict[str, HeaderValue], Meta(max_length=8)] = {}
    body: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    status: Status | Annotated[tuple[Status, ...], Meta(min_length=1, max_length=10)] = 200
    contains: Text | None = None
    expect: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=512)] | None = None
    latency_ms: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    requests: Annotated[int, Meta(ge=1, le=20)] = 1
    timeout_seconds: Annotated[int, Meta(ge=1, le=10)] = 5
    attempts: Annotated[int, Meta(ge=1, le=5)] = 1
    pause_seconds: Annotated[int, Meta(ge=0, le=30)] = 0


class Thresholds(Document, frozen=True):
    """The limits that green's own alarms are made from."""

    error_percent: Annotated[float, Meta(gt=0, le=100)] = 1.0
    latency_seconds: Annotated[float, Meta(gt=0, le=300)] | None = None
    minimum_requests: Annotated[int, Meta(ge=1, le=1_000_000)] = 50


class Inconclusive(Document, frozen=True):
    """How long a verdict may stay open after a step's observe time, and what an open one then means."""

    minutes: Minutes = 15
    then: Literal["hold", "roll_back"] = "hold"


class Deadlines(Document, frozen=True):
    """How long each wait may take."""

    image_minutes: Minutes = 60
    healthy_minutes: Minutes = 20
    rollback_minutes: Minutes = 60


class Approval(Document, frozen=True):
    """Where a person has to say yes, how long the release waits for that, and whether whoever started it may not."""

    before_traffic: bool = False
    before_promote: bool = False
    minutes: Minutes = 480
    not_by_starter: bool = False


class Hook(Document, frozen=True):
    """A Lambda function or state machine of the service's own that has a say, and how long it may take."""

    arn: Annotated[str, Meta(pattern=HOOK, max_length=256)]
    minutes: Minutes = 15


class Hooks(Document, frozen=True):
    """What is asked before green's first traffic, after each step but the last, and before its promotion; and what hears of
    a rollback once it is over.
    """

    before_traffic: Hook | None = None
    after_step: Hook | None = None
    before_promote: Hook | None = None
    after_rollback: Hook | None = None


class InstanceSource(Document, frozen=True, tag_field="type", tag="instance"):
    """An instance to make the image from, patched first if asked for; it must not serve, nor belong to a group."""

    instance_id: Annotated[str, Meta(pattern=r"^i-[0-9a-f]{8,17}$(?!\n)")]
    patch: bool = False


Owner = Annotated[str, Meta(pattern=r"^(self|amazon|aws-marketplace|[0-9]{12})$(?!\n)")]
Owners = Annotated[tuple[Owner, ...], Meta(min_length=1, max_length=10)]


class AmiSource(Document, frozen=True, tag_field="type", tag="ami"):
    """An image that is ready, and whose it may be."""

    image_id: Annotated[str, Meta(pattern=r"^ami-[0-9a-f]{8,17}$(?!\n)")]
    owners: Owners = ("self",)


class AmiParameterSource(Document, frozen=True, tag_field="type", tag="ami_parameter"):
    """A Parameter Store parameter that holds the id of an image that is ready; it is read once, by the plan."""

    parameter: Annotated[str, Meta(pattern=PARAMETER, max_length=1011)]
    owners: Owners = ("self",)


class ImageBuilderSource(Document, frozen=True, tag_field="type", tag="image_builder"):
    """An EC2 Image Builder pipeline that makes the image and tests it."""

    pipeline_arn: Annotated[str, Meta(pattern=PIPELINE, max_length=1024)]


class S3Artifact(Document, frozen=True, tag_field="type", tag="s3"):
    """A build artifact in S3; its characters are none that a shell would read as more than a name."""

    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$(?!\n)")]
    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9/_.+=@-]+$(?!\n)", max_length=1024)]
    version_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$(?!\n)", max_length=1024)] | None = None

    @property
    def uri(self) -> str:
        """Where it is, as the AWS CLI says it."""
        return f"s3://{self.bucket}/{self.key}"


class ContainerArtifact(Document, frozen=True, tag_field="type", tag="container"):
    """A build artifact that is a container image."""

    uri: Annotated[str, Meta(pattern=CONTAINER, max_length=512)]


class PackerSource(Document, frozen=True, tag_field="type", tag="packer"):
    """A CodeBuild project that runs Packer on a build artifact, and exports the image's id as AMI_ID."""

    project: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{1,149}$(?!\n)")]
    artifact: S3Artifact | ContainerArtifact


ReadySource = AmiSource | AmiParameterSource
Source = InstanceSource | AmiSource | AmiParameterSource | ImageBuilderSource | PackerSource


class Build(Document, frozen=True):
    """Where the version came from; ends up in the image's tags."""

    commit: Text | None = None
    build_id: Text | None = None
    builder: Text | None = None
    url: Text | None = None


Reason = Annotated[str, Meta(min_length=10, max_length=512, pattern=r"\S.*\S")]
Release = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.-]{1,60}$(?!\n)")]


class Waiver(Document, frozen=True):
    """Alarms that are red already and may stay so, and why: recorded with the release."""

    alarms: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=10)]
    reason: Reason


class OverrideWindow(Document, frozen=True):
    """A release that is to begin outside its windows or in a freeze, and why: recorded with the release."""

    reason: Reason


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
Zone = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$(?!\n)", max_length=64)]
Opens = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
Closes = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)")]
Moment = Annotated[
    str, Meta(pattern=r"^(20[0-9]{2}-)?(0[1-9]|1[0-2])-[0-3][0-9]T([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")
]


class Window(Document, frozen=True):
    """A time of these days at which a release may begin; if it ends no later than it begins, it goes over midnight."""

    since: Opens = msgspec.field(name="from")
    until: Closes = msgspec.field(name="to")
    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] = DAYS


class Freeze(Document, frozen=True):
    """A time in which no release may begin, whatever the windows say; without its year, it comes every year."""

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    reason: Text


class Windows(Document, frozen=True):
    """When a service may be released, by the clock of its time zone; without `open`, always but for the freezes."""

    time_zone: Zone
    open: Annotated[tuple[Window, ...], Meta(max_length=20)] = ()
    freezes: Annotated[tuple[Freeze, ...], Meta(max_length=50)] = ()
    outside: Literal["wait", "refuse"] = "wait"


Relaxation = Literal["imdsv2", "security_groups", "instance_profile", "encryption", "public_address"]
InstanceType = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$(?!\n)", max_length=40)]
SecurityGroup = Annotated[str, Meta(pattern=r"^sg-[0-9a-f]{8,17}$(?!\n)")]
Size = Annotated[int, Meta(ge=0, le=10_000)]


class Metadata(Document, frozen=True, omit_defaults=True):
    """How green's instances answer for their metadata; what is left out stays as blue has it."""

    http_tokens: Literal["required", "optional"] | None = None
    hop_limit: Annotated[int, Meta(ge=1, le=64)] | None = None


class BlockDevice(Document, frozen=True, omit_defaults=True):
    """One disk of green's by its device name; what is left out stays as blue or the image has it."""

    device: Annotated[str, Meta(pattern=r"^(/dev/)?(sd|xvd)[a-z]{1,2}[0-9]{0,2}$(?!\n)")]
    size_gib: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    type: Literal["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"] | None = None
    iops: Annotated[int, Meta(ge=100, le=256_000)] | None = None
    throughput: Annotated[int, Meta(ge=125, le=2_000)] | None = None
    encrypted: bool | None = None
    kms_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9:/_-]+$(?!\n)", max_length=256)] | None = None


class Target(Document, frozen=True):
    """What one of blue's target tracking policies, by its name, is to aim at on green."""

    policy: Text
    value: Annotated[float, Meta(gt=0, le=1e9)]


class Overrides(Document, frozen=True, omit_defaults=True):
    """What green is to have other than blue; `relax` names what may be less secure, and `reason` says why."""

    instance_type: InstanceType | None = None
    instance_types: Annotated[tuple[InstanceType, ...], Meta(max_length=40)] = ()
    security_groups: Annotated[tuple[SecurityGroup, ...], Meta(max_length=16)] = ()
    instance_profile: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+=,.@_-]{1,128}$(?!\n)")] | None = None
    user_data: Annotated[str, Meta(min_length=1, max_length=16_384)] | None = None
    metadata: Metadata = Metadata()
    public_address: bool | None = None
    block_devices: Annotated[tuple[BlockDevice, ...], Meta(max_length=20)] = ()
    min_size: Size | None = None
    max_size: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    targets: Annotated[tuple[Target, ...], Meta(max_length=20)] = ()
    relax: Annotated[tuple[Relaxation, ...], Meta(max_length=5)] = ()
    reason: Reason | None = None


Steps = Annotated[tuple[Step, ...], Meta(min_length=1, max_length=20)]
Guards = Annotated[tuple[Text, ...], Meta(max_length=10)]
SmokeTests = Annotated[tuple[SmokeTest, ...], Meta(max_length=10)]
Rollback = Literal["automatic", "hold"]
Settle = Annotated[int, Meta(ge=0, le=900)]
Days = Annotated[int, Meta(ge=0, le=365)]
Images = Annotated[int, Meta(ge=1, le=100)]

DEFAULT_STEPS = (
    Step(weight=5, observe_minutes=10),
    Step(weight=25, observe_minutes=10),
    Step(weight=50, observe_minutes=10),
    Step(weight=100, observe_minutes=10),
)


class Profile(Document, frozen=True):
    """A service as it is registered in Parameter Store; a release may override all but the route, what starts one, when it
    may begin, and who has a say.
    """

    route: Annotated[str, Meta(pattern=ROUTE)]
    steps: Steps = DEFAULT_STEPS
    guards: Guards = ()
    smoke_tests: SmokeTests = (SmokeTest(path="/"),)
    thresholds: Thresholds = Thresholds()
    inconclusive: Inconclusive = Inconclusive()
    rollback: Rollback = "automatic"
    deadlines: Deadlines = Deadlines()
    settle_seconds: Settle = 120
    keep_minutes: Minutes = 60
    retain_days: Days = 7
    keep_images: Images = 5
    start_on_image: bool = False
    approval: Approval = Approval()
    hooks: Hooks = Hooks()
    windows: Windows = Windows(time_zone="UTC")


class Request(Document, frozen=True):
    """One release, as it is asked for; asked for again under the same key, it is the same release."""

    service: ServiceName
    version: Version
    source: Source
    key: Key | None = None
    build: Build = Build()
    waive: Waiver | None = None
    fleet: Overrides = Overrides()
    dry_run: bool = False
    override_window: OverrideWindow | UnsetType = UNSET
    steps: Steps | UnsetType = UNSET
    guards: Guards | UnsetType = UNSET
    smoke_tests: SmokeTests | UnsetType = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    inconclusive: Inconclusive | UnsetType = UNSET
    rollback: Rollback | UnsetType = UNSET
    deadlines: Deadlines | UnsetType = UNSET
    settle_seconds: Settle | UnsetType = UNSET
    keep_minutes: Minutes | UnsetType = UNSET
    retain_days: Days | UnsetType = UNSET
    keep_images: Images | UnsetType = UNSET


class Resume(Document, frozen=True):
    """A Held release that is to go on, from its first step."""

    service: ServiceName
    resume: Release
    reason: Reason


class Order(Document, frozen=True):
    """A release that a person wants back on blue, or whose end a person has brought about; `reason` may be anything.

    `epoch` is what our own functions give, for the release as they took it over. `steps` are blue's shares, where a
    promoted release is not to be taken back at once.
    """

    service: ServiceName
    release: Release
    reason: str = "no reason given"
    overwrite: bool = False
    resolve: bool = False
    epoch: int | None = None
    steps: Annotated[tuple[Step, ...], Meta(max_length=20)] = ()


FIXES = {
    "service": "Use the name it is registered by: 2-20 of a-z, 0-9 and '-', beginning with a letter.",
    "version": "Use a semantic version such as 1.4.2 or 2.0.0-rc.1, at most 40 characters.",
    "source": (
        'Use {"type": "instance", "instance_id": "i-..."}, {"type": "ami", "image_id": "ami-..."}, '
        '{"type": "ami_parameter", "parameter": "/..."}, {"type": "image_builder", "pipeline_arn": "arn:..."} or '
        '{"type": "packer", "project": "...", "artifact": {"type": "s3", "bucket": "...", "key": "..."}}, or with '
        '{"type": "container", "uri": "..."} as the artifact; an image that is ready with "owners": "self", "amazon" or account ids.'
    ),
    "key": "Use what names this request and no other, such as a pipeline's execution id: 1-128 of letters, digits and "
    "'._:/@+=-', beginning with a letter or digit.",
    "route": "Use the ARN of an Application Load Balancer's listener or listener rule, or a name as "
    "arn:aws:route53:::hostedzone/Z.../shop.example.com.",
    "steps": "List 1-20 of {weight: 1-100, observe_minutes: 1-1440}, rising to 100.",
    "guards": "List up to 10 names of CloudWatch alarms.",
    "smoke_tests": "List up to 10 of {path: '/...', method: GET, HEAD, OPTIONS or POST, headers, body, status, contains, "
    "expect, latency_ms: 1-10000, requests: 1-20, timeout_seconds: 1-10, attempts: 1-5, pause_seconds: 0-30}.",
    "thresholds": "Use error_percent (above 0, up to 100), latency_seconds (above 0) and minimum_requests (1 or more).",
    "inconclusive": "Use minutes (1-1440) and then ('hold' or 'roll_back').",
    "rollback": "Use 'automatic', or 'hold' where blue can't take the traffic back (a one-way migration).",
    "release": "Use the release's id, as its record and its output have it, such as 2.0.0-3f9c21.",
    "resume": "Use the id of a release that is Held, such as 2.0.0-3f9c21.",
    "reason": "Say why, in at least ten characters.",
    "overwrite": "Use true or false.",
    "resolve": "Use true or false.",
    "deadlines": "Use image_minutes, healthy_minutes and rollback_minutes, each 1-1440.",
    "settle_seconds": "Use a whole number from 0 to 900; 120 is the tested one.",
    "keep_minutes": "Use a whole number from 1 to 1440.",
    "retain_days": "Use a whole number from 0 to 365.",
    "keep_images": "Use a whole number from 1 to 100.",
    "start_on_image": "Use true or false.",
    "hooks": "Use before_traffic, after_step, before_promote and after_rollback, each {arn: of a Lambda function or state machine, minutes: 1-1440}.",
    "windows": 'Use time_zone, open (up to 20 of {"days": ["mon", ...], "from": "09:00", "to": "16:00"}), freezes (up to 50 of '
    '{"from": "2026-12-20T00:00", "to": "2027-01-02T08:00", "reason": "..."}, or each year: "12-20T00:00") and outside '
    '("wait" or "refuse").',
    "override_window": 'Use {"reason": "at least ten characters on why"}.',
    "epoch": "Leave it out: only our own functions give it.",
    "waive": 'Use {"alarms": ["name"], "reason": "at least ten characters on why"}.',
    "fleet": "Use instance_type or instance_types, security_groups, instance_profile, user_data, metadata, public_address, "
    "block_devices, min_size, max_size, targets; and relax with a reason.",
    "approval": "Use before_traffic and before_promote (true or false), minutes (1-1440) and not_by_starter (true or false).",
    "order": "Use 'pause', 'resume' or 'promote'.",
    "minutes": "Use a whole number of minutes, up to 720, of a pause alone.",
    "id": "Use the one-time id that people were told.",
    "answer": "Use 'approve' or 'reject'.",
    "build": "Use commit, build_id, builder and url, each a line of text.",
    "dry_run": "Use true or false.",
}


def parse(document: Any) -> Request:
    """The request in `document`, or a Refusal that names the field, its value and the fix."""
    request = _convert(document, Request, "")
    _consistent(request.fleet)
    return request


def parse_resume(document: Any) -> Resume | None:
    """The same for a Held release that is to go on; None if the document asks for a release of its own."""
    asks = isinstance(document, Mapping) and "resume" in document
    return _convert(document, Resume, "") if asks else None


def parse_order(document: Any) -> Order:
    """The order in `document`, or a Refusal that names the field, its value and the fix."""
    order = _convert(document, Order, "")
    if order.steps:
        _rising(order.steps)
    return order


def parse_as(document: Any, kind: type[T]) -> T:
    """A document of another kind, or a Refusal that names the field, its value and the fix."""
    return _convert(document, kind, "")


def parse_profile(registered: Any) -> Profile:
    """A profile as it is registered, or the Refusal that a release by it would meet."""
    profile = _convert(registered, Profile, "profile.")
    _rising(profile.steps)
    return profile


def merge(request: Request, registered: Any) -> Profile:
    """The profile this release runs by: what is registered, with the request's own fields over it."""
    profile = _convert(registered, Profile, "profile.")
    overrides = {name: value for name in FIXES if (value := getattr(request, name, UNSET)) is not UNSET}
    merged = msgspec.structs.replace(profile, **{k: v for k, v in overrides.items() if hasattr(profile, k)})
    _rising(merged.steps)
    return merged


def _rising(steps: tuple[Step, ...]) -> None:
    for index, (before, after) in enumerate(pairwise(steps), start=1):
        if after.weight <= before.weight:
            raise Refusal(
                f"steps[{index}].weight", after.weight, f"Make it more than the {before.weight} before it."
            )
    if steps[-1].weight != 100:
        raise Refusal(f"steps[{len(steps) - 1}].weight", steps[-1].weight, "Let the last step be 100.")
    if (total := sum(step.observe_minutes for step in steps)) > 1440:
        raise Refusal("steps", f"{total} minutes of observing", "Observe for 1440 minutes at most in all.")


def _consistent(fleet: Overrides) -> None:
    if fleet.instance_type and fleet.instance_types:
        raise Refusal("fleet.instance_types", fleet.instance_types, "Use it or instance_type, not both.")
    for field in ("instance_types", "security_groups"):
        _once(f"fleet.{field}", getattr(fleet, field))
    _once("fleet.block_devices", [disk.device for disk in fleet.block_devices])
    _once("fleet.targets", [target.policy for target in fleet.targets])
    if len((fleet.user_data or "").encode()) > 16_384:
        raise Refusal("fleet.user_data", "more than 16,384 bytes", "EC2 takes no more.")
    if fleet.relax and not fleet.reason:
        raise Refusal("fleet.reason", "missing", FIXES["reason"])
    for index, disk in enumerate(fleet.block_devices):
        if disk.kms_key and disk.encrypted is not True:
            raise Refusal(
                f"fleet.block_devices[{index}].kms_key", disk.kms_key, 'Add "encrypted": true to it.'
            )


def _once(field: str, names: Sequence[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refusal(field, f"{twice} is there twice", "Name each once.")


def _convert(document: Any, kind: type[T], prefix: str) -> T:
    if not isinstance(document, Mapping):
        shown = ascii(document) if isinstance(document, str) else document
        raise Refusal(prefix.rstrip(".") or "request", shown, "Use a JSON object.")
    try:
        msgspec.json.encode(document)  # JSON may hold half a character; nothing that is written later can
    except UnicodeError:
        path, text = _unwritable(document)
        raise Refusal(prefix + path, ascii(text), "Use text that UTF-8 can hold.") from None
    except RecursionError:
        raise Refusal(
            prefix.rstrip(".") or "request", "nested too deeply", "Use the fields there are."
        ) from None
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise _refusal(document, str(error), prefix) from None


def _unwritable(document: Any) -> tuple[str, str]:
    """Where a document has text that can't be written, as a key or as a value, and that text."""
    looking: list[tuple[str, Any]] = [("", document)]
    for path, value in looking:
        if isinstance(value, str) and not _writable(value):
            return path, value
        if isinstance(value, Mapping):
            for key, item in value.items():
                place = f"{path}.{_cut(ascii(key)[1:-1])}".lstrip(".")
                if not _writable(str(key)):
                    return place, str(key)
                looking.append((place, item))
        elif isinstance(value, list | tuple):
            looking += [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return "request", "half a character"


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


_FIELD = re.compile(
    r"^Object (missing required|contains unknown) field `(.*?)`(?: - at `\$([^`]*)`)?$", re.DOTALL
)


def _refusal(document: Mapping[str, Any], words: str, prefix: str) -> Refusal:
    """msgspec says what is wrong and where (`... - at `$.steps[0].weight``); people also need the value and the fix."""
    if field := _FIELD.match(words):
        missing, name = field[1] == "missing required", field[2]
        path = f"{field[3] or ''}.{name}".lstrip(".")
        value = "missing" if missing else f"unknown field with value {_shown(_value(document, path))}"
        return Refusal(
            prefix + _cut(path), value, f"{'Add' if missing else 'Remove'} it. {_fix(path)}".strip()
        )
    complaint, _, place = (
        words.rpartition(" - at `$") if words.endswith("`") and " - at `$" in words else (words, "", "")
    )
    path = place.rstrip("`").lstrip(".")
    if " matching regex" in complaint:
        complaint = "It has not the form asked for"
    fix = f"{_cut(complaint)}. {_fix(path)}".strip()
    return Refusal(prefix + (_cut(path) or "request"), _value(document, path), fix)


def _cut(text: str) -> str:
    """Names and complaints may quote what people sent, however long that is."""
    return text if len(text) <= 200 else f"{text[:197]}..."


def _shown(value: Any) -> str:
    try:
        return _cut(msgspec.json.encode(value).decode())
    except (TypeError, ValueError, RecursionError):
        return _cut(repr(value))


def _fix(path: str) -> str:
    return FIXES.get(re.split(r"[.\[]", path)[0], "")


def _value(document: Any, path: str) -> Any:
    for part in path.replace("]", "").replace("[", ".").split("."):
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list | tuple) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        elif part:
            return None
    return document
