"""runtime.yaml: defaults, refused values, and secrets that are not printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vcedge.config.mqtt import Endpoint, parse_broker, password_of
from vcedge.config.runtime import RuntimeConfig, load_runtime_config
from vcedge.errors import ConfigError, InputNotFound

SAMPLE = Path(__file__).parents[2] / "configs" / "runtime.yaml"


def load(folder: Path, content: dict[str, Any], **environment: str) -> RuntimeConfig:
    path = folder / "runtime.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_runtime_config(path, environment)


def test_sample_shows_the_defaults() -> None:
    sample = load_runtime_config(SAMPLE, {})
    bare = RuntimeConfig(node="press-07")
    assert sample.mqtt == bare.mqtt
    assert sample.input == bare.input
    assert sample.state_dir == bare.state_dir
    assert sample.assets["skab-pump"].model == SAMPLE.parent.absolute() / "models" / "skab-pump.vcedge"
    assert sample.client_id == "vcedge-press-07"


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    mqtt = {"broker": "mqtts://b", "ca_file": "ca.pem", "username": "u", "password_file": "/run/secret"}
    config = load(tmp_path, {"node": "n", "mqtt": mqtt, "assets": {"a": {"model": "m/x.vcedge"}}})
    assert config.assets["a"].model == tmp_path / "m" / "x.vcedge"
    assert config.mqtt.ca_file == tmp_path / "ca.pem"
    assert config.mqtt.password_file == Path("/run/secret")
    assert config.mqtt.endpoint == Endpoint("b", 8883, tls=True)


def test_fragments_and_variables_override_the_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-site.yaml").write_text("mqtt: {broker: 'mqtt://site', prefix: site/a}\n")
    content = {"node": "n", "mqtt": {"broker": "mqtt://main", "keepalive_s": 7}, "assets": {"skab-pump": {}}}
    variables = {"VCEDGE__NODE": "07", "VCEDGE__ASSETS__SKAB_PUMP__MODEL": "x.vcedge", "VCEDGE_DATA": "elsewhere"}
    config = load(tmp_path, content, **variables)
    assert (config.mqtt.broker, config.mqtt.prefix, config.mqtt.keepalive_s) == ("mqtt://site", "site/a", 7)
    assert config.node == "07"
    assert config.assets["skab-pump"].model == tmp_path / "x.vcedge"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": "x"}, "unknown key 'nodes'; did you mean 'node'?"),
        ({"node": "a/b"}, "key 'node' is 'a/b', expected one level of a topic"),
        ({"node": ""}, "key 'node'"),
        ({"mqtt": {"brokr": "x"}}, "did you mean 'mqtt.broker'?"),
        ({"mqtt": {"broker": "http://x"}}, "key 'mqtt.broker' is 'http://x', expected mqtt://host:port"),
        ({"mqtt": {"broker": "mqtt://x:99999"}}, "a port from 1 to 65535"),
        ({"mqtt": {"broker": "mqtt://"}}, "expected mqtt://host:port"),
        ({"mqtt": {"version": 4}}, "key 'mqtt.version' is 4, expected '5' or '3.1.1'"),
        ({"mqtt": {"prefix": "a//b"}}, "key 'mqtt.prefix' is 'a//b', expected one level"),
        ({"mqtt": {"prefix": "$SYS"}}, "belong to the broker"),
        ({"mqtt": {"ca_file": "x"}}, "expected a broker of mqtts://"),
        ({"mqtt": {"password_env": "P"}}, "expected a username"),
        ({"mqtt": {"username": "u", "password_env": "P", "password_file": "f"}}, "not both"),
        ({"mqtt": {"broker": "mqtts://x", "key_file": "k"}}, "expected a cert_file"),
        ({"mqtt": {"receive_maximum": 0}}, "key 'mqtt.receive_maximum' is 0"),
        ({"input": {"topic": "plant/x"}}, "expected {asset} once"),
        ({"input": {"topic": "plant/{asset}x"}}, "expected {asset} once"),
        ({"input": {"topic": "$share/g/{asset}"}}, "no shared subscription"),
        ({"input": {"topic": "vcedge/n/{asset}/#"}}, "expected a topic that does not cover vcedge/n/status"),
        ({"input": {"codec": ""}}, "key 'input.codec'"),
        ({"input": {"max_bytes": 0}}, "key 'input.max_bytes' is 0"),
        ({"assets": {"a/b": {}}}, "key 'assets.a/b'"),
        ({"assets": {"a": {"threshold": 0}}}, "key 'assets.a.threshold' is 0"),
        ({"assets": {"a": {"thresold": 1}}}, "did you mean 'assets.a.threshold'?"),
        ({"run_when": {}}, "key 'run_when.channel' is missing"),
        ({"run_when": {"channel": "Speed"}}, "key 'run_when': expected above or below, a limit"),
        ({"run_when": {"channel": "Speed", "over": 5}}, "unknown key 'run_when.over'; did you mean 'run_when.above'?"),
        ({"run_when": {"channel": "Speed", "above": True}}, "key 'run_when.above' is True, expected a number"),
        ({"run_when": {"channel": "Speed", "above": float("nan")}}, "expected a finite number"),
        ({"run_when": {"channel": "Speed", "above": 5, "below": 5}}, "expected above (5) less than below (5)"),
        ({"assets": {"a": {"run_when": {"above": 5}}}}, "key 'assets.a.run_when.channel' is missing"),
        ({"source": "x"}, "unknown key 'source'"),
    ],
)
def test_invalid_configuration_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"node": "n", **change})
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "runtime.yaml"))
    assert len(str(caught.value).splitlines()) <= 2


def test_password_in_the_address_is_refused_and_not_printed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no user or password") as caught:
        load(tmp_path, {"node": "n", "mqtt": {"broker": "mqtt://user:s3cret@host"}})
    assert "s3cret" not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"gone\.yaml"):
        load_runtime_config(tmp_path / "gone.yaml", {})


def test_password_is_read_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret é\nsecond line\n")
    user = {"username": "u"}
    by_file = load(tmp_path, {"node": "n", "mqtt": {**user, "password_file": "secret"}}).mqtt
    assert password_of(by_file) == "s3cret é"
    by_name = load(tmp_path, {"node": "n", "mqtt": {**user, "password_env": "MQTT_PASSWORD"}}).mqtt
    assert password_of(by_name, {"MQTT_PASSWORD": "x"}) == "x"
    with pytest.raises(ConfigError, match=r"mqtt\.password_env: no environment variable 'MQTT_PASSWORD'"):
        password_of(by_name, {})
    assert password_of(RuntimeConfig(node="n").mqtt) is None


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("mqtt://localhost", Endpoint("localhost", 1883, tls=False)),
        ("mqtt://10.0.0.1:1234/", Endpoint("10.0.0.1", 1234, tls=False)),
        ("mqtts://broker.plant", Endpoint("broker.plant", 8883, tls=True)),
        ("mqtts://[fd00::1]:1", Endpoint("fd00::1", 1, tls=True)),
    ],
)
def test_broker_address_is_parsed(url: str, endpoint: Endpoint) -> None:
    assert parse_broker(url) == endpoint
