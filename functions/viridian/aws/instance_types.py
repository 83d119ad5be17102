"""EC2: instance types."""

from collections.abc import Iterable

from viridian.aws import clients


def vcpus(kinds: Iterable[str]) -> dict[str, int]:
    """How many vCPUs each instance type has."""
    with clients.spared():
        found = clients.brief("ec2").describe_instance_types(InstanceTypes=sorted(kinds))["InstanceTypes"]
    return {each["InstanceType"]: int(each["VCpuInfo"]["DefaultVCpus"]) for each in found}
