"""What topics told: every message that reached SNS, and when."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from moto.sns.models import Topic

from local.clocks.clock import Clock


@dataclass(frozen=True)
class Published:
    """One message on a topic, in cloud time."""

    at: float
    topic: str
    subject: str
    message: str


class Topics:
    """The topics of one cloud."""

    def __init__(self, clock: Clock) -> None:
        self.published: list[Published] = []
        self._clock = clock
        self._hook: Any = None

    def install(self) -> None:
        self._hook = patch.object(Topic, "publish", self._around(Topic.publish))
        self._hook.start()

    def uninstall(self) -> None:
        self._hook.stop()

    def _around(self, original: Callable[..., str]) -> Callable[..., str]:
        topics = self

        def publish(topic: Any, message: str, subject: str | None = None, *rest: Any, **more: Any) -> str:
            topics.published.append(Published(topics._clock.now(), topic.arn, subject or "", message))
            return original(topic, message, subject, *rest, **more)

        return publish
