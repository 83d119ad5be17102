"""The diff of blue and green, in words."""

import base64

from viridian import diff
from viridian.overrides import Setup

BLUE = Setup(
    template={
        "InstanceType": "t2.small",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/team/shop"},
        "UserData": base64.b64encode(b"#!/bin/sh\nexport KEY=hidden\n").decode(),
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True}},
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        ],
    },
    minimum=2,
    maximum=9,
    targets={"requests": 2_400_000.0},
)


def test_two_fleets_that_are_alike_differ_in_nothing() -> None:
    assert diff.between(diff.describe("ami-1", BLUE), diff.describe("ami-1", BLUE)) == ()


def test_a_fleet_is_described_by_what_a_release_may_change() -> None:
    assert diff.describe("ami-1", BLUE) == {
        "image": "ami-1",
        "instance type": "t2.small",
        "security groups": "",
        "instance profile": "shop",
        "user data": "28 bytes, sha256 ff20a9ca30a4",
        "metadata http_tokens": "",
        "metadata hop_limit": "",
        "public address": "",
        "disk /dev/xvda": "8 GiB, gp3, encrypted",
        "MinSize": "2",
        "MaxSize": "9",
        "target of requests": "2400000",
    }


def test_every_difference_names_its_field_and_both_sides() -> None:
    green = Setup(
        template={
            "InstanceType": "t2.small",
            "IamInstanceProfile": {"Name": "shop"},
            "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
            "NetworkInterfaces": [{"AssociatePublicIpAddress": False, "Groups": ["sg-1", "sg-2"]}],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "VolumeSize": 8,
                        "VolumeType": "gp3",
                        "Iops": 4000,
                        "Throughput": 200,
                        "Encrypted": True,
                        "KmsKeyId": "alias/shop",
                    },
                },
                {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-1", "Encrypted": False}},
                {"DeviceName": "/dev/sdg", "Ebs": {"DeleteOnTermination": True}},
            ],
        },
        types=("t3.small", "t3a.small"),
        minimum=3,
        maximum=18,
        targets={"requests": 1200.5},
    )
    found = diff.between(diff.describe("ami-1", BLUE), diff.describe("ami-2", green))
    assert [(each.field, each.blue, each.green) for each in found] == [
        ("image", "ami-1", "ami-2"),
        ("instance type", "t2.small", "t3.small, t3a.small"),
        ("security groups", "not said", "sg-1, sg-2"),
        ("user data", "28 bytes, sha256 ff20a9ca30a4", "10 bytes, sha256 a8076d3d28d2"),
        ("metadata http_tokens", "not said", "required"),
        ("metadata hop_limit", "not said", "1"),
        ("public address", "not said", "no"),
        (
            "disk /dev/xvda",
            "8 GiB, gp3, encrypted",
            "8 GiB, gp3, 4000 IOPS, 200 MiB/s, encrypted with alias/shop",
        ),
        ("MinSize", "2", "3"),
        ("MaxSize", "9", "18"),
        ("target of requests", "2400000", "1200.5"),
        ("disk /dev/sdf", "not said", "from snap-1, not encrypted"),
        ("disk /dev/sdg", "not said", "as the image"),
    ]


def test_what_a_script_says_stays_out_of_it() -> None:
    assert "hidden" not in str(diff.describe("ami-1", BLUE))
