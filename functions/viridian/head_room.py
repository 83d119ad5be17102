"""What AWS allows an account, what is in use of it, and what a release needs more."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from viridian.errors import Refusal

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-template-restrictions.html
TEMPLATE_VERSIONS = 10_000
_ASK = "Ask AWS for more in the Service Quotas console, or delete what isn't needed."
# The quotas on running On-Demand vCPUs, by the letters that the names of their instance types begin with:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
_VCPUS = {
    "L-1216C47A": "a c d h i im is m r t z",
    "L-DB2E81BA": "g gr vt",
    "L-417A185B": "p",
    "L-74FC7D96": "f",
    "L-1945791B": "inf",
    "L-7295265B": "x",
    "L-2C3B7624": "trn",
    "L-6E869C2A": "dl",
    "L-43DA4232": "u",
}


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """One quota; what isn't known of it is None, and `why` says why."""

    name: str
    used: int | None = None
    more: int | None = None
    limit: int | None = None
    why: str = ""
    fix: str = _ASK

    def in_words(self) -> str:
        """Use, need and limit, or what of it isn't known."""
        used = "use not known" if self.used is None else f"{self.used} in use"
        more = "need not known" if self.more is None else f"{self.more} more needed"
        limit = "limit not known" if self.limit is None else f"{self.limit} allowed"
        return f"{self.name}: {used}, {more}, {limit}{f' ({self.why})' if self.why else ''}"


def ensure_fits(quotas: Iterable[Quota]) -> None:
    """Refuses a release that AWS would stop half way; what isn't known is no reason to."""
    for quota in quotas:
        if quota.more and quota.limit is not None and (quota.used or 0) + quota.more > quota.limit:
            raise Refusal("quota", quota.in_words(), quota.fix)


def vcpus_by_quota(instances: Mapping[str, int], vcpus: Mapping[str, int]) -> dict[str | None, int]:
    """The vCPUs of so many instances of each type, by the code of the quota they count against."""
    found: dict[str | None, int] = {}
    for kind, count in instances.items():
        code = _code(kind)
        found[code] = found.get(code, 0) + count * vcpus.get(kind, 0)
    return found


def _code(kind: str) -> str | None:
    letters = re.match("[a-z]*", kind)
    return next((code for code, known in _VCPUS.items() if letters and letters[0] in known.split()), None)
