"""`medclassify audit --predictions`: where it writes, and what it says on the console."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.errors import RunError
from medclassify.workflows.audit import audit
from medclassify.workflows.summary import auroc_table


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    target = np.arange(120) % 2
    table = pd.DataFrame({"target": target, "probability": random.random(120), "sex": ["F", "F", "M"] * 40, "threshold": 0.5})
    table.to_csv(tmp_path / "edema.csv", index=False)
    return tmp_path / "edema.csv"


def test_an_earlier_report_is_not_written_over(theirs: Path) -> None:
    _, out = audit(None, theirs, ("sex",), None)
    assert out == theirs.with_name("edema-audit")
    first = (out / "report.html").read_bytes()
    for refused in (None, out, theirs):
        with pytest.raises(RunError, match=r"is not an empty folder\. Choose another one with --out"):
            audit(None, theirs, (), refused)
    assert (out / "report.html").read_bytes() == first
    (theirs.parent / "new").mkdir()
    audit(None, theirs, (), theirs.parent / "new")
    assert (theirs.parent / "new" / "report.html").is_file()


def test_the_console_says_what_the_table_lacks(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(None, theirs, ("sex",), theirs.parent / "full")
    told = capsys.readouterr().out
    assert "no patient_id" in told
    assert "attributes" not in told
    assert "threshold" not in told
    pd.read_csv(theirs).drop(columns="threshold").to_csv(theirs.parent / "bare.csv", index=False)
    audit(None, theirs.parent / "bare.csv", (), None)
    told = capsys.readouterr().out
    assert "note: No --attributes were given, so nothing is said about subgroups." in told
    assert "note: No threshold and no decision is given, so sensitivity" in told


def test_the_console_table_stays_straight(theirs: Path) -> None:
    table = pd.read_csv(theirs)
    rare = table.assign(finding="a finding with a long name", target=[1] * 3 + [0] * 117, sample_id=range(120))
    common = table.assign(finding="edema", sample_id=range(120))
    both = pd.concat([common, rare])
    both["patient_id"] = both["sample_id"] // 2
    both.to_csv(theirs, index=False)
    result, _ = audit(None, theirs, (), theirs.parent / "out")
    lines = auroc_table(result).splitlines()
    starts = [lines[0].index(name) for name in ("AUROC", "sensitivity", "specificity")]
    for line in lines[1:3]:
        assert all(line[start - 1] == " " and line[start] != " " for start in starts), line
    assert "not estimable" in lines[2]
    assert "a finding with a long name: AUROC, sensitivity not estimable (n_pos=3 of 2 patients)" in lines
    assert "needed: 5 with and without it for an AUROC, 10 for a rate; patients, where they repeat" in lines
