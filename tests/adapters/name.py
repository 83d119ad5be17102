"""A name in a hosted zone for the shop's load balancer, and a second load balancer beside it."""

from typing import Any

from tests.account import Account
from viridian.aws import route53
from viridian.traffic import Forward

NAME = "shop.example.com"


class Name:
    """What a person, and a release, do with it; each lets some time pass, as Route 53 wants it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.blue = account.shop.target_group_arn
        self.client = account.client("route53")
        zone = self.client.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
        self.zone = zone.removeprefix("/hostedzone/")
        self.route = f"arn:aws:route53:::hostedzone/{self.zone}/{NAME}"
        self.green, self.green_balancer = self._beside()
        self.change(("CREATE", self.record("blue", 100, account.shop.load_balancer_dns)))
        account.calls.clear()

    def _beside(self) -> tuple[str, dict[str, Any]]:
        elb, shop = self.account.client("elbv2"), self.account.shop
        balancer = elb.create_load_balancer(Name="shop-green", Subnets=shop.subnet_ids)["LoadBalancers"][0]
        group = elb.create_target_group(Name="green", Protocol="HTTP", Port=80, VpcId=shop.vpc_id)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        action = {"Type": "forward", "TargetGroupArn": group}
        listener = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80}
        elb.create_listener(**listener, DefaultActions=[action])
        return str(group), dict(balancer)

    def record(self, side: str, weight: int, balancer: str, **more: Any) -> dict[str, Any]:
        target = {
            "DNSName": f"dualstack.{balancer}.",
            "HostedZoneId": self.green_balancer["CanonicalHostedZoneId"],
        }
        record = {"Name": NAME, "Type": "A", "SetIdentifier": side, "Weight": weight}
        return {**record, "AliasTarget": {**target, "EvaluateTargetHealth": True}, **more}

    def change(self, *changes: tuple[str, dict[str, Any]]) -> None:
        batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        self.account.later(seconds=2)
        self.client.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": batch})
        self.account.later(seconds=2)

    def set(self, anew: bool = False, **weights: int) -> Forward:
        self.account.later(seconds=2)
        groups = {getattr(self, side): weight for side, weight in weights.items()}
        now, fence = route53.find(self.route), self.account.record().fence()
        return route53.set_forward(now, Forward(weights=groups), fence, anew=anew)

    def shown(self) -> dict[str, int]:
        self.account.later(seconds=2)
        listed = self.client.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {record["SetIdentifier"]: record["Weight"] for record in listed if record["Type"] == "A"}

    def batches(self) -> list[list[tuple[str, str, int]]]:
        """What each write asked for: action, set identifier and weight."""
        asked = self.account.requests("ChangeResourceRecordSets")
        return [
            [
                (
                    each["Action"],
                    each["ResourceRecordSet"]["SetIdentifier"],
                    each["ResourceRecordSet"]["Weight"],
                )
                for each in request["ChangeBatch"]["Changes"]
            ]
            for request in asked
        ]
