"""DynamoDB Streams that reach functions: each write once and in its order, filtered, in batches, tried again, given up.

A small table's stream is one shard. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest.mock import patch

from moto.awslambda.utils import get_backend as lambda_backend
from moto.dynamodb.models.table import StreamShard
from moto.dynamodb.responses import DynamoHandler
from moto.events.models import EventPattern
from moto.sqs.models import sqs_backends

from local.clocks.clock import Clock
from local.control.event_queue import Throttled
from local.control.functions import Functions, qualifier_of

POLL_SECONDS = 0.25  # a shard is looked at four times a second
LONGEST_PAUSE = 60.0  # AWS names no figures for its back-off
DAY = 86_400
_SHARD = "shardId-00000001541626099285-f35f62ef"
_FIRST = 1_100_000_000_017_454_423_009

Record = dict[str, Any]
Courier = Callable[["Follower", list[Record]], list[Record]]
# What the request that is under way has written, by table and key: it counts only if the request succeeds.
_written: ContextVar[dict[tuple[str, str], "Written"] | None] = ContextVar("written", default=None)


@dataclass
class Written:
    """One item before and after a request."""

    table: Any
    keys: dict[str, Any]
    old: dict[str, Any] | None
    new: dict[str, Any] | None


@dataclass
class Follower:
    """An event source mapping: what is read of a stream, and which function gets it."""

    function: str
    stream: str
    config: Mapping[str, Any]
    waiting: deque[Record] = field(default_factory=deque)
    reading: bool = False

    def number(self, name: str, default: int) -> int:
        return int(self.config.get(name, default))

    def wants(self, record: Record) -> bool:
        filters = self.config.get("FilterCriteria", {}).get("Filters", [])
        flat = EventPattern._flatten_dict(record)
        patterns = (EventPattern(each["Pattern"], json.loads(each["Pattern"])) for each in filters)
        return not filters or any(each._does_event_match(flat, each.get_pattern()) for each in patterns)


def _as_they_are(_: Follower, batch: list[Record]) -> list[Record]:
    return batch


class Streams:
    """The streams of one account's tables, and who follows them.

    `courier` carries each batch: a fault of the world may put another in its place, that loses or doubles records.
    """

    def __init__(self, clock: Clock, functions: Functions, account: str, region: str) -> None:
        self.courier: Courier = _as_they_are
        self._clock, self._functions = clock, functions
        self._account, self._region = account, region
        self._numbers = count(_FIRST)
        self._mappings: dict[str, list[Follower]] = {}
        self._turn = threading.Lock()
        self._hooks = ExitStack()

    def install(self) -> None:
        self._hooks.enter_context(patch.object(StreamShard, "add", _note))
        around = self._around(DynamoHandler.call_action)
        self._hooks.enter_context(patch.object(DynamoHandler, "call_action", around))

    def uninstall(self) -> None:
        self._hooks.close()

    def follow(self, stream: str, function: str, config: Mapping[str, Any]) -> None:
        """Makes an event source mapping; `function` is an ARN."""
        self._mappings.setdefault(_table(stream), []).append(Follower(function, stream, config))

    # --- from a request to the stream ---------------------------------------------------------------------

    def _around(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        streams = self

        def call_action(handler: Any) -> Any:
            written: dict[tuple[str, str], Written] = {}
            token = _written.set(written)
            try:
                answer = original(handler)
            finally:
                _written.reset(token)
            if int(answer[0]) < 400:
                for each in written.values():
                    streams._append(each)
            return answer

        return call_action

    def _append(self, written: Written) -> None:
        if written.old == written.new:  # a write that changes nothing is no record
            return
        for mapping in self._mappings.get(written.table.name, ()):
            record = self._record(written, mapping.stream)
            if mapping.wants(record):
                self._deliver(mapping, record)

    def _record(self, written: Written, stream: str) -> Record:
        name = "MODIFY" if written.old and written.new else "INSERT" if written.new else "REMOVE"
        number = str(next(self._numbers))
        images = {"OldImage": written.old, "NewImage": written.new}
        return {
            "eventID": hashlib.sha256(number.encode()).hexdigest()[:32],
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": {
                "ApproximateCreationDateTime": int(self._clock.now()),
                "Keys": written.keys,
                **{key: image for key, image in images.items() if image},
                "SequenceNumber": number,
                "SizeBytes": 1,
                "StreamViewType": written.table.stream_specification["StreamViewType"],
            },
            "eventSourceARN": stream,
        }

    # --- from the stream to a function --------------------------------------------------------------------

    def _deliver(self, mapping: Follower, record: Record) -> None:
        with self._turn:
            mapping.waiting.append(record)
            begins, mapping.reading = not mapping.reading, True
        if begins:
            # It follows the stream by itself, whoever wrote: nothing of that one's invocation is in here.
            Context().run(self._clock.spawn, lambda: self._read(mapping), f"stream for {mapping.function}")

    def _read(self, mapping: Follower) -> None:
        while True:
            self._clock.sleep(max(POLL_SECONDS, mapping.number("MaximumBatchingWindowInSeconds", 0)))
            with self._turn:
                batch = [
                    mapping.waiting.popleft()
                    for _ in range(min(len(mapping.waiting), mapping.number("BatchSize", 100)))
                ]
                mapping.reading = bool(batch)
            if not batch:
                return
            if carried := self.courier(mapping, batch):
                self._through(mapping, carried, 0)

    def _through(self, mapping: Follower, batch: list[Record], tried: int) -> None:
        """Brings a batch through, or gives up what can't be: nothing that comes after it is begun before that."""
        while batch:
            failed, answer = self._invoke(mapping, batch)
            if not failed:
                return None
            if condition := self._given_up(mapping, failed, tried):
                return self._tell(mapping, failed, condition, tried + 1, answer)
            self._clock.sleep(min(2.0**tried, LONGEST_PAUSE))
            halved = mapping.config.get("BisectBatchOnFunctionError") and len(failed) > 1
            if halved and failed is batch:  # splitting takes no try
                half = len(batch) // 2
                self._through(mapping, batch[:half], tried)
                batch = batch[half:]
            else:
                batch, tried = failed, tried + 1
        return None

    def _invoke(self, mapping: Follower, batch: list[Record]) -> tuple[list[Record], Any]:
        """The part of a batch that is to come again, and what the function said; all of it after an error."""
        function: Any = lambda_backend(self._account, self._region).get_function(mapping.function)
        while True:
            try:
                answer, failed = self._functions.run(
                    function, {"Records": batch}, qualifier_of(mapping.function)
                )
                break
            except Throttled:
                self._clock.sleep(1)
        if failed:
            return batch, answer
        if "ReportBatchItemFailures" not in mapping.config.get("FunctionResponseTypes", ()):
            return [], answer
        return _from_first(batch, answer), answer

    def _given_up(self, mapping: Follower, failed: list[Record], tried: int) -> str | None:
        retries = mapping.number("MaximumRetryAttempts", -1)
        age = mapping.number("MaximumRecordAgeInSeconds", -1)
        born = failed[0]["dynamodb"]["ApproximateCreationDateTime"]
        if self._clock.now() - born > (DAY if age < 0 else age):
            return "RecordAgeExceeded"
        return "RetryAttemptsExhausted" if 0 <= retries <= tried else None

    def _tell(self, mapping: Follower, lost: list[Record], condition: str, invoked: int, answer: Any) -> None:
        """The records themselves are not in what is told, only where they stand in the stream."""
        destination = mapping.config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if not destination:
            return
        numbers = [record["dynamodb"]["SequenceNumber"] for record in lost]
        born = [record["dynamodb"]["ApproximateCreationDateTime"] for record in lost]
        told = {
            "requestContext": {
                "requestId": self._functions.invocations[-1]["request"],
                "functionArn": mapping.function,
                "condition": condition,
                "approximateInvokeCount": invoked,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled" if "errorType" in answer else None,
            },
            "version": "1.0",
            "timestamp": _iso(self._clock.now()),
            "DDBStreamBatchInfo": {
                "shardId": _SHARD,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "approximateArrivalOfFirstRecord": _iso(born[0]),
                "approximateArrivalOfLastRecord": _iso(born[-1]),
                "batchSize": len(lost),
                "streamArn": mapping.stream,
            },
        }
        queue = destination.split(":")[-1]
        sqs_backends[self._account][self._region].send_message(queue, json.dumps(told))


def _note(shard: Any, old: Any, new: Any) -> None:
    written = _written.get()
    if written is None:
        return
    table, item = shard.table, new or old
    keys = {table.hash_key_attr: item.hash_key.to_json()}
    if table.range_key_attr is not None:
        keys[table.range_key_attr] = item.range_key.to_json()
    before, after = (each.to_json()["Attributes"] if each else None for each in (old, new))
    key = (table.name, json.dumps(keys))
    first = written.get(key)  # moto makes an item first, and then updates it
    written[key] = Written(table, keys, first.old if first else before, after)


def _from_first(batch: list[Record], answer: Any) -> list[Record]:
    """From the lowest number that is named on, everything comes again; all of it if the answer can't be read."""
    try:
        named = [int(each["itemIdentifier"]) for each in (answer or {}).get("batchItemFailures") or []]
    except (AttributeError, KeyError, TypeError, ValueError):
        return batch
    rest = [each for each in batch if named and int(each["dynamodb"]["SequenceNumber"]) >= min(named)]
    return batch if len(rest) == len(batch) else rest


def _table(stream: str) -> str:
    return stream.split("/")[1]


def _iso(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
