"""Opens a new run directory or an unfinished one, and says how to go on when a person stops the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from medclassify.config import Config, load_config
from medclassify.errors import ConfigError, RunError
from medclassify.runs import RunLayout
from medclassify.training.ranks import LostRankError
from medclassify.workflows.console import say


def new_run(config: Config, name: str) -> RunLayout:
    """The directory of a new run; nothing is written yet.

    Raises:
        RunError: It holds a run already.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    run = RunLayout(Path(config.run_dir or f"runs/{name}-{stamp}"))
    if run.config.exists():
        raise RunError(f"{run.root}: holds a run already. Choose another --run_dir, or go on with it by --ckpt_path last.")
    return run


def unfinished_run(config: Config, name: str) -> RunLayout:
    """The run to go on with: ``run_dir``, else the newest unfinished run of this config.

    Raises:
        RunError: There is none, or it has finished.
        ConfigError: The config is not the one it was started with.
    """
    run = RunLayout(Path(config.run_dir)) if config.run_dir else _newest_unfinished(name)
    if not run.config.is_file():
        raise RunError(f"{run.root}: no run to go on with (no config.yaml). Start it without --ckpt_path.")
    if run.provenance.is_file():
        raise RunError(f"{run.root}: this run has finished already. Start another one without --ckpt_path.")
    _refuse_other_config(load_config(run.config), config, run)
    say(f"going on with {run.root}")
    return run


@contextmanager
def stage(name: str, run: RunLayout) -> Iterator[None]:
    """Turns Ctrl-C, SIGTERM and the loss of another rank into one line that says what is kept and how to go on.

    Raises:
        RunError: The person or the scheduler stopped it, or another rank is gone.
    """
    try:
        yield
    except (KeyboardInterrupt, LostRankError) as error:
        again = f"medclassify fit {run.config} --run_dir {run.root} --ckpt_path last"
        kept = f"What was done is kept in {run.root}. Go on with: {again}"
        hint = kept if run.config.is_file() else "Nothing was written to the run directory; start it again."
        what = str(error) if isinstance(error, LostRankError) else f"stopped while {name}."
        raise RunError(f"{what} {hint}") from error


def _newest_unfinished(name: str) -> RunLayout:
    unfinished = [
        path.parent for path in Path("runs").glob(f"{name}-*/config.yaml") if not (path.parent / "provenance.json").exists()
    ]
    if not unfinished:
        raise RunError(f"--ckpt_path last: no unfinished run of {name} in runs/. Name it with --run_dir.")
    return RunLayout(max(unfinished, key=lambda path: path.stat().st_mtime))


def _refuse_other_config(before: Config, now: Config, run: RunLayout) -> None:
    """Only how long to train may change on resume: another seed or split would mix two experiments."""
    trainer = now.trainer
    may_change = {
        "max_epochs": trainer.max_epochs,
        "max_time": trainer.max_time,
        "enable_progress_bar": trainer.enable_progress_bar,
    }
    expected = asdict(replace(before, run_dir=now.run_dir, trainer=replace(before.trainer, **may_change)))
    changed = [key for key, value in asdict(now).items() if expected[key] != value]
    if changed:
        raise ConfigError(
            f"{run.root}: its config differs in {changed[0]!r} from the one given. Give {run.config}, or start a new run."
        )
