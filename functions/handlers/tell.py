"""Tells what releases come to, from what the ledger's stream shows of their records."""

from viridian.acts import telling
from viridian.aws.function import handler
from viridian.messages import Tell, Told, Untold


@handler(Tell)
def lambda_handler(ask: Tell) -> Told:
    """Each write is told at least once, in its order; what is told twice has the same id."""
    failed = telling.tell(ask.Records)
    return Told(batchItemFailures=(Untold(itemIdentifier=failed),) if failed else ())
