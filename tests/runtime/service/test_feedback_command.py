"""`vcedge feedback` and a real broker: a conversation with a service, and what is missing when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import configure, publish, wait_online
from vcedge.cli.main import run
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.service import feedback_client
from vcedge.runtime.stream.stream import Stream

ROWS = samples(recording(14, 400, 3))


def test_a_missing_broker_or_service_is_unavailable(
    shared_broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_client, "PATIENCE_S", 0.5)
    assert run(["feedback", str(configure(tmp_path, "lost", "mqtt://localhost:1")), "--list"]) == 69
    assert "mqtt://localhost:1: no connection within 0.5 s" in capsys.readouterr().err
    assert run(["feedback", str(configure(tmp_path, "lost", shared_broker.url)), "a", "fault"]) == 69
    assert f"vcedge/lost/status at {shared_broker.url}: the service has published no status" in capsys.readouterr().err
    with Peer(shared_broker.url) as peer:
        peer.publish("vcedge/lost/status", b"offline", retain=True)
        assert run(["feedback", str(tmp_path / "runtime.yaml"), "a", "fault"]) == 69
        assert "the service is offline; start it" in capsys.readouterr().err
        peer.publish("vcedge/lost/status", b"online", retain=True)
        assert run(["feedback", str(tmp_path / "runtime.yaml"), "--list"]) == 69
        assert "vcedge/lost/lost/feedback/state: no message within" in capsys.readouterr().err
        assert run(["feedback", str(tmp_path / "runtime.yaml"), "a", "fault"]) == 69
        assert "vcedge/lost/lost/feedback/set: no answer within" in capsys.readouterr().err
        peer.publish("vcedge/lost/status", b"", retain=True)


@pytest.mark.slow
def test_events_are_listed_and_judged(
    shared_broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(configure(tmp_path, "told", shared_broker.url))
    stream = Stream(load_engine(tiny_detector()))
    found = [event for row in ROWS for event in stream.push(row).events if event.type == "end"]
    with running("run", config), Peer(shared_broker.url, "vcedge/told/#") as peer:
        wait_online(peer, "told")
        assert run(["feedback", config, "--list"]) == 0
        assert capsys.readouterr().err == "no events yet\n"
        publish(peer, "told/told", ROWS)
        peer.until(
            lambda _: (
                all(e["end"] for e in payloads(peer.messages, "told", "feedback/state")[-1]["events"])
                and len(payloads(peer.messages, "told", "feedback/state")[-1]["events"]) == len(found)
            ),
            "all events in the state",
        )
        assert run(["feedback", config, found[0].id, "false_alarm", "--by", "Kim", "--note", "new\nfilter"]) == 0
        said = capsys.readouterr().err
        assert said.startswith(f"{found[0].id} is judged as false_alarm; false alarms raise its threshold by ")
        assert run(["feedback", config, found[0].id, "false_alarm", "--by", "Kim", "--note", "new filter"]) == 0
        capsys.readouterr()
        remote = ["--broker", shared_broker.url, "--node", "told", "--asset", "told"]
        assert run(["feedback", found[-1].id, "fault", *remote, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["counts"]["fault"] == 1
        assert run(["feedback", *remote, "--list"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(found)
        assert lines[0].startswith(f"{found[-1].id}: 2023-11-14T")
        assert lines[0].endswith("; fault")
        assert lines[-1].endswith("; false_alarm by Kim: new filter")
        assert run(["feedback", config, "anomaly-1", "fault"]) == 65
        expected = "vcedge: error: asset told: refused: key 'event' is 'anomaly-1', which is none of the last"
        assert capsys.readouterr().err.startswith(expected)
        assert run(["feedback", *remote[:-1], "nobody", "anomaly-1", "fault"]) == 65
        assert "asset nobody: refused: the configuration has no such asset" in capsys.readouterr().err
