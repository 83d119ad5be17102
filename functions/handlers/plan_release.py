"""Validates everything and prints the whole plan. Touches nothing."""

from viridian import request
from viridian.acts import survey
from viridian.arns import own
from viridian.aws import profiles
from viridian.aws.function import handler
from viridian.messages import PlanRelease, ReleasePlanned


@handler(PlanRelease)
def lambda_handler(ask: PlanRelease) -> ReleasePlanned:
    """Raises Refusal for whatever stands in the release's way."""
    if resume := request.parse_resume(ask.request):
        plan = survey.plan_again(resume, ask.execution, ask.started_at)
        return ReleasePlanned(service=plan.service, release=plan.release, dry_run=False, plan=plan)
    wanted = request.parse(ask.request)
    registered, version = profiles.find(wanted.service)
    profile = request.merge(wanted, registered)
    own("profile.route", profile.route, ask.execution)
    plan = survey.make_plan(wanted, profile, version, ask.execution, ask.started_at)
    return ReleasePlanned(service=plan.service, release=plan.release, dry_run=wanted.dry_run, plan=plan)
