"""`vcedge replay`: publish recordings as a machine would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vcedge.config.runtime import MqttConfig
    from vcedge.config.train import ReadingConfig
    from vcedge.runtime.recordings.replay import Writer
    from vcedge.schema import SensorSchema
    from vcedge.topics import InputTopic


def replay_command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Recordings, one after the other.", show_default=False)
    ],
    broker: Annotated[
        str, typer.Option("--broker", metavar="URL", help="mqtt://host:port or mqtts://host:port.")
    ] = "mqtt://localhost:1883",
    asset: Annotated[str | None, typer.Option("--asset", help="Default: the name of the file.")] = None,
    speed: Annotated[str, typer.Option("--speed", help="How many times as fast as recorded, or max.")] = "1",
    topic: Annotated[str, typer.Option("--topic", help="Where to publish.")] = "plant/{asset}",
    codec: Annotated[
        str | None,
        typer.Option("--codec", help="json, senml or value. Default: json, with {channel} value."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Read files, and pick channels, as this model does.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="COLUMN", help="A column that is no sensor.")
    ] = None,
    mqtt_version: Annotated[str, typer.Option("--mqtt-version", help="5 or 3.1.1.")] = "5",
    username: Annotated[str | None, typer.Option("--username")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file")] = None,
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="For mqtts.")] = None,
    json: Annotated[bool, typer.Option("--json", help="A summary as JSON on stdout.")] = False,
) -> None:
    """Publish recordings as a machine would: one MQTT message for each row, with the time of the recording.

    Without --model all columns of numbers are channels. A missing value is left out of its message. With {channel} in
    --topic each value is a message of its own.

    \b
    Example:
      vcedge replay today.csv --broker mqtt://localhost:1883 --asset skab-pump --speed 60
    """
    import time
    from uuid import uuid4

    from vcedge.cli.console import configure_logging, note, print_json
    from vcedge.history import open_rows
    from vcedge.runtime.mqtt.connection import Connection
    from vcedge.runtime.mqtt.paho_setup import Identity
    from vcedge.runtime.recordings.replay import Pace, Replayer

    configure_logging()
    target, factor = _target(topic), _speed(speed)
    settings = _mqtt(broker, mqtt_version, username, password_file, ca_file)
    plans = []
    for path in inputs:
        schema, reading = _reading(path, model, exclude or [])
        name = asset or path.name.split(".")[0]
        write = _writer(codec, target, name, schema.names)
        plans.append((path, name, write, schema.names, open_rows([path], schema, reading)))
    connection = Connection(settings, Identity(f"vcedge-replay-{uuid4().hex[:8]}", persistent=False))
    replayer = Replayer(connection, broker)
    began = noted = time.monotonic()
    for path, name, write, names, rows in plans:
        note(f"{path}: {len(names)} channels to {target.of(name)}")
        for _ in replayer.publish(rows, names, write, Pace(factor)):
            if time.monotonic() - noted > 10:
                noted = time.monotonic()
                note(f"{replayer.published} rows published")
    replayer.finish()
    seconds = time.monotonic() - began
    untimed = f", {replayer.untimed} left out for lack of a readable time" if replayer.untimed else ""
    note(f"{replayer.published} rows published in {seconds:.1f} s{untimed}")
    if json:
        print_json({"rows": replayer.published, "untimed": replayer.untimed, "seconds": round(seconds, 3)})


def _target(topic: str) -> InputTopic:
    """The topic of --topic, where one can publish."""
    from vcedge.errors import UsageError
    from vcedge.topics import InputTopic

    try:
        target = InputTopic(topic)
    except ValueError as error:
        raise UsageError(f"--topic {topic}: {error}") from None
    if not target.publishable:
        raise UsageError(f"--topic {topic}: expected a topic without wildcards")
    return target


def _speed(text: str) -> float | None:
    """A factor above zero; None for max."""
    from math import isfinite

    from vcedge.errors import UsageError

    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not (isfinite(factor) and factor > 0):
        raise UsageError(f"--speed {text}: expected a number above zero, or max")
    return factor


def _writer(codec: str | None, topic: InputTopic, asset: str, channels: Sequence[str]) -> Writer:
    """What writes the messages of an asset."""
    from vcedge.errors import UsageError
    from vcedge.runtime.recordings.replay import writer_of

    try:
        write = writer_of(codec or ("value" if topic.has_channel else "json"), topic, asset)
    except ValueError as error:
        raise UsageError(f"--codec {codec} --topic {topic.pattern}: {error}") from None
    names = [("--asset", asset), *(("channel", channel) for channel in channels if topic.has_channel)]
    for what, name in names:
        if set(name) & set("/+#"):
            raise UsageError(f"{what} {name}: expected a name without '/', '+' or '#', as a level of {topic.pattern}")
    return write


def _mqtt(
    broker: str, version: str, username: str | None, password_file: Path | None, ca_file: Path | None
) -> MqttConfig:
    from pydantic import ValidationError

    from vcedge.config.problems import shown
    from vcedge.config.runtime import MqttConfig
    from vcedge.errors import UsageError

    options = {"version": version, "username": username, "password_file": password_file, "ca_file": ca_file}
    try:
        return MqttConfig.model_validate({"broker": broker, **options})
    except ValidationError as error:
        first = error.errors()[0]
        option = {"version": "--mqtt-version"}.get(str(first["loc"][0]), f"--{first['loc'][0]}") if first["loc"] else ""
        words = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{option} {shown(first['input'])}: {words}" if option else words) from None


def _reading(path: Path, model: Path | None, exclude: list[str]) -> tuple[SensorSchema, ReadingConfig]:
    """Channels and the way of reading: the model's, or whatever the file says of itself."""
    from vcedge.config.train import ReadingConfig
    from vcedge.errors import DataError
    from vcedge.history.as_trained import reading_config
    from vcedge.history.columns import find_time, pick_channels
    from vcedge.history.open import open_table
    from vcedge.model_file import load
    from vcedge.schema import schema_of

    if model is not None:
        detector = load(model)
        return detector.schema, reading_config(detector)
    reading = ReadingConfig()
    table = open_table(path, reading)
    names, _ = pick_channels(table, find_time(table, reading.time), exclude)
    if not names:
        raise DataError(f"{path}: has no column of numbers to publish")
    return schema_of(names, 1.0, 10.0), reading
