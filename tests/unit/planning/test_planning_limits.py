"""What the data cannot show is told; what it can is not warned of."""

from dataclasses import replace

import pytest
from test_planning_rules import COST, CPU, IMAGES, facts

from medclassify.calibration.fit import MIN_FIT, MIN_PLATT
from medclassify.planning import DataFacts, FindingFacts, SplitCounts, warnings
from medclassify.planning.choice import Choice
from medclassify.planning.limits import calibrator, expect
from medclassify.planning.plan import Choices, choose_decisions, choose_training, estimate_minutes


def finding(test: tuple[int, int], calibrate: tuple[int, int] = (200, 200), name: str = "nodule") -> FindingFacts:
    many = SplitCounts(400, 400, 400, 400)
    splits = {"train": many, "tune": many, "calibrate": SplitCounts(*calibrate, *calibrate), "test": SplitCounts(*test, *test)}
    return FindingFacts(name, 600, 400, 0, 0, 600, splits)


def told(data: DataFacts, images=IMAGES, labelled=None, leakage=()) -> list[str]:
    expected = [expect(one, "multilabel") for one in data.findings]
    return warnings(data, images, data.findings if labelled is None else labelled, expected, leakage)


@pytest.mark.parametrize(
    ("positive", "task", "kind"),
    [
        (MIN_PLATT, "multilabel", "Platt"),
        (MIN_PLATT - 1, "multilabel", "temperature"),
        (MIN_FIT, "multilabel", "temperature"),
        (MIN_FIT - 1, "multilabel", "none"),
        (MIN_FIT - 1, "multiclass", "temperature"),
    ],
)
def test_the_calibrator_is_the_one_that_fit_will_choose(positive: int, task: str, kind: str) -> None:
    assert calibrator(positive, 1000, task) == kind
    assert calibrator(1000, positive, task) == kind


def test_intervals_narrow_with_patients_and_vanish_below_five() -> None:
    wide, narrow = expect(finding((20, 100)), "multilabel").interval, expect(finding((200, 1000)), "multilabel").interval
    assert wide and narrow and wide[0] < narrow[0] < 0.85 < narrow[1] < wide[1]
    assert expect(finding((5, 5)), "multilabel").interval is not None
    assert expect(finding((4, 100)), "multilabel").interval is None
    assert expect(finding((100, 4)), "multilabel").interval is None


def test_plentiful_data_is_warned_of_nothing() -> None:
    assert told(facts(findings=(finding((400, 400)),))) == []


def test_each_want_has_its_warning() -> None:
    few = told(facts(findings=(finding((12, 100), calibrate=(9, 100)),)))
    assert few[0].startswith("nodule: 12 patients with it in test, so an AUROC of 0.85 would come with the interval 0.")
    assert "marked unstable" in few[0] and few[1] == "nodule: its threshold will rest on 9 positives in calibrate"
    none = told(facts(findings=(finding((3, 100), calibrate=(1, 100)),)))
    assert none[0] == "nodule: 3 patients with it and 100 without in test: below 5 no AUROC"
    assert none[1].endswith("1 positive in calibrate") and "no calibrator" not in none[2] and "raw" in none[2]


def test_missing_patient_ids_leakage_and_unreadable_files_come_first() -> None:
    data = facts(findings=(finding((400, 400)),), patient_source={"labels": 400, "image": 500, "study_uid": 100})
    lines = told(data, replace(IMAGES, failed={"unreadable: damaged or cut short": 2}), leakage=["leakage: a patient"])
    assert lines[0] == "leakage: a patient"
    assert lines[1].startswith("100 of 1000 images have no patient id: each study counts as its own patient")
    assert lines[2].startswith("500 of 1000 images have no patient id: each image counts as its own patient")
    assert lines[3] == "2 of the 22 images tried cannot be used: unreadable: damaged or cut short"


def test_mixed_modalities_masked_labels_and_left_out_findings_are_told() -> None:
    masked = replace(finding((400, 400)), unlabelled=501)
    hernia = replace(finding((0, 10), name="hernia"), positive=2, positive_patients=2)
    data = facts(findings=(masked,), modalities={"CT": 10, "radiographs (CR/DX/RG)": 990, "": 5})
    lines = told(data, labelled=(masked, hernia))
    assert lines[0].startswith("more than one kind of image (CT 10, radiographs (CR/DX/RG) 990)")
    assert "hernia: left out, its 2 positives of 2 patients are too few" in lines
    assert lines[-1] == "nodule: 50 % of the images have no certain label; they are masked"
    assert told(facts(findings=(replace(masked, unlabelled=500),))) == []


def test_minutes_are_measured_seconds_times_images() -> None:
    data = facts(findings=(finding((400, 400)),))
    choices = Choices({"model.weights": "file"})
    choices.add(Choice("model.weights", "imagenet", ""))
    choose_training(choices, data, COST, CPU)
    choose_decisions(choices, data)
    made = {choice.key: choice.value for choice in choices.finish()}
    assert (made["data.batch_size"], made["trainer.max_epochs"], made["optimizer.recipe"]) == (32, 10, "head_then_full")
    minutes = estimate_minutes(choices.finish(), data, IMAGES, COST)
    assert minutes.prepare == pytest.approx(1000 * 0.1 / 60)
    assert minutes.train == pytest.approx((700 * 0.02 + 10 * (600 * 0.1 + 100 * 0.02)) / 60)
    assert minutes.score == pytest.approx(400 * 0.02 / 60)
    probe = [
        replace(choice, value="linear_probe") if choice.key == "optimizer.recipe" else choice for choice in choices.finish()
    ]
    assert estimate_minutes(probe, data, IMAGES, COST).train == pytest.approx(700 * 0.02 / 60)


def test_a_probe_has_no_epochs_and_so_nothing_that_steers_them() -> None:
    data = facts(findings=(finding((400, 400)),))
    choices = Choices({"model.weights": "file", "optimizer.recipe": "linear_probe"})
    choices.add(Choice("model.weights", "imagenet", ""))
    choose_training(choices, data, COST, CPU)
    assert {choice.key for choice in choices.finish()} == {"model.weights", "data.batch_size", "optimizer.recipe"}
