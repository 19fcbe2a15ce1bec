"""Imports: import-linter's contracts, and fresh processes that show what is really loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.process import ROOT, modules_after, python
from vcedge.runtime.engine.native_support import native_problem

TRAINING = {"torch", "pyarrow", "matplotlib", "jinja2", "amqtt"}
EXPORT = {"onnxruntime", "ai_edge_litert", "flatbuffers"}


def modules_in(*folders: str) -> list[str]:
    """Return the importable modules below folders, without __init__ modules."""
    files = [file for folder in folders for file in (ROOT / "vcedge" / folder).rglob("*.py")]
    assert files
    if native_problem() is not None:
        files = [file for file in files if "\nfrom vcedge.runtime import _kernel" not in file.read_text("utf-8")]
    names = [file.relative_to(ROOT).with_suffix("") for file in files if file.stem not in ("__init__", "__main__")]
    return sorted(".".join(name.parts) for name in names)


def test_contracts_of_import_linter(tmp_path: Path) -> None:
    pytest.importorskip("importlinter")
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    result = python("-c", code)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_import_graph_includes_the_linked_packages() -> None:
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("vcedge", include_external_packages=True, cache_dir=None)
    assert graph.direct_import_exists(importer="vcedge.runtime.engine.numpy_engine", imported="vcedge.detector")
    assert "paho" in graph.find_modules_directly_imported_by("vcedge.runtime.mqtt.client")


def test_importing_the_package_loads_none_of_its_modules() -> None:
    loaded = {name for name in modules_after("vcedge") if name.startswith("vcedge")}
    assert loaded == {"vcedge"}


@pytest.mark.parametrize(
    "folder", ["baselines", "deploy", "evaluation", "runtime", "calibration", "config", "history", "simulate"]
)
def test_device_packages_load_no_training_package(folder: str) -> None:
    modules = modules_in(folder)
    loaded = modules_after(*modules)
    assert set(modules) <= loaded
    assert not (TRAINING | EXPORT) & loaded
    assert not any(name.startswith(("vcedge.train", "vcedge.cli")) for name in loaded)


def test_only_mqtt_loads_paho() -> None:
    core = [
        "vcedge.model_file",
        "vcedge.runtime.stream.stream",
        "vcedge.runtime.engine.registry",
        *modules_in("history", "simulate"),
    ]
    loaded = modules_after(*core)
    assert {"numpy", "safetensors"} <= loaded
    assert "paho" not in loaded
    assert "paho" in modules_after("vcedge.runtime.mqtt.client")


def test_command_modules_load_no_heavy_package() -> None:
    loaded = modules_after(*modules_in("cli"))
    assert not (TRAINING | EXPORT | {"numpy", "paho", "safetensors", "rich", "pydantic"}) & loaded


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: pip install 'vcedge[train]'")
def test_training_loads_torch() -> None:
    assert "torch" in modules_after("vcedge.train.training")
