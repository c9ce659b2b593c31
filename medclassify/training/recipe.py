"""Settles what a config leaves open about fine-tuning: whether its recipe suits the weights, and whether BatchNorm learns."""

from dataclasses import replace

from medclassify.config import OptimizerConfig

# Wu & He (2018, "Group Normalization", table 2): a ResNet-50's ImageNet error with BatchNorm is 23.6 and 23.7 % at 32 and 16
# images a device, and 24.8, 27.3 and 34.7 % at 8, 4 and 2, where normalisation without batch statistics keeps to 24.
SMALLEST_BATCH = 16


def settle_recipe(settings: OptimizerConfig, *, pretrained: bool, batch_size: int) -> tuple[OptimizerConfig, tuple[str, ...]]:
    """What is done, and in words why where it is not what was asked or was left to be decided.

    Args:
        settings: As configured.
        pretrained: The backbone's weights were loaded.
        batch_size: Images a step on one device.

    Returns:
        The settings with a ``recipe`` that suits the weights and ``batch_norm`` either ``train`` or ``frozen``; and lines for
        console, provenance and report, the first of which names the recipe.
    """
    asked = settings.recipe
    done = asked if pretrained else "full"
    lines = [f"recipe: {done}"]
    if done != asked:
        lines = [f"recipe: full instead of {asked}: the weights are random, so there are no features yet that a head could use"]
    if done == "linear_probe":
        lines.append("only the head is fitted: trainer, learning rates, loss and augmentation are not used")
        return replace(settings, recipe=done, batch_norm="frozen"), tuple(lines)
    frozen, why = _batch_norm(settings.batch_norm, pretrained, batch_size)
    lines.append(f"BatchNorm: {'frozen' if frozen else 'trained'} ({why})")
    return replace(settings, recipe=done, batch_norm="frozen" if frozen else "train"), tuple(lines)


def _batch_norm(asked: str, pretrained: bool, batch_size: int) -> tuple[bool, str]:
    if asked == "frozen":
        return (
            pretrained,
            "as configured" if pretrained else "though frozen was asked: random weights have no statistics to keep",
        )
    if asked == "train":
        return False, "as configured"
    images = f"{batch_size} images a step on a device"
    if batch_size >= SMALLEST_BATCH:
        return False, f"{images}; below {SMALLEST_BATCH} the pretrained statistics would be kept"
    if pretrained:
        return True, f"{images}, too few below {SMALLEST_BATCH} for statistics of their own, Wu & He 2018"
    return False, f"on {images}: too few below {SMALLEST_BATCH}, Wu & He 2018, but random weights have no statistics to keep"
