"""Reads an exported .tflite file, or a zip of them, before an interpreter gets it.

Interpreters follow the offsets in a file unchecked: one flipped bit can end the process. So a file carries the SHA-256
of its own bytes, and `tflite_structure.py` checks the sizes and numbers in its graphs. Both find accidental damage;
only a signature proves where a file comes from.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator

from vcedge.errors import ModelFileError
from vcedge.runtime.exported.flatbuffer import FlatTable, Malformed, root

IDENTIFIER = b"TFL3"
VERSION = 3
DIGEST = "vcedge.sha256"
"""Entry of metadata: the SHA-256 of the file, computed with these 32 bytes zero."""
DIGEST_SIZE = 32
MODEL_DIGEST = "vcedge.model.sha256"
"""Entry of metadata of a step model in a zip: the SHA-256 of the model.vcedge that it was made from."""
ZIP = b"PK\x03\x04"
SCHEDULER = "scheduler.tflite"
MAX_MEMBERS = 1000
MODEL_VERSION, MODEL_BUFFERS, MODEL_METADATA = 0, 4, 6
"""Numbers of fields of the schema's root table."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def metadata(data: bytes, name: str) -> dict[str, bytes]:
    """Return the entries of metadata by key; of a zip, its files that are not graphs.

    Raises ModelFileError unless the file is complete and exported by vcedge.
    """
    if data[:4] == ZIP:
        return {key: value for key, value in members(data, name).items() if not key.endswith(".tflite")}
    try:
        if data[4:8] != IDENTIFIER:
            raise Malformed("the identifier TFL3 is missing")
        model = root(data)
        version = model.integer(MODEL_VERSION, "I")
        if version != VERSION:
            raise Malformed(f"schema version {version}, expected {VERSION}")
        entries = {key: data[start : start + size] for key, start, size in _entries(model)}
        if DIGEST not in entries:
            raise Malformed(f"metadata '{DIGEST}' is missing, expected a file that vcedge exported")
        if entries.pop(DIGEST) != digest(data):
            raise Malformed("the content does not match the SHA-256 in it")
    except Malformed as error:
        raise ModelFileError(f"{name}: not a TFLite file, damaged, or cut short: {error}") from None
    return entries


def digest(data: bytes) -> bytes:
    """Return the SHA-256 that a file must hold. Raises Malformed if the file has no entry for it."""
    start = _digest_place(data)
    return hashlib.sha256(data[:start] + bytes(DIGEST_SIZE) + data[start + DIGEST_SIZE :]).digest()


def sealed(data: bytes) -> bytes:
    """Return the file with its digest filled in."""
    start = _digest_place(data)
    return data[:start] + digest(data) + data[start + DIGEST_SIZE :]


def step_name(level: int) -> str:
    """Return the name in a zip of the step model of a level, 1 to L."""
    return f"level_{level}.tflite"


def pack(files: dict[str, bytes]) -> bytes:
    """Return a zip of files; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # weights do not compress, and hosts can map them
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
    return out.getvalue()


def members(data: bytes, name: str) -> dict[str, bytes]:
    """Return the files in a zip by name. Raises ModelFileError for a damaged zip, or one that vcedge did not pack."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > len(data):
                raise zipfile.BadZipFile("more files or bytes than vcedge packs")
            if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
                raise zipfile.BadZipFile("files in it are compressed or encrypted, expected stored ones")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise ModelFileError(f"{name}: not a zip of step models, or damaged: {error}") from None


def _entries(model: FlatTable) -> Iterator[tuple[str, int, int]]:
    """Yield name, first byte and size of each entry of metadata."""
    buffers = list(model.tables(MODEL_BUFFERS))
    for entry in model.tables(MODEL_METADATA):
        number = entry.integer(1, "I")
        if number >= len(buffers):
            raise Malformed(f"buffer {number} of {len(buffers)}")
        yield entry.text(0), *buffers[number].span(0)


def _digest_place(data: bytes) -> int:
    places = [(start, size) for key, start, size in _entries(root(data)) if key == DIGEST]
    if [size for _, size in places] != [DIGEST_SIZE]:
        raise Malformed(f"metadata '{DIGEST}' is missing, expected a file that vcedge exported")
    return places[0][0]
