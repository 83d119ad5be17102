"""A Network Load Balancer with one listener, beside what stands in an account, and a target group for each side."""

from typing import Any

from tests.account import Account
from viridian.plan import Standby
from viridian.traffic import Forward

PREVIEW = Standby(value="shop.1", priority=0, conditions=(), port=8080)


class Network:
    """What its owner has made: `listener` forwards to `blue`."""

    def __init__(self, account: Account, protocol: str = "TCP", **told: Any) -> None:
        self.elb, self.shop = account.client("elbv2"), account.shop
        self.balancer = str(
            self.elb.create_load_balancer(Name="flows", Type="network", Subnets=self.shop.subnet_ids)[
                "LoadBalancers"
            ][0]["LoadBalancerArn"]
        )
        self.blue, self.green = (self._group(name) for name in ("flows-1", "flows-2"))
        self.listener = self.listens(80, protocol, **told)
        account.calls.clear()

    def _group(self, name: str) -> str:
        made = self.elb.create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=self.shop.vpc_id)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def listens(self, port: int, protocol: str = "TCP", group: str | None = None, **told: Any) -> str:
        action = {"Type": "forward", "TargetGroupArn": group or self.blue}
        made = self.elb.create_listener(
            LoadBalancerArn=self.balancer, Port=port, Protocol=protocol, DefaultActions=[action], **told
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def on_green(self) -> Forward:
        return Forward(weights={self.green: 100, self.blue: 0})
