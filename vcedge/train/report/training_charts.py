"""Charts of how the training went."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vcedge.train.pipeline import Trained
from vcedge.train.report.figure import (
    COLOUR,
    Chart,
    Key,
    inline_svg,
    mark_target,
    panels,
    percent_axis,
    quantity,
    style,
)
from vcedge.train.training import Epoch
from vcedge.wording import percent

HEIGHT = 250
FEW_EPOCHS = 12
"""A line of so few points shows the points too."""


def loss_chart(trained: Trained) -> Chart:
    """Loss of each epoch as a share of the linear forecaster's on the same rows."""
    result = trained.result
    number_of = [epoch.epoch + 1 for epoch in result.epochs]
    training = [epoch.loss / (result.alone[0] or 1.0) for epoch in result.epochs]
    validation = [epoch.validation / (result.alone[1] or 1.0) for epoch in result.epochs]
    gated = trained.detector.levels > 1
    keys = [
        Key("line", "context", "training rows"),
        Key("line", "measured", "validation rows" + ", hard gate" * gated),
        Key("dashed", "ink", "linear forecaster alone"),
    ]
    with style("loss"):
        figure, (ax,) = panels(HEIGHT)
        dots = "o" if len(number_of) <= FEW_EPOCHS else ""
        ax.axhline(1.0, color=COLOUR["ink"], dashes=(5, 3), linewidth=1.0)
        ax.plot(number_of, training, marker=dots, color=COLOUR["context"], markersize=4)
        ax.plot(number_of, validation, marker=dots, color=COLOUR["measured"], markersize=4)
        if result.best >= 0:
            ax.plot(
                result.best + 1, validation[result.best], "o", color=COLOUR["measured"], markersize=7, clip_on=False
            )
            keys.append(Key("dot", "measured", f"epoch kept, {result.best + 1}"))
        keys += _mark_hard(ax, result.epochs) if gated else []
        quantity(ax, "forecast error; 1 = linear forecaster alone")
        _epochs_axis(ax, number_of)
        words = (
            f"In the last epoch, {number_of[-1]}, validation is {validation[-1]:.3f} and training {training[-1]:.3f}."
        )
        svg = inline_svg(figure, "loss", "Losses over the epochs", words)
    handicap = ", with a handicap for updating more than the target" if gated else ""
    caption = (
        "The blue line should come below the dashed one: then the network forecasts rows that it was not trained on "
        f"better than the linear forecaster. {_kept(result.best, validation)}Where blue rises while grey falls, the "
        f"network learns the recording by heart. Kept is the epoch with the lowest blue value{handicap}."
    )
    return Chart("Did the network learn?", caption, tuple(keys), svg)


def share_chart(trained: Trained, target: float | None) -> Chart:
    """Mean updated share of each epoch on the validation rows."""
    epochs = trained.result.epochs
    number_of = [epoch.epoch + 1 for epoch in epochs]
    keys = [Key("line", "measured", "mean updated share, validation rows")]
    with style("share"):
        figure, (ax,) = panels(HEIGHT)
        dots = "o" if len(number_of) <= FEW_EPOCHS else ""
        ax.plot(number_of, [epoch.share for epoch in epochs], marker=dots, color=COLOUR["measured"], markersize=4)
        keys += mark_target(ax, target)
        keys += _mark_hard(ax, epochs)
        percent_axis(ax)
        quantity(ax, "updated share of the hidden state")
        _epochs_axis(ax, number_of)
        words = f"From {percent(epochs[0].share)} in the first to {percent(epochs[-1].share)} in the last epoch."
        svg = inline_svg(figure, "share", "Updated share over the epochs", words)
    caption = (
        "The share starts high on purpose and should come down to the target or below. If it stays above, the network "
        "could not be made thriftier at this price; a higher target in the configuration is the honest answer."
    )
    return Chart("Did it become thrifty?", caption, tuple(keys), svg)


def _kept(best: int, validation: list[float]) -> str:
    """How the kept epoch compares with the linear forecaster."""
    if best < 0:
        return ""
    ratio = validation[best]
    return f"Here the epoch kept is {percent(abs(ratio - 1))} {'below' if ratio < 1 else 'above'}. "


def _epochs_axis(ax: Axes, number_of: list[int]) -> None:
    ax.set_xlabel("epoch")
    ax.set_xlim(*((1, number_of[-1]) if len(number_of) > 1 else (0.5, 1.5)))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def _mark_hard(ax: Axes, epochs: list[Epoch]) -> list[Key]:
    """A line where the hard mask begins, if it did."""
    first = next((epoch.epoch + 1 for epoch in epochs if epoch.hard), None)
    if first is None:
        return []
    ax.axvline(first, color=COLOUR["ink"], linewidth=1.0, dashes=(1, 2))
    return [Key("dotted", "ink", f"trained with the hard gate from epoch {first}")]
