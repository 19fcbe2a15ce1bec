"""Take a model file apart and put it together again with one thing wrong."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import numpy as tensor_file

Attack = Callable[[bytes], bytes]


@dataclass
class Parts:
    """Holds a file in pieces that can be changed one by one."""

    header: dict[str, Any]
    manifest: dict[str, Any]
    body: bytes


def split_file(data: bytes) -> Parts:
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    return Parts(header, json.loads(header["__metadata__"]["vcedge"]), data[8 + length :])


def join_file(header: str | bytes, body: bytes) -> bytes:
    """Return a file with this header, valid or not."""
    raw = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(raw)) + raw + body


def manifest_text(text: str) -> Attack:
    """Return an attack that replaces the manifest by a text."""

    def attack(data: bytes) -> bytes:
        parts = split_file(data)
        parts.header["__metadata__"] = {"vcedge": text}
        return join_file(json.dumps(parts.header), parts.body)

    return attack


def manifest_with(path: str, value: object) -> Attack:
    """Return an attack that replaces or adds one value of the manifest; `cell.boundaries.0` is a list item."""

    def attack(data: bytes) -> bytes:
        manifest = split_file(data).manifest
        *way, last = path.split(".")
        node = _walk(manifest, way)
        if isinstance(node, list):
            node[int(last)] = value
        else:
            node[last] = value
        return manifest_text(json.dumps(manifest))(data)

    return attack


def manifest_without(path: str) -> Attack:
    """Return an attack that removes one key of the manifest."""

    def attack(data: bytes) -> bytes:
        manifest = split_file(data).manifest
        *way, last = path.split(".")
        del _walk(manifest, way)[last]
        return manifest_text(json.dumps(manifest))(data)

    return attack


def manifest_source(old: str, new: str) -> Attack:
    """Return an attack that replaces a piece of the manifest's text, for what `json.dumps` would not write."""

    def attack(data: bytes) -> bytes:
        text = split_file(data).header["__metadata__"]["vcedge"]
        assert old in text
        return manifest_text(text.replace(old, new, 1))(data)

    return attack


def header_with(change: Callable[[dict[str, Any]], object]) -> Attack:
    """Return an attack that changes the safetensors header in place and leaves the tensors as they are."""

    def attack(data: bytes) -> bytes:
        parts = split_file(data)
        header = copy.deepcopy(parts.header)
        change(header)
        return join_file(json.dumps(header), parts.body)

    return attack


def tensors_with(change: Callable[[dict[str, Any]], object]) -> Attack:
    """Return an attack that changes the tensors in place; the file stays valid for safetensors."""

    def attack(data: bytes) -> bytes:
        tensors = {name: array.copy() for name, array in tensor_file.load(data).items()}
        change(tensors)
        dense = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        return bytes(tensor_file.save(dense, split_file(data).header["__metadata__"]))

    return attack


def tensor_value(name: str, value: float) -> Attack:
    """Return an attack that replaces one number of a tensor."""

    def change(tensors: dict[str, Any]) -> None:
        tensors[name].flat[1] = value

    return tensors_with(change)


def leaves(value: object, prefix: str = "") -> list[str]:
    """Return paths of all manifest keys, list items by their first one, but those in `reading` and `provenance`."""
    paths: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            paths.append(f"{prefix}{key}")
            if key not in ("reading", "provenance"):
                paths += leaves(item, f"{prefix}{key}.")
    elif isinstance(value, list):
        paths += leaves(value[0], f"{prefix}0.")
    return paths


def _walk(node: Any, way: list[str]) -> Any:
    for part in way:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node
