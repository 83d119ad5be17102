"""What the state machine says to each handler, and what it hears back."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from viridian import gates
from viridian.converge import End
from viridian.gates import Gate
from viridian.joining import Joined
from viridian.plan import Endpoint, Plan
from viridian.request import SmokeTest
from viridian.verdict import Next, Outcome
from viridian.windows import Waiting


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message; an unknown field is a fault of the sender's."""


class Ticket(Message, frozen=True):
    """Which release a state acts for, and under which epoch."""

    service: str
    release: str
    epoch: int


class PlanRelease(Message, frozen=True):
    """A request as it came in, not looked at yet; `planned_at` is this look at it, `started_at` the execution's start."""

    request: Any
    execution: str
    started_at: datetime
    planned_at: datetime


class ReleasePlanned(Message, frozen=True):
    """`plan` is what will be done; `dry_run` ends the execution here. `joins`: another execution does it already.

    `waits`: its windows are closed, and it is planned anew when they open.
    """

    service: str
    release: str
    dry_run: bool
    plan: Plan
    joins: Joined | None = None
    waits: Waiting | None = None


class AcquireLock(Message, frozen=True):
    """The plan whose route is wanted."""

    plan: Plan


class LockAcquired(Message, frozen=True):
    """The epoch under which the release may write."""

    epoch: int


class BakeImage(Ticket, frozen=True):
    """The release whose image is wanted."""


class ImageBaked(Message, frozen=True):
    """The image, which may still be pending; None while something else has to be done first."""

    image: str | None


class CheckImage(Ticket, frozen=True):
    """The release whose image is awaited."""


class ImageChecked(Message, frozen=True):
    """Whether the image is `available`, still `pending`, or the next step towards it `due`."""

    image: str | None
    state: Literal["available", "pending", "due"]


class CreateGreen(Ticket, frozen=True):
    """The release whose green fleet is wanted."""


class GreenCreated(Message, frozen=True):
    """What was made."""

    group: str
    target_group: str
    need: int


class CheckGreen(Ticket, frozen=True):
    """The release whose green fleet is awaited."""


class GreenChecked(Message, frozen=True):
    """`healthy` goes on, `waiting` looks again, `short` needs its floors held first; `tests` are to be run.

    `preview` says how a person reaches green by now.
    """

    state: Literal["healthy", "waiting", "short"]
    reason: str
    endpoint: Endpoint
    standby: str
    tests: tuple[SmokeTest, ...]
    preview: str


class RunSmokeTests(Message, frozen=True):
    """Where green is reached, and what to ask it."""

    service: str
    release: str
    endpoint: Endpoint
    standby: str
    tests: tuple[SmokeTest, ...]


class SmokeTestsRun(Message, frozen=True):
    """The verdict on green before it gets traffic."""

    verdict: Outcome
    reason: str


class ShiftTraffic(Ticket, frozen=True):
    """The step, counted from 0, whose weight green gets."""

    step: int


class TrafficShifted(Message, frozen=True):
    """The step that green is at, the weights as AWS shows them, and when the step began; `kept`: why green gets no more."""

    step: int
    weights: dict[str, int]
    shifted_at: datetime
    kept: str = ""


class JudgeGreen(Ticket, frozen=True):
    """The step that is being observed, and since when."""

    step: int
    shifted_at: datetime


class GreenJudged(Message, frozen=True):
    """The verdict, and what it means for the plot."""

    verdict: Outcome
    reason: str
    next: Next | Literal["hold_floors"]


class HoldFloors(Ticket, frozen=True):
    """The release whose fleets may stand too low."""


class FloorsHeld(Message, frozen=True):
    """The size below which neither fleet may fall."""

    need: int


class PassGate(Message, frozen=True):
    """The gate that a release stands at, and the step it has taken; after a rollback it is at no epoch any more."""

    service: str
    release: str
    gate: Gate
    epoch: int = 0
    step: int = 0


class GatePassed(Message, frozen=True):
    """`open` goes on, `look_again` does once green was looked at; `approval` is the question that people are asked.

    `observed_since` is from when on a step counts that has waited: what was seen of it before is old.
    """

    next: gates.Next
    reason: str
    again_in: int
    approval: str | None = None
    observed_since: datetime | None = None


class AwaitApproval(Ticket, frozen=True):
    """The question that people are to answer, and the token that wakes the state."""

    approval: str
    token: str


class ApprovalAwaited(Message, frozen=True):
    """What people were told of."""

    approval: str


class Promote(Ticket, frozen=True):
    """The release whose green has carried everything."""


class ReleasePromoted(Message, frozen=True):
    """Where the traffic is now, and until when blue is kept."""

    weights: dict[str, int]
    retire_at: datetime | None


class RestoreBlue(Message, frozen=True):
    """An order to take a release back, as it came in; who does it; and what failed."""

    order: Any
    execution: str
    error: str
    cause: str = ""


class BlueRestored(Message, frozen=True):
    """What was done, and what the converge loop is to do next; `hook`: the service has one that hears of the end."""

    doing: str
    again_in: int
    end: End | None = None
    cause: str = ""
    hook: bool = False


class Converge(RestoreBlue, frozen=True):
    """The same question, asked until it is answered with an end; and what the way back has stumbled over, the last time."""

    stumble: str = ""


class Converged(BlueRestored, frozen=True):
    """`end` once there is nothing left to do."""


class PagePerson(Message, frozen=True):
    """A rollback that could not go on: what failed first, and what it stumbled over last."""

    service: str
    release: str
    error: str
    cause: str = ""
    stumble: str = ""


class PersonPaged(Message, frozen=True):
    """What the person was told."""

    cause: str


class RetireBlue(Message, frozen=True):
    """A promoted release whose blue's time has come, and the execution that retires it."""

    service: str
    release: str
    execution: str


class BlueRetired(Message, frozen=True):
    """What was done, and `end` once there is nothing left to do."""

    doing: str
    again_in: int
    end: End | None = None


class Sweep(Message, frozen=True):
    """A minute has passed."""


class Swept(Message, frozen=True):
    """The executions that were started."""

    started: tuple[str, ...]


class Collect(Message, frozen=True):
    """A day has passed; a dry run removes nothing, and lists what it would."""

    dry_run: bool = False


class Collected(Message, frozen=True):
    """What has become of everything that releases made and still stood, each with the reason; `left` is for the next run."""

    dry_run: bool
    removed: tuple[str, ...]
    left: tuple[str, ...]
    failed: tuple[str, ...]
    reported: tuple[str, ...]
    kept: tuple[str, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event of AWS's own; what is in it beyond these fields is not looked at."""


class AlarmState(Event, frozen=True):
    """What an alarm has to say."""

    reason: str = ""


class AlarmDetail(Event, frozen=True):
    """Which alarm changed its state."""

    alarmName: str  # noqa: N815
    state: AlarmState


class Brake(Event, frozen=True):
    """An alarm has gone red: its ARN is the one resource, `time` is when."""

    resources: tuple[str]
    time: datetime
    detail: AlarmDetail


class Braked(Message, frozen=True):
    """The executions that bring the releases of the alarm back; none if no release watches it."""

    started: tuple[str, ...]


class ExecutionDetail(Event, frozen=True):
    """How an execution ended; its input is never looked at."""

    executionArn: str  # noqa: N815
    status: str
    error: str | None = None
    cause: str | None = None


class Guard(Event, frozen=True):
    """An execution has ended, other than well."""

    detail: ExecutionDetail


class Guarded(Message, frozen=True):
    """The execution that goes on in its place; none if it left nothing to do."""

    started: str | None


NewImage = Annotated[
    str,
    Meta(
        pattern=r"^arn:aws[a-z-]*:(ec2:[a-z0-9-]+::image/ami-[0-9a-f]{8,17}"
        r"|imagebuilder:[a-z0-9-]+:[0-9]{12}:image/[A-Za-z0-9_-]+/[0-9]+\.[0-9]+\.[0-9]+/[0-9]+)$(?!\n)"
    ),
]


class StartRelease(Event, frozen=True):
    """An image is there: its ARN is the one resource, as EC2 or as Image Builder has it.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html
    https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html
    """

    resources: tuple[NewImage]
    account: str
    region: str


class ReleaseStarted(Message, frozen=True):
    """The execution that releases the image, and why; None if none does."""

    started: str | None
    reason: str


class Identity(Event, frozen=True):
    """Who signed a request, as AWS has verified it."""

    userArn: str  # noqa: N815


class Authorizer(Event, frozen=True):
    """How a request was authorised: by IAM."""

    iam: Identity


class Http(Event, frozen=True):
    """How a request came."""

    method: str


class RequestContext(Event, frozen=True):
    """What Lambda knows of a request to a function's URL."""

    http: Http
    authorizer: Authorizer


class Signed(Event, frozen=True):
    """A request to a function's URL, and who signed it.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """

    requestContext: RequestContext  # noqa: N815
    body: str = ""
    isBase64Encoded: bool = False  # noqa: N815

    @property
    def method(self) -> str:
        """How it came; only a POST says anything."""
        return self.requestContext.http.method

    @property
    def caller(self) -> str:
        """The ARN of whoever signed it."""
        return self.requestContext.authorizer.iam.userArn


class AnswerApproval(Signed, frozen=True):
    """A person's answer to an approval."""


class ApprovalAnswered(Message, frozen=True):
    """What the person sees."""

    statusCode: int  # noqa: N815
    body: str


class TakeOrder(Signed, frozen=True):
    """A person's order to a release that runs."""


class OrderTaken(ApprovalAnswered, frozen=True):
    """The same of an order."""


class Images(Event, frozen=True):
    """An item before and after one write, as DynamoDB writes items; there is no `OldImage` of what is new."""

    SequenceNumber: str
    ApproximateCreationDateTime: float
    NewImage: dict[str, Any]
    OldImage: dict[str, Any] | None = None


class Change(Event, frozen=True):
    """One write to the ledger; its `eventID` is the same each time it is delivered.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """

    eventID: str  # noqa: N815
    dynamodb: Images


class Tell(Event, frozen=True):
    """Writes to the records of releases, in their order."""

    Records: tuple[Change, ...]


class Untold(Message, frozen=True):
    """The number of a write from which on everything is to be delivered again."""

    itemIdentifier: str  # noqa: N815


class Told(Message, frozen=True):
    """What could not be told; nothing if all of it was."""

    batchItemFailures: tuple[Untold, ...]  # noqa: N815
