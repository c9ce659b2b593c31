"""What is measured and said while a network learns."""

import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class History(Callback):
    """One row an epoch: losses, tune AUROC, seconds, and the share of the time that the model's own step took.

    Args:
        say: Called with one plain line an epoch, or None where a progress bar shows the same.
    """

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self.say = say
        self.rows: list[dict[str, float]] = []
        self._epoch_start = self._step_start = self._in_steps = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_start, self._in_steps = _now(pl_module), 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._step_start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._in_steps += time.perf_counter() - self._step_start

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and trainer.training is False:
            self._training_seconds = _now(pl_module) - self._epoch_start

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        names = {"train_loss_epoch": "train_loss", "tune_loss": "tune_loss", "tune_auroc": "tune_auroc"}
        values = {
            short: float(trainer.callback_metrics[name]) for name, short in names.items() if name in trainer.callback_metrics
        }
        values |= {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("weight_")}
        seconds = getattr(self, "_training_seconds", _now(pl_module) - self._epoch_start)
        row = {"epoch": trainer.current_epoch, **values, "seconds": seconds, "step_share": self._in_steps / max(seconds, 1e-9)}
        self.rows.append(row)
        if self.say:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            self.say(f"  epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {figures}  {seconds:.0f} s")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


def _now(module: LightningModule) -> float:
    if module.device.type == "cuda":
        torch.cuda.synchronize(module.device)  # a GPU's work is only done when it says so
    return time.perf_counter()
