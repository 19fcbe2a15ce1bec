"""Signed models: who vouches for a model, for which asset and channels, and how new it is. Ed25519 (RFC 8032).

A signature is one line of JSON beside the model (`model.vcedge.sig`): a statement as text, and the signature of exactly
that text. The line followed by the model's bytes is the message that a device takes as an update.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vcedge.errors import ConfigError, InputNotFound, ModelFileError
from vcedge.schema import SensorSchema
from vcedge.strict_json import parse_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = 1
MAX_LINE = 2**17
"""Longest signature that is looked at: the channels of a statement are most of it."""
KEY_MODE = 0o600


class PublicKey(Protocol):
    """What checks signatures."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises cryptography's InvalidSignature."""


@dataclass(frozen=True)
class Statement:
    """What a signature says of a model."""

    model: str
    """`sha256:…` of the file."""
    asset: str
    channels: tuple[tuple[str, str], ...]
    """Name and unit of each channel, in the model's order."""
    serial: int
    """Of two models for one asset the one with the larger serial is newer: seconds since 1970 when it was signed."""

    def text(self) -> str:
        """As it is signed."""
        content = {
            "format": FORMAT,
            "model": self.model,
            "asset": self.asset,
            "channels": self.channels,
            "serial": self.serial,
        }
        return json.dumps(content, separators=(",", ":"))


def channels_of(schema: SensorSchema) -> tuple[tuple[str, str], ...]:
    """What must be the same in a model and its successor."""
    return tuple((channel.name, channel.unit) for channel in schema.channels)


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """The signature's line, with its end."""
    text = statement.text()
    proof = base64.b64encode(key.sign(text.encode())).decode()
    return json.dumps({"statement": text, "signature": proof}).encode() + b"\n"


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Signature and model of an update's message. Raises ModelFileError."""
    end = message.find(b"\n", 0, MAX_LINE)
    if end < 0:
        raise ModelFileError("no signature: expected its line and then the model")
    return message[: end + 1], message[end + 1 :]


def verify(line: bytes, model: bytes, key: PublicKey) -> Statement:
    """What the signature says, once it is the key's and says it of this model.

    Raises ModelFileError with the reason: no signature, another key's, or that of another model.
    """
    from cryptography.exceptions import InvalidSignature

    text, proof = _parts(line)
    try:
        key.verify(proof, text.encode())
    except InvalidSignature:
        raise ModelFileError("the signature is not by the key of this device") from None
    statement = _statement(text)
    if statement.model != f"sha256:{hashlib.sha256(model).hexdigest()}":
        raise ModelFileError("the signature is that of another model, or the model is damaged")
    return statement


def new_key(path: Path) -> Path:
    """Write a private key, readable by its owner only, and the public one beside it, whose path is returned.

    Raises FileExistsError where there is one already.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE), "wb") as file:
        file.write(private)
    public = path.with_name(path.name + ".pub")
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return public


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a PEM file. Raises InputNotFound, or ConfigError for anything but an Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _key(path, lambda data: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def public_key(path: Path) -> PublicKey:
    """The key in a PEM file. Raises InputNotFound, or ConfigError for anything but an Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _key(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key


def _key(path: Path, load: Callable[[bytes], object]) -> object:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # TypeError: it has a password
        return None


def _no_key(path: Path, word: str) -> ConfigError:
    return ConfigError(f"{path}: expected a {word} Ed25519 key as PEM, without password: vcedge sign --new-key")


def _parts(line: bytes) -> tuple[str, bytes]:
    if len(line) > MAX_LINE:
        raise ModelFileError(f"the signature is longer than {MAX_LINE} bytes")
    try:
        content = parse_json(line.decode("utf-8"), "signature", "line")
        text, proof = content["statement"], content["signature"]
        if not isinstance(text, str) or not isinstance(proof, str) or len(content) != 2:
            raise KeyError
        text.encode()  # half of a surrogate pair was never signed
        return text, base64.b64decode(proof, validate=True)
    except (UnicodeDecodeError, KeyError, binascii.Error, ValueError, ModelFileError):
        raise ModelFileError("no signature: expected a line of JSON with statement and signature") from None


def _statement(text: str) -> Statement:
    """What stands in a text that was signed: that it was does not make it well formed."""
    content = parse_json(text, "signature", "statement")
    try:
        if set(content) != {"format", "model", "asset", "channels", "serial"} or content["format"] != FORMAT:
            raise ValueError
        channels = tuple((str(name), str(unit)) for name, unit in content["channels"])
        serial = content["serial"]
        if type(serial) is not int or serial < 0:
            raise ValueError
    except (ValueError, TypeError):
        raise ModelFileError(f"the signature's statement is of another format, expected {FORMAT}") from None
    return Statement(str(content["model"]), str(content["asset"]), channels, serial)
