"""Configuration files: accepted and refused contents, and the messages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from vcedge.config.strict import Strict, fragments_beside, load_yaml
from vcedge.config.train import TrainConfig, load_train_config
from vcedge.errors import ConfigError, InputNotFound, VcedgeError

SMALLEST = "asset: pump\ndata: {train: [a.csv]}\n"


class Broker(Strict):
    broker: str = "mqtt://localhost"
    password: str | None = None
    port: int = Field(default=1883, ge=1, le=65535)


class Asset(Strict):
    model: Path
    engine: Literal["auto", "numpy"] = "auto"


class Service(Strict):
    """Stands in for the runtime configuration: mappings of models, lists, paths."""

    node: str
    mqtt: Broker = Broker()
    assets: dict[str, Asset] = Field(default={})
    lists: list[Broker] = Field(default=[])

    @model_validator(mode="after")
    def _fits_together(self) -> Service:
        if self.node == "bad":
            raise ValueError("expected another node than bad")
        return self


def write(folder: Path, text: str | bytes, name: str = "c.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problem(path: Path, *overrides: str, environment: dict[str, str] | None = None) -> str:
    """Return the message of a training configuration that must be refused, without the folder."""
    with pytest.raises(VcedgeError) as caught:
        load_yaml(path, TrainConfig, overrides, environment=environment)
    text = str(caught.value).replace(str(path.parent) + "/", "")
    assert len(text.splitlines()) <= 2
    return text


def test_time_format_override_needs_no_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, SMALLEST)
    config = load_train_config(path, ["data.time.format=%d/%m/%y %H:%M", "data.time.column=@time"])
    assert (config.data.time.format, config.data.time.column) == ("%d/%m/%y %H:%M", "@time")
    variables = {"VCEDGE__DATA__TIME__FORMAT": "%H"}
    assert load_yaml(path, TrainConfig, environment=variables).data.time.format == "%H"


def test_two_keys_are_enough(tmp_path: Path) -> None:
    config = load_train_config(write(tmp_path, SMALLEST))
    assert (config.asset, config.data.train, config.model.hidden_size) == ("pump", ["a.csv"], 64)
    assert config.base_dir == tmp_path
    assert config.score.span == "auto"
    assert config.data.roles == {}


def test_roles_are_by_channel_and_absent_where_they_are_measured(tmp_path: Path) -> None:
    channels = "[{name: a, role: command}, {name: b}, {name: c, role: sensor}]"
    config = load_train_config(write(tmp_path, f"asset: p\ndata: {{train: [a.csv], channels: {channels}}}\n"))
    assert config.data.roles == {"a": "command", "c": "sensor"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "{target: 0.1}",
            "'model.target' is 0.1, but every row updates the smallest level: expected at least 0.125 (8",
        ),
        ("{levels: 1}", "'model.target' is 0.25, but every row updates the smallest level: expected at least 1 (64 of"),
        ("{levels: [0.29, 1], hidden_size: 100}", "expected at least 0.29 (29 of 100 dimensions)"),
        ("{cell: vcrnn, target: 0.1}", "'model.target' is 0.1, but every row updates the smallest level"),
        ("{levels: 7}", "'model.levels' is 7, but hidden_size 64 is not a multiple of levels 7"),
    ],
)
def test_unreachable_target_is_refused(model: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_train_config(write(tmp_path, f"{SMALLEST}model: {model}"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        "{target: 0.125}",
        "{target: 0.01, cell: gru}",
        "{target: 0.01, cell: rnn, levels: 7}",
        "{levels: [0.29, 1], hidden_size: 100, target: 0.29}",
    ],
)
def test_reachable_target_is_accepted(model: str, tmp_path: Path) -> None:
    load_train_config(write(tmp_path, f"{SMALLEST}model: {model}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALLEST + "model: {hiden_size: 8}",
            "c.yaml: unknown key 'model.hiden_size'; did you mean 'model.hidden_size'?",
        ),
        (SMALLEST + "hidden_size: 8", "c.yaml: unknown key 'hidden_size'; did you mean 'model.hidden_size'?"),
        (
            SMALLEST + "xyzzy: 8",
            "c.yaml: unknown key 'xyzzy'; known keys here: asset, data, highway, model, report, score, train",
        ),
        (SMALLEST + "base_dir: /", "c.yaml: unknown key 'base_dir'; known keys here: asset, data"),
        (
            "asset: p\ndata: {train: [a], channels: [{name: a}, {name: b, unt: C}]}",
            "c.yaml: unknown key 'data.channels[1].unt'; did you mean 'data.channels[1].unit'?",
        ),
        (SMALLEST + "train: {epochs: many}", "c.yaml: key 'train.epochs' is 'many', expected a whole number"),
        (SMALLEST + "train: {epochs: yes}", "c.yaml: key 'train.epochs' is True, expected a number"),
        (SMALLEST + "train: {epochs: 2.5}", "c.yaml: key 'train.epochs' is 2.5, expected a whole number"),
        (
            SMALLEST + "model: {hidden_size: 2}",
            "c.yaml: key 'model.hidden_size' is 2, expected greater than or equal to 4",
        ),
        (
            SMALLEST + "model: {cell: lstm}",
            "c.yaml: key 'model.cell' is 'lstm', expected 'vcgru', 'vcrnn', 'gru', 'rnn' or 'none'",
        ),
        (SMALLEST + "model: 3", "c.yaml: key 'model' is 3, expected keys and values"),
        (
            SMALLEST + "model: {levels: many}",
            "c.yaml: key 'model.levels' is 'many', expected a whole number or a list",
        ),
        (
            SMALLEST + "model: {levels: [0.5, full]}",
            "c.yaml: key 'model.levels[1]' is 'full', expected a number",
        ),
        (SMALLEST + "train: {seed: 4294967296}", "c.yaml: key 'train.seed' is 4294967296, expected less than or equal"),
        (SMALLEST + "score: {span: fast}", "c.yaml: key 'score.span' is 'fast', expected 'auto' or a number"),
        (SMALLEST + "score: {span: 0.5}", "c.yaml: key 'score.span' is 0.5, expected 'auto' or greater than or equal"),
        (
            "asset: p\ndata: {train: [a], channels: [{name: a, role: actuator}]}",
            "c.yaml: key 'data.channels[0].role' is 'actuator', expected 'sensor' or 'command'",
        ),
        (SMALLEST + "highway: {ridge: .nan}", "c.yaml: key 'highway.ridge' is nan, expected"),
        ("asset: 7\ndata: {train: [a]}", "c.yaml: key 'asset' is 7, expected a text (put it in quotes)"),
        ("asset: a/b\ndata: {train: [a]}", "c.yaml: key 'asset' is 'a/b', String must match pattern"),
        ("asset: p\ndata: {train: a.csv}", "c.yaml: key 'data.train' is 'a.csv', expected a list"),
        ("asset: p\ndata: {train: []}", "c.yaml: key 'data.train' is [], List must have at least 1 item"),
        ("asset: p", "c.yaml: key 'data' is missing"),
        ("data: {train: [a]}", "c.yaml: key 'asset' is missing"),
        ("asset: p\nasset: q\n", "c.yaml: line 2: key 'asset' is given twice, in lines 1 and 2"),
        (SMALLEST + "model: {cell: gru, cell: gru}", "line 3: key 'cell' is given twice"),
        ("asset: p\ndata: [\n", "c.yaml: line 3:"),
        ("a: b: c", "c.yaml: line 1: mapping values are not allowed here"),
        ("? [a]\n: 1", "c.yaml: line 1: found unhashable key"),
        ("a: !!python/object:os.system x", "c.yaml: line 1: could not determine a constructor"),
        ("a: 2024-13-45", "c.yaml: not YAML: month must be in 1..12"),
        ("", "c.yaml: is empty, expected keys and values in YAML"),
        ("# only a comment", "c.yaml: is empty"),
        ("- a\n- b", "c.yaml: holds ['a', 'b'], expected keys and values in YAML"),
        ("just text", "c.yaml: holds 'just text', expected"),
        (b"\xff\xfe\x00", "c.yaml: not YAML"),
        (b"a: \x00", "c.yaml: not YAML"),
        ("[" * 5000, "c.yaml: nested too deeply"),
        ("a: " + "x" * 1_000_001, "c.yaml: is larger than 1,000,000 bytes"),
    ],
)
def test_configuration_error_names_file_key_and_value(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    assert message in problem(path)
    with pytest.raises(ConfigError):
        load_yaml(path, TrainConfig)


def test_many_problems_are_two_lines_and_a_count(tmp_path: Path) -> None:
    text = "asset: 1\ndata: {train: 2, limit_rows: 0}\nmodel: {target: 3}\nscor: {}"
    lines = problem(write(tmp_path, text)).splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("(and 3 more)")


def test_invalid_levels_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SMALLEST + "model: {hidden_size: 10}")
    with pytest.raises(ConfigError, match=r"c.yaml: key 'model.levels' is 8, but hidden_size 10 is not a multiple"):
        load_train_config(path)
    assert load_train_config(path, ["model.cell=gru"]).model.hidden_size == 10
    with pytest.raises(ConfigError, match=r"model.levels' is \[0.5, 0.4\], but .* must increase and end at 1"):
        load_train_config(path, ["model.levels=[0.5, 0.4]"])


@pytest.mark.parametrize("name", ["nothing.yaml", "."])
def test_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputNotFound, match=r"cannot be read: (No such file|Is a dir)"):
        load_yaml(tmp_path / name, TrainConfig)


def test_overrides_replace_values_of_the_file(tmp_path: Path) -> None:
    text = "asset: p\ndata: {train: [a, b], channels: [{name: x}, {name: y}]}"
    config = load_yaml(
        write(tmp_path, text),
        TrainConfig,
        [
            "data.train.1=c",
            "data.channels.0={name: z, low: -1e3}",
            "model.hidden_size=32",
            "score.span=1e2",
            "asset=07",
        ],
    )
    assert config.data.train == ["a", "c"]
    assert config.data.channels is not None
    assert [(c.name, c.low) for c in config.data.channels] == [("z", -1000.0), ("y", None)]
    assert (config.model.hidden_size, config.score.span, config.asset) == (32, 100.0, "07")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hiden_size=8", "--set model.hiden_size=8: unknown key 'model.hiden_size'; did you mean"),
        ("model.hidden_size=x", "--set model.hidden_size=x: key 'model.hidden_size' is 'x', expected a whole"),
        ("data.train.7=x", "--set data.train.7=x: key 'data.train' is a list of 1 items, expected a number below"),
        ("asset.name=x", "--set asset.name=x: key 'asset' is 'pump', which has no keys of its own"),
        ("model", "--set model: expected key=value, such as"),
        ("a..b=1", "--set a..b=1: expected key=value"),
        ("model.levels=[", "--set model.levels=[: line 1:"),
        ("model={cell: gru, cell: gru}", "key 'cell' is given twice"),
    ],
)
def test_wrong_override_is_named(tmp_path: Path, override: str, message: str) -> None:
    assert message in problem(write(tmp_path, SMALLEST), override)


def test_environment_overrides_values(tmp_path: Path) -> None:
    path = write(tmp_path, "node: a\nassets: {Pump-1: {model: /m}}")
    environment = {
        "VCEDGE__NODE": "07",
        "VCEDGE__MQTT__PORT": "8883",
        "VCEDGE__ASSETS__PUMP_1__ENGINE": "numpy",
        "VCEDGE_DEBUG": "1",
        "HOME": "/",
    }
    config = load_yaml(path, Service, environment=environment)
    assert (config.node, config.mqtt.port, config.assets["Pump-1"].engine) == ("07", 8883, "numpy")
    assert load_yaml(path, Service).mqtt.port == 1883
    assert load_yaml(path, Service, ["node=b"], environment=environment).node == "b"
    with pytest.raises(ConfigError, match=r"environment variable VCEDGE__MQTT__PRT: unknown key 'mqtt.prt'; did you"):
        load_yaml(path, Service, environment={"VCEDGE__MQTT__PRT": "1"})
    with pytest.raises(ConfigError, match="environment variable VCEDGE__: expected a name"):
        load_yaml(path, Service, environment={"VCEDGE__": "1"})


def test_fragments_are_merged_in_order_and_named_in_errors(tmp_path: Path) -> None:
    path = write(tmp_path, "node: a\nassets: {x: {model: /m}}\nlists: [{}]")
    write(tmp_path / "conf.d", "mqtt: {port: 2}\nassets: {y: {model: /n}}", "20.yaml")
    write(tmp_path / "conf.d", "mqtt: {port: 1, broker: b}\nlists: []", "10.yaml")
    write(tmp_path / "conf.d", "not: read", "30.txt")
    fragments = fragments_beside(path)
    assert [fragment.name for fragment in fragments] == ["10.yaml", "20.yaml"]
    config = load_yaml(path, Service, fragments=fragments)
    assert (config.mqtt.port, config.mqtt.broker, sorted(config.assets), config.lists) == (2, "b", ["x", "y"], [])
    write(tmp_path / "conf.d", "assets: {y: {engin: numpy}}", "20.yaml")
    with pytest.raises(ConfigError, match=r"20.yaml: unknown key 'assets.y.engin'; did you mean 'assets.y.engine'"):
        load_yaml(path, Service, fragments=fragments)


def test_error_of_a_section_names_the_section(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c.yaml: expected another node than bad$"):
        load_yaml(write(tmp_path, "node: bad"), Service)
    with pytest.raises(ConfigError, match=r"c.yaml: key 'node': expected a text"):
        load_yaml(write(tmp_path, "node: {a: 1}"), Service)


def test_secret_is_not_printed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key 'mqtt.password' is \(not shown\), expected a text"):
        load_yaml(write(tmp_path, "node: a\nmqtt: {password: 12345}"), Service)


@given(st.binary(max_size=80) | st.text("asdt:{}[]-&*!? \n\"'#|<1.", max_size=60).map(str.encode))
def test_any_text_raises_only_user_errors(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load_yaml(path, TrainConfig)
