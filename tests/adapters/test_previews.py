"""Preview listeners: a service's own, as the route's listener is, and no one else's."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.account import RELEASE, Account
from tests.adapters.network import PREVIEW, Network
from viridian import names
from viridian.aws import load_balancer, previews, target_groups
from viridian.errors import Busy, Drifted
from viridian.traffic import Forward

OURS = names.tags("shop", RELEASE)


@pytest.fixture
def standing(account: Account) -> Account:
    return account.before("shift_traffic")


def made(account: Account, network: Network, **changes: Any) -> dict[str, Any]:
    wanted = changes.pop("wanted", network.on_green())
    fence = account.record().fence()
    arn = previews.set_standby(network.listener, replace(PREVIEW, **changes), wanted, OURS, fence)
    return dict(network.elb.describe_listeners(ListenerArns=[arn])["Listeners"][0])


def test_a_preview_listener_is_as_the_routes_but_for_its_port_and_whom_it_forwards_to(
    standing: Account,
) -> None:
    certificate = standing.client("acm").request_certificate(DomainName="shop.example.com")["CertificateArn"]
    network = Network(
        standing,
        "TLS",
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": certificate}],
        AlpnPolicy=["HTTP2Preferred"],
    )
    like = network.elb.describe_listeners(ListenerArns=[network.listener])["Listeners"][0]
    own = ("ListenerArn", "Port", "DefaultActions")
    preview = made(standing, network)
    assert {k: v for k, v in preview.items() if k not in own} == {
        k: v for k, v in like.items() if k not in own
    }
    assert preview["Port"] == PREVIEW.port
    assert load_balancer.forward_of(preview["DefaultActions"]) == network.on_green()
    (asked,) = standing.requests("CreateListener")
    assert "TargetGroupStickinessConfig" not in asked["DefaultActions"][0]["ForwardConfig"]


def test_a_route_that_somebody_has_deleted_gets_no_preview(standing: Account) -> None:
    network = Network(standing)
    network.elb.delete_listener(ListenerArn=network.listener)
    with pytest.raises(Drifted, match="is gone"):
        made(standing, network)


def test_it_is_changed_where_it_stands_its_port_too(standing: Account) -> None:
    network = Network(standing)
    first = made(standing, network)
    on_blue = Forward(weights={network.green: 0, network.blue: 100})
    again = made(standing, network, wanted=on_blue, port=8081)
    assert (again["ListenerArn"], again["Port"]) == (first["ListenerArn"], 8081)
    assert previews.standby_forward(network.listener, "shop") == on_blue


def ports(network: Network) -> dict[int, str]:
    """The listeners that are not the service's preview, by their port."""
    return {each.port: each.arn for each in previews.place(network.listener, "shop").others}


def test_it_is_the_services_own_that_a_release_has_made(standing: Account) -> None:
    network = Network(standing)
    theirs = network.listens(9000, Tags=load_balancer.tag_list({**OURS, names.SERVICE: "other"}))
    lent = network.listens(9001, Tags=load_balancer.tag_list({names.MANAGED: "true", names.SERVICE: "shop"}))
    assert previews.find_standby(network.listener, "shop") is None
    taken = {80: network.listener, 9000: theirs, 9001: lent}
    assert ports(network) == taken
    mine = made(standing, network)["ListenerArn"]
    assert (previews.find_standby(network.listener, "shop") or {})["ListenerArn"] == mine
    assert ports(network) == taken
    assert {thing.id for thing in previews.left()} == {mine, theirs}


def test_what_it_forwards_to_has_no_traffic_by_that_but_by_any_other_listener(standing: Account) -> None:
    network = Network(standing)
    made(standing, network)
    assert not previews.forwards(network.listener, "shop", network.green)
    assert previews.forwards(network.listener, "shop", network.blue)
    network.listens(9000, group=network.green)
    assert previews.forwards(network.listener, "shop", network.green)
    assert previews.forwards(network.listener, "shop", network.blue)


def test_where_network_listeners_forward_to_is_known_for_the_region(standing: Account) -> None:
    network = Network(standing)
    found = load_balancer.forwards_everywhere()
    assert found[network.listener].weights == {network.blue: 1}
    assert standing.shop.route_arn in found


def test_a_target_group_for_flows_is_cloned_with_all_that_aws_shows(standing: Account) -> None:
    """Without a path and codes where its health checks are of TCP; it ends its flows as blue's does."""
    network = Network(standing)
    ends = {
        "deregistration_delay.connection_termination.enabled": "true",
        "preserve_client_ip.enabled": "false",
    }
    network.elb.modify_target_group_attributes(
        TargetGroupArn=network.blue, Attributes=load_balancer.tag_list(ends)
    )
    like, fence = target_groups.find(network.blue), standing.record().fence()
    made = target_groups.find(target_groups.make("another", like, OURS, fence))
    own = ("TargetGroupArn", "TargetGroupName", "LoadBalancerArns")
    assert {k: v for k, v in made.description.items() if k not in own} == {
        k: v for k, v in like.description.items() if k not in own
    }
    assert made.description["HealthCheckProtocol"] == "TCP"
    assert {k: v for k, v in made.attributes.items() if target_groups.DNS_FAILOVER not in k} == {
        k: v for k, v in like.attributes.items() if target_groups.DNS_FAILOVER not in k
    }
    assert ends.items() <= made.attributes.items()


def test_a_listener_that_goes_while_tags_are_read_is_looked_at_again(standing: Account) -> None:
    """Another service's preview may, at any time."""
    network = Network(standing)
    theirs = network.listens(9000)
    gone: list[str] = []

    def go(params: dict[str, Any], **_: Any) -> None:
        if not gone:
            gone.append(theirs)
            network.elb.delete_listener(ListenerArn=theirs)

    with standing.asked("elbv2", "DescribeTags", go):
        with pytest.raises(Busy, match="a listener went meanwhile"):
            previews.find_standby(network.listener, "shop")
        assert previews.find_standby(network.listener, "shop") is None
    assert gone == [theirs]
