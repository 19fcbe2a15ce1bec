"""Runs a training: epochs until its end, validation after each, checkpoints in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from vcedge.train.checkpoint import CheckpointFile
from vcedge.train.loss import evaluate, highway_loss
from vcedge.train.streams import ParallelStreams
from vcedge.train.training import Epoch, FitResult, Training


def fit(
    training: Training,
    validation: ParallelStreams,
    progress: Callable[[Epoch, int], None],
    stop: Callable[[], bool] = lambda: False,
    checkpoint: CheckpointFile | None = None,
) -> FitResult:
    """Run the training to its end and leave the best network in its model.

    The best network has the least hard validation loss among the epochs that keep to the target share; if none does,
    it is the one that comes nearest to the target. If `stop` returns true, the training ends early with the best
    network so far. With a `checkpoint` it resumes an earlier run that was stopped or killed: the result is the same to
    the last bit.
    """
    if checkpoint is not None:
        training.resume(checkpoint)
    training.result.alone = (highway_loss(training.streams), highway_loss(validation))
    while not training.ended:
        began = time.perf_counter()
        loss = training.run_epoch(stop, checkpoint)
        if loss is None:
            training.result.interrupted = True
            if checkpoint is not None:
                checkpoint.save(training.state())
            break
        value, share = evaluate(training.model, validation)
        progress(training.close_epoch(loss, value, share, time.perf_counter() - began), training.epochs)
    return training.finish()
