"""The training loop: annealed mask, penalty on the updated share, hard finish, the best network kept."""

from __future__ import annotations

import time
from collections.abc import Callable

from vcedge.train.checkpoint import CheckpointFile
from vcedge.train.loss import evaluate, highway_loss
from vcedge.train.model import ResidualModel
from vcedge.train.streams import Streams
from vcedge.train.training import Epoch, FitResult, Training


def fit(
    model: ResidualModel,
    train: Streams,
    validation: Streams,
    target: float,
    epochs: int,
    progress: Callable[[Epoch, int], None],
    stop: Callable[[], bool] = lambda: False,
    checkpoint: CheckpointFile | None = None,
) -> FitResult:
    """Train in place and leave the best network in `model`; where `stop` says so, end early with the best so far.

    `target` is the mean updated share that is promised. The network kept is the one with the least hard validation
    loss among epochs that keep to it, or where none does, the one that comes nearest. With a `checkpoint` the training
    goes on where an earlier run of it was stopped or killed, and its result is the same to the bit.
    """
    training = Training(model, train, target, epochs)
    if checkpoint is not None:
        training.resume(checkpoint)
    training.result.alone = (highway_loss(train), highway_loss(validation))
    while not training.ended:
        began = time.perf_counter()
        loss = training.run_epoch(stop, checkpoint)
        if loss is None:
            training.result.interrupted = True
            if checkpoint is not None:
                checkpoint.save(training.position())
            break
        value, share = evaluate(model, validation)
        progress(training.close_epoch(loss, value, share, time.perf_counter() - began), epochs)
    return training.finish()
