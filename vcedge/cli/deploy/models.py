"""`vcedge deploy` for what runs: another model, back to the one before, and stages of compute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.deploy.layout import CONFIG

if TYPE_CHECKING:
    from vcedge.deploy.remote import RemoteNode

Asset = Annotated[str, typer.Option("--asset", help="Name of the asset.", show_default=False)]
Settings = Annotated[Path, typer.Option("--config", help="A runtime.yaml that says node, mqtt and state_dir.")]
Broker = Annotated[str | None, typer.Option("--broker", metavar="URL", help="In the place of the configuration's.")]
Node = Annotated[str | None, typer.Option("--node", help="In the place of the configuration's.")]


def update(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.vcedge.", show_default=False)],
    asset: Asset,
    signature: Annotated[Path | None, typer.Option("--signature", metavar="FILE", help="Default: MODEL.sig.")] = None,
    mqtt: Annotated[bool, typer.Option("--mqtt", help="Over the broker, also without --broker.")] = False,
    broker: Broker = None,
    node: Node = None,
    config: Settings = Path(CONFIG),
) -> None:
    """Offer a signed model to a running service: as a file on this device, or as a retained message.

    The service checks and tries it; topic .../ASSET/model/state says what becomes of it (docs/succession.md).

    \b
    Example:
      sudo vcedge deploy update model.vcedge --asset pump-1
      vcedge deploy update model.vcedge --asset pump-1 --broker mqtt://broker --node press-07
    """
    from vcedge.cli.console import note, print_json
    from vcedge.cli.deploy.on_device import read
    from vcedge.config.runtime import load_runtime_config
    from vcedge.deploy.remote import place_update
    from vcedge.errors import GateFailed

    line = read(signature or model.with_name(model.name + ".sig"))
    message = line + read(model)
    if not mqtt and broker is None:
        path = place_update(load_runtime_config(config).state_dir, asset, message)
        note(f"{path} written: the service takes it, and says what becomes of it on .../{asset}/model/state")
        return
    with _remote(config, broker, node) as remote:
        state = remote.update(asset, message)
    print_json(state)
    if state["state"] == "refused":
        raise GateFailed(f"refused: {state['reason']}")


def rollback(
    asset: Annotated[
        str | None, typer.Argument(metavar="[ASSET]", help="Whose model; else the program's release.")
    ] = None,
    root: Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Another root: a card's image.")] = None,
) -> None:
    """Put the previous model of an asset in charge again, or the previous release of the program, on this device.

    \b
    Example:
      sudo vcedge deploy rollback pump-1
      sudo vcedge deploy rollback
    """
    from vcedge.cli.console import note
    from vcedge.deploy.layout import Layout
    from vcedge.deploy.rollback import roll_back_model, roll_back_release

    layout = Layout() if root is None else Layout(root.absolute())
    if asset is None:
        roll_back_release(layout, note)
    else:
        roll_back_model(layout, asset, note)


def stage(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Name of the asset.", show_default=False)],
    to: Annotated[int | None, typer.Option("--to", min=0, help="Move to this stage, counted from 0.")] = None,
    hold: Annotated[bool | None, typer.Option("--hold/--go-on", help="Stay there, or go on by itself.")] = None,
    broker: Broker = None,
    node: Node = None,
    config: Settings = Path(CONFIG),
    json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """Show how far computing is given up for an asset, or move it.

    \b
    Example:
      vcedge deploy stage pump-1
      vcedge deploy stage pump-1 --to 0 --hold
    """
    from vcedge.cli.console import print_json, print_table
    from vcedge.errors import UsageError

    with _remote(config, broker, node) as remote:
        state = remote.stage(asset, to, hold=hold)
    if state["refused"]:
        raise UsageError(state["refused"])
    if json:
        print_json(state)
        return
    print_table([(name.replace("_", " "), str(value)) for name, value in state.items() if name not in _UNSAID])


_UNSAID = ("schema", "boot", "refused")


def _remote(config: Path, broker: str | None, node: str | None) -> RemoteNode:
    """The service that a configuration or the options speak of. Raises UsageError where neither says it."""
    from vcedge.config.runtime import MqttConfig, load_runtime_config
    from vcedge.deploy.remote import RemoteNode
    from vcedge.errors import UsageError

    if broker is not None and node is not None:
        try:
            return RemoteNode(MqttConfig(broker=broker), node)
        except ValueError:
            raise UsageError(f"--broker {broker}: expected mqtt://host:port or mqtts://host:port") from None
    settings = load_runtime_config(config)
    mqtt = settings.mqtt if broker is None else settings.mqtt.model_copy(update={"broker": broker})
    return RemoteNode(mqtt, node or settings.node)
