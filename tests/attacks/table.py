"""Table of malicious files: the name, the attack, and a part of the message that the refusal must contain."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tests.attacks.surgery import (
    Attack,
    header_with,
    join_file,
    manifest_source,
    manifest_text,
    manifest_with,
    manifest_without,
    split_file,
    tensor_value,
    tensors_with,
)

DEEP = 100_000
Table = dict[str, tuple[Attack, str]]


def _offsets(first: str, begin: int, end: int) -> Attack:
    def change(header: dict[str, Any]) -> None:
        header[first]["data_offsets"] = [begin, end]

    return header_with(change)


def _info(name: str, **values: Any) -> Attack:
    return header_with(lambda header: header[name].update(values))


def _cast(name: str, dtype: type) -> Attack:
    def change(tensors: dict[str, Any]) -> None:
        tensors[name] = tensors[name].astype(dtype)

    return tensors_with(change)


def _transposed(tensors: dict[str, Any]) -> None:
    tensors["head.weights"] = tensors["head.weights"].T


def _spare_metadata(header: dict[str, Any]) -> None:
    header["__metadata__"]["note"] = "x"


def _tensor_twice(data: bytes) -> bytes:
    parts = split_file(data)
    (length,) = struct.unpack_from("<Q", data)
    text = data[8 : 8 + length].decode().rstrip()
    info = f'"dtype":"F32","shape":[3],"data_offsets":{parts.header["head.bias"]["data_offsets"]}'
    return join_file(text[:-1] + ',"head.bias":{' + info + "}}", parts.body)


CONTAINER: Table = {
    "empty": (lambda _: b"", "0 bytes, expected a model file"),
    "short": (lambda data: data[:7], "7 bytes, expected a model file"),
    "text": (lambda _: b"asset: pump\n" * 9, "a header of"),
    "zeros": (lambda _: bytes(5000), "header is not JSON"),
    "elf": (lambda _: b"\x7fELF" + bytes(range(256)) * 9, "not a model file, or cut short"),
    "header-cut": (lambda data: data[:100], "in a file of 100: not a model file, or cut short"),
    "body-cut": (lambda data: data[:-1], "not a sound safetensors file"),
    "body-gone": (lambda data: data[: 8 + struct.unpack_from("<Q", data)[0]], "not a sound safetensors file"),
    "one-byte-more": (lambda data: data + b"\0", "not a sound safetensors file"),
    "header-endless": (lambda data: b"\xff" * 8 + data[8:], "a header of 18446744073709551615 bytes"),
    "header-large": (lambda data: struct.pack("<Q", 2**24 + 1) + bytes(2**24 + 1), "expected at most 16777216"),
    "header-not-json": (lambda data: join_file("{'a': 1}", b""), "header is not JSON: Expecting property name"),
    "header-not-utf8": (lambda data: join_file(b'{"\xff": 1}', b""), "header is not UTF-8"),
    "header-list": (lambda data: join_file("[1, 2]", b""), "header is [1, 2], expected an object"),
    "header-deep": (
        lambda data: join_file('{"a":' + "[" * DEEP + "]" * DEEP + "}", b""),
        "header is nested too deeply",
    ),
    "header-nan": (lambda data: join_file('{"a": NaN}', b""), "header holds NaN, expected finite numbers"),
    "header-number": (
        lambda data: join_file('{"a": ' + "9" * 5000 + "}", b""),
        "header is not JSON: Exceeds the limit",
    ),
    "tensor-twice": (_tensor_twice, "header has the key 'head.bias' twice"),
    "no-metadata": (header_with(lambda h: h.pop("__metadata__")), "without the metadata 'vcedge'"),
    "metadata-list": (header_with(lambda h: h.update(__metadata__=[])), "without the metadata 'vcedge'"),
    "metadata-number": (header_with(lambda h: h.update(__metadata__={"vcedge": 1})), "without the metadata"),
    "metadata-more": (header_with(_spare_metadata), "metadata ['note', 'vcedge'], expected only 'vcedge'"),
    "overlap": (_offsets("head.bias", 0, 12), "not a sound safetensors file"),
    "out-of-range": (_offsets("head.bias", 10**9, 10**9 + 12), "not a sound safetensors file"),
    "offsets-reversed": (_offsets("head.bias", 12, 0), "not a sound safetensors file"),
    "offsets-negative": (_offsets("head.bias", -12, 0), "not a sound safetensors file"),
    "offsets-gone": (header_with(lambda h: h["head.bias"].pop("data_offsets")), "not a sound safetensors file"),
    "shape-lies": (_info("head.bias", shape=[2**62, 8]), "'head.bias' is \"F32\" [4611686018427387904, 8], expected"),
    "shape-float": (_info("head.bias", shape=[3.5]), '\'head.bias\' is "F32" [3.5], expected "F32" [3]'),
    "shape-text": (_info("head.bias", shape="3"), '\'head.bias\' is "F32" "3", expected'),
    "info-list": (header_with(lambda h: h.update({"head.bias": [1]})), "'head.bias' is null null, expected"),
    "dtype-unknown": (_info("head.bias", dtype="F99"), '\'head.bias\' is "F99" [3], expected "F32" [3]'),
    "dtype-bf16": (_info("head.bias", dtype="BF16"), '\'head.bias\' is "BF16" [3], expected "F32" [3]'),
}

TENSORS: Table = {
    "missing": (tensors_with(lambda t: t.pop("cell.bias")), "tensor 'cell.bias' is missing"),
    "extra": (tensors_with(lambda t: t.update(x=np.zeros(1, np.float32))), "unknown tensor 'x'"),
    "no-tensors": (tensors_with(lambda t: t.clear()), "tensor 'cell.bias' is missing"),
    "f16": (_cast("cell.recurrent", np.float16), '\'cell.recurrent\' is "F16" [3, 16, 16], expected "F32"'),
    "f64": (_cast("highway.weights", np.float64), '\'highway.weights\' is "F64" [7, 3], expected "F32" [7, 3]'),
    "i32": (_cast("head.weights", np.int32), '\'head.weights\' is "I32" [3, 16], expected "F32" [3, 16]'),
    "transposed": (tensors_with(_transposed), '\'head.weights\' is "F32" [16, 3], expected "F32" [3, 16]'),
    "nan": (tensor_value("cell.recurrent", np.nan), "'cell.recurrent' holds nan at [0, 0, 1], expected a finite"),
    "inf": (tensor_value("highway.weights", np.inf), "'highway.weights' holds inf at [0, 1], expected a finite"),
    "minus-inf": (tensor_value("cell.gate_input", -np.inf), "'cell.gate_input' holds -inf at [1], expected a finite"),
    "spread-zero": (
        tensor_value("highway.spread", 0.0),
        "'highway.spread' holds 0.0 at [1], expected a number greater",
    ),
    "spread-nan": (tensor_value("highway.spread", np.nan), "'highway.spread' holds nan at [1], expected a number"),
    "error-scale": (tensor_value("head.error_scale", -1.0), "'head.error_scale' holds -1.0 at [1], expected a number"),
    "centroids": (tensor_value("resemblance.centroids", np.nan), "'resemblance.centroids' holds nan at [0, 1]"),
    "whitening": (
        tensors_with(lambda t: t.pop("resemblance.whitening")),
        "tensor 'resemblance.whitening' is missing",
    ),
    "distance-nan": (tensor_value("scorer.distance.centroids", np.nan), "'scorer.distance.centroids' holds nan at"),
    "cycle-inf": (tensor_value("scorer.cycle.scale", np.inf), "'scorer.cycle.scale' holds inf at [0, 1], expected"),
    "initial": (tensors_with(lambda t: t.pop("scorer.initial")), "tensor 'scorer.initial' is missing"),
    "shrink-high": (tensor_value("head.shrink", 1.5), "'head.shrink' holds 1.5 at [1], expected a number from 0 to 1"),
    "shrink-low": (tensor_value("head.shrink", -0.5), "'head.shrink' holds -0.5 at [1], expected a number from 0 to 1"),
}

MANIFEST: Table = {
    "not-json": (manifest_text("{"), "manifest is not JSON: Expecting property name"),
    "empty": (manifest_text(""), "manifest is not JSON"),
    "list": (manifest_text("[1]"), "manifest is [1], expected an object"),
    "deep": (manifest_text('{"reading":' + "[" * DEEP + "]" * DEEP + "}"), "manifest is nested too deeply"),
    "rather-deep": (
        manifest_source('"reading":{', '"reading":{"a":' + "[" * 40 + "]" * 40 + ","),
        "manifest is nested more than 32 deep",
    ),
    "twice": (manifest_source('"asset":', '"asset":"other","asset":'), "manifest has the key 'asset' twice"),
    "nan": (manifest_source('"threshold":2.5', '"threshold":NaN'), "manifest holds NaN, expected finite numbers"),
    "infinity": (manifest_source('"threshold":2.5', '"threshold":1e999'), "'calibration.threshold' is inf, expected"),
    "digits": (manifest_source('"threshold":2.5', '"threshold":' + "9" * 5000), "manifest is not JSON: Exceeds"),
    "large": (manifest_source('"threshold":2.5', '"threshold":' + "9" * 400), "'calibration.threshold' is 999"),
    "newer": (manifest_with("format", 3), "format version 3 is newer than 2, the newest that this vcedge reads"),
    "older": (manifest_with("format", 1), "format version 1 is older than 2, which this vcedge reads: train it again"),
    "format-0": (manifest_with("format", 0), "key 'format' is 0, expected greater than or equal to 2"),
    "format-true": (manifest_with("format", True), "key 'format' is True, expected a whole number"),
    "format-float": (manifest_with("format", 1.5), "key 'format' is 1.5, expected a whole number"),
    "unknown": (manifest_with("thresold", 1), "unknown key 'thresold'; did you mean 'calibration.threshold'?"),
    "missing": (manifest_without("features.clip"), "manifest: key 'features.clip' is missing"),
    "asset": (manifest_with("asset", "a/b"), "key 'asset' is 'a/b', String must match pattern"),
    "asset-empty": (manifest_with("asset", ""), "key 'asset' is '', String must have at least 1 character"),
    "asset-surrogate": (manifest_source('"asset":"tiny"', '"asset":"\\ud800"'), "key 'asset' is '\\ud800', expected"),
    "no-channels": (manifest_with("schema.channels", []), "key 'schema.channels' is [], List must have at least 1"),
    "same-name": (manifest_with("schema.channels.1.name", "Channel 0"), "found 'Channel 0' twice"),
    "no-name": (manifest_with("schema.channels.1.name", ""), "key 'schema.channels[1].name' is '', String must"),
    "limits": (
        manifest_with("schema.channels.0.low", 200.0),
        "key 'schema.channels[0]': expected low 200.0 below high 100.0",
    ),
    "period": (manifest_with("schema.period_ns", 0), "key 'schema.period_ns' is 0, expected greater than 0"),
    "period-float": (
        manifest_with("schema.period_ns", 1e9),
        "key 'schema.period_ns' is 1000000000.0, expected a whole",
    ),
    "gap": (manifest_with("schema.max_gap_ns", 2**63), "key 'schema.max_gap_ns' is 9223372036854775808, expected"),
    "clip": (manifest_with("features.clip", 0), "key 'features.clip' is 0, expected greater than 0"),
    "scale": (manifest_with("features.scale.1", 0), "key 'features.scale' is [0.5, 0, 4.5], expected numbers greater"),
    "scale-negative": (manifest_with("features.scale.1", -1), "expected numbers greater than 0, found -1"),
    "center": (manifest_with("features.center", [1.0]), "key 'features.center' has 1 numbers, expected 3"),
    "change": (manifest_with("features.change_scale.0", 0.1), "key 'features.change_scale' holds 0.1, expected 32-bit"),
    "change-large": (manifest_with("features.change_scale.0", 1e300), "'features.change_scale' holds 1e+300, expected"),
    "change-small": (manifest_with("features.change_scale.0", 1e-300), "'features.change_scale' holds 1e-300, expec"),
    "order": (manifest_with("highway.order", 0), "key 'highway.order' is 0, expected greater than or equal to 1"),
    "order-other": (manifest_with("highway.order", 3), '\'highway.weights\' is "F32" [7, 3], expected "F32" [10, 3]'),
    "ridge": (manifest_with("highway.ridge", 0), "key 'highway.ridge' is 0, expected greater than 0"),
    "kind": (manifest_with("cell.kind", "lstm"), "'cell.kind' is 'lstm', expected 'vcgru', 'vcrnn', 'gru' or 'rnn'"),
    "no-cell": (manifest_with("cell", None), "unknown tensor 'cell.bias', expected only those of the manifest"),
    "hidden": (manifest_with("cell.hidden", 20), "boundaries a list of 4 items, expected increasing numbers that end"),
    "hidden-0": (manifest_with("cell.hidden", 0), "key 'cell.hidden' is 0, expected greater than or equal to 1"),
    "hidden-huge": (manifest_with("cell.hidden", 10**12), "key 'cell.hidden' is 1000000000000, expected less than"),
    "inputs": (manifest_with("cell.inputs", 6), "key 'cell.inputs' is 6, expected 3"),
    "flags": (manifest_with("features.flags", True), "key 'cell.inputs' is 3, expected 6"),
    "boundaries": (manifest_with("cell.boundaries", [8, 4, 16]), "boundaries [8, 4, 16], expected increasing numbers"),
    "boundaries-end": (manifest_with("cell.boundaries", [4, 8]), "boundaries [4, 8], expected increasing numbers"),
    "boundaries-0": (manifest_with("cell.boundaries", [0, 16]), "key 'cell.boundaries[0]' is 0, expected greater"),
    "boundaries-none": (manifest_with("cell.boundaries", []), "key 'cell.boundaries' is [], List must have at least"),
    "gru": (manifest_with("cell.kind", "gru"), "expected only [16] for a gru"),
    "rnn": (manifest_with("cell.kind", "rnn"), "expected only [16] for a rnn"),
    "vcrnn": (
        manifest_with("cell.kind", "vcrnn"),
        '\'cell.recurrent\' is "F32" [3, 16, 16], expected "F32" [1, 16, 16]',
    ),
    "gate-bias": (manifest_with("cell.gate_bias", None), "key 'cell.gate_bias' is None, expected a number"),
    "role": (
        manifest_with("schema.channels.0.role", "actuator"),
        "'schema.channels[0].role' is 'actuator', expected 'sensor', 'command' or 'constant'",
    ),
    "scorer": (manifest_with("scorer", None), "key 'scorer' is None, expected keys and values"),
    "span": (manifest_with("scorer.span", 0.5), "key 'scorer.span' is 0.5, expected greater than or equal to 1"),
    "weight": (manifest_with("scorer.weights.0", -0.1), "'scorer.weights[0]' is -0.1, expected greater than or"),
    "weights": (manifest_with("scorer.weights.0", 0.5), "weights that sum to 1.43333, expected 1"),
    "weights-few": (manifest_with("scorer.weights", [1.0]), "key 'scorer.weights' is [1.0], List must have at"),
    "reading-usual": (manifest_with("scorer.usual.0", 0.0), "expected numbers greater than 0, found 0.0"),
    "usual-few": (manifest_with("scorer.usual", [1.0]), "key 'scorer.usual' is [1.0], Value must have at least 15"),
    "line": (manifest_with("scorer.line.gain", None), "key 'scorer.line.gain' is None, expected a number"),
    "centroids-none": (manifest_with("scorer.distance.centroids", 0), "'scorer.distance.centroids' is 0, expected"),
    "centroids-many": (
        manifest_with("scorer.distance.centroids", 33),
        "'scorer.distance.centroids' is 33, expected less than or equal to 32",
    ),
    "centroids-other": (
        manifest_with("scorer.distance.centroids", 8),
        '\'scorer.distance.centroids\' is "F32" [9, 3], expected "F32" [8, 3]',
    ),
    "distance-weight": (manifest_with("scorer.distance.weight", 1.5), "'scorer.distance.weight' is 1.5, expected less"),
    "no-distance": (manifest_with("scorer.distance", None), "unknown tensor 'scorer.distance.centroids', expected"),
    "cycle-block": (manifest_with("scorer.cycle.block", 0), "'scorer.cycle.block' is 0, expected greater than or"),
    "cycle-blocks": (manifest_with("scorer.cycle.blocks", 25), "'scorer.cycle.blocks' is 25, expected less than or"),
    "no-cycle": (manifest_with("scorer.cycle", None), "unknown tensor 'scorer.cycle.mean', expected"),
    "ahead": (manifest_with("scorer.horizon.ahead", 0), "'scorer.horizon.ahead' is 0, expected greater than or equal"),
    "horizon-order": (
        manifest_with("scorer.horizon.order", 3),
        '\'scorer.horizon.weights\' is "F32" [7, 3], expected "F32" [10, 3]',
    ),
    "lags": (
        manifest_with("scorer.reconstruction.lags", [0, 4, 1]),
        "lags [0, 4, 1], expected increasing numbers that",
    ),
    "lags-first": (manifest_with("scorer.reconstruction.lags", [1, 2, 3]), "expected increasing numbers that begin"),
    "components": (
        manifest_with("scorer.reconstruction.components", 4),
        '\'scorer.reconstruction.components\' is "F32" [3, 9], expected "F32" [4, 9]',
    ),
    "threshold": (
        manifest_with("calibration.threshold", 0.0),
        "'calibration.threshold' is 0.0, expected greater than 0",
    ),
    "threshold-text": (
        manifest_with("calibration.threshold", "8"),
        "'calibration.threshold' is '8', expected a number",
    ),
    "steepness": (manifest_with("calibration.steepness", -1), "'calibration.steepness' is -1, expected greater than 0"),
    "surprise": (manifest_with("calibration.surprise_ticks", 2**31), "is 2147483648, expected less than or equal"),
    "warmup": (manifest_with("calibration.warmup_rows", -1), "'calibration.warmup_rows' is -1, expected greater than"),
    "memory": (manifest_with("calibration.memory", 0), "'calibration.memory' is 0, expected greater than 0"),
    "median": (manifest_with("calibration.median", None), "'calibration.median' is None, expected a number"),
    "margins": (
        manifest_with("calibration.promise.margins", [0.2, 0.1]),
        "'calibration.promise': expected increasing margins, and as many events",
    ),
    "margins-none": (manifest_with("calibration.promise.margins", []), "is [], List must have at least 1 item"),
    "promise-events": (manifest_with("calibration.promise.events.0", -1), "'calibration.promise.events[0]' is -1, ex"),
    "release": (manifest_with("calibration.events.release", 1.5), "'calibration.events.release' is 1.5, expected less"),
    "share": (manifest_with("calibration.target_share", 1.5), "'calibration.target_share' is 1.5, expected less than"),
    "duration": (manifest_with("calibration.events.min_rows", 0), "'calibration.events.min_rows' is 0, expected"),
    "stuck": (manifest_with("calibration.stuck_rows", [0]), "'calibration.stuck_rows' has 1 numbers, expected 3"),
    "stuck-negative": (manifest_with("calibration.stuck_rows.1", -1), "'calibration.stuck_rows[1]' is -1, expected"),
    "seen": (manifest_without("seen"), "manifest: key 'seen' is missing"),
    "seen-few": (manifest_with("seen.margin_low", [0.0]), "key 'seen.margin_low' has 1 numbers, expected 3"),
    "seen-order": (manifest_with("seen.low.1", 1e6), "key 'seen': expected low 1000000.0 not above high"),
    "seen-margin": (manifest_with("seen.margin_high.1", -1.0), "'seen.margin_high[1]' is -1.0, expected greater"),
    "resemblance": (manifest_with("resemblance", None), "unknown tensor 'resemblance.centroids', expected only those"),
    "kinds": (manifest_with("resemblance.kinds", []), "'resemblance.kinds' is [], List must have at least 1 item"),
    "kind-twice": (manifest_with("resemblance.kinds.0", "spike"), "expected different kinds, found 'spike' twice"),
    "kind-more": (
        manifest_with("resemblance", {"kinds": ["a"], "names": ["a"], "limit": 1.0}),
        '\'resemblance.centroids\' is "F32" [4, 14], expected "F32" [1, 14]',
    ),
    "names": (manifest_with("resemblance.names", ["a"]), "expected as many names as kinds, found 1 for 4"),
    "name-long": (manifest_with("resemblance.names.0", "a" * 101), "'resemblance.names[0]' is"),
    "name-empty": (manifest_with("resemblance.names.0", ""), "'resemblance.names[0]' is '', String must have at least"),
    "resemblance-limit": (manifest_with("resemblance.limit", 0), "'resemblance.limit' is 0, expected greater than 0"),
    "reading": (manifest_with("reading", []), "key 'reading' is [], expected keys and values"),
}

ATTACKS: Table = {
    **{f"container-{name}": case for name, case in CONTAINER.items()},
    **{f"tensors-{name}": case for name, case in TENSORS.items()},
    **{f"manifest-{name}": case for name, case in MANIFEST.items()},
}

RNN_ATTACKS: Table = {
    "vcgru": (
        manifest_with("cell.kind", "vcgru"),
        '\'cell.recurrent\' is "F32" [1, 16, 16], expected "F32" [3, 16, 16]',
    ),
    "rnn": (manifest_with("cell.kind", "rnn"), "expected only [16] for a rnn"),
    "upper-case": (manifest_with("cell.kind", "VCRNN"), "key 'cell.kind' is 'VCRNN', expected 'vcgru', 'vcrnn'"),
    "reset-bias": (
        tensors_with(lambda t: t.update({"cell.reset_bias": np.zeros(16, np.float32)})),
        '\'cell.reset_bias\' is "F32" [16], expected "F32" [0]',
    ),
    "no-reset-bias": (tensors_with(lambda t: t.pop("cell.reset_bias")), "tensor 'cell.reset_bias' is missing"),
    "no-block": (
        tensors_with(lambda t: t.update({"cell.bias": t["cell.bias"][0]})),
        '\'cell.bias\' is "F32" [16], expected "F32" [1, 16]',
    ),
    "nan": (tensor_value("cell.input", np.nan), "'cell.input' holds nan at [0, 0, 1], expected a finite"),
}
"""Attacks on the file of a VCRNN of 16, whose cell has one block of weights instead of three."""

COMMITTED = (
    "container-text",
    "container-body-cut",
    "container-overlap",
    "tensors-nan",
    "tensors-transposed",
    "manifest-newer",
    "manifest-kind",
    "manifest-boundaries",
)
"""The attacks that also lie as files in tests/golden/models, so that other programs can be tried on them."""
