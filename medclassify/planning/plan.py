"""Rules in their order: a plan of every key that the data or the machine have something to say about."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medclassify.planning import data_rules, training_rules
from medclassify.planning.choice import Choice
from medclassify.planning.facts import DataFacts, Hardware, ImageFacts, StepCost
from medclassify.planning.limits import Expected, choose_calibration, choose_operating_point, expect

ASKED = "as you asked"


@dataclass(frozen=True, slots=True)
class Minutes:
    """What a fit will take on this machine, at the most: training may stop earlier.

    Attributes:
        prepare: Decoding every image once.
        train: All epochs, and the head before them.
        score: Calibrate and test splits.
    """

    prepare: float
    train: float
    score: float

    @property
    def total(self) -> float:
        return self.prepare + self.train + self.score


class Choices:
    """Choices by key, in order; one that the person fixed is kept as it is.

    Args:
        fixed: Dotted key → value, as the person gave it.
    """

    def __init__(self, fixed: Mapping[str, Any]) -> None:
        self.fixed = dict(fixed)
        self.made: dict[str, Choice] = {}

    def add(self, *choices: Choice | None) -> Any:
        """Adds choices and returns the value that holds for the last one."""
        value = None
        for choice in choices:
            if choice is None:
                continue
            asked = choice.key in self.fixed
            value = self.fixed[choice.key] if asked else choice.value
            reason = (
                f"{ASKED} (the rules: {choice.value}, for {choice.reason})"
                if asked and value != choice.value
                else choice.reason
            )
            self.made[choice.key] = Choice(choice.key, value, reason)
        return value

    def finish(self) -> tuple[Choice, ...]:
        """All choices; what was fixed and no rule spoke of comes last."""
        rest = [Choice(key, value, ASKED) for key, value in self.fixed.items() if key not in self.made]
        return (*self.made.values(), *rest)


def choose_data(choices: Choices, data: DataFacts, images: ImageFacts) -> None:
    """Windows, attributes and uncertain labels; findings and fractions were chosen before the splits were drawn."""
    choices.add(
        data_rules.choose_uncertain(data.findings),
        data_rules.choose_ct_windows(data.modalities, [finding.name for finding in data.findings])
        or data_rules.choose_window(images),
        data_rules.choose_attributes(data),
    )


def choose_network(choices: Choices, data: DataFacts, images: ImageFacts, hardware: Hardware) -> tuple[str, int]:
    """Backbone and input size: what has to be known before steps can be timed."""
    backbone = choices.add(training_rules.choose_backbone(data.split_images["train"], hardware))
    size = choices.add(training_rules.choose_image_size(backbone, hardware, images))
    choices.add(Choice("model.weights", "imagenet", "downloaded once at the first fit; without a network name a file here"))
    return backbone, size


def choose_training(choices: Choices, data: DataFacts, cost: StepCost, hardware: Hardware) -> None:
    """Batch, recipe, and where that has epochs their number, rates and the rest of training."""
    train = data.split_images["train"]
    pretrained = choices.made["model.weights"].value != "none"
    positives = [finding.splits["train"].positive for finding in data.findings]
    batch = choices.add(training_rules.choose_batch_size(train, cost, hardware))
    if choices.add(training_rules.choose_recipe(train, max(positives), pretrained)) == "linear_probe":
        return  # it has no epochs, and so nothing that would steer them
    accumulated = choices.add(training_rules.choose_accumulation(batch)) or 1
    updates = math.ceil(train / (batch * accumulated))
    epochs = choices.add(training_rules.choose_epochs(train, updates))
    choices.add(
        *training_rules.choose_rates(batch * accumulated, pretrained),
        training_rules.choose_batch_norm(batch, pretrained),
        training_rules.choose_ema(epochs * updates),
    )
    rarest = min(data.findings, key=lambda finding: finding.prevalence)
    choices.add(training_rules.choose_weighting(rarest.name, rarest.prevalence, batch))


def choose_decisions(choices: Choices, data: DataFacts) -> tuple[Expected, ...]:
    """Calibrator and operating point, and what to expect of each finding's figures."""
    expected = tuple(expect(finding, choices.fixed.get("data.task", "multilabel")) for finding in data.findings)
    choices.add(choose_calibration(expected), *choose_operating_point(expected))
    return expected


def estimate_minutes(choices: Sequence[Choice], data: DataFacts, images: ImageFacts, cost: StepCost) -> Minutes:
    """Measured seconds an image, times images."""
    value = {choice.key: choice.value for choice in choices}
    train, tune = data.split_images["train"], data.split_images["tune"]
    head = (train + tune) * cost.forward_seconds if value.get("optimizer.recipe") != "full" else 0.0
    epoch = train * cost.train_seconds + tune * cost.forward_seconds
    epochs = 0 if value.get("optimizer.recipe") == "linear_probe" else value["trainer.max_epochs"]
    rest = data.images - train
    return Minutes(data.images * images.seconds / 60, (head + epochs * epoch) / 60, rest * cost.forward_seconds / 60)
