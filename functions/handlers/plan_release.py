"""Validates everything and prints the whole plan, or says how the release stands that is to be joined. Touches nothing."""

from viridian import request, windows
from viridian.acts import joining, survey
from viridian.aws.function import handler
from viridian.messages import PlanRelease, ReleasePlanned


@handler(PlanRelease)
def lambda_handler(ask: PlanRelease) -> ReleasePlanned:
    """Raises Refusal for whatever stands in the release's way."""
    if resume := request.parse_resume(ask.request):
        plan = survey.plan_again(resume, ask.execution, ask.started_at)
        return ReleasePlanned(service=plan.service, release=plan.release, dry_run=False, plan=plan)
    wanted = request.parse(ask.request)
    plan, joins = joining.plan(wanted, ask.execution, ask.started_at, ask.planned_at)
    return ReleasePlanned(
        service=plan.service,
        release=plan.release,
        dry_run=wanted.dry_run,
        plan=plan,
        joins=joins,
        waits=windows.waiting(plan, ask.planned_at),
    )
