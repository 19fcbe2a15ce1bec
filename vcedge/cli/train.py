"""`vcedge train`: trains a calibrated detector on recordings of normal operation, and writes its report."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note, note_all, print_json, progress, single_threaded
from vcedge.cli.options import ConfigOverrides, TrainFile
from vcedge.wording import alarm_rate

if TYPE_CHECKING:
    from vcedge.cli.console import ReportProgress
    from vcedge.config.train import TrainConfig
    from vcedge.train.pipeline import Trained
    from vcedge.train.training import Epoch

METRICS, MODEL, REPORT, CHECKPOINT = "metrics.json", "model.vcedge", "report.html", "train.checkpoint"


def train_command(
    *,
    config: TrainFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; default: the asset's name.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The same seed gives the same file; default: as configured.")
    ] = None,
    overrides: ConfigOverrides = None,
    restart: Annotated[bool, typer.Option("--restart", help="Discard the checkpoint of a stopped training.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json on stdout.")] = False,
) -> None:
    """Train a detector on recordings of normal operation.

    Writes model.vcedge, report.html and metrics.json. Ctrl-C ends the training and keeps the best network so far. After
    Ctrl-C, a crash or a power cut the same command continues from train.checkpoint, to the same model.

    \b
    Example:
      vcedge train configs/pump.yaml --out models/pump --set train.epochs=10
    """
    single_threaded()
    from vcedge.config.train import load_train_config

    wanted = list(overrides or []) + ([] if seed is None else [f"train.seed={seed}"])
    settings = load_train_config(config, wanted)
    folder = Path(settings.asset) if out is None else out
    folder.mkdir(parents=True, exist_ok=True)
    if restart:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    metrics = _train(settings, folder)
    if json:
        print_json(metrics)
    else:
        note_all(_result_lines(metrics, settings, folder))


def _train(settings: TrainConfig, folder: Path) -> dict[str, Any]:
    """Load, train and write; return the metrics."""
    from vcedge.history import load_history
    from vcedge.history.labels import with_labels
    from vcedge.model_file import save
    from vcedge.train.pipeline import train_detector
    from vcedge.train.report import write_report
    from vcedge.train.summary import summarise, write_metrics

    began = time.perf_counter()
    recording = load_history(settings.data, settings.base_dir)
    if settings.data.labels:
        recording = with_labels(recording, settings.data.labels, settings.base_dir, settings.asset)
    note_all(recording.report.lines(), "data: ")
    with Interruption() as interruption, progress("training", 1.0) as report:

        def on_epoch(epoch: Epoch, epochs: int) -> None:
            remark = f"loss {epoch.loss:.3f}, validation {epoch.validation:.3f}, updated {epoch.share:.0%}"
            report((epoch.epoch + 1) / epochs, remark)

        trained = train_detector(settings, recording, on_epoch, interruption.requested, folder / CHECKPOINT)
        if trained.result.resumed_at is not None:
            note(f"continued from epoch {trained.result.resumed_at + 1}, where an earlier run was stopped")
        if trained.result.interrupted:
            note("interrupted: keeping the best network so far; the same command continues, --restart begins again")
        elif settings.report.sensitivity:
            trained = _with_sensitivity(trained, report, interruption.requested)
        metrics = summarise(trained, recording.report, time.perf_counter() - began)
        save(trained.finished, folder / MODEL)
        write_metrics(folder / METRICS, metrics)
        write_report(folder / REPORT, trained, metrics, recording.report)
        if not trained.result.interrupted:
            (folder / CHECKPOINT).unlink(missing_ok=True)
    return metrics


def _with_sensitivity(trained: Trained, report: ReportProgress, stop: Callable[[], bool]) -> Trained:
    """Return the training with measurements of which injected faults its detector finds and names."""
    from vcedge.sensitivity.measure import measure_sensitivity
    from vcedge.sensitivity.resemblance import measure_resemblance

    found = measure_sensitivity(
        trained.detector, trained.rows, lambda share: report(share, "measuring which faults are found"), stop
    )
    if found is None:
        return trained
    recognition = measure_resemblance(trained.detector, trained.rows)
    detector = replace(trained.detector, resemblance=recognition.model)
    return replace(trained, detector=detector, sensitivity=found, recognition=recognition)


class Interruption:
    """Turns the first Ctrl-C into a request that the training polls; a second one ends the program at once.

    Calibration and the writing of files continue, so that nothing trained is lost.
    """

    def __init__(self) -> None:
        self._requested = False

    def requested(self) -> bool:
        """Return whether Ctrl-C was pressed."""
        return self._requested

    def __enter__(self) -> Interruption:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, *_: object) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True


def _result_lines(metrics: dict[str, Any], settings: TrainConfig, folder: Path) -> list[str]:
    limits = metrics["calibration"]
    return [
        *_cost_lines(metrics, settings),
        f"threshold {limits['threshold']:.4g} nats, for {alarm_rate(limits['false_alarms_per_day'])}",
        f"{folder / MODEL} and {folder / REPORT} written in {metrics['seconds']:.0f} s",
        *verdict_lines(metrics["verdict"]),
    ]


def _cost_lines(metrics: dict[str, Any], settings: TrainConfig) -> list[str]:
    share, macs, target = metrics["updated_share"]["tail"], metrics["macs"], settings.model.target
    if settings.model.cell == "none":
        return [f"no network; {macs['mean']:.0f} MACs a tick"]
    missed = [f"the target of {target:.0%} is missed"] if settings.model.gated and share > target else []
    return [
        f"updated share on held-out rows {share:.0%}; {macs['mean']:.0f} of {macs['dense']:.0f} MACs a tick",
        *missed,
    ]


def verdict_lines(verdict: dict[str, Any]) -> list[str]:
    """Return the result, then a line for each reason, with its level if it lowers the result."""
    marks = {"PASS": "", "WARN": "WARN: ", "FAIL": "FAIL: "}
    return [verdict["result"], *(f"  {marks[reason['level']]}{reason['text']}" for reason in verdict["details"])]
