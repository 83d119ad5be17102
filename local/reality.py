"""The durations and the behaviours of AWS that the local cloud adds to moto, in cloud seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reality:
    """Every field is a cloud-time duration in seconds, or a switch that leaves one behaviour to moto."""

    launch_seconds: float = 25.0
    boot_seconds: float = 20.0
    propagation_seconds: float = 10.0
    names_propagation_seconds: float = 30.0
    image_seconds: float = 60.0
    image_reboot_seconds: float = 30.0
    patch_seconds: float = 120.0
    pipeline_build_seconds: float = 300.0
    pipeline_test_seconds: float = 120.0
    packer_seconds: float = 300.0
    metric_grain_seconds: float = 60.0
    metric_delay_seconds: float = 30.0
    idle_queue_seconds: float = 900.0
    alarm_tick_seconds: float = 10.0
    scaling_in_seconds: float = 300.0
    scaling_out_seconds: float = 60.0
    replace_seconds: float = 60.0
    execution_lag_seconds: float = 3.0
    trail_seconds: float = 300.0

    instances_boot: bool = True
    rules_propagate: bool = True
    names_propagate: bool = True
    targets_are_checked: bool = True
    unused_groups_stay_unhealthy: bool = True
    targets_drain: bool = True
    unhealthy_instances_are_replaced: bool = True
    zones_are_balanced: bool = True
    activities_are_recorded: bool = True
    minimum_raises_desired: bool = True

    images_pend: bool = True
    sources_reboot: bool = True
    metrics_lag: bool = True
    alarms_are_evaluated: bool = True
    alarms_start_undecided: bool = True
    groups_scale: bool = True
    requests_are_checked: bool = True
    executions_lag: bool = True
