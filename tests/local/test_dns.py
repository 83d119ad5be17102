"""Real queries over UDP: what the name server answers, how long its clients keep it, and what a change costs them."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from local.cloud import Cloud
from local.plane.load import Event, Load, Plan
from local.plane.nameserver import NameServer
from local.plane.resolver import Resolver, Unresolved
from local.plane.zones import Answer
from tests.local.pair import IN_SYNC, NAME, Pair, pair

BLUE, GREEN = "blue-1.us-east-1.elb.amazonaws.com.", "green-1.us-east-1.elb.amazonaws.com."
HOSTS = {BLUE.rstrip("."): "127.0.0.1", GREEN.rstrip("."): "127.0.0.2"}


class Zone(dict[str, Answer]):
    """What is answered now, by name."""

    @contextmanager
    def served(self) -> Iterator[tuple[str, int]]:
        with NameServer(self.get, HOSTS.get) as server:
            yield server.address


def ask(server: tuple[str, int], name: str = NAME, kind: str = "A") -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, kind), server[0], 2, server[1])


def lines(reply: dns.message.Message) -> list[str]:
    return [record.to_text() for record in reply.answer]


class TestNameServer:
    def test_an_alias_is_answered_with_the_load_balancers_address(self) -> None:
        with Zone({NAME: Answer(GREEN, 60)}).served() as server:
            reply = ask(server)
        assert lines(reply) == [f"{NAME} 60 IN A 127.0.0.2"]
        assert reply.flags & dns.flags.AA

    def test_a_cname_is_answered_with_where_it_leads(self) -> None:
        with Zone({NAME: Answer(BLUE, 20, "CNAME"), BLUE: Answer(BLUE, 60)}).served() as server:
            reply = ask(server)
        assert lines(reply) == [f"{NAME} 20 IN CNAME {BLUE}", f"{BLUE} 60 IN A 127.0.0.1"]

    def test_a_name_without_such_a_record_is_known_and_another_is_not(self) -> None:
        with Zone({NAME: Answer("192.0.2.1", 60)}).served() as server:
            assert lines(ask(server)) == [f"{NAME} 60 IN A 192.0.2.1"]
            assert (ask(server, kind="AAAA").rcode(), lines(ask(server, kind="AAAA"))) == (
                dns.rcode.NOERROR,
                [],
            )
            assert ask(server, "other.example.com.").rcode() == dns.rcode.NXDOMAIN

    def test_noise_is_not_answered_and_does_no_harm(self) -> None:
        with Zone({NAME: Answer(BLUE, 60)}).served() as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
                door.sendto(b"\x00noise", server)
            assert lines(ask(server)) == [f"{NAME} 60 IN A 127.0.0.1"]


class TestResolver:
    def test_an_answer_is_kept_for_its_ttl_in_the_clouds_time(self) -> None:
        now, zone = [100.0], Zone({NAME: Answer(BLUE, 60)})

        async def told(resolver: Resolver) -> list[str]:
            hosts = [await resolver.host()]
            zone[NAME] = Answer(GREEN, 60)
            for at in (101.9, 102.0):
                now[0] = at
                hosts.append(await resolver.host())
            return hosts

        with zone.served() as server:
            hosts = asyncio.run(told(Resolver(NAME, server, speed=30, now=lambda: now[0])))
        assert hosts == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]

    def test_the_shortest_ttl_of_a_chain_counts(self) -> None:
        now, zone = [100.0], Zone({NAME: Answer(BLUE, 20, "CNAME"), BLUE: Answer(BLUE, 60)})

        async def told(resolver: Resolver) -> str:
            await resolver.host()
            zone[NAME] = Answer(GREEN, 20)
            now[0] += 20
            return await resolver.host()

        with zone.served() as server:
            assert asyncio.run(told(Resolver(NAME, server, 1, now=lambda: now[0]))) == "127.0.0.2"

    def test_a_name_that_nobody_knows_has_no_address(self) -> None:
        with Zone().served() as server, pytest.raises(Unresolved, match="NXDOMAIN"):
            asyncio.run(Resolver(NAME, server, 1).host())


def test_a_request_whose_name_leads_nowhere_is_lost() -> None:
    seen: list[Event] = []
    with Zone().served() as server:
        plan = Plan("", 80, NAME, "/", rate=100, long=0, seconds=0.1, name_server=server)
        asyncio.run(Load(plan, seen.append).run())
    assert {event.lost for event in seen} == {"unresolved"}


def test_no_client_is_lost_when_a_name_changes_its_load_balancer(tmp_path: Path) -> None:
    """Two load balancers, each an HAProxy; the old one is let go once the change is in sync and the TTL over (R5)."""
    with (
        Cloud.served(speed=60, out=tmp_path) as cloud,
        NameServer(cloud.names.resolve, cloud.plane.host) as server,
    ):
        both = pair(cloud)
        events = watched(both, server.address, both_sides_then_green)
    served = Counter(event.version for event in events)
    assert [event for event in events if event.lost] == []
    assert served["1.0.0"] > 100 < served["2.0.0"]
    assert {event.version for event in events[-50:]} == {"2.0.0"}


def both_sides_then_green(both: Pair) -> None:
    both.weigh(50, 50)
    both.rest(IN_SYNC + 65)
    both.weigh(0, 100)
    both.rest(IN_SYNC + 65)
    elb = both.cloud.client("elbv2")
    elb.delete_load_balancer(LoadBalancerArn=both.blue.load_balancer_arn)
    both.rest(30)


def watched(both: Pair, server: tuple[str, int], story: object) -> list[Event]:
    """What a load sees of the name while the story is played."""
    address = both.cloud.plane.address(both.blue.load_balancer_dns, 80)
    assert address is not None
    plan = Plan("", address[1], NAME, "/", rate=100, long=0, speed=60, seconds=60, name_server=server)
    seen: list[Event] = []

    async def play() -> None:
        clients = Load(plan, seen.append)
        running = asyncio.create_task(clients.run())
        await asyncio.to_thread(story, both)  # type: ignore[arg-type]
        clients.stop()
        await running

    asyncio.run(play())
    return seen
