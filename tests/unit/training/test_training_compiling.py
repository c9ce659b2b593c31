"""Compiled steps learn what eager ones learn, and leave no trace in what is kept or predicted."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from medclassify.config import Config, ModelConfig, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.errors import ConfigError
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, TrainingResult, fine_tune
from medclassify.training.compiling import CompileSteps, require_compiler


class Watched(CompileSteps):
    """Counts how often the compiler is asked, and what validation runs through."""

    graphs = 0
    validated: tuple[object, ...] = ()

    def __init__(self, network: torch.nn.Module) -> None:
        def backend(module, _):
            Watched.graphs += 1
            return module.forward

        super().__init__(network, backend)  # pyright: ignore[reportArgumentType]

    def on_validation_batch_start(self, trainer, pl_module, *_) -> None:
        Watched.validated += (pl_module.network._compiled_call_impl,)


def trained(folder: Path, *, compiled: bool) -> tuple[Classifier, TrainingResult]:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (24, 1, 32, 32), dtype=np.uint8)
    targets, known = (np.arange(24) % 2)[:, None].astype(float), np.ones((24, 1), bool)
    train, tune = (PreparedDataset(images, rows, targets[rows], known[rows]) for rows in np.split(np.arange(24), [16]))
    config = Config(
        model=ModelConfig(compile=compiled),
        trainer=TrainerConfig(max_epochs=2, accelerator="cpu", enable_progress_bar=False),
        optimizer=OptimizerConfig(ema_decay=0.5, lr=0.001),
    )
    torch.manual_seed(0)
    network = create_network("test_efficientnet", 1, drop_rate=0.0)
    classifier = Classifier(network, ("a",), "multilabel", config.optimizer, torch.ones(1))
    preprocessing = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
    data = PreparedDataModule(train, tune, preprocessing, batch_size=8, num_workers=0, augment=0.0, seed=0)
    return classifier, fine_tune(classifier, data, config, RunLayout(folder), monitor="tune_loss", say=lambda _: None)


def test_compiled_steps_are_eager_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medclassify.training.fit.CompileSteps", Watched)
    eager, plain = trained(tmp_path / "eager", compiled=False)
    assert Watched.graphs == 0
    compiled, result = trained(tmp_path / "compiled", compiled=True)
    assert Watched.graphs > 0  # the compiler was asked
    assert Watched.validated and not any(Watched.validated)  # and not for tuning
    assert [row["train_loss"] for row in result.history] == pytest.approx(
        [row["train_loss"] for row in plain.history], rel=1e-3
    )
    assert list(compiled.state_dict()) == list(eager.state_dict())
    for name, weight in eager.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], weight, rtol=1e-2, atol=1e-3)
    assert compiled.network._compiled_call_impl is None  # predictions are every verb's
    kept = torch.load(tmp_path / "compiled" / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    assert not [name for name in kept["state_dict"] if "_orig_mod" in name]


def test_a_missing_compiler_is_told_before_data_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(map(shutil.which, ("g++", "clang++", "c++"))):
        require_compiler()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match=r"model.compile needs a C\+\+ compiler, and none of no-such-compiler, g\+\+"):
        require_compiler()


@pytest.mark.slow
def test_the_real_compiler_makes_the_same_network() -> None:
    try:
        require_compiler()
    except ConfigError as error:
        pytest.skip(str(error))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.SiLU())
    images = torch.rand(4, 3, 16, 16)
    expected, steps = network(images), CompileSteps(network)
    steps.on_train_start(None, None)  # type: ignore[arg-type]
    torch.testing.assert_close(network(images), expected, rtol=1e-3, atol=1e-4)
    steps.teardown(None, None, "fit")  # type: ignore[arg-type]
    assert network._compiled_call_impl is None


@pytest.mark.gpu
def test_a_gpu_is_exact_in_predictions_and_fast_in_training() -> None:
    from medclassify.models.precision import exact_float32, fast_float32

    torch.manual_seed(0)
    layer, images = torch.nn.Conv2d(64, 64, 3, padding=1), torch.randn(4, 64, 56, 56)
    expected = layer.double()(images.double())
    layer, images = layer.float().cuda(), images.cuda()
    far = {}
    for name, mode in (("exact", exact_float32), ("fast", fast_float32)):
        with mode():
            far[name] = float((layer(images).cpu().double() - expected).abs().max())
    assert far["exact"] < 1e-5 < far["fast"] < 1e-2
