import numpy as np
import pandas as pd
import pytest

from medclassify.errors import ReviewError
from medclassify.records import Status
from medclassify.review import AUTOMATION, agreement, automation, drift, override_log, performance, reader_studies
from medclassify.review.answers import COLUMNS, MODEL_COLUMNS


def table(
    readers: dict[str, list[tuple[str, str]]], targets: list[float], calls: list[bool], *, week: str = "2026-03-02"
) -> pd.DataFrame:
    """Answers on one finding: by reader, (first, final) presence of each sample."""
    rows = [
        {
            "sample_id": f"s{k}", "finding": "nodule", "reader": reader, "state": "done", "opened_at": f"{week}T08:00:00+00:00",
            "first_presence": first, "first_score": {"present": 90.0, "absent": 10.0, "unsure": 50.0}[first],
            "final_presence": final, "final_score": {"present": 95.0, "absent": 5.0, "unsure": 50.0}[final],
            "verdict": "accept" if (final == "present") == calls[k] else "reject",
            "patient_id": f"p{k}", "split": "test", "target": targets[k], "prob_cal": 0.1 + 0.8 * calls[k], "threshold": 0.5,
            "decision": calls[k], "sex": "FM"[k % 2], "site": "A",
        }
        for reader, given in readers.items()
        for k, (first, final) in enumerate(given)
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=[*COLUMNS, *MODEL_COLUMNS, "sex", "site"])


# 40 samples: 20 with the finding; the model misses the last 4 of them and calls the first 4 without it.
TARGETS = [1.0] * 20 + [0.0] * 20
CALLS = [True] * 16 + [False] * 4 + [True] * 4 + [False] * 16
TRUTH = [("present", "present")] * 20 + [("absent", "absent")] * 20
# Follows the model where it is wrong (8 samples), right before.
FOLLOWS = [*TRUTH[:16], *[("present", "absent")] * 4, *[("absent", "present")] * 4, *TRUTH[24:]]
# Misses 10 findings alone, and the model corrects 8 of them.
MISSES = [*[("absent", "present")] * 8, *[("absent", "absent")] * 2, *TRUTH[10:]]


def only(found: pd.DataFrame, **where: str) -> pd.Series:
    for name, value in where.items():
        found = found.loc[found[name] == value]
    (row,) = (found.iloc[k] for k in range(len(found)))
    return row


def test_automation_counts_who_moved_among_those_who_could() -> None:
    found = automation(table({"ida": FOLLOWS, "oz": MISSES}, TARGETS, CALLS))
    misled = only(found, reader="ida", measure="misled")
    assert (misled["n"], misled["status"], misled["note"]) == (8, Status.NOT_ESTIMABLE, "n=8")
    assert pd.isna(misled["value"])
    corrected = only(found, reader="oz", measure="corrected")
    assert (corrected["n"], corrected["value"], corrected["status"]) == (10, 0.8, Status.UNSTABLE)
    assert corrected["ci_low"] == pytest.approx(0.490, abs=5e-4)  # Wilson, 8 of 10
    moved = only(found, reader="oz", measure="switched_to_model")
    assert (moved["n"], moved["value"]) == (18, pytest.approx(8 / 18))  # 10 misses and the model's 8 errors
    away = only(found, reader="ida", measure="switched_from_model")
    assert (away["n"], away["value"]) == (32, 0)
    both = only(found, reader="all", measure="misled")
    assert (both["n"], both["note"]) == (16, "n=16 of 8 patients")  # two readers of one patient are not two patients
    assert set(found["measure"]) == set(AUTOMATION)


def test_performance_is_of_the_same_samples_for_reader_model_and_both() -> None:
    answers = table({"oz": MISSES}, TARGETS, CALLS)
    found = performance(answers)
    values = {who: only(found, who=who, metric="sensitivity")["value"] for who in ("alone", "model", "with model")}
    assert values == {"alone": 0.5, "model": 0.8, "with model": 0.9}
    assert only(found, who="model", metric="specificity")["value"] == 0.8
    masked = answers.assign(target=np.where(answers["sample_id"] == "s0", -1, answers["target"]))
    assert only(performance(masked), who="model", metric="sensitivity")["n"] == 19


def test_unsure_counts_as_a_call_and_is_told() -> None:
    given = [("unsure", "unsure"), *TRUTH[1:]]
    row = only(performance(table({"oz": given}, TARGETS, CALLS)), who="alone", metric="sensitivity")
    assert (row["value"], row["n_unsure"]) == (1.0, 1)


def test_agreement_of_pairs_and_of_all() -> None:
    answers = table({"ida": TRUTH, "oz": MISSES, "eve": TRUTH}, TARGETS, CALLS)
    blind = agreement(answers)
    assert only(blind, readers="eve · ida")["value"] == 1
    assert only(blind, readers="eve · oz")["value"] == pytest.approx(0.5)  # 30 of 40 agree, half of it by chance
    assert set(blind["measure"]) == {"cohen_kappa", "fleiss_kappa", "gwet_ac1"}
    final = agreement(answers, stage="final")
    assert only(final, measure="fleiss_kappa")["value"] > only(blind, measure="fleiss_kappa")["value"]
    with pytest.raises(ReviewError, match="stage must be first or final"):
        agreement(answers, stage="second")


@pytest.mark.parametrize("measure", [agreement, performance, automation])
def test_each_goes_by_subgroup(measure) -> None:
    found = measure(table({"ida": FOLLOWS, "oz": MISSES}, TARGETS, CALLS), by="sex")
    assert set(found["subgroup"]) == {"all", "sex=F", "sex=M"}
    with pytest.raises(ReviewError, match="'ward' is not an attribute"):
        measure(table({"ida": FOLLOWS}, TARGETS, CALLS), by="ward")


@pytest.mark.parametrize("measure", [agreement, performance, automation])
def test_nothing_read_gives_no_rows(measure) -> None:
    empty = table({"ida": FOLLOWS}, TARGETS, CALLS).iloc[:0]
    assert measure(empty).empty
    assert reader_studies(empty) == ()


def test_a_reader_study_is_of_the_cases_that_all_have_finished() -> None:
    answers = table({"ida": MISSES, "oz": [*TRUTH[:19], ("absent", "present"), *TRUTH[20:]]}, TARGETS, CALLS)
    (found,) = reader_studies(answers)
    assert (found.readers, found.n, found.n_pos, found.note) == (("ida", "oz"), 40, 20, "")
    assert found.study is not None
    assert found.study.figures[0].tolist() == [0.75, 0.975]
    assert found.study.difference.value > 0
    fewer = answers.loc[(answers["reader"] != "oz") | answers["sample_id"].isin([f"s{k}" for k in range(25)])]
    (found,) = reader_studies(fewer)
    assert (found.n, found.study) == (25, None)
    assert "25 cases that all 2 readers finished, 20 with the finding; at least 10 of each" in found.note
    (alone,) = reader_studies(answers.loc[answers["reader"] == "oz"])
    assert "at least two readers" in alone.note


def test_the_override_log_holds_what_does_not_follow_the_model() -> None:
    log = override_log(table({"oz": MISSES}, TARGETS, CALLS))
    assert len(log) == 2 + 8  # two misses kept, and the model's eight errors
    assert set(log["verdict"]) == {"reject"}


class Run:
    """What drift needs of a run."""

    findings = ("nodule",)
    attributes = ("sex", "site")

    def __init__(self, predictions: pd.DataFrame) -> None:
        self.predictions = predictions


def population(n: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sample_id": [f"s{k}" for k in range(n)], "patient_id": [f"p{k}" for k in range(n)], "finding": "nodule",
            "split": "test", "prob_cal": rng.uniform(size=n), "sex": rng.choice(["F", "M"], n), "site": "A",
        }
    )  # fmt: skip


def week_of(samples: pd.DataFrame, week: str = "2026-03-02") -> pd.DataFrame:
    calls = (samples["prob_cal"] > 0.5).tolist()
    given = [("present", "present") if call else ("absent", "absent") for call in calls]
    made = table({"oz": given}, [0.0] * len(samples), calls, week=week)
    return made.assign(**{name: samples[name].to_numpy() for name in ("sample_id", "patient_id", "prob_cal", "sex", "site")})


def test_drift_is_quiet_without_and_found_with_a_planted_shift() -> None:
    everyone = population()
    run = Run(everyone)
    fair = week_of(everyone.sample(200, random_state=1))
    rows = drift(run, fair, "nodule")  # type: ignore[arg-type]
    assert rows[["week", "site"]].to_numpy().tolist() == [["2026-W10", "all"], ["2026-W10", "A"]]
    assert (rows["n"].tolist(), rows["drifted"].tolist(), rows["disagreement"].tolist()) == ([200, 200], [False, False], [0, 0])
    women = week_of(everyone.loc[everyone["sex"] == "F"].head(200))
    found = drift(run, women, "nodule").iloc[0]  # type: ignore[arg-type]
    assert (found["drifted"], found["input"]) == (True, "sex")
    assert found["input_distance"] > found["input_limit"]
    high = week_of(everyone.loc[everyone["prob_cal"] > 0.4].head(200), week="2027-01-01")
    found = drift(run, high, "nodule").iloc[0]  # type: ignore[arg-type]
    assert (found["week"], found["drifted"]) == ("2026-W53", True)
    assert found["score_ks"] > found["score_ks_limit"]


def test_a_week_of_few_samples_shows_no_figures() -> None:
    everyone = population()
    found = drift(Run(everyone), week_of(everyone.head(9)), "nodule").iloc[0]  # type: ignore[arg-type]
    assert (found["n"], found["drifted"]) == (9, False)
    assert pd.isna(found["score_psi"])
    assert pd.isna(found["disagreement"])
    with pytest.raises(ReviewError, match="finding 'rib' is not in this run"):
        drift(Run(everyone), week_of(everyone.head(9)), "rib")  # type: ignore[arg-type]
