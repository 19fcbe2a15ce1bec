"""Watches sensor streams on the device itself; `load`, `Stream` and `Score` are the interface for scoring in Python.

Load a model, make a stream for each machine, push its samples in order of time, read the scores:

>>> import numpy as np
>>> import vcedge
>>> engine = vcedge.load("model.vcedge")  # or a .onnx or .tflite file that was exported from it
>>> engine.detector.schema.names
('Pressure', 'Current', 'Flow')
>>> stream = vcedge.Stream(engine)
>>> usual = np.random.default_rng(0).normal([1.2, 0.8, 32.0], [0.05, 0.01, 0.4], (100, 3))
>>> for second, values in enumerate(usual):
...     score = stream.push(vcedge.Sample(time_ns=second * 10**9, values=values))
>>> score.status, score.alarm, score.score < 0.5
('ok', False, True)

The score of an alarm lists the channels with the largest shares first:

>>> score = stream.push(vcedge.Sample(time_ns=100 * 10**9, values=np.array([9.0, 0.8, 32.0])))
>>> score.alarm, score.top[0][0]
(True, 'Pressure')

Importing this package imports none of its modules and no other package; the names above load on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vcedge.runtime.exported.artifact import load
    from vcedge.runtime.stream.score import Score
    from vcedge.runtime.stream.stream import Stream
    from vcedge.schema import Sample

__version__ = "0.1.0"
__all__ = ["Sample", "Score", "Stream", "__version__", "load"]

_HOMES = {
    "Sample": "vcedge.schema",
    "Score": "vcedge.runtime.stream.score",
    "Stream": "vcedge.runtime.stream.stream",
    "load": "vcedge.runtime.exported.artifact",
}
"""The module of each name that is loaded on first use."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
