"""`vcedge record`: records MQTT messages in history files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.cli.console import configure_logging, note, print_json
from vcedge.cli.options import RuntimeFile, Verbose
from vcedge.errors import InputOutputError
from vcedge.topics import InputTopic
from vcedge.wording import count

if TYPE_CHECKING:
    from vcedge.config.runtime import RuntimeConfig
    from vcedge.runtime.recordings.record import AssetPlan, Recorder


def record_command(
    *,
    config: RuntimeFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON on stdout at the end.")] = False,
    verbose: Verbose = False,
) -> None:
    """Record MQTT messages in history files until SIGTERM or Ctrl-C: one CSV file a day for each asset.

    The decoder of the service reads the messages. An asset needs no model: its channels are then those of its first
    messages, and a new channel begins a new file. This is how a plant gets its first training data.

    \b
    Example:
      vcedge record runtime.yaml --out history/
    """
    from vcedge.config.runtime import load_runtime_config

    configure_logging(verbose=verbose)
    settings = load_runtime_config(config)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputOutputError(f"--out {out}: cannot be created: {error.strerror}") from None
    recorder = _record(settings, out)
    note(f"{count(sum(recorder.rows.values()), 'row')} of {count(len(recorder.rows), 'asset')} in {out}")
    if recorder.undecodable:
        note(f"{count(recorder.undecodable, 'message')} could not be decoded")
    if json:
        print_json({"rows": recorder.rows, "undecodable": recorder.undecodable, "ignored": recorder.ignored})


def _record(settings: RuntimeConfig, out: Path) -> Recorder:
    """Record until a signal; return the recorder with its counts."""
    from vcedge.runtime.codecs.registry import decoder_of
    from vcedge.runtime.mqtt.connection import Connection
    from vcedge.runtime.mqtt.paho_setup import Identity
    from vcedge.runtime.recordings.record import Recorder
    from vcedge.runtime.service.signals import stop_on_signals

    topic = InputTopic(settings.input.topic)
    recorder = Recorder(topic, decoder_of(settings), _plans(settings), out, settings.max_assets)
    identity = Identity(f"{settings.client_id}-record", topic.subscriptions(settings.assets))
    connection = Connection(settings.mqtt, identity)
    with stop_on_signals() as stop:
        connection.start()
        try:
            while not stop.is_set():
                message = connection.receive(0.25)
                if message is not None:
                    recorder.handle(message)
                    connection.acknowledge([message])
        finally:
            recorder.close()
            connection.stop(5.0)
    return recorder


def _plans(settings: RuntimeConfig) -> dict[str, AssetPlan]:
    """Return how to record each configured asset, with its model's channels; all assets if none is configured.

    Raises ConfigError, or InputNotFound or ModelFileError for an unusable model.
    """
    from vcedge.model_file import load
    from vcedge.runtime.assets.recipes import join_rule_of
    from vcedge.runtime.recordings.record import UNKNOWN, AssetPlan

    unknown = AssetPlan(None, join_rule_of(settings, UNKNOWN, known=False))
    plans = {}
    for name, asset in settings.assets.items():
        if asset.model is None:
            plans[name] = unknown
        else:
            schema = load(asset.model).schema
            plans[name] = AssetPlan(schema.names, join_rule_of(settings, schema))
    return plans or {"*": unknown}
