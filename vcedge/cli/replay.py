"""`vcedge replay`: publishes recordings as a machine would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from vcedge.cli.broker_options import CaFile, MqttVersion, PasswordFile, Username, mqtt_config
from vcedge.cli.console import configure_logging, note, print_json
from vcedge.errors import DataError, UsageError
from vcedge.topics import InputTopic
from vcedge.wording import count

if TYPE_CHECKING:
    from vcedge.config.mqtt import MqttConfig
    from vcedge.config.train import ReadingConfig
    from vcedge.history import RowReader
    from vcedge.runtime.recordings.replay import Replayer, Writer
    from vcedge.schema import SensorSchema
    from vcedge.topics import InputTopic

PROGRESS_S = 10.0


def replay_command(
    *,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Recordings, one after the other.", show_default=False)
    ],
    broker: Annotated[
        str, typer.Option("--broker", metavar="URL", help="mqtt://host:port or mqtts://host:port.")
    ] = "mqtt://localhost:1883",
    asset: Annotated[str | None, typer.Option("--asset", help="Default: the name of the file.")] = None,
    speed: Annotated[str, typer.Option("--speed", help="How many times as fast as recorded, or max.")] = "1",
    topic: Annotated[str, typer.Option("--topic", help="Topic to publish to.")] = "plant/{asset}",
    codec: Annotated[
        str | None,
        typer.Option("--codec", help="json, senml or value. Default: json; value if the topic has {channel}."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Read the files, and pick channels, as this model does.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="COLUMN", help="A column that is not a sensor; repeatable.")
    ] = None,
    mqtt_version: MqttVersion = "5",
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON on stdout.")] = False,
) -> None:
    """Publish recordings as a machine would: one MQTT message for each row, with the time of the recording.

    Without --model all numeric columns are channels. Missing values are left out. With {channel} in --topic each value
    is a message of its own.

    \b
    Example:
      vcedge replay today.csv --broker mqtt://localhost:1883 --asset skab-pump --speed 60
    """
    configure_logging()
    target, factor = _topic(topic), _speed(speed)
    mqtt = mqtt_config(broker, mqtt_version, username, password_file, ca_file)
    sources = [_source(path, asset, *_reading(path, model, exclude or []), target, codec) for path in inputs]
    replayer = _connected(mqtt, broker)
    began = time.monotonic()
    _publish(sources, replayer, factor)
    seconds = time.monotonic() - began
    untimed = f", {replayer.untimed:,} left out without a readable time" if replayer.untimed else ""
    note(f"{count(replayer.published, 'row')} published in {seconds:.1f} s{untimed}")
    if json:
        print_json({"rows": replayer.published, "untimed": replayer.untimed, "seconds": round(seconds, 3)})


@dataclass(frozen=True)
class Source:
    """Holds a recording, the writer of its messages, and its topic for people."""

    path: Path
    rows: RowReader
    channels: tuple[str, ...]
    write: Writer
    topic: str


def _connected(mqtt: MqttConfig, broker: str) -> Replayer:
    from vcedge.runtime.mqtt.connection import Connection
    from vcedge.runtime.mqtt.paho_setup import Identity
    from vcedge.runtime.recordings.replay import Replayer

    return Replayer(Connection(mqtt, Identity(f"vcedge-replay-{uuid4().hex[:8]}", persistent=False)), broker)


def _publish(sources: Sequence[Source], replayer: Replayer, speed: float | None) -> None:
    """Publish all recordings, with a note every 10 s."""
    from vcedge.runtime.recordings.replay import Pace

    noted = time.monotonic()
    for source in sources:
        note(f"{source.path}: {len(source.channels)} channels to {source.topic}")
        for _ in replayer.publish(source.rows, source.channels, source.write, Pace(speed)):
            if time.monotonic() - noted > PROGRESS_S:
                noted = time.monotonic()
                note(f"{replayer.published:,} rows published")
    replayer.finish()


def _source(
    path: Path, asset: str | None, schema: SensorSchema, reading: ReadingConfig, topic: InputTopic, codec: str | None
) -> Source:
    from vcedge.history import open_rows

    name = asset or path.name.split(".")[0]
    write = _writer(topic, codec, name, schema.names)
    return Source(path, open_rows([path], schema, reading), schema.names, write, topic.of(name))


def _topic(topic: str) -> InputTopic:
    """Return the topic of --topic. Raises UsageError if it cannot be published to."""
    try:
        target = InputTopic(topic)
    except ValueError as error:
        raise UsageError(f"--topic {topic}: {error}") from None
    if not target.publishable:
        raise UsageError(f"--topic {topic}: expected a topic without wildcards, such as plant/{{asset}}")
    return target


def _speed(text: str) -> float | None:
    """Return a factor above zero; None for max."""
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not (isfinite(factor) and factor > 0):
        raise UsageError(f"--speed {text}: expected a number above zero, or max")
    return factor


def _writer(topic: InputTopic, codec: str | None, asset: str, channels: Sequence[str]) -> Writer:
    """Return the writer of an asset's messages. Raises UsageError for a codec or a name that the topic cannot have."""
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


def _reading(path: Path, model: Path | None, exclude: list[str]) -> tuple[SensorSchema, ReadingConfig]:
    """Return channels and settings of the model, or those found in the file."""
    from vcedge.config.train import ReadingConfig
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
