"""Head-room: what AWS would stop half way is refused, what isn't known is said."""

import pytest

from viridian import head_room
from viridian.errors import Refusal
from viridian.head_room import Quota


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        (Quota(name="rules", used=3, more=1, limit=100), "rules: 3 in use, 1 more needed, 100 allowed"),
        (
            Quota(name="rules", used=3, more=1, why="DescribeRules: AccessDenied"),
            "rules: 3 in use, 1 more needed, limit not known (DescribeRules: AccessDenied)",
        ),
        (
            Quota(name="vCPUs", more=6, limit=32, why="no figure"),
            "vCPUs: use not known, 6 more needed, 32 allowed (no figure)",
        ),
        (
            Quota(name="vCPUs", why="no quota"),
            "vCPUs: use not known, need not known, limit not known (no quota)",
        ),
    ],
)
def test_a_quota_is_told_with_its_use_the_need_and_the_limit(quota: Quota, words: str) -> None:
    assert quota.in_words() == words


@pytest.mark.parametrize(
    ("used", "more", "limit", "fits"),
    [
        (99, 1, 100, True),
        (100, 1, 100, False),
        (100, 0, 100, True),
        (101, 0, 100, True),
        (None, 100, 100, True),
        (None, 101, 100, False),
        (100, 1, None, True),
        (None, None, 1, True),
    ],
)
def test_a_release_that_needs_more_than_is_left_is_refused(
    used: int | None, more: int | None, limit: int | None, fits: bool
) -> None:
    quotas = [
        Quota(name="groups", used=0, more=1, limit=5),
        Quota(name="rules", used=used, more=more, limit=limit, fix="Delete a rule."),
    ]
    if fits:
        head_room.ensure_fits(quotas)
        return
    with pytest.raises(Refusal) as refused:
        head_room.ensure_fits(quotas)
    assert refused.value.field == "quota"
    assert refused.value.value == quotas[1].in_words()
    assert refused.value.fix == "Delete a rule."


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("t3.small", "L-1216C47A"),
        ("m7g.2xlarge", "L-1216C47A"),
        ("im4gn.large", "L-1216C47A"),
        ("g5.xlarge", "L-DB2E81BA"),
        ("gr6.4xlarge", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-DB2E81BA"),
        ("p5.48xlarge", "L-417A185B"),
        ("f2.6xlarge", "L-74FC7D96"),
        ("inf2.xlarge", "L-1945791B"),
        ("x2iedn.xlarge", "L-7295265B"),
        ("trn1.2xlarge", "L-2C3B7624"),
        ("dl1.24xlarge", "L-6E869C2A"),
        ("u-6tb1.metal", "L-43DA4232"),
        ("mac2.metal", None),
        ("hpc7g.4xlarge", None),
    ],
)
def test_each_family_counts_against_its_own_quota(kind: str, code: str | None) -> None:
    assert head_room.vcpus_by_quota({kind: 3}, {kind: 4}) == {code: 12}


def test_the_types_of_one_quota_are_added_up() -> None:
    found = head_room.vcpus_by_quota(
        {"t3.small": 2, "m5.large": 1, "g5.xlarge": 1}, {"t3.small": 2, "m5.large": 2, "g5.xlarge": 4}
    )
    assert found == {"L-1216C47A": 6, "L-DB2E81BA": 4}
