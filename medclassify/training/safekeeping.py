"""Keeps what a run has learnt: checkpoints that are whole or not there, one every few minutes, and one when told to stop."""

import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins import TorchCheckpointIO

from medclassify.errors import RunError
from medclassify.runs import atomic_path
from medclassify.training.ranks import any_rank, talk_beside

SAVE_EVERY = timedelta(minutes=5)
"""How much work a power cut may cost; a checkpoint takes a second or so."""


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: a kill in the middle leaves the one before.

    Lightning's own way writes to the system's temporary folder, which may be another disk: its last step is then a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with atomic_path(Path(path)) as temporary, open(temporary, "wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch puts one of its own in the place of the disk's, and of Ctrl-C
                if isinstance(error.__context__, OSError | KeyboardInterrupt):
                    raise error.__context__ from None
                raise


class Safekeeping(Callback):
    """Saves the last checkpoint within epochs too, and ends training in order when the machine is wanted back.

    SIGTERM (a scheduler's pre-emption, ``kill``) and, under SLURM, SIGUSR1 let the step finish, save, and stop all ranks;
    outside a step, where there is nothing newer to save, they stop at once. To be the last callback: the others' state of the
    step belongs into the checkpoint.

    Args:
        path: The last checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told, self._in_step, self._saved, self._process = False, False, 0.0, os.getpid()
        self._talk: dist.ProcessGroup | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved, self._talk = time.monotonic(), talk_beside()
        if threading.current_thread() is threading.main_thread():  # Lightning restores the handlers before it when it ends
            signal.signal(signal.SIGTERM, self._stop)
            if "SLURM_JOB_ID" in os.environ:
                signal.signal(signal.SIGUSR1, self._stop)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._in_step = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # the last step's checkpoint is the one after its evaluation; gradients that wait for more batches are in none
        last = batch_idx + 1 >= trainer.num_training_batches
        if last or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        due = time.monotonic() - self._saved >= SAVE_EVERY.total_seconds()
        told, due = any_rank(self._told, due, talk=self._talk)
        if told or due:
            trainer.save_checkpoint(self.path)
            self._saved = time.monotonic()
        if told:
            raise KeyboardInterrupt

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._in_step = False
        if self._told:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved = time.monotonic()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a loader's process, forked from this one: it ends as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._told = True
        if not self._in_step:
            raise KeyboardInterrupt


def position(checkpoint: Path, ranks: int) -> tuple[int, int]:
    """Where training goes on: the epoch, and how many of its batches are done.

    Args:
        checkpoint: Written by Lightning.
        ranks: How many ranks go on; batches mean the same only where as many were there before.

    Raises:
        RunError: It cannot be read without executing pickled code, or other ranks wrote it.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        before = int(state.get("ranks", 1))
        loop = state["loops"]["fit_loop"]
        epoch, batches = loop["epoch_progress"]["current"], loop["epoch_loop.batch_progress"]["current"]
        within = epoch["started"] > epoch["processed"]
        found = int(epoch["processed"]), int(batches["processed"]) if within else 0
    except Exception as error:  # a damaged file raises almost anything
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"{checkpoint}: cannot be resumed from ({reason}). Fit again without --ckpt_path.") from error
    if before != ranks:
        raise RunError(
            f"{checkpoint}: {before} ranks trained it and {ranks} would go on: their steps are not the same. "
            f"Start {before}, or fit again without --ckpt_path."
        )
    return found
