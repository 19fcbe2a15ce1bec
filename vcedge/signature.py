"""Signs and verifies models with Ed25519 (RFC 8032): the asset, the channels and the age of an update.

A signature is one line of JSON beside the model (`model.vcedge.sig`): a statement as text, and the signature of exactly
that text. An update message is this line followed by the model's bytes.
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
"""Longest signature line that is read; the channels make up most of it."""
KEY_MODE = 0o600


class PublicKey(Protocol):
    """Verifies signatures by a public key."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raise cryptography's InvalidSignature unless the signature is that of the data."""


@dataclass(frozen=True)
class Statement:
    """Holds the signed facts about a model."""

    model: str
    """`sha256:…` of the file."""
    asset: str
    channels: tuple[tuple[str, str], ...]
    """Name and unit of each channel, in the model's order."""
    serial: int
    """Seconds since 1970 when the model was signed: a model with a larger serial is newer."""

    def text(self) -> str:
        """Return the signed text."""
        content = {
            "format": FORMAT,
            "model": self.model,
            "asset": self.asset,
            "channels": self.channels,
            "serial": self.serial,
        }
        return json.dumps(content, separators=(",", ":"))


def channels_of(schema: SensorSchema) -> tuple[tuple[str, str], ...]:
    """Return the names and units of the channels, which an update must not change."""
    return tuple((channel.name, channel.unit) for channel in schema.channels)


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """Return the line of a signature, with its line end."""
    text = statement.text()
    proof = base64.b64encode(key.sign(text.encode())).decode()
    return json.dumps({"statement": text, "signature": proof}).encode() + b"\n"


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Split an update message into its signature line and the model. Raises ModelFileError."""
    end = message.find(b"\n", 0, MAX_LINE)
    if end < 0:
        raise ModelFileError("no signature line before the model")
    return message[: end + 1], message[end + 1 :]


def verify(line: bytes, model: bytes, key: PublicKey) -> Statement:
    """Return the statement of a signature after checking that the key made it for this model.

    Raises ModelFileError if there is no signature, or it is that of another key or another model.
    """
    from cryptography.exceptions import InvalidSignature

    text, proof = _parts(line)
    try:
        key.verify(proof, text.encode())
    except InvalidSignature:
        raise ModelFileError("the signature is not by the key that this device trusts") from None
    statement = _statement(text)
    if statement.model != f"sha256:{hashlib.sha256(model).hexdigest()}":
        raise ModelFileError("the signature belongs to another model, or the model is damaged")
    return statement


def create_key(path: Path) -> Path:
    """Write a new private key, readable by its owner only, and the public key beside it; return the latter's path.

    Raises FileExistsError if there is a key already.
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


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Load a key from a PEM file. Raises InputNotFound, or ConfigError for anything but an Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _key(path, lambda data: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def load_public_key(path: Path) -> PublicKey:
    """Load a key from a PEM file. Raises InputNotFound, or ConfigError for anything but an Ed25519 key."""
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
        text.encode()  # raises ValueError for half of a surrogate pair, which cannot be signed
        return text, base64.b64decode(proof, validate=True)
    except (UnicodeDecodeError, KeyError, binascii.Error, ValueError, ModelFileError):
        raise ModelFileError("no signature: expected a line of JSON with statement and signature") from None


def _statement(text: str) -> Statement:
    """Parse a signed text, which may still be malformed. Raises ModelFileError."""
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
