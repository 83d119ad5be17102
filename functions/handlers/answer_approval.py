"""Takes a person's answer to an approval, signed with the person's own AWS credentials."""

from datetime import UTC, datetime
from functools import partial

from viridian import door
from viridian.acts import approving
from viridian.approval import Reply
from viridian.aws.function import handler
from viridian.messages import AnswerApproval, ApprovalAnswered


@handler(AnswerApproval)
def lambda_handler(ask: AnswerApproval) -> ApprovalAnswered:
    """Who asks is what AWS says of the signature, and nothing that the caller says."""
    take = partial(approving.answer, by=ask.caller, now=datetime.now(UTC))
    replied = door.answer(ask.method, ask.body, Reply, take, encoded=ask.isBase64Encoded)
    return ApprovalAnswered(statusCode=replied.status, body=replied.words)
