"""Loads music as piano rolls and text as characters: sequences of 0/1 vectors to be forecast one step ahead.

Music: four sets of 88 keys, T - 1 forecasts in a piece of T frames, negative log-likelihood summed over the keys, in
nats a frame. Text: one of N characters, in nats a character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vcedge.errors import DataError, InputNotFound

Roll = NDArray[np.uint8]  # (T, N) of 0 and 1
FILES = {
    "jsb": "JSB_Chorales",
    "nottingham": "Nottingham",
    "piano": "Piano_midi",
    "muse": "MuseData",
}
PARTS = ("train", "valid", "test")
TEXT = "text"
TEXT_PIECE = 2000
"""Characters of a piece of text; the state is carried within a piece."""
TEXT_HELD_OUT = 0.05
"""Share of a single text file for validation, and the same for the test: its last two parts."""


@dataclass(frozen=True)
class Dataset:
    """Holds three lists of pieces whose steps are several keys at once, or one of N symbols."""

    name: str
    train: Sequence[Roll]
    valid: Sequence[Roll]
    test: Sequence[Roll]
    kind: Literal["keys", "symbol"]

    @property
    def inputs(self) -> int:
        """Size N of a step."""
        return int(self.train[0].shape[1])

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (T, B) in nats of the next steps (T, B, N)."""
        if self.kind == "keys":
            return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(dim=-1)
        return -(target * functional.log_softmax(logits, dim=-1)).sum(dim=-1)


@dataclass(frozen=True)
class LaneWindow:
    """Holds some steps of all lanes: inputs and forecast targets."""

    x: Tensor  # (T, B, N)
    change: Tensor  # (T, B, N) |x_t - x_{t-1}|, 0 where a piece starts
    target: Tensor  # (T, B, N) the next step
    weight: Tensor  # (T, B) 0 where the piece ends
    keep: Tensor  # (T, B, 1) 0 where a piece starts


@dataclass(frozen=True)
class Lanes:
    """Holds pieces one after the other in B lanes of about equal length; the rest of a lane has weight 0."""

    frames: Tensor  # (T + 2, B, N) uint8, one empty step at either end
    weight: Tensor  # (T, B)
    keep: Tensor  # (T, B, 1)

    def windows(self, steps: int, device: torch.device) -> Iterator[LaneWindow]:
        """Yield all windows in order, as float32."""
        for start in range(0, len(self.weight), steps):
            rows = slice(start, min(start + steps, len(self.weight)))
            frames = self.frames[rows.start : rows.stop + 2].to(device, torch.float32)
            keep = self.keep[rows].to(device)
            change = (frames[1:-1] - frames[:-2]).abs() * keep
            yield LaneWindow(frames[1:-1], change, frames[2:], self.weight[rows].to(device), keep)


def make_lanes(pieces: Sequence[Roll], lanes: int) -> Lanes:
    """Append each piece, in the given order, to the shortest lane."""
    lanes = min(lanes, len(pieces))
    filled = [0] * lanes
    places = []
    for piece in pieces:
        lane = filled.index(min(filled))
        places.append((lane, filled[lane]))
        filled[lane] += len(piece)
    length = max(filled)
    frames = np.zeros((length + 2, lanes, pieces[0].shape[1]), np.uint8)
    weight, keep = np.zeros((length, lanes), np.float32), np.ones((length, lanes, 1), np.float32)
    for piece, (lane, start) in zip(pieces, places, strict=True):
        frames[1 + start : 1 + start + len(piece), lane] = piece
        weight[start : start + len(piece) - 1, lane] = 1.0
        keep[start, lane] = 0.0
    return Lanes(torch.from_numpy(frames), torch.from_numpy(weight), torch.from_numpy(keep))


def load_set(name: str, data: Path, text: Path | None = None) -> Dataset:
    """Load one of FILES from the folder MUSIC of `data`, or the text; InputNotFound if it does not exist."""
    if name == TEXT:
        if text is None:
            raise InputNotFound("set 'text': no file was named, expected --text FILE")
        return load_text(text)
    path = data / "MUSIC" / f"{FILES[name]}.mat"
    if not path.is_file():
        raise InputNotFound(f"{path}: no such file, expected VCEDGE_DATA to name the folder that holds MUSIC")
    content = scipy.io.loadmat(str(path))
    train, valid, test = ([np.asarray(piece, np.uint8) for piece in content[f"{part}data"][0]] for part in PARTS)
    return Dataset(name, train, valid, test, "keys")


def load_text(path: Path) -> Dataset:
    """Load a text; if its name contains "train", the files named "valid" and "test" beside it are used too."""
    names = [path.with_name(path.name.replace("train", part)) for part in PARTS]
    try:
        if "train" in path.name and all(name.is_file() for name in names):
            texts = [name.read_text(encoding="utf-8") for name in names]
        else:
            text = path.read_text(encoding="utf-8")
            cut = int(len(text) * TEXT_HELD_OUT)
            texts = [text[: -2 * cut], text[-2 * cut : -cut], text[-cut:]]
    except FileNotFoundError:
        raise InputNotFound(f"{path}: no such file, expected a file of text") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8, expected text") from None
    if min(map(len, texts)) < 2:
        raise DataError(f"{path}: too short, expected at least {2 / TEXT_HELD_OUT:.0f} characters")
    symbols = sorted(set("".join(texts)))
    train, valid, test = (_one_hot(text, symbols) for text in texts)
    return Dataset(TEXT, train, valid, test, "symbol")


def _one_hot(text: str, symbols: list[str]) -> list[Roll]:
    place = {symbol: i for i, symbol in enumerate(symbols)}
    roll = np.eye(len(symbols), dtype=np.uint8)[[place[symbol] for symbol in text]]
    # Equal pieces of about TEXT_PIECE: a last piece of one character would have nothing to forecast.
    return [piece for piece in np.array_split(roll, max(1, len(roll) // TEXT_PIECE)) if len(piece) > 1]
