"""`vcedge feedback`: tells the running service what an event was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.broker_options import CaFile, MqttVersion, PasswordFile, Username, mqtt_config
from vcedge.cli.console import note, print_json, printable
from vcedge.cli.options import DEFAULT_CONFIG
from vcedge.errors import UsageError
from vcedge.wording import iso_time

if TYPE_CHECKING:
    from vcedge.config.mqtt import MqttConfig
    from vcedge.runtime.assets.judgements import Judgement
    from vcedge.topics import OutputTopics

EXPECTED = "expected [RUNTIME.yaml] EVENT JUDGED, such as anomaly-1767594780000000000 false_alarm, or --list"


def feedback_command(
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUNTIME.yaml] [EVENT JUDGED]",
            help=f"The configuration (default: {DEFAULT_CONFIG}); the event's id, and false_alarm, fault, maintenance "
            "or unsure.",
            show_default=False,
        ),
    ] = None,
    asset: Annotated[str | None, typer.Option("--asset", help="Default: the only one of the configuration.")] = None,
    by: Annotated[str, typer.Option("--by", help="Who says so.", show_default=False)] = "",
    text: Annotated[str, typer.Option("--note", help="Anything worth keeping.", show_default=False)] = "",
    listing: Annotated[bool, typer.Option("--list", help="Show the latest events and their judgements.")] = False,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="URL", help="Instead of a configuration; needs --node.")
    ] = None,
    node: Annotated[str | None, typer.Option("--node", help="Name of the device, with --broker.")] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="First level of the topics, with --broker.")] = "vcedge",
    mqtt_version: MqttVersion = "5",
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON on stdout.")] = False,
) -> None:
    """Tell the running service what an event was, and wait for its answer. The last judgement of an event counts.

    A false alarm raises the threshold so far that this event would not have opened, within a bound. Training and
    calibration leave faults and maintenance out of what is normal: the service keeps all judgements in
    STATE_DIR/assets/ASSET/labels.csv.

    \b
    Example:
      vcedge feedback runtime.yaml --asset pump-1 --list
      vcedge feedback runtime.yaml --asset pump-1 anomaly-1767594780000000000 false_alarm --by Kim
    """
    path, event = _split(words or [], listing=listing, configured=broker is None)
    judgement = None if event is None else _judgement(*event, by, text)
    if broker is None:
        mqtt, outputs, names = _configured(path)
    else:
        mqtt = mqtt_config(broker, mqtt_version, username, password_file, ca_file)
        outputs, names = _outputs(prefix, node), []
    state = _ask(mqtt, outputs, _asset(asset, names), judgement)
    if json:
        print_json(state)
    elif judgement is None:
        _print_events(state["events"])
    else:
        widened = f"; false alarms raise its threshold by {state['widening']:.3g}" if state["widening"] else ""
        note(f"{printable(judgement.event)} is judged as {judgement.judged}{widened}")


def _split(words: Sequence[str], *, listing: bool, configured: bool) -> tuple[Path | None, tuple[str, str] | None]:
    """Return the configuration if it is named, and unless events are listed event and judgement. Raises UsageError."""
    wanted = 0 if listing else 2
    own = len(words) - wanted
    if own not in ((0, 1) if configured else (0,)):
        raise UsageError(f"{' '.join(words) or 'no argument'}: {EXPECTED}")
    path = Path(words[0]) if own else None
    return path, None if listing else (words[own], words[own + 1])


def _judgement(event: str, judged: str, by: str, text: str) -> Judgement:
    """Return the judgement, checked as the service does. Raises UsageError."""
    from pydantic import ValidationError

    from vcedge.config.problems import shown
    from vcedge.labels import JUDGEMENTS
    from vcedge.runtime.assets.judgements import Judgement

    if judged not in JUDGEMENTS:
        raise UsageError(f"JUDGED {shown(judged)}: expected one of {', '.join(JUDGEMENTS)}")
    try:
        return Judgement.model_validate({"event": event, "judged": judged, "by": by, "note": text})
    except ValidationError as error:
        first = error.errors()[0]
        name = "EVENT" if first["loc"][0] == "event" else f"--{first['loc'][0]}"
        raise UsageError(f"{name} {shown(first['input'])}: {first['msg']}") from None


def _configured(path: Path | None) -> tuple[MqttConfig, OutputTopics, list[str]]:
    """Return connection, topics and assets of a runtime configuration."""
    from vcedge.config.runtime import load_runtime_config

    config = load_runtime_config(path or DEFAULT_CONFIG)
    return config.mqtt, config.outputs, list(config.assets)


def _outputs(prefix: str, node: str | None) -> OutputTopics:
    from vcedge.topics import OutputTopics

    for option, value in (("--prefix", prefix), ("--node", node)):
        if not value or set(value) & set("+#\0"):
            raise UsageError(f"{option} {value or ''}: expected the name in the service's topics, without '+' and '#'")
    return OutputTopics(prefix, node or "")


def _asset(asset: str | None, names: Sequence[str]) -> str:
    """Return the asset that is meant. Raises UsageError if it is not clear, or no level of a topic."""
    from vcedge.topics import is_pattern, name_problem

    if asset is None:
        if len(names) != 1 or is_pattern(names[0]):
            known = f": {', '.join(names)}" if names else ""
            raise UsageError(f"--asset is missing, expected the name of the asset{known}")
        return names[0]
    problem = name_problem(asset)
    if problem:
        raise UsageError(f"--asset {printable(asset)}: {problem}")
    return asset


def _ask(mqtt: MqttConfig, outputs: OutputTopics, asset: str, judgement: Judgement | None) -> dict[str, Any]:
    """Judge an event, or with None read the events; return the state of feedback."""
    from vcedge.runtime.service.feedback_client import FeedbackClient

    with FeedbackClient(mqtt, outputs, asset) as client:
        return client.state() if judgement is None else client.judge(judgement)


def _print_events(events: Sequence[dict[str, Any]]) -> None:
    """Print one line for each event, the newest first."""
    if not events:
        note("no events yet")
    for event in events:
        start, end = (
            None if event[key] is None else iso_time(int(event[key]) * 1_000_000, 0) for key in ("start", "end")
        )
        judged = event["judged"] or "not judged"
        who = f" by {event['by']}" if event["by"] else ""
        why = f": {event['note']}" if event["note"] else ""
        size = f", peak {event['peak']:.4g} over {event['threshold']:.4g}" if event["kind"] == "anomaly" else ""
        print(printable(f"{event['id']}: {start} to {end or 'now'}{size}; {judged}{who}{why}"))
