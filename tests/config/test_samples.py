"""The commented samples: they load, hold every key, and state the true defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from vcedge.config.runtime import RuntimeConfig, load_runtime_config
from vcedge.config.train import TrainConfig, load_train_config

CONFIGS = Path(__file__).parents[2] / "configs"


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return names of all keys of a configuration, those of its sections included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        names.add(name)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= keys_of(kind)
    return names


@pytest.mark.parametrize(("name", "model"), [("train.yaml", TrainConfig), ("runtime.yaml", RuntimeConfig)])
def test_sample_holds_every_key(name: str, model: type[BaseModel]) -> None:
    text = (CONFIGS / name).read_text()
    missing = {key for key in keys_of(model) if f"{key}:" not in text}
    assert missing == set()


def test_training_sample_states_the_defaults() -> None:
    stated = load_train_config(CONFIGS / "train.yaml")
    default = TrainConfig(asset="pump", data=stated.data)
    for section in ("model", "train", "highway", "score"):
        assert getattr(stated, section) == getattr(default, section)
        assert set(yaml.safe_load((CONFIGS / "train.yaml").read_text())[section]) == keys_of(
            type(getattr(default, section))
        )


def test_runtime_sample_loads() -> None:
    assert load_runtime_config(CONFIGS / "runtime.yaml", {}).assets
