"""Two predictions tables: joined by id, paired where samples are shared, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.comparison import Comparison, Named, compare_tables, pair_tables, write_comparison
from medclassify.errors import ManifestError, MetricError
from medclassify.metrics import delong_paired


def table(n: int = 400, *, seed: int = 0, separation: float = 1.5, noise: float = 1.0, prefix: str = "s") -> pd.DataFrame:
    """Labels and latent scores of one seed; ``noise`` is this reader's own."""
    random = np.random.default_rng(seed)
    target = (random.random(n) < 0.4).astype(int)
    latent = separation * target + random.normal(size=n) + noise * np.random.default_rng(seed + 99).normal(size=n)
    return pd.DataFrame(
        {
            "sample_id": [f"{prefix}{number}" for number in range(n)],
            "patient_id": [f"{prefix}p{number}" for number in range(n)],
            "finding": "effusion",
            "target": target,
            "probability": 1 / (1 + np.exp(1 - latent)),
            "threshold": 0.5,
            "sex": random.choice(["F", "M"], n),
            "age": random.integers(1, 95, n),
        }
    )


def compared(a: pd.DataFrame, b: pd.DataFrame, *attributes: str) -> Comparison:
    return compare_tables(pair_tables(Named("a", a), Named("b", b), attributes), bootstrap=200)


def overall(found: Comparison, metric: str):
    return next(row for row in found.rows if row.attribute == "all" and row.metric == metric)


def test_order_of_rows_does_not_matter():
    a, b = table(noise=0.2), table(noise=1.5)
    straight, shuffled = compared(a, b), compared(a, b.sample(frac=1, random_state=3))
    assert straight.rows == shuffled.rows
    gap = delong_paired(a["target"], b["probability"], a["probability"])
    row = overall(straight, "auroc")
    assert (row.difference, row.p) == pytest.approx((gap.estimate.value, gap.p))
    assert row.difference < 0 and row.difference == pytest.approx(row.b - row.a)


def test_the_same_table_twice_is_equal():
    found = compared(table(), table())
    assert {row.difference for row in found.rows} == {0.0}
    assert overall(found, "auroc").verdict == "equal within margin"
    assert all(row.p == 1 for row in found.rows)
    assert sum(row.only_a + row.only_b for row in found.reclassified) == 0


def test_a_much_worse_reader_is_different_and_calls_move():
    found = compared(table(2000, noise=0.1), table(2000, noise=3), "sex", "age")
    assert overall(found, "auroc").verdict == "different"
    assert overall(found, "brier").difference > 0 and overall(found, "brier").verdict == ""
    moved = next(row for row in found.reclassified if row.present)
    assert overall(found, "sensitivity").difference == pytest.approx(
        (moved.only_b - moved.only_a) / (moved.both + moved.only_a + moved.only_b + moved.neither)
    )
    assert {row.subgroup for row in found.rows if row.attribute == "sex"} == {"F", "M"}
    assert "80+" in {row.subgroup for row in found.rows if row.attribute == "age"}
    assert all(row.p_adjusted >= row.p for row in found.rows if row.p is not None)


def test_holm_goes_over_the_findings():
    one = table(noise=0.2)
    second = [one, one.assign(finding="nodule")]
    weaker = [table(noise=1), table(noise=1).assign(finding="nodule")]
    found = compared(pd.concat(second), pd.concat(weaker))
    rows = [row for row in found.rows if row.metric == "auroc"]
    assert len(rows) == 2 and rows[0].p_adjusted == pytest.approx(min(1, 2 * rows[0].p))


def test_samples_of_one_table_only_are_counted_and_listed():
    found = compared(table().iloc[:300], table(noise=2).iloc[100:])
    assert found.paired and found.pair.shared == 200
    assert [len(ids) for ids in found.pair.only] == [100, 100] and "s0" in found.pair.only[0]
    assert "100 only in the first, 100 only in the second" in found.samples_line


def test_labels_that_differ_are_refused():
    b = table()
    b.loc[7, "target"] = 1 - b.loc[7, "target"]
    with pytest.raises(MetricError, match=r"b: 1 labels differ from those of a \(first: sample s7, effusion: \d against \d\)"):
        compared(table(), b)


def test_labels_of_one_table_are_left_out_and_said():
    b = table().astype({"target": "Int64"})
    b.loc[:9, "target"] = pd.NA
    found = compared(table(), b)
    assert overall(found, "auroc").n_a == 390
    assert "10 rows are labelled in one of the tables only" in " ".join(found.pair.notes)
    with pytest.raises(MetricError, match="shares 10 samples with a, and none is labelled in both"):
        compared(table().head(10), b)


def test_rows_are_never_joined_by_order():
    with pytest.raises(ManifestError, match="b: no column sample_id, and rows are never joined by their order"):
        compared(table(), table().drop(columns="sample_id"))


def test_other_findings_are_refused_or_listed():
    with pytest.raises(ManifestError, match="b: no finding of a is in it: effusion against nodule"):
        compared(table(), table().assign(finding="nodule"))
    both = pd.concat([table(), table().assign(finding="nodule")])
    assert compared(both, table()).pair.findings_only == (("nodule",), ())
    assert overall(compared(table(), table().drop(columns="finding")), "auroc").finding == "effusion"


def test_an_attribute_that_is_no_column_is_refused():
    with pytest.raises(ManifestError, match="--attributes site: no column of the first table"):
        compared(table(), table(), "site")
    with pytest.raises(ManifestError, match="b: no column 'sex' to compare by"):
        compared(table(), table(prefix="t").drop(columns="sex"), "sex")
    assert {row.attribute for row in compared(table(), table().drop(columns="sex"), "sex").rows} == {"all", "sex"}


def test_the_coarser_patients_are_used_and_said():
    a = table().assign(patient_id=[f"p{number // 4}" for number in range(400)])
    found = compared(a, table(noise=2))
    assert "Obuchowski" in overall(found, "auroc").method
    assert "100 and 400 patients" in " ".join(found.pair.notes)


def test_different_samples_are_said_and_tested_unpaired():
    a, b = table(800), table(600, seed=5, separation=0.6, prefix="t").assign(age=lambda frame: frame["age"] + 1)
    found = compared(a, b, "sex", "age")
    assert not found.paired and found.samples_line.startswith("DIFFERENT SAMPLES")
    assert overall(found, "auroc").verdict == "different" and overall(found, "auroc").difference < 0
    assert overall(found, "prevalence").a == pytest.approx(a["target"].mean())
    assert sum(row.n_b for row in found.mix if row.attribute == "sex") == 600
    assert found.shifts[0].intercepts is not None and found.shifts[0].scores.beyond_chance


def test_one_patient_in_both_of_two_years_is_resampled():
    b = table(noise=2, prefix="t").assign(patient_id=table()["patient_id"])
    assert "bootstrap" in overall(compared(table(), b), "auroc").method


def test_what_is_written(tmp_path: Path):
    found = compared(table(), table(noise=2), "sex")
    write_comparison(found, tmp_path)
    stored = json.loads((tmp_path / "compare.json").read_text())
    assert stored["samples"] == "same" and len(stored["rows"]) == len(pd.read_csv(tmp_path / "compare.csv"))
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "How calls moved" in page and "By sex" in page and "http" not in page.replace("http-equiv", "")
    write_comparison(compared(table(), table(prefix="<b>t")), tmp_path / "drift")
    page = (tmp_path / "drift" / "compare.html").read_text(encoding="utf-8")
    assert "Different samples" in page and "Score shift" in page and "<b>t" not in page
