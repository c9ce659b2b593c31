"""Everything that is said about two predictions tables, computed before anything is printed."""

from dataclasses import asdict, dataclass
from typing import Any

from medclassify.comparison.paired import Reclassified, paired_rows, reclassification
from medclassify.comparison.pairing import Pair
from medclassify.comparison.rows import DifferenceRow
from medclassify.comparison.unpaired import MixRow, Shift, shifts, subgroup_mix, unpaired_rows
from medclassify.errors import MetricError

_LISTED = 20


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two classifiers on the same samples, or on different ones.

    Attributes:
        pair: The tables.
        rows: Differences, second minus first.
        reclassified: How decisions moved; empty where samples differ.
        shifts: Scores and calibration; empty where the samples are the same.
        mix: Subgroups; likewise.
        margin: The equivalence margin.
        bootstrap: Patient resamples.
        seed: Their seed.
    """

    pair: Pair
    rows: list[DifferenceRow]
    reclassified: list[Reclassified]
    shifts: list[Shift]
    mix: list[MixRow]
    margin: float
    bootstrap: int
    seed: int

    @property
    def paired(self) -> bool:
        return self.pair.joined is not None

    @property
    def samples_line(self) -> str:
        """Which samples the figures speak of; a reader must see it first."""
        only = [len(ids) for ids in self.pair.only]
        if not self.paired:
            sizes = " and ".join(f"{count:,}" for count in only)
            return (
                f"DIFFERENT SAMPLES: the tables share no sample_id ({sizes} samples), so the tests are unpaired. "
                "A difference may come from the samples as much as from the classifier."
            )
        left = f"; left out: {only[0]:,} only in the first, {only[1]:,} only in the second" if any(only) else ""
        return f"same samples: {self.pair.shared:,} joined by sample_id{left}"


def compare_tables(pair: Pair, *, margin: float = 0.05, bootstrap: int = 2000, seed: int = 0) -> Comparison:
    """Compares by paired tests where samples are shared, else by unpaired ones, and says which.

    Args:
        pair: The tables, as ``pair_tables`` joined them.
        margin: Differences in AUROC, sensitivity and specificity within ±margin are equal within it.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.

    Raises:
        MetricError: The tables share samples and no label.
    """
    options = {"margin": margin, "bootstrap": bootstrap, "seed": seed}
    if pair.joined is None:
        return Comparison(pair, unpaired_rows(pair, **options), [], shifts(pair), subgroup_mix(pair), **options)
    if pair.joined.empty:
        raise MetricError(
            f"{pair.names[1]}: shares {pair.shared} samples with {pair.names[0]}, and none is labelled in both. "
            "Give labels (target 0 or 1) in both tables."
        )
    return Comparison(pair, paired_rows(pair, **options), reclassification(pair), [], [], **options)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """What was found, for programs."""
    pair = found.pair
    return {
        "schema": 1,
        "first": pair.names[0],
        "second": pair.names[1],
        "difference": "second minus first",
        "samples": "same" if found.paired else "different",
        "shared": pair.shared,
        "only_first": {"count": len(pair.only[0]), "sample_ids": list(pair.only[0])},
        "only_second": {"count": len(pair.only[1]), "sample_ids": list(pair.only[1])},
        "findings_only_first": list(pair.findings_only[0]),
        "findings_only_second": list(pair.findings_only[1]),
        "margin": found.margin,
        "bootstrap": found.bootstrap,
        "seed": found.seed,
        "notes": list(pair.notes),
        "rows": [asdict(row) for row in found.rows],
        "reclassified": [asdict(row) for row in found.reclassified],
        "shifts": [asdict(row) for row in found.shifts],
        "subgroup_mix": [asdict(row) for row in found.mix],
    }


def left_out_lines(pair: Pair) -> list[str]:
    """The samples and findings that stand in one table only, in words; long lists are cut and stand in ``compare.json``."""
    lines = []
    for name, ids, findings in zip(
        pair.names, pair.only if pair.joined is not None else ((), ()), pair.findings_only, strict=True
    ):
        if ids:
            more = f" and {len(ids) - _LISTED:,} more" if len(ids) > _LISTED else ""
            lines.append(f"{len(ids):,} samples stand only in {name}: {', '.join(ids[:_LISTED])}{more}")
        if findings:
            lines.append(f"findings only in {name}: {', '.join(findings)}")
    return lines
