"""Pages a person when the way back could not be gone to its end, and writes that down."""

from viridian import converge
from viridian.acts import way_back
from viridian.aws.function import handler
from viridian.messages import PagePerson, PersonPaged


@handler(PagePerson)
def lambda_handler(ask: PagePerson) -> PersonPaged:
    """Called twice, it pages once."""
    failure = converge.first_error(ask.error, ask.cause)
    step = way_back.give_up(ask.service, ask.release, failure, ask.stumble)
    return PersonPaged(cause=step.cause)
