"""Where each file of a run stands. Scripts rely on these names (docs/fit.md)."""

from dataclasses import dataclass
from pathlib import Path

from medclassify.errors import RunError


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The paths inside one run directory."""

    root: Path

    @classmethod
    def open(cls, root: Path | str) -> "RunLayout":
        """Opens a finished run.

        Raises:
            RunError: It is not a run directory, or its fit has not finished.
        """
        run = cls(Path(root))
        if not run.root.is_dir():
            raise RunError(f"{root}: no such run directory. Make one with: medclassify fit CONFIG")
        if not run.config.is_file():
            raise RunError(f"{root}: not a run directory (no config.yaml). Name the folder that `medclassify fit` printed.")
        if not run.provenance.is_file():
            raise RunError(
                f"{root}: the fit has not finished (no provenance.json). "
                f"Go on with: medclassify fit {run.config} --run_dir {root} --ckpt_path last"
            )
        return run

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.parquet"

    @property
    def exclusions(self) -> Path:
        return self.root / "exclusions.csv"

    @property
    def leakage(self) -> Path:
        return self.root / "leakage.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.parquet"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.json"

    @property
    def audit(self) -> Path:
        return self.root / "audit"

    @property
    def report(self) -> Path:
        return self.audit / "report.html"

    @property
    def model_card(self) -> Path:
        return self.audit / "model_card.md"

    @property
    def explain(self) -> Path:
        return self.root / "explain"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def reviews(self) -> Path:
        """The review store; made by the first ``medclassify review``, and no part of the provenance."""
        return self.root / "reviews.sqlite"
