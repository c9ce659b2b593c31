"""A run that was stopped in the middle of an epoch goes on as if it had not been."""

import io
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rank_program
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from medclassify.errors import RunError, StorageError
from medclassify.training import TrainingResult, safekeeping
from medclassify.training.safekeeping import WholeCheckpoints, position


class Stop(Callback):
    """Ends training before a step, as a power cut would, or tells the process to end, as a scheduler would."""

    def __init__(self, step: int, number: signal.Signals | None = None) -> None:
        self.step, self.number = step, number

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.fit_loop.total_batch_idx == self.step:
            if self.number is None:
                raise ZeroDivisionError
            signal.raise_signal(self.number)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")["state_dict"]


def rows(result: TrainingResult) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name not in ("seconds", "step_share")} for row in result.history]


# 49 images are 6 steps of 8
@pytest.mark.parametrize(
    ("step", "options"),
    [(8, {"ema_decay": 0.9}), (11, {"accumulate": 2}), (17, {"workers": 1})],
)
def test_going_on_within_an_epoch_ends_bit_for_bit_where_an_unbroken_run_does(
    step: int, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safekeeping, "SAVE_EVERY", timedelta(0))
    _, unbroken = rank_program.train(tmp_path / "unbroken", epochs=3, **options)
    with pytest.raises(ZeroDivisionError):
        rank_program.train(tmp_path / "broken", epochs=3, extra=(Stop(step),), **options)
    epoch, batch = position(tmp_path / "broken" / "checkpoints" / "last.ckpt", 1)
    behind = options.get("accumulate", 1)
    assert epoch == step // 6 and step % 6 - behind < batch <= step % 6
    _, resumed = rank_program.train(tmp_path / "broken", epochs=3, resume=True, **options)
    ours, theirs = weights(tmp_path / "broken"), weights(tmp_path / "unbroken")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert rows(resumed) == rows(unbroken) and resumed.best_epoch == unbroken.best_epoch


def test_without_a_checkpoint_in_it_an_epoch_is_repeated(tmp_path: Path) -> None:
    _, unbroken = rank_program.train(tmp_path / "unbroken", epochs=2)
    with pytest.raises(ZeroDivisionError):
        rank_program.train(tmp_path / "broken", epochs=2, extra=(Stop(9),))
    assert position(tmp_path / "broken" / "checkpoints" / "last.ckpt", 1) == (1, 0)
    _, resumed = rank_program.train(tmp_path / "broken", epochs=2, resume=True)
    assert rows(resumed) == rows(unbroken)


def test_sigterm_saves_the_step_it_came_in(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        rank_program.train(tmp_path, epochs=2, extra=(Stop(8, signal.SIGTERM),))
    assert position(tmp_path / "checkpoints" / "last.ckpt", 1) == (1, 3)
    assert signal.getsignal(signal.SIGTERM) is before


def test_slurms_warning_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with pytest.raises(KeyboardInterrupt):
        rank_program.train(tmp_path, epochs=1, extra=(Stop(2, signal.SIGUSR1),))
    assert position(tmp_path / "checkpoints" / "last.ckpt", 1) == (0, 3)


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"a": torch.ones(3)}, path)
    with pytest.raises(TypeError):  # the attempt breaks off in the middle
        WholeCheckpoints().save_checkpoint({"a": torch.ones(3), "b": (i for i in range(3))}, path)
    assert torch.load(path, weights_only=True)["a"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        WholeCheckpoints().save_checkpoint({}, tmp_path / "file" / "last.ckpt")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_stops_a_checkpoint_in_the_middle_is_what_is_raised(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not torch's own complaint that the file is too short, which would end the program with a traceback."""

    class Stopped(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell():
                raise stop
            return super().write(data)

    monkeypatch.setattr(safekeeping, "open", lambda path, _: Stopped(path, "w"), raising=False)
    with pytest.raises(KeyboardInterrupt if isinstance(stop, KeyboardInterrupt) else StorageError):
        WholeCheckpoints().save_checkpoint({"a": torch.ones(3)}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_other_ranks_or_of_no_training_is_refused(tmp_path: Path) -> None:
    rank_program.train(tmp_path, epochs=1)
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(RunError, match=r"1 ranks trained it and 2 would go on.* Start 1, or fit again without --ckpt_path\."):
        position(checkpoint, 2)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(RunError, match="cannot be resumed from"):
        position(checkpoint, 1)
