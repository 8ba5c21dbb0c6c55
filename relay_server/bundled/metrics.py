"""Prometheus metrics, collected when they are asked for: the fan-out itself only counts integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from relay_server.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from relay_server.bundled.hub import Hub

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _HubCollector(Collector):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        hub = self._hub
        rooms = list(hub.rooms)
        yield InfoMetricFamily(
            "chatops_relay", "The relay", value={"protocol": str(PROTOCOL_VERSION), "build": hub.build}
        )
        posts = CounterMetricFamily("chatops_relay_posts", "Publish requests answered, by status", labels=["status"])
        for status, count in sorted(hub.posts.items()):
            posts.add_metric([str(status)], count)
        yield posts
        yield CounterMetricFamily("chatops_relay_frames", "Frames appended", value=hub.frames)
        yield CounterMetricFamily("chatops_relay_deliveries", "Frames handed to subscribers", value=hub.deliveries)
        yield CounterMetricFamily(
            "chatops_relay_slow_subscribers", "Subscribers dropped because they read too slowly", hub.slow_subscribers
        )
        yield GaugeMetricFamily("chatops_relay_rooms", "Rooms in use", value=len(rooms))
        yield GaugeMetricFamily(
            "chatops_relay_subscribers", "Subscribers connected", value=sum(room.subscriber_count for room in rooms)
        )
        yield GaugeMetricFamily("chatops_relay_held_bytes", "Bytes of frames held", value=hub.held_bytes)
        yield GaugeMetricFamily(
            "chatops_relay_held_frames", "Frames held", value=sum(room.room.frames for room in rooms)
        )


class Metrics:
    """Everything there is to scrape of one relay."""

    def __init__(self, hub: Hub) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_HubCollector(hub))
        ProcessCollector(registry=self._registry)

    def scrape(self) -> bytes:
        return generate_latest(self._registry)
