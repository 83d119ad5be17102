"""What each scene promises, and which of its figures break it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from local.demo.figures import ByName, Figures

LEAST_RATE = 50.0  # requests a wall second, open loop
GROWN = 1.8  # times the load of the start
TTL = 60.0  # cloud seconds that a client keeps what an alias answers
LATE = 1.0  # wall seconds that it may take beside: the name server, the client and the connection have one machine


def broken(figures: Figures, expected: str) -> list[str]:
    """One sentence for each promise that was not kept."""
    return list(_broken(figures, expected))


def _broken(seen: Figures, expected: str) -> Iterator[str]:
    if seen.outcome != expected:
        yield f"it ended {seen.outcome}, not {expected}"
    if seen.lost:
        yield f"{seen.lost} requests were lost: {_counts(seen.lost_to)}"
    wanted = (
        {seen.blue: 0, seen.version: 100} if expected == "Promoted" else {seen.blue: 100, seen.version: 0}
    )
    if seen.final_weights != wanted:
        yield f"the weights ended at {_counts(seen.final_weights)}, not {_counts(wanted)}"
    if seen.orphans:
        yield f"left behind: {', '.join(seen.orphans)}"
    if seen.requests_per_wall_second < LEAST_RATE:
        yield f"only {seen.requests_per_wall_second} requests a second were sent, not {LEAST_RATE:g}"
    if missing := [kind for kind in ("keep-alive", "sticky", "long") if not seen.kinds.get(kind)]:
        yield f"no {' and no '.join(missing)} requests were sent"
    if seen.fewest_long_requests_at_a_change == 0:
        yield "no long request was in flight at a change of weights"
    if expected == "Promoted":
        yield from _floors(seen)
    if not seen.answered.get(seen.blue):
        yield f"{seen.blue} answered nothing"


def _floors(seen: Figures) -> Iterator[str]:
    if not seen.answered.get(seen.version):
        yield f"{seen.version} answered nothing"
    for side, lowest in (("blue", seen.lowest_blue), ("green", seen.lowest_green)):
        if lowest is None or lowest < seen.need:
            yield f"{side} stood at {lowest} instances while {seen.need} were needed"


def broken_by_fault(figures: Figures, *, before_traffic: bool) -> list[str]:
    """What a scene with a bad version promises beside: whom it reached, and that it was noticed by an alarm."""
    served = figures.served_by_green_while_bad
    if before_traffic:
        return [f"{figures.version} answered {served} requests before it was healthy"] if served else []
    told = []
    if not served or not figures.errors:
        told.append(
            f"{figures.version} answered {served} requests, {figures.errors} with errors: nothing was to see"
        )
    if figures.seconds_alarm_to_blue is None:
        told.append("no alarm went off")
    return told


def broken_by_load(figures: Figures) -> list[str]:
    """What a scene whose load doubles promises beside: that it did, and that either side could have carried it all."""
    told = []
    if (figures.load_at_the_end or 0) < GROWN:
        told.append(f"the load ended at {figures.load_at_the_end} times what it was: nothing was to see")
    for version in (figures.blue, figures.version):
        floor = (figures.floors_at_the_last_change or {}).get(version, 0)
        if floor < 2 * figures.need:
            told.append(
                f"{version} stood on a floor of {floor}, not {2 * figures.need}, at the last change of weights"
            )
    return told


def broken_by_stop(figures: Figures, by: str, within: float) -> list[str]:
    """What a scene whose execution is stopped promises beside: who took it back, and how soon."""
    back = figures.seconds_abort_to_blue
    if back is None:
        return [f"{figures.version} was never aborted under traffic"]
    told = []
    if back["cloud"] > within:
        told.append(
            f"it took {back['cloud']:.0f} s from the abort until all was on {figures.blue}, not {within:.0f} s"
        )
    if figures.restored_by != by:
        told.append(f"{figures.blue} was restored by {figures.restored_by or 'nobody'}, not by the {by}")
    return told


def broken_by_order(figures: Figures, *, at_zero: bool) -> list[str]:
    """What an upgrade that is taken back promises beside: it was one, blue could carry what it got, and is as it was."""
    if figures.seconds_rollback_command_to_blue is None:
        return [f"{figures.version} was never taken back by an order"]
    told = []
    stood = (figures.in_service_at_the_order or {}).get(figures.blue, 0)
    if at_zero != (stood == 0):
        told.append(f"{figures.blue} had {stood} in service when the order came")
    at_the_write = figures.in_service_at_the_way_back or {}
    able, served = at_the_write.get(figures.blue, 0), at_the_write.get(figures.version, 0)
    if able < max(1, served):
        told.append(
            f"{figures.blue} had {able} in service when it got everything, {figures.version} had {served}"
        )
    before, green, again = (figures.fleets[side] for side in ("blue", "green", "blue again"))
    if same := [name for name in before if green[name] == before[name]]:
        told.append(f"the upgrade didn't change {', '.join(same)}")
    if again != before:
        told.append(f"{figures.blue} came back as {_counts(again)}, not {_counts(before)}")
    return told


def broken_by_name(figures: Figures, shares: Sequence[int], observe_seconds: float) -> list[str]:
    """What a scene by DNS promises beside: green's shares, a load balancer and the same certificates on either side, that
    the clients kept their answers, but no longer than their TTL, and that a step was counted from when that was over.
    """
    seen = figures.by_name
    if seen is None:
        return [f"{figures.version} never had a share of the name"]
    told = []
    if (given := [weights.get(figures.version, 0) for _, weights in seen.weights]) != [*shares]:
        told.append(f"{figures.version} was given {_list(given)} percent, not {_list(shares)}")
    blue, green = (seen.certificates.get(version, []) for version in (figures.blue, figures.version))
    if not blue or blue != green:
        told.append(f"blue offers {_list(blue)}, and green {_list(green)}")
    if len(set(seen.balancers.values())) != 2:
        told.append(f"the name led to {_list(seen.balancers.values())}, not to two load balancers")
    wanted = {version: figures.final_weights.get(figures.version, 0) > 0 for version in seen.balancers}
    wanted[figures.blue] = True  # as long as it is the way back, or what serves
    for version, stands in wanted.items():
        if stands != (seen.balancers[version] in seen.standing):
            told.append(f"{seen.balancers[version]} {'is gone' if stands else 'still stands'}")
    return [*told, *_followed(figures, seen), *_hurried(figures, seen, observe_seconds)]


def _hurried(figures: Figures, seen: ByName, observe_seconds: float) -> Iterator[str]:
    if figures.outcome != "Promoted" or seen.seconds_in_sync is None:
        return
    least = seen.seconds_in_sync["cloud"] + TTL + observe_seconds
    for (since, shares), (until, _) in pairwise(seen.weights):
        if until - since < least:
            yield f"{_counts(shares)} percent stood for {until - since:.0f} s, not {least:.0f} s"


def _followed(figures: Figures, seen: ByName) -> Iterator[str]:
    in_sync, followed = seen.seconds_in_sync, seen.seconds_followed
    if in_sync is None or followed is None:
        yield "no client kept an answer from before the last change: nothing was to see"
    elif followed["wall"] > in_sync["wall"] + TTL * figures.seconds["wall"] / figures.seconds["cloud"] + LATE:
        kept = followed["cloud"] - in_sync["cloud"]
        yield f"a client kept its answer for {kept:.0f} s after the last change was told, not {TTL:.0f} s"


def broken_by_control(scenes: Sequence[Figures]) -> list[str]:
    """The careless release must lose requests: otherwise the demo can't see."""
    return [] if sum(scene.lost for scene in scenes) else ["the control lost nothing: the demo can't see"]


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "nothing"


def _counts(counts: Mapping[str, int | str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
