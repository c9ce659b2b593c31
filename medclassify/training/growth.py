"""Progressive learning: training starts on small images with weak augmentation, and both grow (Tan & Le 2021, section 4).

"EfficientNetV2: Smaller models and faster training" (ICML 2021): a step on a small image costs a fraction of one on a large,
and a small image needs less augmentation. Sizes and strengths grow linearly over four stages of equal length (algorithm 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pytorch_lightning import Callback, LightningModule, Trainer

from medclassify.config import OptimizerConfig
from medclassify.data import PreparedDataModule
from medclassify.errors import ConfigError
from medclassify.training.classifier import Classifier

_STAGES = 4
_FIRST_STRENGTH = 1 / 3  # table 6 of the paper: RandAugment grows from 5 to 15 and dropout from 0.1 to 0.3; mixup from 0 on
_MULTIPLE = 32  # an EfficientNet halves its maps five times
_SMALLEST = 32


@dataclass(frozen=True, slots=True)
class GrowthStage:
    """What training looks at from an epoch on.

    Attributes:
        first_epoch: From 0.
        size: Side in pixels.
        strength: Share of the configured augmentation and dropout.
        mixup: Share of the configured mixup.
    """

    first_epoch: int
    size: int
    strength: float
    mixup: float


def growth_stages(start: int, full: int, epochs: int) -> tuple[GrowthStage, ...]:
    """The stages of a training: four, or one an epoch where there are fewer.

    Args:
        start: Side of the first stage in pixels; all but the last are rounded to multiples of 32.
        full: Side of the last stage.
        epochs: How many there are; the last stage has at least a quarter of them.
    """
    count = min(_STAGES, epochs)
    stages = []
    for number in range(count):
        grown = number / (count - 1) if count > 1 else 1.0
        size = full if number == count - 1 else max(_SMALLEST, _MULTIPLE * round((start + (full - start) * grown) / _MULTIPLE))
        strength = _FIRST_STRENGTH + (1 - _FIRST_STRENGTH) * grown
        stages.append(GrowthStage(epochs * number // count, min(size, full), strength, grown))
    return tuple(stages)


def growth_notes(settings: OptimizerConfig, full: int, epochs: int) -> tuple[str, ...]:
    """The plan in words, for console, report and provenance; nothing where images have their full size throughout."""
    if settings.start_size is None:
        return ()
    stages = growth_stages(settings.start_size, full, epochs)
    sizes = ", ".join(f"{stage.size} from epoch {stage.first_epoch + 1}" for stage in stages)
    mixup = ", mixup from 0" if settings.mixup else ""
    return (f"train images grow: {sizes} pixels; augmentation and dropout from a third{mixup}; tune images have {full}",)


def require_growth(settings: OptimizerConfig, image_size: int) -> None:
    """Refuses a first side that cannot grow, where the config leaves the last one to the weights.

    Raises:
        ConfigError: It is not below the network's own side.
    """
    if settings.start_size is not None and settings.start_size >= image_size:
        raise ConfigError(
            f"optimizer.start_size must be below the network's {image_size} pixels, received {settings.start_size}. "
            "Lower it, or raise data.image_size."
        )


class Growth(Callback):
    """Sets size, augmentation, dropout and mixup at the start of each stage, and says so.

    The stage follows from the epoch's number, so a resumed run lands in the right one. Patience counts in the last stage alone:
    a network that has not seen images of full size yet is not given up.

    Args:
        settings: The run's, with a ``start_size``.
        full: Side of the network's input.
        say: Prints one line.
    """

    def __init__(self, settings: OptimizerConfig, full: int, say: Callable[[str], None]) -> None:
        self.settings, self.full, self.say = settings, full, say
        self._now: GrowthStage | None = None
        self._dropout: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning leaves the hook of an epoch out where a run goes on in its middle."""
        if trainer.fit_loop.restarted_mid_epoch:
            self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        stages = growth_stages(cast(int, self.settings.start_size), self.full, cast(int, trainer.max_epochs))
        stage = [stage for stage in stages if stage.first_epoch <= trainer.current_epoch][-1]
        if trainer.current_epoch <= stages[-1].first_epoch:
            for stopping in trainer.early_stopping_callbacks:  # it adds 1 after an epoch that was no better
                stopping.wait_count = 0 if stage is stages[-1] else -1
        if stage != self._now:
            self._enter(stage, cast(Classifier, pl_module), cast(Any, trainer).datamodule)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The network keeps the dropout that it was built with."""
        if self._dropout is not None:
            cast(Classifier, pl_module).network.drop_rate = self._dropout

    def _enter(self, stage: GrowthStage, classifier: Classifier, data: PreparedDataModule) -> None:
        if self._dropout is None:
            self._dropout = classifier.network.drop_rate
        augment, self._now = self.settings.augment * stage.strength, stage
        data.show(stage.size, augment)
        classifier.network.drop_rate = self._dropout * stage.strength
        classifier.mixup = self.settings.mixup * stage.mixup
        mixup = f", mixup {classifier.mixup:.2g}" if self.settings.mixup else ""
        dropout = f", dropout {classifier.network.drop_rate:.2g}" if self._dropout else ""
        self.say(f"  from epoch {stage.first_epoch + 1}: {stage.size} pixels, augment {augment:.2g}{dropout}{mixup}")
