"""What is compared: data sets, recipes as words over the shipped configs, other ways of training, seeds; where runs lie."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import NotMeasurableError

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT = "head_then_full"

RECIPES: dict[str, tuple[str, ...]] = {
    DEFAULT: (),
    "linear_probe": ("--optimizer.recipe", "linear_probe"),
    "gradual": ("--optimizer.recipe", "gradual", "--optimizer.layer_decay", "0.7"),
    "random": ("--model.weights", "none"),
}
"""Recipes of this library, as words over the shipped config. The default has none."""

PEERS = ("timm", "torchxrayvision")
"""Other ways of doing it, given the default's minutes (``benchmarks.accuracy.peers``)."""

SIDE = 112
"""Pixels a side, of every run and peer: half the shipped configs', so that five seeds of every arm cost a quarter."""

SHORT = ("--audit.bootstrap", "100", "--explain.samples", "0")
"""Said to every run: neither changes a weight or an AUROC."""

WEIGHTS = Path("weights", "tf_efficientnetv2_b0.imagenet_notop.safetensors")


@dataclass(frozen=True, slots=True)
class Collection:
    """A data set.

    Attributes:
        name: Its folder within the test data.
        config: The shipped config that fits it, below ``configs/``.
        seeds: Of the runs, chosen without looking at results.
    """

    name: str
    config: str
    seeds: tuple[int, ...]

    @property
    def config_path(self) -> Path:
        return REPOSITORY / "configs" / self.config


COLLECTIONS = (
    Collection("nih", "nih_chestxray14.yaml", (0, 1, 2, 3, 4)),
    # one patient has two ids with the same four images: these are the first five seeds that need no second draw to keep them
    # together, and so have the same splits in every version
    Collection("cxr", "generic.yaml", (0, 1, 2, 8, 11)),
)


def overrides(collection: Collection, arm: str, seed: int, data: Path) -> list[str]:
    """The words after ``medclassify fit CONFIG``, but for ``--run_dir``."""
    start = ["--data.source", str(data / collection.name), "--model.weights", str(data / WEIGHTS)]
    return [*start, "--data.image_size", str(SIDE), "--seed_everything", str(seed), *SHORT, *RECIPES[arm]]


def run_name(collection: Collection, arm: str, seed: int) -> str:
    """The folder of a run within the folder of runs."""
    return f"{collection.name}-{arm}-{seed}"


def data_folder() -> Path:
    """Where the real images are, as for the tests: ``$MEDCLASSIFY_TEST_DATA``, else beside this checkout.

    Raises:
        NotMeasurableError: They are not there.
    """
    folder = Path(os.environ.get("MEDCLASSIFY_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    missing = [part for part in (*(each.name for each in COLLECTIONS), WEIGHTS) if not (folder / part).exists()]
    if missing:
        raise NotMeasurableError(f"no real data ({folder / missing[0]} is not there): set MEDCLASSIFY_TEST_DATA")
    return folder


def runs_folder() -> Path:
    """Where finished runs are kept and found again: ``$MEDCLASSIFY_BENCHMARK_RUNS``, else in the cache."""
    from medclassify.workflows.cache import cache_folder

    chosen = os.environ.get("MEDCLASSIFY_BENCHMARK_RUNS")
    return Path(chosen) if chosen else cache_folder() / "benchmark_runs"
