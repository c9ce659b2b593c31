"""Compiles the network for the steps of training, and for nothing else."""

import os
import shutil

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from medclassify.errors import ConfigError

_COMPILERS = ("g++", "c++", "clang++")


def require_compiler() -> None:
    """Before data are read: torch.compile looks for a compiler at the first step of training.

    Raises:
        ConfigError: There is none.
    """
    wanted = (*filter(None, [os.environ.get("CXX")]), *_COMPILERS)
    if not any(map(shutil.which, wanted)):
        raise ConfigError(
            f"model.compile needs a C++ compiler, and none of {', '.join(wanted)} is there. Install one, or leave it out."
        )


class CompileSteps(Callback):
    """Runs training steps through torch.compile; tuning, predictions and maps stay eager.

    The network is compiled in place: it is the same module with the same names of weights, so checkpoints, moving averages and
    bundles do not know of it. Only training has one size of batch, and only there are minutes of compiling earned back; what is
    predicted afterwards is computed as every other verb computes it.

    Args:
        network: Called by the module that is trained.
        backend: torch.compile's.
    """

    def __init__(self, network: nn.Module, backend: str = "inductor") -> None:
        self.network, self.backend = network, backend
        self._compiled = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.network.compile(backend=self.backend)
        self._compiled = self.network._compiled_call_impl

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.network._compiled_call_impl = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.network._compiled_call_impl = self._compiled

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._compiled = self.network._compiled_call_impl = None
