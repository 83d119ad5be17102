"""Tells people what they are asked, and keeps the token by which their answer wakes the release."""

from viridian.acts import approving
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import ApprovalAwaited, AwaitApproval


@handler(AwaitApproval)
def lambda_handler(ask: AwaitApproval) -> ApprovalAwaited:
    """Tells them once, however often it is tried. Raises AlreadyAnswered if they were quicker."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    approving.wait(record, ask.approval, ask.token)
    return ApprovalAwaited(approval=ask.approval)
