"""Plug-in codecs: found by their entry point; a fault of theirs does not end the service."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.service.test_service import configure
from vcedge.cli.main import run as run_program
from vcedge.errors import ConfigError
from vcedge.runtime.codecs import Limits, Reading, Undecodable
from vcedge.runtime.codecs.registry import Decoder, open_decoder

DOCUMENT = Path(__file__).parents[3] / "docs" / "messages.md"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one codec where Python finds it."""

    def put(source: str, name: str = "lines", target: str = "plant_codec:decode", package: str = "plant") -> None:
        folder = tmp_path / package
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[vcedge.codecs]\n{name} = {target}\n")
        (folder / "plant_codec.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "plant_codec", raising=False)

    return put


def test_example_of_the_documentation_works(install: Install) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(source.splitlines()) <= 20
    install(source)
    decode = open_decoder("lines", Limits(), "codec")
    assert decode(b"Pressure 1.2\nFlow 3") == Reading(None, {"Pressure": [1.2], "Flow": [3.0]})
    with pytest.raises(Undecodable, match=r"^'Pressure': expected a number$"):
        decode(b"Pressure high")
    with pytest.raises(Undecodable, match="returned a value that is not a finite float or NaN"):
        decode(b"Pressure inf")


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("codec", "reason"),
    [
        (lambda payload, limits: _raise(ValueError("no\nluck\x00 " + "x" * 500)), "failed: ValueError: no luck?"),
        (lambda payload, limits: _raise(SystemExit(1)), "failed: SystemExit: 1"),
        (lambda payload, limits: _raise(MemoryError()), "failed: MemoryError:"),
        (lambda payload, limits: _raise(Undecodable("a line\nand one more")), "a line and one more"),
        (lambda payload: None, "failed: TypeError:"),
        (lambda payload, limits: {"v": 1}, "returned a dict, expected a Reading"),
        (lambda payload, limits: Reading((), {}), "returned times that are not a tuple of integers of nanoseconds"),
        (lambda payload, limits: Reading((1.5,), {}), "returned times that are not a tuple of integers of nanoseconds"),
        (lambda payload, limits: Reading((1 << 62,), {}), "returned times that are not a tuple of integers"),
        (lambda payload, limits: Reading((1, 2), {"a": [1.0, 2.0]}), "returned several samples that are not a block"),
        (lambda payload, limits: Reading((1,), {"a": [1.0, 2.0]}), "returned a column that is not a list of 1 values"),
        (lambda payload, limits: Reading((1,), {"a": (1.0,)}), "returned a column that is not a list of 1 values"),
        (lambda payload, limits: Reading((1,), {"a": [1]}), "returned a value that is not a finite float or NaN"),
        (
            lambda payload, limits: Reading((1,), {"a": [math.inf]}),
            "returned a value that is not a finite float or NaN",
        ),
        (lambda payload, limits: Reading((1,), {"\ud800": [1.0]}), "the name of a channel that is not Unicode"),
        (lambda payload, limits: Reading((1,), [1.0]), "returned columns that are not a dictionary"),
        (lambda payload, limits: Reading((1,), {"a": [1.0], "b": [1.0]}), "2 channels, expected at most 1"),
    ],
)
def test_faulty_plugin_gives_a_reason_of_one_line(codec: Any, reason: str) -> None:
    with pytest.raises(Undecodable) as caught:
        Decoder("odd", codec, Limits(max_channels=1))(b"")
    words = str(caught.value)
    assert reason in words
    assert words.isprintable()
    assert len(words) < 300


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("import not_there\n", "plant_codec:decode", "cannot be loaded: ModuleNotFoundError: No module named"),
        ("def other(): pass\n", "plant_codec:decode", "cannot be loaded: AttributeError"),
        ("1 +\n", "plant_codec:decode", "cannot be loaded: SyntaxError"),
        ("raise SystemExit(0)\n", "plant_codec:decode", "cannot be loaded: SystemExit: 0"),
        ("decode = 5\n", "plant_codec:decode", "is of type int, expected a function"),
    ],
)
def test_broken_plugin_ends_the_service_with_78(
    source: str, target: str, words: str, install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(source, target=target)
    topic = {"topic": "p/{asset}", "codec": "lines"}
    config = configure(tmp_path, "broken", "mqtt://127.0.0.1:1", input=topic)
    assert run_program(["run", str(config)]) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{config}: key 'input.codec': codec 'lines' (plant_codec:decode) of plant {words}" in line


def test_unknown_codec_names_the_installed_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topic = {"topic": "p/{asset}", "codec": "sparkplug"}
    config = configure(tmp_path, "unknown", "mqtt://127.0.0.1:1", input=topic)
    assert run_program(["run", str(config), "--check"]) == 78
    assert run_program(["record", str(config), "--out", str(tmp_path / "out")]) == 78
    error = capsys.readouterr().err
    assert error.count("key 'input.codec' is 'sparkplug', expected an installed codec: json, senml, value") == 2


def test_two_plugins_of_one_name_are_refused(install: Install) -> None:
    install("def decode(payload, limits): ...\n", name="json")
    with pytest.raises(
        ConfigError,
        match=r"several packages have a codec 'json', expected one: 'json' \(plant_codec:decode\) of plant, ",
    ):
        open_decoder("json", Limits(), "codec")
