"""Draws charts of a training: losses and updated share over the epochs."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vcedge.train.pipeline import Trained
from vcedge.train.report.figure import COLOUR, Chart, LegendEntry, inline_svg, mark_target, panels, quantity, share_axis
from vcedge.train.training import Epoch
from vcedge.wording import percent

HEIGHT = 250
FEW_EPOCHS = 12
"""Most epochs for which a line also shows its points."""


def loss_chart(trained: Trained) -> Chart:
    """Draw the loss of each epoch relative to that of the linear forecaster on the same rows."""
    result = trained.result
    number_of = [epoch.epoch + 1 for epoch in result.epochs]
    training = [epoch.loss / (result.alone[0] or 1.0) for epoch in result.epochs]
    validation = [epoch.validation / (result.alone[1] or 1.0) for epoch in result.epochs]
    gated = trained.detector.levels > 1
    legend = [
        LegendEntry("line", "context", "training rows"),
        LegendEntry("line", "measured", "validation rows" + ", hard gate" * gated),
        LegendEntry("dashed", "ink", "linear forecaster alone"),
    ]
    with panels("loss", HEIGHT) as (figure, (ax,)):
        dots = "o" if len(number_of) <= FEW_EPOCHS else ""
        ax.axhline(1.0, color=COLOUR["ink"], dashes=(5, 3), linewidth=1.0)
        ax.plot(number_of, training, marker=dots, color=COLOUR["context"], markersize=4)
        ax.plot(number_of, validation, marker=dots, color=COLOUR["measured"], markersize=4)
        if result.best >= 0:
            ax.plot(
                result.best + 1, validation[result.best], "o", color=COLOUR["measured"], markersize=7, clip_on=False
            )
            legend.append(LegendEntry("dot", "measured", f"best epoch, {result.best + 1}"))
        legend += _mark_hard(ax, result.epochs) if gated else []
        quantity(ax, "forecast error; 1 = linear forecaster alone")
        _epochs_axis(ax, number_of)
        description = (
            f"In the last epoch, {number_of[-1]}, validation is {validation[-1]:.3f} and training {training[-1]:.3f}."
        )
        svg = inline_svg(figure, "loss", "Losses over the epochs", description)
    limit = " among those that keep to the target of the updated share" if gated else ""
    caption = (
        "If the blue line is below the dashed one, the network forecasts rows that it was not trained on better than "
        f"the linear forecaster. {_best(result.best, validation)}If blue rises while grey falls, the network overfits. "
        f"The best epoch is the one with the lowest blue value{limit}."
    )
    return Chart("Forecast error over the epochs", caption, tuple(legend), svg)


def share_chart(trained: Trained, target: float | None) -> Chart:
    """Draw the mean updated share of each epoch on the validation rows."""
    epochs = trained.result.epochs
    number_of = [epoch.epoch + 1 for epoch in epochs]
    legend = [LegendEntry("line", "measured", "mean updated share, validation rows")]
    with panels("share", HEIGHT) as (figure, (ax,)):
        dots = "o" if len(number_of) <= FEW_EPOCHS else ""
        ax.plot(number_of, [epoch.share for epoch in epochs], marker=dots, color=COLOUR["measured"], markersize=4)
        legend += mark_target(ax, target)
        legend += _mark_hard(ax, epochs)
        share_axis(ax)
        _epochs_axis(ax, number_of)
        description = f"From {percent(epochs[0].share)} in the first to {percent(epochs[-1].share)} in the last epoch."
        svg = inline_svg(figure, "share", "Updated share over the epochs", description)
    caption = (
        "The share starts high on purpose and should fall to the target or below. If it stays above, the network needs "
        "more updates on this machine: configure a higher target."
    )
    return Chart("Updated share over the epochs", caption, tuple(legend), svg)


def _best(best: int, validation: list[float]) -> str:
    """Compare the best epoch with the linear forecaster."""
    if best < 0:
        return ""
    ratio = validation[best]
    return f"The best epoch is {percent(abs(ratio - 1))} {'below' if ratio < 1 else 'above'} it. "


def _epochs_axis(ax: Axes, number_of: list[int]) -> None:
    ax.set_xlabel("epoch")
    ax.set_xlim(*((1, number_of[-1]) if len(number_of) > 1 else (0.5, 1.5)))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def _mark_hard(ax: Axes, epochs: list[Epoch]) -> list[LegendEntry]:
    """Draw a line at the first epoch with the hard mask, if there is one, and return its legend entry."""
    first = next((epoch.epoch + 1 for epoch in epochs if epoch.hard), None)
    if first is None:
        return []
    ax.axvline(first, color=COLOUR["ink"], linewidth=1.0, dashes=(1, 2))
    return [LegendEntry("dotted", "ink", f"trained with the hard gate from epoch {first}")]
