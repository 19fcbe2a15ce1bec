"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcedge.deploy.layout import CONFIG

DEFAULT_CONFIG = Path(CONFIG)
"""The runtime.yaml of a device: the default of commands that need one."""

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model.vcedge.", show_default=False)]
RunnableFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model.vcedge, or a file exported from one.", show_default=False)
]
Recordings = Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Recordings to read.", show_default=False)]
TrainFile = Annotated[
    Path, typer.Argument(metavar="CONFIG.yaml", help="The training configuration.", show_default=False)
]
RuntimeFile = Annotated[
    Path, typer.Argument(metavar="RUNTIME.yaml", help="The runtime configuration.", show_default=False)
]
EngineName = Annotated[str, typer.Option("--engine", help="auto, native, numpy, onnx or tflite.")]
Network = Annotated[
    bool, typer.Option("--network/--no-network", help="Without the network: the linear forecaster alone, same scorer.")
]
ConfigOverrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="a.b=value", help="Override one key; repeatable.")
]
ReadingOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=value", help="Read files otherwise than the training files; repeatable."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log in more detail.")]
