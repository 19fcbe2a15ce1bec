"""Make messages from others: golden and hostile cases, mutated in bytes and in structure."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from tests.support.hostile import CODECS, HOSTILE

GOLDEN = Path(__file__).parents[1] / "golden" / "codecs"
LONGEST = 200_000
"""Maximum bytes of a mutated message: longer ones are refused for their size and cost only time."""
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, 5e-324, 2**28, 2**53, 10**30, 1.7e9, 1.7e12, 1.7e18, -62e9),
    *("", "1.2", "NaN", "2023-11-14T22:13:20Z", "9999-12-31", "\ud800", "é", "\u0000", "a" * 300),
    *([], [None], [1, 2, 3], {}, {"v": 1}, {"a": []}),
)
KEYS = ("", "ts", "t0", "dt", "v", "value", "n", "bn", "bt", "Pressure", "x_", "\ud800")
TOKENS = (b"NaN", b"1e400", b"-Infinity", b"[", b"{", b'"', b",", b":", b"\\u", b"\xff", b"\x00", b"null", b"1" * 400)


class Mutator:
    """Makes messages of one codec, the same ones for the same seed."""

    def __init__(self, codec: str, random: Random) -> None:
        self._random = random
        self._seeds = [(case / "input.json").read_bytes() for case in sorted((GOLDEN / codec).iterdir())]
        self._others = [
            (case / "input.json").read_bytes() for other in CODECS for case in sorted((GOLDEN / other).iterdir())
        ]

    def message(self) -> bytes:
        """Return one message, mostly of the codec, mutated a few times."""
        random = self._random
        dice = random.random()
        if dice < 0.005:
            return random.choice(HOSTILE)
        if dice < 0.03:
            return random.randbytes(random.randrange(64))
        payload = random.choice(self._seeds if dice < 0.9 else self._others)
        for _ in range(random.randrange(4)):
            payload = self._structure(payload) if random.random() < 0.6 else self._bytes(payload)
        return payload

    def _structure(self, payload: bytes) -> bytes:
        """Return the JSON with another value, key or item somewhere."""
        try:
            root = [json.loads(payload)]
        except (ValueError, RecursionError):
            return self._bytes(payload)
        places = list(_places(root))
        container, key = self._random.choice(places)
        dice = self._random.randrange(4)
        other, there = self._random.choice(places)
        if dice == 0:
            container[key] = self._random.choice(ODD)
        elif dice == 1:
            container[key] = other[there]
        elif dice == 2 and isinstance(container, dict):
            container[self._random.choice(KEYS)] = container[key]
        else:
            container[key] = [container[key]] * self._random.randrange(5)
        try:
            text = json.dumps(root[0], ensure_ascii=self._random.random() < 0.5)
            return text.encode("utf-8", "surrogatepass")[:LONGEST]
        except (ValueError, RecursionError):  # a container that contains itself
            return payload

    def _bytes(self, payload: bytes) -> bytes:
        random = self._random
        at = random.randrange(len(payload) + 1)
        end = min(len(payload), at + random.randrange(8))
        junk = random.choice((random.randbytes(random.randrange(4)), random.choice(TOKENS), payload[at:end] * 9))
        return (payload[:at] + junk + payload[random.choice((at, end)) :])[:LONGEST]


def _places(value: Any) -> Any:
    """Yield every container in the value with each of its keys."""
    level = [value]
    while level:
        below = []
        for container in level:
            keys = range(len(container)) if isinstance(container, list) else list(container)
            for key in keys:
                yield container, key
                if isinstance(container[key], list | dict):
                    below.append(container[key])
        level = below if len(below) < 1000 else []
