"""Metrics for Prometheus: the report of the service as series, made when they are asked for."""

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
from vcedge.runtime.monitoring.status_requests import Inquiries, Report

ANSWER_S = 5.0
"""Prometheus waits ten seconds for all of it."""
COUNTERS = {
    "messages": "Messages received.",
    "samples": "Samples scored.",
    "dead_letters": "Messages that could not be read or were refused.",
    "dead_letters_suppressed": "Dead letters that were counted and not published, because of their rate limit.",
    "floods": "Messages beyond what an asset may send.",
    "retained": "Messages that the broker had kept from before the subscription.",
    "incomplete_samples": "Parts of samples that could not be joined: of a wrong clock, or sent twice.",
    "ignored": "Messages of assets that the configuration does not name.",
    "duplicates": "Messages that the broker delivered again.",
    "unknown_channels": "Values of channels that a model does not know.",
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
    "queue": "Messages that arrived and wait.",
    "outbox": "Results that wait for the broker in memory.",
    "stored": "Results that wait for the broker on disk.",
    "stored_bytes": "Size of the results on disk.",
    "unacknowledged": "Messages that the broker may not forget yet.",
    "assets": "Assets that are watched.",
    "quarantined_assets": "Assets whose subscription is suspended for now, because of their floods.",
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
    """Asks the service for a report and spells it as series."""

    def __init__(self, inquiries: Inquiries, most_assets: int) -> None:
        self._inquiries = inquiries
        self._most_assets = most_assets

    def describe(self) -> Iterable[Metric]:
        """Nothing: the service would be asked before it answers."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series; of a service that does not answer only that."""
        try:
            report = self._inquiries.ask(ANSWER_S)
        except TimeoutError:
            yield _gauge("responding", "Whether the service answers.", 0)
            return
        yield _gauge("responding", "Whether the service answers.", 1)
        yield from _service_metrics(report)
        assets = sorted(report["assets"], key=lambda asset: str(asset["asset"]))
        left_out = max(len(assets) - self._most_assets, 0)
        yield _gauge("assets_left_out", "Assets without series of their own: see metrics.assets.", left_out)
        yield from _asset_metrics(assets[: self._most_assets])


class MetricsServer:
    """An HTTP server in threads of its own."""

    def __init__(self, config: MetricsConfig, inquiries: Inquiries) -> None:
        self._config = config
        self._registry = CollectorRegistry()
        self._registry.register(ServiceCollector(inquiries, config.assets))
        ProcessCollector(registry=self._registry)
        self._stop: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Begin to answer. Raises Unavailable for a port that is taken or an address that is not there (yet),
        ConfigError for one that may not be used."""
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
        """Answer no more."""
        self._stop()


def _service_metrics(report: Report) -> Iterator[Metric]:
    numbers, work = report["numbers"], report["work"]
    build = GaugeMetricFamily("vcedge_build_info", "Version and node.", labels=("version", "node"))
    build.add_metric((report["version"], report["node"]), 1)
    yield build
    for key, words in COUNTERS.items():
        yield CounterMetricFamily(f"vcedge_{key}", words, value=numbers[key])
    for key, words in GAUGES.items():
        yield _gauge(key, words, numbers[key])
    yield _gauge("durable", "Whether everything that is to be kept is kept.", numbers["status"] == "ok")
    if numbers["snapshot_age_s"] is not None:
        yield _gauge("snapshot_age_seconds", "Time since the last snapshot.", numbers["snapshot_age_s"])
    for key, words in WORK.items():
        yield CounterMetricFamily(f"vcedge_{key}", words, value=work[key])
    for key, words in HISTOGRAMS.items():
        yield _histogram(f"vcedge_{key}_seconds", words, work[key])
    connected = GaugeMetricFamily("vcedge_connected", "Whether the broker is connected.", labels=("direction",))
    for direction, link in report["links"].items():
        connected.add_metric((direction,), link["connected"])
    yield connected
    events = CounterMetricFamily("vcedge_events", "Events that began.", labels=("kind",))
    for kind, count in work["events"].items():
        events.add_metric((kind,), count)
    yield events


def _asset_metrics(assets: list[dict[str, Any]]) -> Iterator[Metric]:
    """One series of each for each asset; what an asset has no value for is left out."""
    for name, (words, value_of) in ASSET_GAUGES.items():
        family = GaugeMetricFamily(f"vcedge_asset_{name}", words, labels=("asset",))
        for asset in assets:
            if (value := value_of(asset)) is not None:
                family.add_metric((asset["asset"],), value)
        yield family
    status = GaugeMetricFamily("vcedge_asset_status", "1 for the status that holds.", labels=("asset", "status"))
    samples = CounterMetricFamily("vcedge_asset_samples", "Samples of the asset.", labels=("asset",))
    for asset in assets:
        status.add_metric((asset["asset"], asset["status"]), 1)
        samples.add_metric((asset["asset"],), asset["seq"])
    yield status
    yield samples


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"vcedge_{name}", words, value=value)


def _histogram(name: str, words: str, durations: Mapping[str, Any]) -> Metric:
    bounds = [*map(repr, BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations["counts"]), strict=True))
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=durations["sum_s"])
