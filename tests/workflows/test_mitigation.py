"""A fit with all that changes what a step sees: the console, the metrics, the report and the provenance say so."""

import json
from pathlib import Path

import pytest
from outcomes import one_line


@pytest.mark.slow
def test_a_mitigated_and_growing_fit_says_what_it_did(cli, small_config: Path, tmp_path: Path) -> None:
    asked = ["--optimizer.mitigation", "group_dro", "--optimizer.mitigation_attribute", "sex", "--optimizer.start_size", "32"]
    done = cli("fit", small_config, "--run_dir", "run", "--optimizer.loss", "focal", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bias mitigation: group DRO by sex (F " in done.stdout and "from epoch 2: 64 pixels" in done.stdout
    training = json.loads((tmp_path / "run" / "metrics.json").read_text())["training"]
    assert all(row["weight_F"] + row["weight_M"] == pytest.approx(1, abs=1e-5) for row in training["history"])
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["mitigation"] == "group DRO by sex"
    assert any(line.startswith("train images grow: 32 from epoch 1, 64 from epoch 2") for line in provenance["learning"])
    assert "group DRO by sex" in (tmp_path / "run" / "audit" / "report.html").read_text()


def test_an_attribute_that_is_not_there_is_refused_before_anything_is_decoded(cli, small_config: Path, tmp_path: Path) -> None:
    asked = ["--optimizer.mitigation", "group_dro", "--optimizer.mitigation_attribute", "ward"]
    done = cli("fit", small_config, "--run_dir", "run", *asked, cwd=tmp_path)
    one_line(done, "optimizer.mitigation_attribute 'ward' is not an attribute of the manifest. Known are: sex, age_band")
    assert "preparing" not in done.stdout
