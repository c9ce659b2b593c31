"""Accuracy on real radiographs: the default recipe against other recipes, plain timm and torchxrayvision, five seeds each.

Hours without a GPU. Scores of what is finished are kept (``benchmarks/results/recipes``), and a finished run is not made again.
``--quick`` makes nothing and measures from what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

from benchmarks.accuracy.arms import COLLECTIONS, DEFAULT, PEERS, RECIPES, Collection, data_folder, run_name, runs_folder
from benchmarks.accuracy.comparison import Mean, difference, estimable, mean_auroc
from benchmarks.accuracy.kept import kept_scores
from benchmarks.accuracy.running import complete, is_finished
from benchmarks.accuracy.scores import Scores, read_scores
from benchmarks.accuracy.tables import markdown
from benchmarks.harness import Measure, NotMeasurableError

CORES = None


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    calls: dict[str, Callable[[], Measure]] = {}
    for collection in COLLECTIONS:
        calls[f"{collection.name}_default_minus_best"] = partial(minus_best, collection, quick)
        for arm in ("random", *PEERS):
            calls[f"{collection.name}_default_minus_{arm}"] = partial(minus_arm, collection, arm, quick)
    return calls


def minus_best(collection: Collection, quick: bool) -> Measure:
    """The default's mean AUROC minus that of the best recipe; the goal is the default's own half interval below 0."""
    arms = recipes(collection, quick)
    print("\n" + markdown(collection.name, arms) + "\n", flush=True)
    findings = estimable(arms)
    means = {arm: mean_auroc(runs, findings) for arm, runs in arms.items()}
    best = max(means, key=lambda arm: means[arm].value)
    default = means[DEFAULT]
    listed = ", ".join(f"{arm} {mean.value:.3f}" for arm, mean in means.items())
    note = f"mean AUROC of {', '.join(findings)}: {listed}; best {best}; {_about(default)}"
    key, goal = f"{collection.name}_default_minus_best", -default.half_width
    if best == DEFAULT:
        return Measure(key, 0.0, goal, "higher", note, 0.0, 0.0)
    gap = difference(arms[DEFAULT], arms[best], findings)
    return Measure(key, gap.value, goal, "higher", note, gap.low, gap.high)


def minus_arm(collection: Collection, arm: str, quick: bool) -> Measure:
    """The default's mean AUROC minus another arm's, on the same samples; low and high are the 95 % interval."""
    both = _of_common_seeds({DEFAULT: recipes(collection, quick)[DEFAULT], arm: _runs(collection, arm, quick)})
    if arm in PEERS:
        print("\n" + markdown(collection.name, both) + "\n", flush=True)
    findings = estimable(both)
    gap = difference(both[DEFAULT], both[arm], findings)
    ahead = sum(each > 0 for each in gap.seeds)
    means = " and ".join(f"{name} {mean_auroc(runs, findings).value:.3f}" for name, runs in both.items())
    note = f"mean AUROC of {', '.join(findings)}: {means}; ahead in {ahead} of {len(gap.seeds)} seeds; {_about(gap)}"
    return Measure(f"{collection.name}_default_minus_{arm}", gap.value, 0.0, "higher", note, gap.low, gap.high)


@cache
def recipes(collection: Collection, quick: bool) -> dict[str, list[Scores]]:
    """The runs of this library's recipes; in a quick round those that are there, of two seeds at least."""
    if not quick:
        complete(collection, tuple(RECIPES), data_folder(), runs_folder())
        return {arm: _read(collection, arm) for arm in RECIPES}
    found = {arm: _read(collection, arm) for arm in RECIPES}
    return {arm: runs for arm, runs in found.items() if len(runs) > 1 or arm == DEFAULT}


def _runs(collection: Collection, arm: str, quick: bool) -> list[Scores]:
    if not quick:
        complete(collection, (arm,), data_folder(), runs_folder())
    return _read(collection, arm)


def _read(collection: Collection, arm: str) -> list[Scores]:
    """The finished runs of an arm; their splits are those of the default's run of the same seed."""
    folder, found = runs_folder(), []
    for seed in collection.seeds:
        run, default = folder / run_name(collection, arm, seed), folder / run_name(collection, DEFAULT, seed)
        if is_finished(run) and is_finished(default):
            found.append(read_scores(run, seed, default / "manifest.parquet"))
        elif (scores := kept_scores(collection, arm, seed, data_folder(), folder)) is not None:
            found.append(scores)
    if arm == DEFAULT and len(found) < 2:
        raise NotMeasurableError(f"{len(found)} finished runs of {collection.name} in {folder}; two are needed")
    return found


def _of_common_seeds(arms: dict[str, list[Scores]]) -> dict[str, list[Scores]]:
    common = set.intersection(*({run.seed for run in runs} for runs in arms.values()))
    if len(common) < 2:
        raise NotMeasurableError(f"{' and '.join(arms)} have {len(common)} finished seeds in common; two are needed")
    return {arm: [run for run in runs if run.seed in common] for arm, runs in arms.items()}


def _about(mean: Mean) -> str:
    return f"min and max are the 95 % interval ({mean.method}), {len(mean.seeds)} seeds"
