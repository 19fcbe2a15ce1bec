"""`vcedge deploy` for a running service: update and roll back models, and change compute stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.cli.console import note, print_json, print_table
from vcedge.cli.deploy.on_device import Root, read
from vcedge.cli.options import DEFAULT_CONFIG, ModelFile
from vcedge.deploy.layout import Layout
from vcedge.errors import GateFailed, UsageError

if TYPE_CHECKING:
    from vcedge.deploy.remote import RemoteNode

Asset = Annotated[str, typer.Option("--asset", help="Name of the asset.", show_default=False)]
Settings = Annotated[Path, typer.Option("--config", help="A runtime.yaml with node, mqtt and state_dir.")]
Broker = Annotated[str | None, typer.Option("--broker", metavar="URL", help="Default: as configured.")]
Node = Annotated[str | None, typer.Option("--node", help="Default: as configured.")]


def update(
    *,
    model: ModelFile,
    asset: Asset,
    signature: Annotated[Path | None, typer.Option("--signature", metavar="FILE", help="Default: MODEL.sig.")] = None,
    mqtt: Annotated[bool, typer.Option("--mqtt", help="Over the configured broker, without --broker.")] = False,
    broker: Broker = None,
    node: Node = None,
    config: Settings = DEFAULT_CONFIG,
) -> None:
    """Send a signed model to a running service.

    The model is sent as a file on this device, or as a retained message over a broker. The service verifies it, runs it
    on trial, and reports the result on topic .../ASSET/model/state (docs/succession.md).

    \b
    Example:
      sudo vcedge deploy update model.vcedge --asset pump-1
      vcedge deploy update model.vcedge --asset pump-1 --broker mqtt://broker --node press-07
    """
    from vcedge.config.runtime import load_runtime_config
    from vcedge.deploy.remote import place_update

    line = read(signature or model.with_name(model.name + ".sig"))
    message = line + read(model)
    if not mqtt and broker is None:
        path = place_update(load_runtime_config(config).state_dir, asset, message)
        note(f"{path} written: the service picks it up, and reports the result on .../{asset}/model/state")
        return
    with _remote(config, broker, node) as remote:
        state = remote.update(asset, message)
    print_json(state)
    if state["state"] == "refused":
        raise GateFailed(f"refused: {state['reason']}")


def rollback(
    *,
    asset: Annotated[
        str | None, typer.Argument(metavar="[ASSET]", help="Asset of the model; default: the program's release.")
    ] = None,
    root: Root = Path("/"),
) -> None:
    """Roll back an asset's model, or the program, on this device.

    The previous model or release runs again.

    \b
    Example:
      sudo vcedge deploy rollback pump-1
      sudo vcedge deploy rollback
    """
    from vcedge.deploy.rollback import roll_back_model, roll_back_release

    if asset is None:
        roll_back_release(Layout(root), note)
    else:
        roll_back_model(Layout(root), asset, note)


def stage(
    *,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Name of the asset.", show_default=False)],
    to: Annotated[int | None, typer.Option("--to", min=0, help="Move to this stage, counted from 0.")] = None,
    hold: Annotated[
        bool | None, typer.Option("--hold/--go-on", help="Stay at the stage, or advance automatically.")
    ] = None,
    broker: Broker = None,
    node: Node = None,
    config: Settings = DEFAULT_CONFIG,
    json: Annotated[bool, typer.Option("--json", help="Print the stage as JSON on stdout.")] = False,
) -> None:
    """Show the compute stage of an asset, or move it.

    \b
    Example:
      vcedge deploy stage pump-1
      vcedge deploy stage pump-1 --to 0 --hold
    """
    with _remote(config, broker, node) as remote:
        state = remote.stage(asset, to, hold=hold)
    if state["refused"]:
        raise UsageError(state["refused"])
    if json:
        print_json(state)
        return
    print_table([(name.replace("_", " "), str(value)) for name, value in state.items() if name not in _HIDDEN])


_HIDDEN = ("schema", "boot", "refused")


def _remote(config: Path, broker: str | None, node: str | None) -> RemoteNode:
    """Return the service that the options or the configuration name. Raises UsageError for a wrong address."""
    from vcedge.config.mqtt import MqttConfig
    from vcedge.config.runtime import load_runtime_config
    from vcedge.deploy.remote import RemoteNode

    if broker is not None and node is not None:
        try:
            return RemoteNode(MqttConfig(broker=broker), node)
        except ValueError:
            raise UsageError(f"--broker {broker}: expected mqtt://host:port or mqtts://host:port") from None
    settings = load_runtime_config(config)
    mqtt = settings.mqtt if broker is None else settings.mqtt.model_copy(update={"broker": broker})
    return RemoteNode(mqtt, node or settings.node)
