"""Takes a person's answer to an approval, signed with the person's own AWS credentials."""

from datetime import UTC, datetime

from viridian import door
from viridian.acts import approving
from viridian.approval import Reply
from viridian.aws.function import handler
from viridian.door import Replied
from viridian.errors import Refusal
from viridian.messages import AnswerApproval, ApprovalAnswered


@handler(AnswerApproval)
def lambda_handler(ask: AnswerApproval) -> ApprovalAnswered:
    """Who asks is what AWS says of the signature, and nothing that the caller says."""
    try:
        reply = door.read(ask.method, ask.body, Reply, encoded=ask.isBase64Encoded)
        replied = approving.answer(reply, ask.caller, datetime.now(UTC))
    except Refusal as refusal:
        replied = Replied(status=400, words=str(refusal))
    return ApprovalAnswered(statusCode=replied.status, body=replied.words)
