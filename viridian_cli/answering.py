"""A person's word to a release that waits for it: signed, so that AWS says who it was."""

from typing import Literal

from viridian_cli import ordering, say
from viridian_cli.aws import stack, urls
from viridian_cli.exits import Exit, Stop


def answer(
    stack_: str,
    service: str,
    release: str,
    given: Literal["approve", "reject"],
    reason: str,
    id_: str,
    json: bool,
) -> Exit:
    """Answers the question that a release waits with."""
    found = stack.find(stack_)
    record = ordering.running(service, release)
    asked = record.question
    if asked is None:
        raise Stop(
            f"release: {record.plan.release} waits for nobody: `viridian status {service}` says what it does."
        )
    document = {
        "id": id_ or asked.approval,
        "release": record.plan.release,
        "answer": given,
        "reason": reason,
    }
    told = urls.post(found.output("ApprovalsUrl"), found.region, document)
    if json:
        say.document({**document, "said": told})
    else:
        say.line(str(told))
    return Exit.PROMOTED
