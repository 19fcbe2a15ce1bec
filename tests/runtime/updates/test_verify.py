"""Verification of updates: invalid ones are refused, each with its reason."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import tiny_detector
from tests.support.process import modules_after, vcedge
from vcedge import model_file
from vcedge.errors import ConfigError, ModelFileError
from vcedge.runtime.updates.verify import Update, examine
from vcedge.signature import Statement, channels_of, create_key, load_private_key, load_public_key, sign

KEY = Ed25519PrivateKey.generate()
IN_CHARGE = tiny_detector()
NEXT = model_file.dumps(tiny_detector(seed=1))
SERIAL = 1_764_000_000


def signed(data: bytes = NEXT, key: Ed25519PrivateKey = KEY, **changes: object) -> bytes:
    """Return an update message; `changes` replace values of the statement before it is signed."""
    detector = model_file.loads(NEXT)
    statement = Statement(model_file.model_id(data), detector.asset, channels_of(detector.schema), SERIAL)
    return sign(replace(statement, **changes), key) + data


def verify_update(message: bytes, last_serial: int | None = SERIAL - 1) -> Update:
    return examine(message, KEY.public_key(), IN_CHARGE.asset, IN_CHARGE.schema, last_serial)


def test_valid_update_is_accepted() -> None:
    update = verify_update(signed())
    assert model_file.dumps(update.detector) == NEXT
    assert update.statement.serial == SERIAL


def with_other_channels() -> bytes:
    data = model_file.dumps(tiny_detector(seed=1, channels=4))
    detector = model_file.loads(data)
    return signed(data, channels=channels_of(detector.schema))


def with_renamed_channels() -> bytes:
    """Return an update whose statement fits but whose model has other channels."""
    return signed(model_file.dumps(tiny_detector(seed=1, channels=4)))


def statement_changed_after_signing() -> bytes:
    line, _, model = signed(serial=SERIAL - 5).partition(b"\n")
    content = json.loads(line)
    content["statement"] = content["statement"].replace(str(SERIAL - 5), str(SERIAL + 5))
    return json.dumps(content).encode() + b"\n" + model


ATTACKS = {
    "no signature": (NEXT, "no signature"),
    "an empty message": (b"", "no signature"),
    "a line that is none": (b"hello\n" + NEXT, "no signature"),
    "a wrong key": (signed(key=Ed25519PrivateKey.generate()), "not by the key"),
    "a proof of another length": (b'{"statement": "{}", "signature": "AAAA"}\n' + NEXT, "not by the key"),
    "a changed statement": (statement_changed_after_signing(), "not by the key"),
    "an older one": (signed(serial=SERIAL - 2), "not newer"),
    "the last one again": (signed(serial=SERIAL - 1), "not newer"),
    "truncated": (signed()[:-1], "damaged"),
    "another model": (signed()[: -len(NEXT)] + model_file.dumps(IN_CHARGE), "another model"),
    "for another asset": (signed(asset="other"), "asset 'other'"),
    "for other channels": (with_other_channels(), "other channels"),
    "a model of other channels": (with_renamed_channels(), "not for the asset and channels"),
    "no model at all": (signed(b"hello"), "the model"),
    "a negative serial": (signed(serial=-1), "another format"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(name: str) -> None:
    message, reason = ATTACKS[name]
    with pytest.raises(ModelFileError, match=reason):
        verify_update(message)


@pytest.mark.parametrize("statement", ["[]", "{}", '{"format": 1}', "x", '{"a": 1, "a": 2}', "[" * 5000])
def test_malformed_signed_statement_is_refused(statement: str) -> None:
    proof = base64.b64encode(KEY.sign(statement.encode())).decode()
    with pytest.raises(ModelFileError):
        verify_update(json.dumps({"statement": statement, "signature": proof}).encode() + b"\n" + NEXT)


@settings(max_examples=200)
@given(st.integers(0, len(signed()) - 1), st.integers(1, 255))
def test_any_changed_byte_is_detected(place: int, change: int) -> None:
    message = bytearray(signed())
    message[place] ^= change
    try:
        update = verify_update(bytes(message))
    except ModelFileError:
        return
    assert update.data == NEXT  # white space around the line, which is not signed
    assert update.statement.serial == SERIAL


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(noise: bytes) -> None:
    for message in (noise, noise + b"\n" + NEXT, b'{"statement": "' + noise + b'", "signature": ""}\n'):
        with pytest.raises(ModelFileError):
            verify_update(message)


def test_signature_of_the_command_line_verifies(tmp_path: Path) -> None:
    (tmp_path / "model.vcedge").write_bytes(NEXT)
    made = vcedge("sign", "--new-key", str(tmp_path / "plant.key"))
    assert made.returncode == 0
    assert (tmp_path / "plant.key").stat().st_mode & 0o777 == 0o600
    result = vcedge("sign", str(tmp_path / "model.vcedge"), "--key", str(tmp_path / "plant.key"), "--serial", "7")
    assert (result.returncode, result.stdout) == (0, "")
    message = (tmp_path / "model.vcedge.sig").read_bytes() + NEXT
    key = load_public_key(tmp_path / "plant.key.pub")
    assert examine(message, key, IN_CHARGE.asset, IN_CHARGE.schema, 6).statement.serial == 7
    again = vcedge("sign", "--new-key", str(tmp_path / "plant.key"))
    assert again.returncode == 74
    assert "is not overwritten" in again.stderr


def test_key_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    public = create_key(tmp_path / "plant.key")
    (tmp_path / "noise").write_bytes(b"-----BEGIN NOTHING-----")
    wrong = (
        (load_private_key, public),
        (load_public_key, tmp_path / "plant.key"),
        (load_public_key, tmp_path / "noise"),
    )
    for load, path in wrong:
        with pytest.raises(ConfigError, match=f"{path.name}: expected a "):
            load(path)


def test_service_without_updates_imports_no_cryptography() -> None:
    assert "cryptography" not in modules_after("vcedge.runtime.updates.verify", "vcedge.runtime.service.compose")
