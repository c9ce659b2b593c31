"""Runs Lightning's Trainer as the config says, and hands back the best epoch's weights."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from medclassify.config import Config
from medclassify.data import PreparedDataModule
from medclassify.errors import RunError
from medclassify.models.precision import fast_float32
from medclassify.runs import RunLayout
from medclassify.training.callbacks import History
from medclassify.training.classifier import Classifier
from medclassify.training.compiling import CompileSteps
from medclassify.training.ranks import LostRankError, Ranks, find_ranks, lightning_options, lost_another, part
from medclassify.training.safekeeping import Safekeeping, WholeCheckpoints, position

_BEST = "best"
_SET_BY_LIGHTNING = {"LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How the training went.

    Attributes:
        history: One row an epoch (see ``callbacks.History``).
        best_epoch: The epoch whose weights were kept, from 0; -1 for those that training started from.
        monitor: What chose it: ``tune_auroc``, or ``tune_loss`` where no finding has both classes in tune.
        best_score: Its value at that epoch.
        stopped_early: Training ended before ``max_epochs``.
        step_share: Share of an epoch's wall time spent in the model's own step, over all epochs.
    """

    history: tuple[dict[str, float], ...]
    best_epoch: int
    monitor: str
    best_score: float
    stopped_early: bool
    step_share: float


def fine_tune(
    classifier: Classifier,
    data: PreparedDataModule,
    config: Config,
    run: RunLayout,
    *,
    monitor: str,
    ranks: Ranks | None = None,
    resume: Path | None = None,
    say: Callable[[str], None] = print,
    extra: Sequence[Callback] = (),
) -> TrainingResult:
    """Trains, and leaves the best epoch's weights in ``classifier``. With several ranks, all of them call it.

    Args:
        classifier: Changed in place.
        data: Train and tune batches.
        config: The run's config.
        run: Where checkpoints and logs go.
        monitor: ``tune_auroc`` or ``tune_loss``.
        ranks: Who trains together; this process alone when left out.
        resume: A checkpoint to go on from.
        say: Prints one line.
        extra: Callbacks beside its own.

    Raises:
        RunError: The checkpoint cannot be read without executing pickled code, is another network's, or as many ranks did not
            write it; there are too few images for the ranks; or another rank is gone.
        KeyboardInterrupt: The person stopped it.
    """
    bar = config.trainer.enable_progress_bar and sys.stderr.isatty()
    ranks = ranks or find_ranks(config.trainer)
    if resume:
        data.go_on(*position(resume, ranks.number))
    _require_images(len(data.train_set), ranks, config)
    history = History(None if bar else say)
    best = ModelCheckpoint(
        run.checkpoints,
        filename=_BEST,
        # the latest epoch within one standard error of the best: on a small tune split the best is often luck, and a later
        # epoch has the lower learning rate behind it (the one-standard-error rule of Breiman et al. 1984, section 3.4.3)
        monitor="keep" if monitor == "tune_auroc" else monitor,
        mode="max" if monitor == "tune_auroc" else "min",
        enable_version_counter=False,
    )
    # one of its own: the best one's save_last is as old as the best epoch
    last = ModelCheckpoint(run.checkpoints, filename=run.last_checkpoint.stem, enable_version_counter=False)
    within = Safekeeping(run.last_checkpoint)
    callbacks = [history, *extra, *_optional_callbacks(config, classifier, monitor, bar), within, best, last]
    trainer = _trainer(config, run, ranks, callbacks, bar)
    if ranks.number > 1:
        size = config.data.batch_size
        say(f"ranks: {ranks.number} on {_machines(ranks.nodes)}, {size} images each, {size * ranks.number} a step")
    classifier.train()  # Lightning leaves a module in the mode it finds it in, and embedding put it into evaluation mode
    with fast_float32(repeatable=config.trainer.deterministic):
        _run(trainer, classifier, data, resume, ranks)
    if not best.best_model_path:
        raise RunError(
            f"{run.root}: no epoch was finished, so there is no model. Give it more time, or a higher trainer.max_epochs."
        )
    kept = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    classifier.load_state_dict(kept["state_dict"])
    rows = history.rows
    return TrainingResult(
        history=tuple(rows),
        best_epoch=int(kept["epoch"]),
        monitor=monitor,
        best_score=next(row[monitor] for row in rows if row["epoch"] == kept["epoch"]),
        stopped_early=len(rows) < config.trainer.max_epochs,
        step_share=sum(r["step_share"] * r["seconds"] for r in rows) / max(sum(r["seconds"] for r in rows), 1e-9),
    )


def _optional_callbacks(config: Config, classifier: Classifier, monitor: str, bar: bool) -> list[Callback]:
    mode = "max" if monitor == "tune_auroc" else "min"
    callbacks: list[Callback] = [EarlyStopping(monitor, patience=config.optimizer.patience, mode=mode, check_finite=True)]
    if config.model.compile:
        callbacks.append(CompileSteps(classifier.network))
    if config.optimizer.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=config.optimizer.ema_decay))
    if bar:  # it shows the loss, and to read that off a GPU is to wait for it
        callbacks.append(TQDMProgressBar(refresh_rate=config.trainer.log_every_n_steps if torch.cuda.is_available() else 1))
    return callbacks


def _trainer(config: Config, run: RunLayout, ranks: Ranks, callbacks: list[Callback], bar: bool) -> Trainer:
    settings = config.trainer
    # the store is memory-mapped: worker processes only cost time, so the advice to add them does not hold here
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*The number of training batches.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")  # told: BatchNorm frozen
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # a resumed run goes on in its own folders
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # ours leaves out what was taken
    warnings.filterwarnings("ignore", message=".*broadcast_buffers.*")  # its successor is newer than our oldest PyTorch
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # every rank logs the same, of the whole split
    if not ranks.rank:
        _tidy(run)
    return Trainer(
        max_epochs=settings.max_epochs,
        **_options(config, ranks),
        precision=_precision(settings.precision, settings.accelerator),  # type: ignore[arg-type]
        accumulate_grad_batches=settings.accumulate_grad_batches,
        gradient_clip_val=settings.gradient_clip_val or None,
        deterministic=settings.deterministic,
        max_time=settings.max_time,
        log_every_n_steps=settings.log_every_n_steps,
        enable_progress_bar=bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # Lightning's pads a share with samples of another, which would be scored twice
        callbacks=callbacks,
        logger=[CSVLogger(run.logs, name="", version=""), TensorBoardLogger(run.logs, name="", version="")],
        default_root_dir=run.root,
    )


def _options(config: Config, ranks: Ranks) -> dict[str, Any]:
    strategy: dict[str, Any] = {}
    if ranks.number > 1:
        # statistics are shared before they are used (Classifier.on_validation_epoch_start): shared in every forward pass, ranks
        # with unequal numbers of tune batches would wait for each other for ever
        strategy = {"broadcast_buffers": False, "find_unused_parameters": config.optimizer.recipe == "gradual"}
    options = lightning_options(config.trainer, ranks.devices, ranks.nodes, **strategy)
    return {**options, "plugins": [*options["plugins"], WholeCheckpoints()]}


def _require_images(images: int, ranks: Ranks, config: Config) -> None:
    if ranks.number > 1 and images < 2 * ranks.number:
        raise RunError(
            f"{images} train images for {ranks.number} ranks: each needs two a step. Start at most {max(1, images // 2)}."
        )


def _machines(nodes: int) -> str:
    return "one machine" if nodes == 1 else f"{nodes} machines"


def _tidy(run: RunLayout) -> None:
    """What an attempt that this one goes on from left: a checkpoint half-written, and the log that Lightning would delete."""
    for left in run.checkpoints.glob(".*.part.ckpt"):
        left.unlink(missing_ok=True)
    run.logs.mkdir(parents=True, exist_ok=True)
    earlier = run.logs / "metrics.csv"
    if earlier.is_file():
        earlier.rename(run.logs / f"metrics.before-resume-{len(list(run.logs.glob('metrics.before-resume-*'))) + 1}.csv")


def _precision(precision: str, accelerator: str) -> str:
    if precision != "auto":
        return precision
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    # not where it is emulated: that is slower than float32
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"


def _run(trainer: Trainer, classifier: Classifier, data: PreparedDataModule, resume: Path | None, ranks: Ranks) -> None:
    options: dict[str, Any] = {"ckpt_path": str(resume), "weights_only": True} if resume else {}
    before = dict(os.environ)
    try:
        trainer.fit(classifier, datamodule=data, **options)
        part()
    except (SystemExit, KeyboardInterrupt) as error:  # Lightning turns Ctrl-C into an exit of the whole program
        _require_others(error, ranks)  # torchrun stops whom a rank has left behind: that is not a person's wish
        raise KeyboardInterrupt from error
    except (RuntimeError, KeyError, EOFError) as error:
        _require_others(error, ranks)
        if not resume or trainer.global_step:
            raise
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"{resume}: cannot be resumed from ({reason}). Fit again without --ckpt_path.") from error
    finally:
        for name in _SET_BY_LIGHTNING - before.keys():  # a second fit of this process would take itself for a started rank
            os.environ.pop(name, None)


def _require_others(error: BaseException | None, ranks: Ranks) -> None:
    while error is not None and ranks.number > 1:
        if lost_another(error):
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this rank ends already, and has a line to say
            raise LostRankError(f"{ranks.name}: another rank is gone while training, so this one ends too.") from error
        error = error.__context__
