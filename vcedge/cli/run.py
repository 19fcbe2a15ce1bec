"""`vcedge run`: the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vcedge.config.runtime import RuntimeConfig
    from vcedge.runtime.assets.recipes import Recipe


def run_command(
    config: Annotated[Path, typer.Argument(metavar="RUNTIME.yaml", help="The configuration.", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Check configuration, models and engines, and end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the service: MQTT messages in, scores out, until SIGTERM or Ctrl-C.

    Configuration and models are checked before the first connection. A broker that is not there is waited for.

    \b
    Example:
      vcedge run runtime.yaml --check
      vcedge run runtime.yaml
    """
    from vcedge.cli.console import configure_logging
    from vcedge.config.runtime import load_runtime_config
    from vcedge.runtime.assets.recipes import load_recipes
    from vcedge.runtime.monitoring.logs import configure_service_log
    from vcedge.runtime.service.compose import compose
    from vcedge.runtime.service.signals import stop_on_signals

    configure_logging(verbose)
    settings = load_runtime_config(config)
    configure_service_log(settings.log, verbose=verbose)
    recipes = load_recipes(settings)
    service = compose(settings, recipes)
    if check:
        for line in _lines(settings, recipes):
            typer.echo(line)
        return
    with stop_on_signals() as stop:
        service.run(stop)


def _lines(settings: RuntimeConfig, recipes: dict[str, Recipe]) -> list[str]:
    """One line for each asset: what it is judged by."""
    from vcedge.runtime.engine.registry import engine_words
    from vcedge.topics import InputTopic

    topic = InputTopic(settings.input.topic)
    lines = []
    for name, recipe in recipes.items():
        detector = recipe.engine.detector
        cell = "no network" if detector.cell is None else f"{detector.cell.spec.kind} of {detector.hidden}"
        engine = f"engine {engine_words(recipe.engine)}"
        parts = [topic.of(name), recipe.model, f"{detector.channels} channels", cell, engine, *_at_work(settings, name)]
        lines.append(f"{name}: {', '.join(parts)}")
    return lines


def _at_work(settings: RuntimeConfig, name: str) -> list[str]:
    """When the machine is at work, unless it always is."""
    found = settings.run_when_of(name)
    if found is None:
        return []
    _, rule = found
    limits = {"above": rule.above, "below": rule.below}
    said = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
    return [f"at work while {rule.channel} is {' and '.join(said)}"]
