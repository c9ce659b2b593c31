"""The verb `tune-hparams`: a search over a config's values, judged on the tune split alone."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medclassify.config import Config, config_to_yaml, load_config
from medclassify.config.validate import validate
from medclassify.errors import ConfigError, MedclassifyError, RunError, SplitError
from medclassify.manifest import uncertainty_policies
from medclassify.models import backbone_name, scaling_of
from medclassify.records import Preprocessing, Split
from medclassify.runs import RunLayout, atomic_path, write_text
from medclassify.search import (
    Dimension,
    Search,
    TrialRow,
    corrected_auroc,
    default_space,
    including,
    read_space,
    trial_line,
    trials_table,
    value_of,
    verdict,
    with_values,
    write_trials,
)
from medclassify.training.classifier import macro_auroc
from medclassify.workflows.checks import require_data
from medclassify.workflows.consent import without_ids
from medclassify.workflows.console import say, warn
from medclassify.workflows.dataset import Dataset, make_dataset, preprocessing_for
from medclassify.workflows.index import index_data
from medclassify.workflows.learning import start_network
from medclassify.workflows.tune_trial import TrialResult, learnable_part, run_trial

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What a search found.

    Attributes:
        folder: Where it lies.
        rows: One a trial.
        best: The best config, as YAML.
        lines: The table, and what the best trial's figure is worth.
    """

    folder: Path
    rows: tuple[TrialRow, ...]
    best: Path
    lines: tuple[str, ...]


def tune_hparams(
    config_path: Path, overrides: Sequence[str], *, out: Path, trials: int, seconds: float | None, space_path: Path | None
) -> Tuned:
    """Searches, or goes on with a search.

    Args:
        config_path: The config to search around.
        overrides: ``--dotted.key value`` words over it.
        out: The search's folder.
        trials: How many trials are to come to an end in all, those of an earlier start included.
        seconds: After how long no other epoch is begun; None for no limit.
        space_path: The space as YAML; the default one when left out.

    Raises:
        MedclassifyError: Something in config, space, data or folder has to be mended first.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    config = replace(without_ids(load_config(config_path, overrides)), run_dir=None)
    if config.data.sample == "series":
        raise ConfigError(
            "data.sample series: tune-hparams searches the training of images. Search on slices (data.sample image)."
        )
    require_data(config.data)
    space = read_space(space_path, config) if space_path else default_space(config)
    own = _own_values(config, space)
    asked, space = space, including(space, own)
    for narrow, wide in zip(asked, space, strict=True):
        if narrow != wide:
            say(f"{wide.key}: {own[wide.key]} of the config added to the space, for trial 0 is the config as it is")
    start_network(config)  # missing weights stop a search at once
    dataset, preprocessing = _dataset(config)
    facts = {"config": _compared(config), "space": [asdict(one) for one in space], "data": dataset.manifest.fingerprint}
    search = Search(out, space, config.seed_everything, facts)
    try:
        _begin(search, own, trials)
        _search(search, _alone(config), learnable_part(dataset), preprocessing, trials, deadline)
        return _finish(search, config, config_path, dataset)
    finally:
        search.close()


def _alone(config: Config) -> Config:
    """One process a trial, and no bar: a trial's own words go to its console.txt."""
    trainer = config.trainer
    if trainer.devices not in ("auto", 1) or trainer.num_nodes != 1:
        warn(f"a trial runs on one device; trainer.devices {trainer.devices} and num_nodes {trainer.num_nodes} are for `fit`")
    return replace(config, trainer=replace(trainer, devices=1, num_nodes=1, strategy="auto", enable_progress_bar=False))


def _own_values(config: Config, space: Sequence[Dimension]) -> dict[str, Any]:
    """The config's own value of each dimension; the backbone's dropout where the config leaves it to the backbone."""
    own = {one.key: value_of(config, one.key) for one in space}
    if own.get("model.drop_rate", 0.0) is None:
        own["model.drop_rate"] = scaling_of(backbone_name(config.model.backbone, config.model.scale)).dropout
    return own


def _compared(config: Config) -> dict[str, Any]:
    return {
        name: part
        for name, part in asdict(config).items()
        if name in ("seed_everything", "data", "model", "trainer", "optimizer")
    }


def _dataset(config: Config) -> tuple[Dataset, Preprocessing]:
    """The dataset as `fit` makes it, once for all trials."""
    data = config.data
    preprocessing = preprocessing_for(config)
    indexed = index_data(data)
    uncertainty_policies(data.uncertain, indexed.manifest.findings)
    dataset = make_dataset(indexed, config, preprocessing)
    targets, mask = dataset.manifest.of_split(Split.TUNE).targets()
    if macro_auroc(np.zeros(targets.shape), targets, mask) is None:
        raise SplitError(
            f"{dataset.manifest.source}: no finding has both classes in the tune split, so trials cannot be compared. "
            f"Give it a larger share (data.fractions.tune), or more images."
        )
    return dataset, preprocessing


def _begin(search: Search, own: dict[str, Any], trials: int) -> None:
    before = len(search.counted)
    if before:
        say(f"going on with {search.folder}: {before} trials have ended")
    if broken := search.resume():
        say(f"{broken} trial{'s were' if broken > 1 else ' was'} broken off, marked as failed and tried again")
    search.start_with(own)
    say(f"search: {trials} trials over {', '.join(one.key for one in search.space)}; trial 0 is the config as it is")


def _search(
    search: Search, config: Config, dataset: Dataset, preprocessing: Preprocessing, trials: int, deadline: float | None
) -> None:
    while len(search.counted) < trials:
        if deadline is not None and time.monotonic() >= deadline:
            say(f"the time is up after {len(search.counted)} of {trials} trials")
            return
        trial, values = search.ask()
        folder = search.folder / "trials" / f"{trial.number:04d}"
        try:
            _run_one(search, trial, with_values(config, values), folder, dataset, preprocessing, deadline)
        except KeyboardInterrupt as interrupt:
            search.break_off(trial)
            raise RunError(
                f"stopped in trial {trial.number}. The {len(search.counted)} that ended are kept in {search.folder}; the same "
                f"command goes on with them."
            ) from interrupt
        rows = trial_rows(search)
        write_trials(search.folder / "trials.csv", rows, [one.key for one in search.space])
        say(trial_line(rows[trial.number]))


def _run_one(
    search: Search,
    trial: "optuna.Trial",
    config: Config,
    folder: Path,
    dataset: Dataset,
    preprocessing: Preprocessing,
    deadline: float | None,
) -> None:
    started, late = time.monotonic(), False

    def report(epoch: int, auroc: float) -> bool:
        nonlocal late
        trial.report(auroc, epoch)
        late = deadline is not None and time.monotonic() >= deadline
        last = epoch + 1 >= config.trainer.max_epochs
        return not last and (late or trial.should_prune())

    try:
        validate(config, f"trial {trial.number}")
        with _console_of(folder):
            result = run_trial(config, dataset, preprocessing, RunLayout(folder), report)
    except (MedclassifyError, RuntimeError, ValueError) as error:  # diverged, out of memory, a contradiction: the next may do
        facts = {"epochs": 0, "seconds": time.monotonic() - started, "note": " ".join(str(error).split())[:200]}
        search.end(trial, "failed", None, facts)
        return
    if isinstance(result, TrialResult):
        with atomic_path(folder / "tune.npz") as temporary:
            np.savez(temporary, logits=result.logits)
        facts = {"epochs": result.epochs, "seconds": result.seconds, "standard_error": result.standard_error, "note": ""}
        search.end(trial, "complete", result.tune_auroc, facts)
    else:
        note = "the time was up" if late else "below the median of the trials before"
        search.end(trial, "pruned", None, {"epochs": result, "seconds": time.monotonic() - started, "note": note})


@contextlib.contextmanager
def _console_of(folder: Path) -> Iterator[None]:
    """What a trial says goes to a file of its own: twenty fits on one console tell nobody anything."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        open(folder / "console.txt", "w", encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        yield


def trial_rows(search: Search) -> list[TrialRow]:
    """The trials as rows."""
    rows = []
    for trial in search.trials:
        ended = trial.user_attrs.get("ended")
        if not trial.state.is_finished() or "asked" not in trial.user_attrs:
            continue
        state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed" if ended else "interrupted")
        last = trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None
        facts = ended or {"epochs": len(trial.intermediate_values), "seconds": 0.0, "note": "broken off, and tried again"}
        value = trial.value if state == "complete" else last
        asked = trial.user_attrs["asked"]
        error = facts.get("standard_error")
        rows.append(TrialRow(trial.number, state, value, error, facts["epochs"], facts["seconds"], facts["note"], asked))
    return rows


def _finish(search: Search, config: Config, config_path: Path, dataset: Dataset) -> Tuned:
    rows, keys = trial_rows(search), [one.key for one in search.space]
    write_trials(search.folder / "trials.csv", rows, keys)
    complete = [row for row in rows if row.state == "complete"]
    if search.best is None:
        reasons = "; ".join(dict.fromkeys(f"{row.state}: {row.note}" for row in rows)) or "none was begun"
        raise RunError(
            f"{search.folder}: no trial was completed ({reasons}). Give it more time, or look at trials/*/console.txt."
        )
    best = next(row for row in rows if row.trial == search.best.number)
    tune = dataset.manifest.of_split(Split.TUNE)
    targets, mask = tune.targets()
    logits = [np.load(search.folder / "trials" / f"{row.trial:04d}" / "tune.npz")["logits"] for row in complete]
    patients = np.unique(tune.frame["patient_id"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.intp)
    corrected = corrected_auroc(logits, targets, mask, patients, seed=config.seed_everything)
    lines = verdict(rows, best, corrected)
    chosen = with_values(config, best.values)
    path = search.folder / "best.yaml"
    head = [
        f"Found by medclassify tune-hparams around {config_path.name}, seed {config.seed_everything}; all trials: trials.csv.",
        *(f"{line[0].upper()}{line[1:]}." for line in lines),
        "No sample of the calibrate and test splits was learnt from or scored.",
        *(f"{key}: {_plain(value)}" for key, value in best.values.items()),
    ]
    write_text(path, "".join(f"# {line}\n" for line in head) + config_to_yaml(chosen))
    return Tuned(search.folder, tuple(rows), path, ("", trials_table(rows, keys), "", *lines))


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
