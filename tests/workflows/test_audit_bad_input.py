"""A table that cannot be audited: one line, exit code 1, nothing written; what is only undefined is shown, with the reason."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from outcomes import nothing_left, one_line

Change = Callable[[pd.DataFrame], pd.DataFrame]


def good(samples: int = 200) -> pd.DataFrame:
    """A table with nothing wrong: two findings, two sexes."""
    random = np.random.default_rng(0)
    tables = []
    for finding in ("edema", "nodule"):
        target = random.random(samples) < 0.4
        logit = random.normal(size=samples) + 2 * target - 1
        facts = {"sample_id": [f"s{number}" for number in range(samples)], "finding": finding, "target": target.astype(int)}
        scored = {"probability": 1 / (1 + np.exp(-logit)), "threshold": 0.4, "sex": random.choice(["F", "M"], samples)}
        tables.append(pd.DataFrame({**facts, **scored}))
    return pd.concat(tables, ignore_index=True)


def put(column: str, *values: object) -> Change:
    """The table with these values in the first rows of a column."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        first = pd.Series([*values, *table[column].iloc[len(values) :]], dtype=object)
        return table.assign(**{column: first.to_numpy()})

    return changed


def logits(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(probability=np.log(table["probability"] / (1 - table["probability"])))


REFUSED: dict[str, tuple[Change, tuple[str, ...]]] = {
    "nan": (put("probability", np.nan, np.nan), ("probability is not finite in 2 labelled rows", "s0, received nan", "Score")),
    "inf": (put("probability", np.inf), ("probability is not finite in 1 labelled rows", "s0, received inf", "Score")),
    "minus inf": (put("probability", -np.inf), ("not finite in 1 labelled rows", "received -inf", "Score these")),
    "word": (put("probability", "high"), ("probability must be a number, received 'high' (1 such rows)", "Correct")),
    "logits": (logits, ("values outside [0, 1]", "these look like logits; calibrate them first, or name the column `score`")),
    "target": (put("target", 2), ("target must be 1 (present), 0 (absent), -1 (uncertain) or blank, received 2", "Correct")),
    "decision": (lambda table: table.assign(decision=3), ("decision must be 0, 1 or blank, received 3", "Correct")),
    "one class": (lambda table: table.assign(target=0), ("every finding has one class (only 0)", "with and without")),
    "no label": (lambda table: table.assign(target=-1), ("every finding has one class (no label at all)", "with and without")),
    "twice": (put("sample_id", "s1"), ("1 rows repeat a sample and finding (first: sample s1, edema)", "Keep one row")),
    "no id": (put("sample_id", None), ("1 rows have no sample_id", "Number the samples")),
    "no truth": (
        lambda table: table.drop(columns="target"),
        ("no column for the truth", "received sample_id, finding", "Give"),
    ),
    "no score": (lambda table: table.drop(columns="probability"), ("no column for the score", "received sample_id", "Give")),
    "no sample": (lambda table: table.drop(columns="sample_id"), ("no column sample_id, received finding, target", "needs it")),
    "no sex": (
        lambda table: table.drop(columns="sex"),
        ("'sex' is not an attribute column; it has: none", "Correct --attributes"),
    ),
    "no row": (lambda table: table.iloc[:0], ("the table holds no rows", "Give a table")),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_cannot_be_audited(name: str, kind: str, cli, tmp_path: Path) -> None:
    change, parts = REFUSED[name]
    table = change(good())
    if kind == "csv":
        table.to_csv(tmp_path / "theirs.csv", index=False)
    else:
        mixed = table.columns[[table[column].map(type).nunique() > 1 and column == "probability" for column in table]]
        table.astype(dict.fromkeys(mixed, "string")).to_parquet(tmp_path / "theirs.parquet")
    done = cli("audit", "--predictions", f"theirs.{kind}", "--attributes", "sex", cwd=tmp_path)
    one_line(done, f"theirs.{kind}: ", *parts)
    nothing_left(tmp_path, ignore=[f"theirs.{kind}"])


@pytest.mark.parametrize(
    ("file", "content", "parts"),
    [
        ("none.csv", None, ("no such predictions table", "Name a .csv")),
        ("theirs.csv", b"", ("the table holds no rows", "Give a table")),
        ("theirs.parquet", b"PAR1 and no more", ("cannot be read as parquet", "Export the table again")),
        ("theirs.xlsx", b"PK", ("predictions are read from .csv, .tsv or .parquet, received .xlsx", "Export")),
    ],
)
def test_a_file_that_is_no_table(file: str, content: bytes | None, parts: tuple[str, ...], cli, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    one_line(cli("audit", "--predictions", file, "--attributes", "sex", cwd=tmp_path), f"{file}: ", *parts)
    nothing_left(tmp_path, ignore=[file])


def test_ten_thousand_subgroups_are_the_largest_and_the_rest(cli, tmp_path: Path) -> None:
    table = good(10_001)
    table["ward"] = [f"ward {number}" for number in (*range(10_000), 9_999)] * 2
    table.to_csv(tmp_path / "theirs.csv", index=False)
    done = cli("audit", "--predictions", "theirs.csv", "--attributes", "ward", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: ward has 10000 values; the 9989 smallest stand together as “other”." in done.stdout
    estimates = pd.read_csv(tmp_path / "theirs-audit" / "estimates.csv")
    wards = estimates[(estimates["attribute"] == "ward") & (estimates["metric"] == "auroc")]
    assert wards["subgroup"].nunique() == 12
    assert set(wards.loc[wards["subgroup"] != "other", "status"]) == {"not_estimable"}
    assert wards.loc[wards["subgroup"] == "other", "estimate"].notna().all()
    assert "not estimable (n₊=" in (tmp_path / "theirs-audit" / "report.html").read_text(encoding="utf-8")


def test_a_finding_and_a_subgroup_of_one_class_are_undefined_with_the_reason(cli, tmp_path: Path) -> None:
    table = good()
    table.loc[table["finding"] == "nodule", "target"] = 0
    table.loc[table["sex"] == "F", "target"] = 0
    table.to_csv(tmp_path / "theirs.csv", index=False)
    done = cli("audit", "--predictions", "theirs.csv", "--attributes", "sex", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nodule: AUROC, sensitivity not estimable (n_pos=0)" in done.stdout
    estimates = pd.read_csv(tmp_path / "theirs-audit" / "estimates.csv").set_index(["finding", "subgroup", "metric"])
    for finding, subgroup in (("nodule", "all"), ("edema", "F")):
        row = estimates.loc[finding, subgroup, "auroc"]
        assert row["status"] == "not_estimable" and row["n_pos"] == 0 and np.isnan(row["estimate"])
    assert estimates.loc[("edema", "M", "auroc"), "estimate"] > 0.8
    gaps = pd.read_csv(tmp_path / "theirs-audit" / "gaps.csv")
    assert set(gaps.loc[gaps["metric"] != "specificity", "verdict"]) == {"INSUFFICIENT"}
    assert "not estimable (n₊=0)" in (tmp_path / "theirs-audit" / "report.html").read_text(encoding="utf-8")
