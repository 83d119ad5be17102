"""Takes the next safe step back to blue, from what AWS shows now; asked again until there is nothing left to do."""

from viridian import converge
from viridian.acts import way_back
from viridian.aws.function import handler
from viridian.messages import Converge, Converged


@handler(Converge)
def lambda_handler(ask: Converge) -> Converged:
    """Depends on no event and no earlier answer: whoever calls it, and however often, it converges."""
    errand = converge.errand(ask.order, ask.execution, ask.error, ask.cause, ask.stumble)
    step = way_back.go_on(errand)
    return Converged(
        doing=step.reason, again_in=step.again_in, end=step.end, cause=step.cause, hook=step.hook
    )
