"""Images grow in stages: sizes and strengths by hand, what the network really sees, and a resumed run in the right stage."""

import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from medclassify.config import Config, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.data.resize import shrink
from medclassify.errors import ConfigError
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, Growth, fine_tune, require_growth
from medclassify.training.growth import growth_stages


def test_stages_by_hand() -> None:
    stages = growth_stages(128, 300, 10)
    assert [(stage.first_epoch, stage.size) for stage in stages] == [(0, 128), (2, 192), (5, 256), (7, 300)]
    assert [stage.strength for stage in stages] == pytest.approx([1 / 3, 5 / 9, 7 / 9, 1])
    assert [stage.mixup for stage in stages] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [(stage.first_epoch, stage.size) for stage in growth_stages(96, 224, 2)] == [(0, 96), (1, 224)]


@given(st.integers(32, 1000), st.integers(1, 1000), st.integers(2, 300))
def test_stages_grow_and_the_last_has_full_size_for_a_quarter_of_the_epochs(start: int, more: int, epochs: int) -> None:
    stages = growth_stages(start, start + more, epochs)
    assert stages[0].first_epoch == 0 and stages[-1].size == start + more and stages[-1].strength == stages[-1].mixup == 1
    assert epochs - stages[-1].first_epoch >= epochs / 4
    assert all(a.size <= b.size and a.first_epoch < b.first_epoch for a, b in pairwise(stages))
    assert all(stage.size % 32 == 0 for stage in stages[:-1] if stage.size < start + more)


def test_shrinking_does_not_alias_and_keeps_bytes() -> None:
    generator = np.random.default_rng(0)
    smooth = torch.from_numpy(generator.integers(0, 255, (2, 1, 8, 8), dtype=np.uint8))
    large = smooth.repeat_interleave(8, 2).repeat_interleave(8, 3)
    small = shrink(large, 32)
    assert small.dtype == torch.uint8 and small.shape == (2, 1, 32, 32) and shrink(large, 64) is large
    inner = avg_pool2d(small.float(), 4)
    assert (inner - smooth).abs().max() < 35  # the mean of each square, but for its blurred edge
    stripes = (torch.arange(64) % 4 == 0).mul(255).to(torch.uint8).expand(1, 1, 64, 64)
    assert (shrink(stripes, 16).float() - 255 / 4).abs()[..., 1:-1].max() < 5  # lines of one pixel in four become grey


def test_a_side_that_cannot_grow_is_refused() -> None:
    require_growth(OptimizerConfig(), 224)
    require_growth(OptimizerConfig(start_size=192), 224)
    with pytest.raises(ConfigError, match="below the network's 224 pixels, received 224"):
        require_growth(OptimizerConfig(start_size=224), 224)


class Seen(Classifier):
    """Writes down what each step and each evaluation was shown."""

    steps: list[tuple[int, int, float, float, float]]
    evaluated: set[int]
    stop_at: int

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == self.stop_at:
            signal.raise_signal(signal.SIGTERM)  # the step is finished and saved
        epoch, dropout = self.current_epoch, round(self.network.drop_rate, 3)
        self.steps.append((epoch, batch["image"].shape[-1], self._data.augment.transforms[0].strength, dropout, self.mixup))
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> None:
        self.evaluated.add(batch["image"].shape[-1])
        super().validation_step(batch, batch_idx)


def fit(folder: Path, *, stop_at: int = -1, resume: bool = False, patience: int = 8) -> tuple[Seen, list[str], int]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (48, 1, 96, 96), dtype=np.uint8)
    targets, known = np.eye(2)[np.arange(48) % 2], np.ones((48, 2), bool)
    train, tune = (PreparedDataset(images, rows, targets[rows], known[rows]) for rows in np.split(np.arange(48), [32]))
    settings = OptimizerConfig(start_size=32, augment=0.6, mixup=0.3, patience=patience, lr=1e-9, head_lr=1e-9)
    config = Config(trainer=TrainerConfig(max_epochs=8, accelerator="cpu", enable_progress_bar=False), optimizer=settings)
    torch.manual_seed(0)
    seen = Seen(create_network("test_efficientnet", 2, drop_rate=0.3), ("a", "b"), "multiclass", settings, torch.ones(2))
    seen.steps, seen.evaluated, seen.stop_at = [], set(), stop_at
    data = PreparedDataModule(
        train,
        tune,
        Preprocessing(96, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi"),
        batch_size=16,
        num_workers=0,
        augment=settings.augment,
        seed=0,
    )
    said: list[str] = []
    run = RunLayout(folder)
    resumed = run.last_checkpoint if resume else None
    growth = [Growth(settings, 96, said.append)]
    result = fine_tune(seen, data, config, run, monitor="tune_loss", resume=resumed, say=lambda _: None, extra=growth)
    return seen, said, len(result.history)


def test_the_network_sees_each_stage_and_a_resumed_run_lands_in_its_own(tmp_path: Path) -> None:
    whole, said, _ = fit(tmp_path / "whole")
    expected = [(32, 0.2, 0.1, 0.0), (64, 1 / 3, 0.167, 0.1), (64, 0.6 * 7 / 9, 0.233, 0.2), (96, 0.6, 0.3, 0.3)]
    assert len(whole.steps) == 16
    for epoch, size, augment, dropout, mixup in whole.steps:
        assert (size, augment, dropout, mixup) == pytest.approx(expected[epoch // 2], abs=1e-3)
    assert whole.evaluated == {96} and whole.network.drop_rate == pytest.approx(0.3)
    assert [line.split(",")[0].strip() for line in said] == [
        *("from epoch 1: 32 pixels", "from epoch 3: 64 pixels", "from epoch 5: 64 pixels", "from epoch 7: 96 pixels"),
    ]
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken", stop_at=10)
    resumed, _, _ = fit(tmp_path / "broken", resume=True)
    assert resumed.steps == whole.steps[11:]  # from the middle of the sixth epoch
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_patience_counts_at_full_size_alone(tmp_path: Path) -> None:
    # the learning rate is next to nothing, so no epoch is better than the first for long
    _, _, epochs = fit(tmp_path, patience=1)
    assert epochs in (7, 8)
