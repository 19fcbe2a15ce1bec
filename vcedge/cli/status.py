"""`vcedge status`: asks the running service for its state."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import print_json, print_table, printable
from vcedge.cli.options import DEFAULT_CONFIG
from vcedge.wording import duration, iso_time

if TYPE_CHECKING:
    from vcedge.runtime.monitoring.status_requests import Report


def status_command(
    *,
    config: Annotated[
        Path | None, typer.Argument(metavar="RUNTIME.yaml", help=f"The configuration; default: {DEFAULT_CONFIG}.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON on stdout.")] = False,
) -> None:
    """Ask the running service for its state: connection, assets, events, settings, queues and storage.

    The request goes through a socket in the service's state_dir, so it works without broker and network.

    \b
    Example:
      vcedge status
      vcedge status runtime.yaml --json
    """
    from vcedge.runtime.monitoring.status_socket import ask_service

    report = ask_service(_state_dir(config))
    if json:
        print_json(report)
        return
    print_table(_service_rows(report))
    _print_assets(report["assets"])


def _state_dir(config: Path | None) -> Path:
    """Return the state_dir of the configuration; the default one if no configuration is given or installed."""
    from vcedge.config.runtime import RuntimeConfig, load_runtime_config

    if config is None and not DEFAULT_CONFIG.exists():
        default: Path = RuntimeConfig.model_fields["state_dir"].default
        return default
    return load_runtime_config(config or DEFAULT_CONFIG).state_dir


def _service_rows(report: Report) -> list[tuple[str, str]]:
    """Return names and values that describe the service as a whole."""
    numbers, work = report["numbers"], report["work"]
    counts = ("samples", "dead_letters", "ignored", "duplicates", "settings")
    counted = [f"{numbers[key]:,} {key.replace('_', ' ')}" for key in counts]
    return [
        ("service", f"{report['node']}, vcedge {report['version']}, pid {report['pid']}"),
        ("up", f"{duration(numbers['uptime_s'])}, since {report['since']}"),
        ("broker", f"{report['broker']}, {_connection(report['links'])}"),
        ("messages", ", ".join([f"{numbers['messages']:,}", *counted])),
        ("computing", _computing(work)),
        ("waiting", _waiting(numbers)),
        ("state", _durability(numbers)),
        ("assets", f"{len(report['assets']):,}"),
    ]


def _waiting(numbers: dict[str, Any]) -> str:
    """Return the lengths of the queues: messages to handle, results to publish."""
    stored = f", {numbers['stored']:,} on disk ({numbers['stored_bytes']:,} bytes)" if numbers["stored"] else ""
    dropped = f", {numbers['drops']:,} dropped for lack of room" if numbers["drops"] else ""
    return f"{numbers['queue']:,} messages, {numbers['outbox']:,} results{stored}{dropped}"


def _durability(numbers: dict[str, Any]) -> str:
    """Return the age of the last snapshot, what a power cut would repeat, and the flash wear."""
    age_s = numbers["snapshot_age_s"]
    age = "no snapshot yet" if age_s is None else f"last snapshot {duration(age_s)} ago"
    trouble = f"not durable: {numbers['trouble']}; " if numbers["status"] != "ok" else ""
    since, wear = f"{numbers['unacknowledged']:,} messages since", f"{numbers['written_mb_day']:g} MB a day written"
    return f"{trouble}{age}, {since}, {wear}"


def _connection(links: dict[str, Any]) -> str:
    problems = sorted({link["complaint"] for link in links.values() if link["complaint"]})
    if all(link["connected"] for link in links.values()):
        return "connected"
    return f"not connected: {'; '.join(problems) or 'not yet'}"


def _computing(work: dict[str, Any]) -> str:
    """Return the updated share, and the times of a sample: upper bounds of histogram buckets."""
    hidden = work["hidden_dimensions"]
    share = f"{work['updated_dimensions'] / hidden:.0%} of the network updated" if hidden else "no network used yet"
    step, latency = work["step"], work["latency"]
    if step["p50_s"] is None or latency["p99_s"] is None:
        return share
    return f"{share}, a sample within {1e6 * step['p50_s']:g} µs, 99% published within {1e3 * latency['p99_s']:g} ms"


COLUMNS = ("asset", "status", "last sample", "raw", "threshold", "event", "settings")


def _asset_row(asset: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of one asset, by COLUMNS."""
    age = "never" if asset["age_s"] is None else f"{duration(asset['age_s'])} ago"
    raw = "-" if asset["raw"] is None else f"{asset['raw']:.4g}"
    threshold = f"{asset['threshold']:.4g} (calibrated {asset['threshold_calibrated']:.4g})"
    events = [] if asset["event"] is None else [asset["event"]["id"]]
    events += [] if asset["range"] is None else [asset["range"]["text"]]
    missing = f", missing {', '.join(asset['missing'])}" if asset["missing"] else ""
    settings = "; ".join(filter(None, [_setting(kind, state) for kind, state in asset["settings"].items()]))
    return asset["asset"], asset["status"] + missing, age, raw, threshold, "; ".join(events) or "-", settings or "-"


def _setting(kind: str, state: dict[str, Any]) -> str:
    """Return the changed values of one kind of setting; empty if all are the default."""
    if kind == "threshold":
        values = {key: state[key] for key in ("raw", "false_alarms_per_day") if state[key] is not None}
    elif kind == "compute":
        default = {"policy": "auto", "min_level": 1, "looseness": 1.0}
        values = {key: state[key] for key, value in default.items() if state[key] != value}
    else:
        values = {} if state["until"] is None else {"until": iso_time(int(state["until"]) * 1_000_000, digits=0)}
    return f"{kind} {', '.join(f'{key} {value}' for key, value in values.items())}" if values else ""


def _print_assets(assets: list[dict[str, Any]]) -> None:
    """Print a table on a terminal, a line for each asset elsewhere."""
    rows = [tuple(map(printable, _asset_row(asset))) for asset in assets]
    if not sys.stdout.isatty():
        for name, *values in rows:
            cells = [f"{column} {value}" for column, value in zip(COLUMNS[1:], values, strict=True)]
            print(f"{name}: {', '.join(cells)}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
