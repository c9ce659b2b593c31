"""Published numbers: pROC's on the aSAH data, Hanley & McNeil's, Newcombe's, Borkan's."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from medclassify import metrics
from medclassify.metrics.proportions import normal_quantile
from medclassify.metrics.ranks import placements


@pytest.fixture(scope="module")
def checks(real_data: Path) -> dict[str, dict]:
    listed = json.loads((real_data / "reference" / "reference.json").read_text(encoding="utf-8"))["checks"]
    return {check["id"]: check for check in listed}


def columns(real_data: Path, name: str) -> dict[str, np.ndarray]:
    with (real_data / "reference" / name).open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.fixture(scope="module")
def asah(real_data: Path) -> dict[str, np.ndarray]:
    table = columns(real_data, "asah.csv")
    return {"y": table["outcome01"].astype(int)} | {name: table[name].astype(np.float64) for name in ("wfns", "ndka", "s100b")}


def test_every_published_check_is_looked_at(checks):
    assert set(checks) == {"proc_asah_delong", "proc_asah_paired", "hanley_mcneil1982", "newcombe1998_single", "borkan_toy"}


@pytest.mark.parametrize("score", ["wfns", "ndka", "s100b"])
def test_asah_auroc_and_variance(checks, asah, score):
    expected = checks["proc_asah_delong"]["expected"]
    areas, covariance = metrics.auroc_covariance(asah["y"], [asah[score]])
    assert areas[0] == pytest.approx(expected["auc"][score], abs=1e-9)
    assert covariance[0, 0] == pytest.approx(expected["var"][score], abs=1e-9)
    assert metrics.auroc(asah["y"], asah[score]).value == pytest.approx(expected["auc"][score], abs=1e-9)


def test_asah_wald_interval(checks, asah):
    found = metrics.auroc(asah["y"], asah["ndka"], interval="wald")
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(checks["proc_asah_delong"]["expected"]["ci_ndka"]), abs=1e-9)
    assert found.ci_method == "Wald-DeLong"


@pytest.mark.parametrize("pair", ["wfns,ndka", "ndka,s100b", "s100b,wfns"])
def test_asah_covariance(checks, asah, pair):
    expected = checks["proc_asah_delong"]["expected"]["cov"][pair]
    first, second = pair.split(",")
    assert metrics.auroc_covariance(asah["y"], [asah[first], asah[second]])[1][0, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("pair", ["wfns-s100b", "wfns-ndka", "ndka-s100b", "wfns-wfns"])
def test_asah_paired_test(checks, asah, pair):
    expected = checks["proc_asah_paired"]["expected"][pair]
    first, second = pair.split("-")
    found = metrics.delong_paired(asah["y"], asah[first], asah[second])
    assert found.statistic == pytest.approx(expected["z"], abs=1e-9)
    assert found.p == pytest.approx(expected["p"], abs=1e-9)
    if "ci" in expected:
        assert (found.estimate.ci_low, found.estimate.ci_high) == pytest.approx(tuple(expected["ci"]), abs=1e-9)


def test_hanley_and_mcneils_ratings(checks, real_data):
    check, table = checks["hanley_mcneil1982"], columns(real_data, "hanley_mcneil1982_ct.csv")
    y, rating = table["truth"].astype(int), table["rating"].astype(int)
    assert y.size == 109
    found = metrics.auroc(y, rating)
    assert found.value == pytest.approx(check["expected"]["auc"], abs=check["tolerance"]["auc"])
    # Hanley and McNeil's own error, from the exponential model's Q1 and Q2.
    area, n_pos, n_neg = found.value, int(y.sum()), int((1 - y).sum())
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    error = np.sqrt((area * (1 - area) + (n_pos - 1) * (q1 - area**2) + (n_neg - 1) * (q2 - area**2)) / (n_pos * n_neg))
    assert error == pytest.approx(check["expected"]["se_hanley_mcneil"], abs=check["tolerance"]["se"])
    assert np.sqrt(metrics.auroc_covariance(y, [rating])[1][0, 0]) == pytest.approx(error, abs=0.002)
    assert placements(y == 1, rating.astype(np.float64)).auroc == found.value


@pytest.mark.parametrize("share", ["81/263", "15/148", "0/20", "1/29"])
def test_newcombes_single_proportions(checks, share):
    check = checks["newcombe1998_single"]
    successes, n = map(int, share.split("/"))
    expected, tolerance = check["expected"][share], check["tolerance"]
    assert metrics.wilson(successes / n, n, normal_quantile(0.95)) == pytest.approx(tuple(expected["wilson"]), abs=tolerance)
    assert metrics.clopper_pearson(successes, n) == pytest.approx(tuple(expected["clopper_pearson"]), abs=tolerance)


def test_borkans_toy(checks, real_data):
    check, table = checks["borkan_toy"], columns(real_data, "borkan2019_toy.csv")
    y, score, group = (table[name].astype(np.float64) for name in ("label", "score", "subgroup"))
    in_group = group == 1
    # Too few samples for an estimate: the statistic itself is compared, on the samples that each AUROC takes.
    kept = {"subgroup_auc": in_group, "bpsn_auc": in_group != (y == 1), "bnsp_auc": in_group == (y == 1)}
    for name, rows in kept.items():
        assert placements(y[rows] == 1, score[rows]).auroc == pytest.approx(check["expected"][name], abs=check["tolerance"])
    repeated = metrics.cross_aurocs(np.tile(y, 9), np.tile(score, 9), np.tile(group, 9))
    assert repeated["subgroup"].value == pytest.approx(check["expected"]["subgroup_auc"], abs=check["tolerance"])
    assert repeated["bpsn"].value == pytest.approx(check["expected"]["bpsn_auc"], abs=check["tolerance"])
    assert repeated["bnsp"].value == pytest.approx(check["expected"]["bnsp_auc"], abs=check["tolerance"])
