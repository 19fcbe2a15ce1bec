"""Addresses of topics: kind, asset, channel and setting, and the lane of the inbox."""

from __future__ import annotations

from vcedge.runtime.service.addresses import SHARED, topic_parser
from vcedge.topics import InputTopic, OutputTopics

ADDRESS_OF = topic_parser(InputTopic("plant/{asset}/{channel}"), OutputTopics("v", "n"), {"a", "b"})


def test_samples_and_settings_of_an_asset_share_a_lane_and_unknown_assets_share_few() -> None:
    lanes = [ADDRESS_OF(topic).lane for topic in ("plant/a/x", "plant/a/y", "v/n/a/threshold/set")]
    assert lanes == ["a", "a", "a"]
    assert len({ADDRESS_OF(f"plant/stranger-{i}/x").lane for i in range(10_000)}) <= SHARED
    assert ADDRESS_OF("plant/stranger/x").lane == ADDRESS_OF("v/n/stranger/threshold/set").lane


def test_address_has_kind_asset_channel_and_setting() -> None:
    topics = ("plant/a/x", "v/n/a/stage/set", "v/n/a/model/set", "v/n/status")
    found = [ADDRESS_OF(topic)[:4] for topic in topics]
    assert found == [
        ("sample", "a", "x", ""),
        ("setting", "a", None, "stage"),
        ("model", "a", None, "model"),
        ("other", "", None, ""),
    ]
