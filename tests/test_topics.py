"""Topics: the asset of an input topic, subscriptions, and output topics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.topics import InputTopic, OutputTopics, is_pattern

LEVEL = st.text(st.characters(exclude_characters="/+#\x00", exclude_categories=["Cs"]), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("pattern", "topic", "asset"),
    [
        ("plant/{asset}", "plant/pump", "pump"),
        ("plant/{asset}", "plant/pump/x", None),
        ("plant/{asset}", "plant/", None),
        ("plant/{asset}", "Plant/pump", None),
        ("{asset}", "pump", "pump"),
        ("a/{asset}/b", "a/x/b", "x"),
        ("a.c/{asset}", "abc/x", None),
        ("a/+/{asset}", "a//x", "x"),
        ("a/{asset}/#", "a/x", "x"),
        ("a/{asset}/#", "a/x/y/z", "x"),
        ("a/{asset}/#", "a/xy", "xy"),
        ("a/{asset}/+", "a/x", None),
        ("plant/{asset}", "plant/new\nline", "new\nline"),
    ],
)
def test_asset_of_a_topic(pattern: str, topic: str, asset: str | None) -> None:
    assert InputTopic(pattern).asset_of(topic) == asset


@given(LEVEL, LEVEL, LEVEL)
def test_topic_of_an_asset_parses_back_to_it(before: str, asset: str, after: str) -> None:
    pattern = f"p{before}/{{asset}}/{after}"
    if set("{}") & set(before + after):
        with pytest.raises(ValueError, match="expected"):
            InputTopic(pattern)
        return
    topic = InputTopic(pattern)
    assert topic.asset_of(topic.of(asset)) == asset


@pytest.mark.parametrize("pattern", ["plant", "{asset}/{asset}", "x{asset}", "#/{asset}", "a#/{asset}", "a+/{asset}"])
def test_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        InputTopic(pattern)


def test_subscriptions_of_an_input_topic() -> None:
    topic = InputTopic("plant/{asset}")
    assert topic.subscriptions(["a", "b"]) == ("plant/a", "plant/b")
    assert topic.subscriptions(["a", "pump-*"]) == ("plant/+",)
    assert topic.subscriptions([]) == ("plant/+",)
    assert topic.publishable
    assert not InputTopic("+/{asset}").publishable


@pytest.mark.parametrize(("name", "pattern"), [("pump-*", True), ("p?", True), ("p[12]", True), ("pump-1", False)])
def test_asset_patterns_are_recognised(name: str, pattern: bool) -> None:
    assert is_pattern(name) == pattern


def test_output_topics() -> None:
    topics = OutputTopics("site/v", "n")
    assert topics.status == "site/v/n/status"
    assert topics.of("a", "score") == "site/v/n/a/score"
