"""Values that are of the right type and still cannot be meant."""

from collections.abc import Mapping

from medclassify.config.schema import Config, OptimizerConfig
from medclassify.errors import ConfigError


def validate(config: Config, where: str) -> None:
    """Refuses contradictions and impossible numbers, naming the key.

    Raises:
        ConfigError: The first one found.
    """
    data, fractions, optimizer = config.data, config.data.fractions, config.optimizer
    calibration = config.calibration
    shares = (fractions.train, fractions.tune, fractions.calibrate, fractions.test)
    group = optimizer.mitigation_attribute or "left out"
    default = OptimizerConfig()
    of_epochs = ("loss", "mixup", "mitigation", "start_size")
    untrained = [f"optimizer.{key}" for key in of_epochs if getattr(optimizer, key) != getattr(default, key)]
    untrained += ["model.compile"] if config.model.compile else []
    crossed = [name for parts in config.audit.intersections for name in parts if name not in data.attributes]
    checks = [
        (all(share > 0 for share in shares), f"data.fractions must all be above 0, received {shares}"),
        (abs(sum(shares) - 1) < 1e-6, f"data.fractions must add up to 1, received {sum(shares):.4g}"),
        (data.batch_size >= 2, f"data.batch_size must be at least 2 (BatchNorm needs it), received {data.batch_size}"),
        (data.num_workers >= 0, f"data.num_workers must be 0 or more, received {data.num_workers}"),
        (
            data.image_size is None or 32 <= data.image_size <= 2048,
            f"data.image_size must be 32–2048 pixels, received {data.image_size}",
        ),
        (
            len(data.ct_windows) in (0, 1, 3),
            f"data.ct_windows must be one window or three (a network has three channels), received {len(data.ct_windows)}",
        ),
        (data.phantom.patients >= 20, f"data.phantom.patients must be at least 20, received {data.phantom.patients}"),
        (
            not data.neighbours or len(data.ct_windows) == 1,
            f"data.neighbours 1 shows three slices through one window, but data.ct_windows names {len(data.ct_windows)}",
        ),
        (
            data.sample == "image" or bool(data.ct_windows),
            "data.sample series needs data.ct_windows: a series is shown through windows that are the same for all its slices",
        ),
        (
            data.sample == "image" or data.task == "multilabel",
            "data.sample series contradicts data.task multiclass: an examination's findings are each yes or no",
        ),
        (
            data.phantom.kind == "chest_xray" or not data.phantom.faults,
            f"data.phantom.faults contradicts data.phantom.kind {data.phantom.kind}: they are planted in radiographs alone",
        ),
        (
            data.phantom.matrix is None or (data.phantom.kind != "chest_xray" and 32 <= data.phantom.matrix <= 512),
            f"data.phantom.matrix must be 32–512 and is of CT alone, received {data.phantom.matrix} for {data.phantom.kind}",
        ),
        (len(set(data.findings or ())) == len(data.findings or ()), f"data.findings holds a name twice: {data.findings}"),
        (data.task == "multilabel" or len(data.findings or (1, 2)) >= 2, "data.task multiclass needs two findings or more"),
        (
            data.task == "multilabel" or data.uncertain == "ignore",
            "data.uncertain contradicts data.task multiclass, which takes samples with exactly one certain finding",
        ),
        (config.model.scale is None or 0 <= config.model.scale <= 7, f"model.scale must be 0–7, received {config.model.scale}"),
        (config.model.drop_path_rate >= 0, f"model.drop_path_rate must be 0 or more, received {config.model.drop_path_rate}"),
        (config.trainer.max_epochs >= 1, f"trainer.max_epochs must be at least 1, received {config.trainer.max_epochs}"),
        (optimizer.lr > 0 and optimizer.head_lr > 0, "optimizer.lr and optimizer.head_lr must be above 0"),
        (
            not (config.model.compile and config.model.grad_checkpointing),
            "model.compile contradicts model.grad_checkpointing: PyTorch does not compile blocks that are computed twice",
        ),
        (
            not (optimizer.recipe == "linear_probe" and optimizer.mitigation != "none"),
            f"optimizer.recipe linear_probe contradicts optimizer.mitigation {optimizer.mitigation}, which steers epochs",
        ),
        (
            not (optimizer.recipe == "linear_probe" and "soft" in _policies(data.uncertain)),
            "optimizer.recipe linear_probe contradicts data.uncertain soft: a logistic regression knows yes and no only",
        ),
        (0 < optimizer.layer_decay <= 1, f"optimizer.layer_decay must be in (0, 1], received {optimizer.layer_decay}"),
        (
            not (config.model.weights == "none" and optimizer.batch_norm == "frozen"),
            "optimizer.batch_norm frozen contradicts model.weights none: random weights have no statistics to keep; use auto",
        ),
        (0 <= optimizer.ema_decay < 1, f"optimizer.ema_decay must be in [0, 1), received {optimizer.ema_decay}"),
        (0 <= optimizer.augment <= 1, f"optimizer.augment must be in [0, 1], received {optimizer.augment}"),
        (
            0 <= optimizer.label_smoothing < 0.5,
            f"optimizer.label_smoothing must be in [0, 0.5), received {optimizer.label_smoothing}",
        ),
        (optimizer.slice_loss >= 0, f"optimizer.slice_loss must be 0 or more, received {optimizer.slice_loss}"),
        (
            config.model.sequence == "none" or data.sample == "series",
            f"model.sequence {config.model.sequence} reads the slices of a series, but data.sample is {data.sample}",
        ),
        (optimizer.mixup >= 0, f"optimizer.mixup must be 0 or more, received {optimizer.mixup}"),
        (
            not (optimizer.mixup and data.task == "multilabel"),
            "optimizer.mixup contradicts data.task multilabel: a blend of two images has no label where one of them has none",
        ),
        (
            optimizer.start_size is None or 32 <= optimizer.start_size < (data.image_size or 2048),
            f"optimizer.start_size must be at least 32 and below data.image_size, received {optimizer.start_size}",
        ),
        (
            optimizer.start_size is None or config.trainer.max_epochs >= 2,
            "optimizer.start_size contradicts trainer.max_epochs 1: there is no second epoch to grow in",
        ),
        (
            not (optimizer.recipe == "linear_probe" and untrained),
            f"optimizer.recipe linear_probe contradicts {' and '.join(untrained)}: it has no epochs",
        ),
        (
            (optimizer.mitigation == "none") == (optimizer.mitigation_attribute is None),
            f"optimizer.mitigation {optimizer.mitigation} and mitigation_attribute {group}: give both (group_dro, sex) or none",
        ),
        (
            not (optimizer.mitigation == "group_dro" and optimizer.mixup),
            "optimizer.mixup contradicts optimizer.mitigation group_dro: a blend of two images has no subgroup",
        ),
        (
            not (optimizer.mitigation == "balanced_sampling" and optimizer.class_weighting == "balanced"),
            "optimizer.class_weighting balanced contradicts optimizer.mitigation balanced_sampling: both even out findings",
        ),
        (
            not (data.task == "multiclass" and optimizer.loss == "asymmetric"),
            "optimizer.loss asymmetric is per finding and contradicts data.task multiclass; use focal or cross_entropy",
        ),
        (0 < config.calibration.target < 1, f"calibration.target must be in (0, 1), received {config.calibration.target}"),
        (
            not (data.task == "multiclass" and config.calibration.method in ("platt", "beta", "isotonic")),
            f"calibration.method {calibration.method} is per finding and contradicts data.task multiclass; use temperature",
        ),
        (
            (calibration.criterion == "cost") == (calibration.cost_ratio is not None),
            f"calibration.criterion {calibration.criterion} contradicts cost_ratio {calibration.cost_ratio}: cost needs one",
        ),
        (
            config.calibration.cost_ratio is None or 0.001 <= config.calibration.cost_ratio <= 1000,
            f"calibration.cost_ratio must be 0.001–1000, received {config.calibration.cost_ratio}",
        ),
        (
            all(0 < share < 1 for share in config.calibration.prevalence.values()),
            f"calibration.prevalence must lie between 0 and 1, received {dict(config.calibration.prevalence)}",
        ),
        (
            data.task == "multilabel" or not config.calibration.prevalence,
            "calibration.prevalence is per finding and contradicts data.task multiclass",
        ),
        (
            not (config.calibration.prevalence and config.calibration.method == "none"),
            "calibration.prevalence contradicts calibration.method none: raw probabilities rest on no known prevalence",
        ),
        (
            0 <= config.calibration.conformal_alpha < 1,
            f"calibration.conformal_alpha must be in [0, 1), received {config.calibration.conformal_alpha}",
        ),
        (config.audit.margin > 0, f"audit.margin must be above 0, received {config.audit.margin}"),
        (
            all(len(set(parts)) == len(parts) >= 2 for parts in config.audit.intersections),
            f"audit.intersections must each name two or more attributes, received {config.audit.intersections}",
        ),
        (
            not crossed,
            f"audit.intersections names {crossed[0] if crossed else ''}, which is not among data.attributes",
        ),
        (config.audit.bootstrap >= 100, f"audit.bootstrap must be at least 100, received {config.audit.bootstrap}"),
        (1024 <= config.review.port <= 65535, f"review.port must be 1024–65535, received {config.review.port}"),
        (
            1 <= config.review.idle_minutes <= 1440,
            f"review.idle_minutes must be 1–1440, received {config.review.idle_minutes}",
        ),
    ]
    for holds, message in checks:
        if not holds:
            raise ConfigError(f"{where}: {message}.")


def _policies(uncertain: str | Mapping[str, str]) -> set[str]:
    return {uncertain} if isinstance(uncertain, str) else set(uncertain.values())
