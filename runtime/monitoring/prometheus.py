"""Metrics for Prometheus: the status report of the service as series, made at each scrape."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from vcedge.config.operating import MetricsConfig
from vcedge.errors import ConfigError, Unavailable
from vcedge.runtime.monitoring.histogram import BOUNDS_S
from vcedge.runtime.monitoring.status_requests import Report, StatusRequests

ANSWER_S = 5.0
"""Longest wait for the service's report: less than Prometheus' own limit of ten seconds."""
COUNTERS = {
    "messages": "Messages received.",
    "samples": "Samples scored.",
    "dead_letters": "Messages that could not be read or were refused.",
    "dead_letters_suppressed": "Dead letters that were counted and not published, because of their rate limit.",
    "floods": "Messages beyond an asset's rate limit.",
    "retained": "Retained messages from before the subscription.",
    "incomplete_samples": "Parts of samples not joined: their time was wrong, or their sample was complete.",
    "ignored": "Messages of assets that the configuration does not name.",
    "duplicates": "Messages that the broker delivered again.",
    "unknown_channels": "Values of channels that a model does not have.",
    "settings": "Settings changed by live control.",
    "drops": "Results lost for lack of room.",
    "connections": "Connections that the broker accepted for publications.",
    "client_id_conflicts": "Connections lost to another client with the same id.",
    "snapshots": "Snapshots written.",
    "written_bytes": "Bytes written to the state folder, in whole blocks.",
}
WORK = {
    "updated_dimensions": "Hidden dimensions updated.",
    "hidden_dimensions": "Hidden dimensions that would have been updated without gating.",
}
GAUGES = {
    "queue": "Messages received and not handled yet.",
    "outbox": "Results that wait for the broker in memory.",
    "stored": "Results that wait for the broker on disk.",
    "stored_bytes": "Size of the results on disk.",
    "unacknowledged": "Messages received and not acknowledged yet.",
    "assets": "Assets that are watched.",
    "quarantined_assets": "Assets whose subscription is suspended because of their floods.",
}
HISTOGRAMS = {
    "step": "Time to score one sample.",
    "latency": "Time from a message's arrival to the hand-over of its scores.",
}
ASSET_GAUGES: dict[str, tuple[str, Callable[[dict[str, Any]], float | None]]] = {
    "score": ("Score of the last sample, 0.5 at the threshold.", lambda asset: asset["score"]),
    "raw": ("Statistic of the last sample.", lambda asset: asset["raw"]),
    "threshold": ("Threshold in use, in the unit of the statistic.", lambda asset: asset["threshold"]),
    "event_open": ("Whether an anomaly event is open.", lambda asset: asset["event"] is not None),
    "message_age_seconds": ("Time since the last message.", lambda asset: asset["age_s"]),
}


class ServiceCollector(Collector):
    """Requests a report from the service and returns it as series."""

    def __init__(self, requests: StatusRequests, max_assets: int, answer_s: float = ANSWER_S) -> None:
        self._requests, self._answer_s = requests, answer_s
        self._max_assets = max_assets

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry calls this before the service can answer."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all series, or only that the service does not respond."""
        try:
            report = self._requests.ask(self._answer_s)
        except TimeoutError:
            yield _gauge("responding", "Whether the service responds.", 0)
            return
        yield _gauge("responding", "Whether the service responds.", 1)
        yield from _service_metrics(report)
        assets = sorted(report["assets"], key=lambda asset: str(asset["asset"]))
        left_out = max(len(assets) - self._max_assets, 0)
        yield _gauge("assets_left_out", "Assets without series of their own (key metrics.assets).", left_out)
        yield from _asset_metrics(assets[: self._max_assets])


class MetricsServer:
    """Serves /metrics over HTTP in threads of its own."""

    def __init__(self, config: MetricsConfig, requests: StatusRequests) -> None:
        self._config = config
        self._registry = CollectorRegistry()
        self._registry.register(ServiceCollector(requests, config.assets))
        ProcessCollector(registry=self._registry)
        self._stop: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Begin to serve.

        Raises Unavailable if the port is in use or the address does not exist (yet), ConfigError if it is not allowed.
        """
        config = self._config
        try:
            server, thread = start_http_server(config.port, config.host, self._registry)
        except OSError as error:
            problem = f"metrics: port {config.port} of {config.host}: {error.strerror or error}"
            raise (ConfigError if error.errno == errno.EACCES else Unavailable)(problem) from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stop = stop

    def close(self) -> None:
        """Stop serving."""
        self._stop()


def _service_metrics(report: Report) -> Iterator[Metric]:
    numbers, work = report["numbers"], report["work"]
    build = GaugeMetricFamily("vcedge_build_info", "Version and node.", labels=("version", "node"))
    build.add_metric((report["version"], report["node"]), 1)
    yield build
    for key, help_text in COUNTERS.items():
        yield CounterMetricFamily(f"vcedge_{key}", help_text, value=numbers[key])
    for key, help_text in GAUGES.items():
        yield _gauge(key, help_text, numbers[key])
    yield _gauge("durable", "Whether the last write of all state succeeded.", numbers["status"] == "ok")
    if numbers["snapshot_age_s"] is not None:
        yield _gauge("snapshot_age_seconds", "Time since the last snapshot.", numbers["snapshot_age_s"])
    for key, help_text in WORK.items():
        yield CounterMetricFamily(f"vcedge_{key}", help_text, value=work[key])
    for key, help_text in HISTOGRAMS.items():
        yield _histogram(f"vcedge_{key}_seconds", help_text, work[key])
    connected = GaugeMetricFamily("vcedge_connected", "Whether the broker is connected.", labels=("direction",))
    for direction, link in report["links"].items():
        connected.add_metric((direction,), link["connected"])
    yield connected
    events = CounterMetricFamily("vcedge_events", "Events that began.", labels=("kind",))
    for kind, count in work["events"].items():
        events.add_metric((kind,), count)
    yield events


def _asset_metrics(assets: list[dict[str, Any]]) -> Iterator[Metric]:
    """Yield each family with one series an asset; a value that an asset lacks is left out."""
    for name, (help_text, value_of) in ASSET_GAUGES.items():
        family = GaugeMetricFamily(f"vcedge_asset_{name}", help_text, labels=("asset",))
        for asset in assets:
            if (value := value_of(asset)) is not None:
                family.add_metric((asset["asset"],), value)
        yield family
    status = GaugeMetricFamily("vcedge_asset_status", "1 for the status in force.", labels=("asset", "status"))
    samples = CounterMetricFamily("vcedge_asset_samples", "Samples of the asset.", labels=("asset",))
    for asset in assets:
        status.add_metric((asset["asset"], asset["status"]), 1)
        samples.add_metric((asset["asset"],), asset["seq"])
    yield status
    yield samples


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"vcedge_{name}", help_text, value=value)


def _histogram(name: str, help_text: str, durations: Mapping[str, Any]) -> Metric:
    bounds = [*map(repr, BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations["counts"]), strict=True))
    return HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=durations["sum_s"])
