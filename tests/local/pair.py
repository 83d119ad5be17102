"""Two services with a load balancer each, and one name of a hosted zone for both."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from local import seed
from local.cloud import Cloud

NAME = "shop.example.com."
IN_SYNC = 30.0


@dataclass
class Pair:
    """`blue` serves 1.0.0, `green` 2.0.0; the name's records carry their names."""

    cloud: Cloud
    blue: seed.Seeded
    green: seed.Seeded
    zone: str

    def weigh(self, blue: int, green: int, action: str = "UPSERT") -> None:
        batch = [
            {"Action": action, "ResourceRecordSet": self._record(self.blue, blue)},
            {"Action": action, "ResourceRecordSet": self._record(self.green, green)},
        ]
        route53 = self.cloud.client("route53")
        route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": batch})

    def _record(self, side: seed.Seeded, weight: int) -> dict[str, Any]:
        elb = self.cloud.client("elbv2")
        (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[side.load_balancer_arn])["LoadBalancers"]
        target = {"DNSName": side.load_balancer_dns, "HostedZoneId": balancer["CanonicalHostedZoneId"]}
        record = {"Name": NAME, "Type": "A", "SetIdentifier": side.service, "Weight": weight}
        return {**record, "AliasTarget": {**target, "EvaluateTargetHealth": True}}

    def told(self) -> dict[str, int]:
        """Whom twenty queries lead to."""
        sides = {f"{side.load_balancer_dns}.": side.service for side in (self.blue, self.green)}
        answers = [self.cloud.names.resolve(NAME) for _ in range(20)]
        return dict(Counter(sides[answer.target] for answer in answers if answer))

    def served(self, seconds: float) -> dict[str, int]:
        """What each version answers in the time to come, in virtual time."""
        before = {version: each.requests for version, each in self.cloud.plane.by_version().items()}
        self.rest(seconds)
        after = self.cloud.plane.by_version()
        served = {version: round(each.requests - before.get(version, 0)) for version, each in after.items()}
        return {version: requests for version, requests in served.items() if requests}

    def rest(self, seconds: float) -> None:
        until = self.cloud.clock.now() + seconds
        self.cloud.until(lambda: self.cloud.clock.now() >= until, seconds + 1)


def pair(cloud: Cloud) -> Pair:
    """Both serve, and blue has all the weight."""
    blue = seed.service(cloud, "blue", version="1.0.0", instances=2, tracking="none")
    green = seed.service(cloud, "green", version="2.0.0", instances=2, tracking="none")
    zone = cloud.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]
    made = Pair(cloud, blue, green, zone["Id"])
    made.weigh(100, 0, action="CREATE")
    made.rest(120)
    return made
