"""What an account is allowed, what is in use of it, and what it costs, as AWS answers."""

import json

import pytest
from botocore.exceptions import ClientError

from local import seed
from local.cloud import Cloud
from local.control.session import session
from local.strict import quotas


def test_limits_are_awss_own_until_more_is_granted() -> None:
    with Cloud.virtual() as cloud:
        assert balancing(cloud)["target-groups-per-action-on-application-load-balancer"] == "5"
        quotas.grant("rules-per-application-load-balancer", 200)
        assert balancing(cloud)["rules-per-application-load-balancer"] == "200"
    with Cloud.virtual() as cloud:
        assert balancing(cloud)["rules-per-application-load-balancer"] == "100"


def balancing(cloud: Cloud) -> dict[str, str]:
    return {each["Name"]: each["Max"] for each in cloud.client("elbv2").describe_account_limits()["Limits"]}


def test_auto_scaling_counts_the_groups_that_stand() -> None:
    with Cloud.virtual() as cloud:
        seed.service(cloud)
        found = cloud.client("autoscaling").describe_account_limits()
        assert found["NumberOfAutoScalingGroups"] == 1
        assert found["MaxNumberOfAutoScalingGroups"] == 200


def test_the_usage_metric_of_a_quota_follows_what_runs() -> None:
    with Cloud.virtual() as cloud:
        seed.service(cloud, instances=3)
        cloud.clock.sleep(180)
        quota = cloud.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")
        metric = quota["Quota"]["UsageMetric"]
        where = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
        now = cloud.clock.now()
        found = cloud.client("cloudwatch").get_metric_statistics(
            Namespace=metric["MetricNamespace"],
            MetricName=metric["MetricName"],
            Dimensions=where,
            StartTime=now - 120,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
        assert {point["Maximum"] for point in found["Datapoints"]} == {6.0}


def test_service_quotas_knows_no_quota_by_another_code() -> None:
    with Cloud.virtual() as cloud, pytest.raises(ClientError, match="NoSuchResourceException"):
        cloud.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")


def test_a_product_is_listed_if_all_filters_fit() -> None:
    with Cloud.virtual() as cloud:
        client = session().client("pricing", region_name="us-east-1")

        def listed(**wanted: str) -> list[str]:
            filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]
            found = client.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
            return [json.loads(each)["product"]["attributes"]["instanceType"] for each in found]

        assert listed(instanceType="t3.small", regionCode="us-east-1") == ["t3.small"]
        assert listed(instanceType="t3.small", operatingSystem="Windows") == []
        assert listed(tenancy="Shared") == ["t3.small", "m5.large"]
        assert [entry["call"] for entry in cloud.calls.entries][-1] == "GetProducts"
        assert not cloud.calls.entries[-1]["mutating"]
