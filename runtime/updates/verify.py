"""Verifies an update of a model: it must be signed, made for this asset, and newer than the last one."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge import model_file
from vcedge.detector import Detector
from vcedge.errors import ModelFileError
from vcedge.schema import SensorSchema
from vcedge.signature import PublicKey, Statement, channels_of, split_message, verify


@dataclass(frozen=True)
class Update:
    """Holds a verified model that may take over, and the bytes that it was read from."""

    statement: Statement
    data: bytes
    detector: Detector


def examine(message: bytes, key: PublicKey, asset: str, schema: SensorSchema, last_serial: int | None) -> Update:
    """Return the update in a message, for an asset with this schema that was last updated to `last_serial`.

    Raises ModelFileError with the reason to refuse it. The model is not parsed before its signature is verified.
    """
    line, data = split_message(message)
    statement = verify(line, data, key)
    if statement.asset != asset:
        raise ModelFileError(f"it is signed for asset '{statement.asset}', expected '{asset}'")
    if statement.channels != channels_of(schema):
        raise ModelFileError("it is signed for other channels than those of the model in charge")
    if last_serial is not None and statement.serial <= last_serial:
        raise ModelFileError(f"its serial {statement.serial} is not newer than {last_serial}, the last one accepted")
    detector = model_file.loads(data, "the model")
    if channels_of(detector.schema) != statement.channels or detector.asset != asset:
        raise ModelFileError("the model is not for the asset and channels that its signature states")
    return Update(statement, data, detector)
