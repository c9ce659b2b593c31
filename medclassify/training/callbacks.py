"""What is measured and said while a network learns."""

import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from medclassify.training.ranks import average

_TUNE = ("tune_loss", "tune_auroc")


class History(Callback):
    """One row an epoch: losses, tune AUROC, seconds, and the share of the time that the model's own step took.

    Args:
        say: Called with one plain line an epoch, or None where a progress bar shows the same.
    """

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self.say = say
        self.rows: list[dict[str, float]] = []
        self._epoch_start = self._step_start = self._in_steps = self._before = 0.0
        self._losses, self._steps = torch.zeros(()), 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_start, self._in_steps, self._before = _now(pl_module), 0.0, 0.0
        self._losses, self._steps = torch.zeros((), device=pl_module.device), 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_start = _now(pl_module)  # for a run that goes on within an epoch, whose start is not told again
        self._losses = self._losses.to(pl_module.device)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._step_start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._in_steps += time.perf_counter() - self._step_start
        self._losses += outputs["loss"].detach() * trainer.accumulate_grad_batches  # Lightning has divided it
        self._steps += 1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and trainer.training is False:
            self._training_seconds = self._seconds(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        losses, steps = average((float(self._losses), self._steps), pl_module.device)
        values = {"train_loss": losses / max(steps, 1)}
        values |= {name: float(trainer.callback_metrics[name]) for name in _TUNE if name in trainer.callback_metrics}
        values |= {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("weight_")}
        seconds = getattr(self, "_training_seconds", self._seconds(pl_module))
        row = {"epoch": trainer.current_epoch, **values, "seconds": seconds, "step_share": self._in_steps / max(seconds, 1e-9)}
        self.rows.append(row)
        if self.say:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            self.say(f"  epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {figures}  {seconds:.0f} s")

    def state_dict(self) -> dict[str, Any]:
        losses, steps = average((float(self._losses), self._steps), self._losses.device)  # every rank loads rank 0's state
        seconds = self._before + time.perf_counter() - self._epoch_start
        return {"rows": self.rows, "epoch": (losses, steps, self._in_steps, seconds)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        losses, self._steps, self._in_steps, self._before = state_dict["epoch"]
        self._losses = torch.tensor(losses)

    def _seconds(self, module: LightningModule) -> float:
        return self._before + _now(module) - self._epoch_start


def _now(module: LightningModule) -> float:
    if module.device.type == "cuda":
        torch.cuda.synchronize(module.device)  # a GPU's work is only done when it says so
    return time.perf_counter()
