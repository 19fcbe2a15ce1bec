"""`vcedge run`: runs the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.cli.console import configure_logging
from vcedge.cli.options import RuntimeFile, Verbose
from vcedge.topics import InputTopic

if TYPE_CHECKING:
    from vcedge.config.runtime import RuntimeConfig
    from vcedge.runtime.assets.recipes import Recipe


def run_command(
    *,
    config: RuntimeFile,
    check: Annotated[bool, typer.Option("--check", help="Check configuration, models and engines, then end.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run the service: MQTT messages in, scores out, until SIGTERM or Ctrl-C.

    Configuration and models are checked before the first connection. If the broker is absent, the service waits for it.

    \b
    Example:
      vcedge run runtime.yaml --check
      vcedge run runtime.yaml
    """
    from vcedge.config.runtime import load_runtime_config
    from vcedge.runtime.assets.recipes import load_recipes
    from vcedge.runtime.monitoring.logs import configure_service_log
    from vcedge.runtime.service.compose import compose
    from vcedge.runtime.service.signals import stop_on_signals

    configure_logging(verbose=verbose)
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
    """Return one line for each asset: its topic, its model, its engine."""
    from vcedge.runtime.engine.registry import describe_engine

    topic = InputTopic(settings.input.topic)
    lines = []
    for name, recipe in recipes.items():
        detector = recipe.engine.detector
        cell = "no network" if detector.cell is None else f"{detector.cell.spec.kind} of {detector.hidden}"
        engine = f"engine {describe_engine(recipe.engine)}"
        when = _running(settings, name)
        lines.append(f"{name}: {topic.of(name)}, {recipe.model}, {detector.channels} channels, {cell}, {engine}{when}")
    return lines


def _running(settings: RuntimeConfig, name: str) -> str:
    """Return when the machine counts as running; empty if always."""
    found = settings.run_when_of(name)
    if found is None:
        return ""
    _, rule = found
    limits = {"above": rule.above, "below": rule.below}
    given = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
    return f", running while {rule.channel} is {' and '.join(given)}"
