"""Types of the native kernel's extension (runtime/kernel/python/module.c). Arrays are C-contiguous."""

from typing import Any

from numpy.typing import NDArray

from vcedge.schema import F32, F64

Array = NDArray[Any]
Shape = tuple[int, int, int, int, int, int]

ALIGN: int

def isas() -> dict[str, int]: ...
def best(int8: bool = False, /) -> str: ...
def width(isa: int, /) -> int: ...
def model_size(shape: Shape, isa: int, /) -> int: ...
def pack(
    shape: Shape,
    isa: int,
    model: Array,
    gate_bias: float,
    boundaries: Array,
    thresholds: Array,
    recurrent: F32,
    inputs: F32,
    bias: F32,
    reset_bias: F32,
    gate_hidden: F32,
    gate_input: F32,
    head: F32,
    head_bias: F32,
    /,
) -> None: ...
def layout() -> dict[str, Any]: ...
def score_lines(
    rows: int,
    start: int,
    stop: int,
    arrays: tuple[Array, ...],
    channels: int,
    names: bytes,
    hidden: int,
    numbered: int,
    /,
) -> tuple[str, int]: ...
def probe_read(isa: int, memory: F32, times: int, /) -> float: ...
def probe_fma(isa: int, times: int, /) -> float: ...

class Model:
    def __new__(cls, packed: Array, /) -> Model: ...
    @property
    def state_size(self) -> int: ...
    @property
    def shape(self) -> Shape: ...
    def run(
        self,
        rows: int,
        state: F32,
        x: F32,
        y: F32 | None,
        levels: NDArray[Any] | None,
        min_level: int,
        logit_bias: float,
        /,
    ) -> None: ...
    def step_many(
        self,
        streams: int,
        states: F32,
        x: F32,
        y: F32 | None,
        levels: NDArray[Any],
        min_level: int,
        logit_bias: float,
        /,
    ) -> None: ...

class Stream:
    def __new__(cls, model: Model, state: F32, out: F32, /) -> Stream: ...
    def step(self, x: F32, /) -> int: ...
    def policy(self, min_level: int, logit_bias: float, /) -> None: ...

DetectorShape = tuple[int, ...]

def detector_size(shape: DetectorShape, isa: int, cell_bytes: int, /) -> int: ...
def detector_pack(
    shape: DetectorShape,
    isa: int,
    model: Array,
    clip: float,
    surprise_limit: float,
    sections: tuple[Array, ...],
    cell: Array,
    /,
) -> None: ...

class Detector:
    def __new__(cls, packed: Array, /) -> Detector: ...
    def step(
        self, values: F64, state: Array, contributions: F64, min_level: int, logit_bias: float, /
    ) -> tuple[float, int, F64]: ...
    def run(
        self,
        rows: int,
        values: F64,
        state: Array,
        raw: F64,
        levels: Array,
        wakes: Array,
        contributions: F64,
        min_level: int,
        logit_bias: float,
        /,
    ) -> None: ...
    def score_rows(
        self,
        rules: Array,
        state: Array,
        time_ns: Array,
        values: F64,
        columns: Array,
        start: int,
        stop: int,
        min_level: int,
        logit_bias: float,
        /,
    ) -> int: ...

UnrollSizes = tuple[int, int, int, int, int, bool]

class Unroll:
    def __new__(
        cls, isa: int, sizes: UnrollSizes, sharpness: float, eps: float, arrays: tuple[Array, ...], /
    ) -> Unroll: ...
    def forward(self, i: int, /) -> None: ...
    def backward(self, i: int, /) -> None: ...
