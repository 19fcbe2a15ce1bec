"""`vcedge record`: MQTT to history files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vcedge.config.runtime import RuntimeConfig
    from vcedge.runtime.recordings.record import AssetPlan


def record_command(
    config: Annotated[Path, typer.Argument(metavar="RUNTIME.yaml", help="The configuration.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="A summary as JSON on stdout at the end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Write what arrives by MQTT to history files, until SIGTERM or Ctrl-C: one CSV a day for each asset.

    Messages are read by the decoder of the service. An asset needs no model: its channels are then those of its first
    messages, and a channel that comes later begins a new file. This is how a plant gets its first training data.

    \b
    Example:
      vcedge record runtime.yaml --out history/
    """
    from vcedge.cli.console import configure_logging, note, print_json
    from vcedge.config.runtime import load_runtime_config
    from vcedge.errors import InputOutputError
    from vcedge.runtime.codecs.registry import decoder_of
    from vcedge.runtime.mqtt.connection import Connection
    from vcedge.runtime.mqtt.paho_setup import Identity
    from vcedge.runtime.recordings.record import Recorder
    from vcedge.runtime.service.signals import stop_on_signals
    from vcedge.topics import InputTopic

    configure_logging(verbose)
    settings = load_runtime_config(config)
    topic = InputTopic(settings.input.topic)
    decode, wanted = decoder_of(settings), _wanted(settings)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputOutputError(f"--out {out}: cannot be made: {error.strerror}") from None
    recorder = Recorder(topic, decode, wanted, out, settings.max_assets)
    identity = Identity(f"{settings.client_id}-record", topic.subscriptions(settings.assets))
    link = Connection(settings.mqtt, identity)
    with stop_on_signals() as stop:
        link.start()
        try:
            while not stop.is_set():
                message = link.receive(0.25)
                if message is not None:
                    recorder.handle(message)
                    link.acknowledge([message])
        finally:
            recorder.close()
            link.stop(5.0)
    note(f"{sum(recorder.rows.values())} rows of {len(recorder.rows)} assets in {out}")
    if recorder.undecodable:
        note(f"{recorder.undecodable} messages could not be read")
    if json:
        print_json({"rows": recorder.rows, "undecodable": recorder.undecodable, "ignored": recorder.ignored})


def _wanted(settings: RuntimeConfig) -> dict[str, AssetPlan]:
    """What is known of the assets; of one without a model only its name. Without names: all there are.

    Raises ConfigError, or InputNotFound or ModelFileError for a model that is no good.
    """
    from vcedge.model_file import load
    from vcedge.runtime.assets.recipes import join_rule_of
    from vcedge.runtime.recordings.record import UNKNOWN, AssetPlan

    unknown = AssetPlan(None, join_rule_of(settings, UNKNOWN, known=False))
    found = {}
    for name, asset in settings.assets.items():
        if asset.model is None:
            found[name] = unknown
        else:
            schema = load(asset.model).schema
            found[name] = AssetPlan(schema.names, join_rule_of(settings, schema))
    return found or {"*": unknown}
