"""ARNs, taken apart."""

from viridian.errors import Refusal


def own(field: str, arn: str, function_arn: str) -> str:
    """`arn` itself if it lies in the account and Region of `function_arn`, else a Refusal."""
    partition, region, account = _place(function_arn)
    if _place(arn) != (partition, region, account):
        raise Refusal(
            field,
            arn,
            f"Use an ARN of account {account} in {region}: one stack serves one account and Region.",
        )
    return arn


def account(arn: str) -> str:
    """The account that a resource belongs to."""
    return _place(arn)[2]


def region(arn: str) -> str:
    """The Region that a resource is in."""
    return _place(arn)[1]


def partition(arn: str) -> str:
    """`aws`, or the name of a part of AWS with an own console: China's, the government's."""
    return _place(arn)[0]


def suffix(arn: str) -> str:
    """The part of a load balancer's or target group's ARN that CloudWatch uses as a dimension."""
    return arn.split(":", 5)[-1].removeprefix("loadbalancer/")


def alarm(near: str, name: str) -> str:
    """The ARN of an alarm in the account and Region of another resource."""
    partition, region, account = _place(near)
    return f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"


def _place(arn: str) -> tuple[str, str, str]:
    _, partition, _, region, account, *_ = [*arn.split(":", 5), "", "", "", ""]
    return partition, region, account
