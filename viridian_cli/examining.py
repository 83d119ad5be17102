"""Everything that `viridian doctor` looks at, in the order in which one thing needs another."""

from functools import partial

import viridian_cli
from viridian import diff, head_room, preflight, request
from viridian.acts import budget, entry
from viridian.aws import (
    alarms,
    auto_scaling,
    executions,
    images,
    launches,
    ledger,
    profiles,
    router,
    target_groups,
)
from viridian.record import Record
from viridian.request import Profile
from viridian_cli import checking
from viridian_cli.aws import behind, clock, permissions, services, stack, upkeep, urls
from viridian_cli.aws.behind import Behind
from viridian_cli.aws.stack import Stack
from viridian_cli.checking import Checks
from viridian_cli.exits import Stop


def examine(stack_: str, service: str) -> Checks:
    """The account, the stack, and each service, or the one that is named."""
    checks, found = Checks(), stack.find(stack_)
    checks.look("stack", lambda: checking.deployed(f"{found.name} in {found.region}", found.status))
    _stack(checks, found)
    if caller := checks.look("credentials", clock.caller):
        _permissions(checks, found, caller)
    registered = [service] if service else checks.look("services", _registered, ", ".join)
    for name in registered or ():
        _service(checks, found, name)
    return checks


def _registered() -> list[str]:
    if found := services.names():
        return found
    raise Stop("None is registered: `viridian init` does that.")


def _stack(checks: Checks, found: Stack) -> None:
    def quiet() -> str:
        asked = found.output("AlarmNames").split(",")
        return checking.quiet(asked, alarms.states(asked))

    queue, topic = found.output("DeadLettersQueueUrl"), found.output("PagesTopicArn")
    checks.look("version", lambda: checking.version(found.output("Version"), viridian_cli.__version__))
    checks.look("alarms", quiet)
    checks.look("dead letters", lambda: checking.dead_letters(queue, upkeep.dead_letters(queue)))
    checks.look("pages", lambda: checking.subscribed(topic, upkeep.subscribed(topic)))
    for subject, output in (("approvals", "ApprovalsUrl"), ("orders", "OrdersUrl")):
        checks.look(subject, partial(urls.ensure_signed, found.output(output), found.region))


def _permissions(checks: Checks, found: Stack, caller: str) -> None:
    def permitted(actions: list[str], resources: list[str]) -> str:
        whose = permissions.policies_of(caller)
        return checking.permitted(actions, permissions.lacking(whose, actions, resources))

    for what, (actions, resources) in checking.needs(found.outputs, found.arn).items():
        checks.look(f"may {what}", partial(permitted, actions, resources))


def _service(checks: Checks, stack_: Stack, service: str) -> None:
    def look(subject: str, ask: partial[str]) -> None:
        checks.look(f"{service}: {subject}", ask)

    profile = checks.look(f"{service}: profile", partial(_profile, service), lambda it: it.route)
    if profile is None:
        return
    look("hands", partial(_hands, service, profile))
    standing = checks.look(f"{service}: releases", partial(_standing, service), _listed) or []
    for record in standing:
        look(record.plan.release, partial(_tended, record))
        look("weights", partial(_weights, record))
    if not all(record.ended for record in standing):
        return  # who is blue, and what the route shows, is the release's
    found = checks.look(f"{service}: blue", partial(behind.find, profile.route), lambda it: it.blue.group)
    if found is not None:
        look("lent", partial(_lent, service, found))
        look("fleet", partial(_fleet, service, found))
        look("role", partial(_role, stack_, found))
        look("guards", partial(_guards, profile, found))
        look("smoke tests", partial(_smoke_tests, service, profile, found))
        look("quotas", partial(_quotas, service, found))


def _profile(service: str) -> Profile:
    return request.parse_profile(profiles.find(service)[0])


def _hands(service: str, profile: Profile) -> str:
    return checking.hands(service, ledger.hands_off(profile.route))


def _standing(service: str) -> list[Record]:
    named = [release for of, release in ledger.open_releases() if of == service]
    return [record for release in named if (record := ledger.find(service, release))]


def _listed(records: list[Record]) -> str:
    return ", ".join(record.plan.release for record in records) or "none under way"


def _tended(record: Record) -> str:
    return checking.tended(record, executions.state(record.worker))


def _weights(record: Record) -> str:
    return checking.weights(record, router.forward(record.plan.route))


def _lent(service: str, found: Behind) -> str:
    things = found.lent()
    preflight.ensure_lent("route", service, *things)
    return f"all {len(things)} that it is made of"


def _fleet(service: str, found: Behind) -> str:
    preflight.ensure_numeric(found.launches, found.blue.group)
    preflight.ensure_pinned_image(images.template_image(found.launches), found.launches)
    policies = auto_scaling.policies(found.blue.group)
    auto_scaling.ensure_clonable(found.group, policies, found.target_group.arn, service)
    preflight.ensure_serving(found.blue)
    return f"{found.blue.healthy()} of {found.blue.desired} healthy, and green can be like it"


def _role(stack_: Stack, found: Behind) -> str:
    profile = diff.profile(images.template_data(found.launches))
    known = [arn.strip() for arn in stack_.parameters["InstanceRoleArns"].split(",")]
    return checking.handed(profile, launches.role(profile), known)


def _guards(profile: Profile, found: Behind) -> str:
    states = alarms.states(profile.guards)
    preflight.ensure_guards(profile, None, states, found.blue)
    return ", ".join(f"{alarm.name} is {alarm.state}" for alarm in states) or "none"


def _smoke_tests(service: str, profile: Profile, found: Behind) -> str:
    entry.standby(found.route, entry.rules(found.route), service, profile, found.target_group)
    return ", ".join(f"{test.method} {test.path}" for test in profile.smoke_tests) or "none"


def _quotas(service: str, found: Behind) -> str:
    route, groups, rules = found.route, target_groups.everywhere(), entry.rules(found.route)
    template, versions = images.launched(found.launches)
    has_standby = router.standby_forward(route.listener, service) is not None
    quotas = tuple(
        budget.head_room(
            route,
            found.group,
            found.launches,
            template,
            groups,
            rules,
            versions=versions,
            has_standby=has_standby,
        )
    )
    head_room.ensure_fits(quotas)
    return f"a release fits into all {len(quotas)}"
