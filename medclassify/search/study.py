"""A search by Optuna that survives a kill.

Trials lie in SQLite, and a trial's proposal depends on the seed, its number and what ended before it: a search that was broken
off goes on as if it had not been.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medclassify.errors import ConfigError, RunError
from medclassify.search.space import RECIPE, Dimension, Range

if TYPE_CHECKING:
    import optuna

ENDED = "ended"
"""User attribute of a trial that came to an end by itself; one without was broken off, is tried again and not counted."""
_NAME = "medclassify"
_ALONE = {RECIPE: "linear_probe"}
"""Where a trial has this value, nothing else of the space matters to it: no epoch is run."""
_FIRST_AT_RANDOM = 5  # TPE's model and the pruner's median need something to stand on
_FIRST_EPOCHS = 2  # a warm-up's AUROC says little


def require_optuna() -> None:
    """Refuses a search where Optuna is not installed.

    Raises:
        ConfigError: It is not.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            'tune-hparams needs Optuna, which is not installed. Add it with: pip install "medclassify[tune]"'
        ) from error


class Search:
    """Trials in a folder.

    Args:
        folder: Where ``trials.db`` lies.
        space: What may vary.
        seed: Of all proposals.
        facts: What must be the same when a search goes on: config, space, data.

    Raises:
        RunError: Another process searches here, or the folder holds a search of something else.
    """

    def __init__(self, folder: Path, space: Sequence[Dimension], seed: int, facts: Mapping[str, Any]) -> None:
        import optuna

        self.folder, self.space, self.seed = folder, tuple(space), seed
        self._lock = _only_one(folder)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'trials.db'}")
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_FIRST_AT_RANDOM, n_warmup_steps=_FIRST_EPOCHS)
        self.study = optuna.create_study(
            storage=storage, study_name=_NAME, direction="maximize", pruner=pruner, load_if_exists=True
        )
        self._require_same(json.loads(json.dumps(facts)))

    @property
    def trials(self) -> list["optuna.trial.FrozenTrial"]:
        """All trials, in order, those broken off too."""
        return self.study.get_trials(deepcopy=False)

    @property
    def counted(self) -> list["optuna.trial.FrozenTrial"]:
        """The trials that came to an end: complete, pruned or failed by themselves."""
        return [trial for trial in self.trials if trial.state.is_finished() and ENDED in trial.user_attrs]

    @property
    def best(self) -> "optuna.trial.FrozenTrial | None":
        """The complete trial with the highest value; the first of several."""
        import optuna

        complete = [trial for trial in self.trials if trial.state == optuna.trial.TrialState.COMPLETE]
        return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)

    def resume(self) -> int:
        """Marks what a kill left running as failed, to be tried again; returns how many there were."""
        import optuna

        left = [trial for trial in self.trials if trial.state == optuna.trial.TrialState.RUNNING]
        for trial in left:
            self.study.tell(trial.number, state=_failed())
            self.study.enqueue_trial(trial.user_attrs.get("asked", trial.params))
        return len(left)

    def start_with(self, own: Mapping[str, Any]) -> None:
        """Makes the config as it is the first trial."""
        if not self.trials:
            self.study.enqueue_trial(dict(own))

    def ask(self) -> "tuple[optuna.Trial, dict[str, Any]]":
        """The next trial, and its values: dotted key → value."""
        import optuna

        number = len(self.counted)
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + number, n_startup_trials=_FIRST_AT_RANDOM)
        trial = self.study.ask()
        values: dict[str, Any] = {}
        for dimension in sorted(self.space, key=lambda one: one.key != RECIPE):
            values[dimension.key] = _suggest(trial, dimension)
            if any(values.get(key) == alone for key, alone in _ALONE.items()):
                break
        trial.set_user_attr("asked", values)
        return trial, values

    def end(self, trial: "optuna.Trial", state: str, value: float | None, facts: Mapping[str, Any]) -> None:
        """Stores how a trial went.

        Args:
            trial: As `ask` gave it.
            state: ``complete``, ``pruned`` or ``failed``.
            value: Its tune AUROC, of a complete one.
            facts: Plain values, kept with it.
        """
        import optuna

        names = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
        trial.set_user_attr(ENDED, dict(facts))
        self.study.tell(trial, value, state=optuna.trial.TrialState[names[state]])

    def break_off(self, trial: "optuna.Trial") -> None:
        """A person stopped it: it is tried again when the search goes on."""
        self.study.tell(trial, state=_failed())
        self.study.enqueue_trial(trial.user_attrs.get("asked", trial.params))

    def close(self) -> None:
        """Lets another process search here."""
        os.close(self._lock)

    def _require_same(self, facts: Mapping[str, Any]) -> None:
        before = self.study.user_attrs.get("facts")
        if before is None:
            self.study.set_user_attr("facts", facts)
            return
        changed = [name for name in facts if facts[name] != before.get(name)]
        if changed:
            self.close()
            raise RunError(
                f"{self.folder}: holds a search of another {changed[0]}. Give the one it was started with, or another --out."
            )


def _failed() -> "optuna.trial.TrialState":
    import optuna

    return optuna.trial.TrialState.FAIL


def _suggest(trial: "optuna.Trial", dimension: Dimension) -> Any:
    if not isinstance(dimension, Range):
        return trial.suggest_categorical(dimension.key, list(dimension.values))
    if dimension.whole:
        return trial.suggest_int(dimension.key, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


def _only_one(folder: Path) -> int:
    """Holds the folder until the process ends; two searches would take each other's trials for broken off."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with suppress(OSError):
            os.close(lock)
        raise RunError(f"{folder}: another search is at work here. Wait for it, or choose another --out.") from error
    return lock
