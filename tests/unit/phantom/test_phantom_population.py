"""The patients: plausible, reproducible, and faulty only where a fault was asked for."""

import re

import numpy as np
import pytest

from medclassify.config import PhantomConfig
from medclassify.phantom import FINDINGS, Exam, draw_patient
from medclassify.phantom.population import FAINT, uid


def draw(config: PhantomConfig) -> list[Exam]:
    return [exam for number in range(config.patients) for exam in draw_patient(config, number)]


@pytest.fixture(scope="module")
def exams() -> list[Exam]:
    return draw(PhantomConfig(patients=600))


def test_600_patients_have_1000_to_1400_images(exams: list[Exam]) -> None:
    assert 1000 <= len(exams) <= 1400
    images = [sum(exam.patient_id == name for exam in exams) for name in {exam.patient_id for exam in exams}]
    assert (min(images), max(images)) == (1, 4)


@pytest.mark.parametrize("finding", FINDINGS)
def test_each_finding_is_plausibly_frequent_and_graded(exams: list[Exam], finding: str) -> None:
    assert 0.10 <= np.mean([exam.truth[finding] for exam in exams]) <= 0.35
    severity = [exam.severity[finding] for exam in exams if exam.truth[finding]]
    assert len(severity) == sum(exam.truth[finding] for exam in exams)
    assert np.mean(np.less(severity, 0.3)) > 0.08
    assert np.mean(np.greater(severity, 0.6)) > 0.2
    assert not any(finding in exam.severity for exam in exams if not exam.truth[finding])


def test_findings_occur_together(exams: list[Exam]) -> None:
    truth = np.array([[exam.truth[name] for name in FINDINGS] for exam in exams])
    assert (truth.sum(axis=1) >= 2).mean() > 0.2
    assert (truth.sum(axis=1) == 0).mean() > 0.1
    large, small = truth[truth[:, 0] == 1, 1].mean(), truth[truth[:, 0] == 0, 1].mean()
    assert large > small  # fluid comes with a large heart


def test_cardiomegaly_is_a_ratio_above_one_half_and_the_ratio_is_continuous(exams: list[Exam]) -> None:
    ratios = np.array([exam.scene.anatomy.heart_ratio for exam in exams])
    np.testing.assert_array_equal(ratios > 0.5, [bool(exam.truth["cardiomegaly"]) for exam in exams])
    assert 0.02 < np.mean(np.abs(ratios - 0.5) < 0.02) < 0.15


def test_the_sites_differ_in_view(exams: list[Exam]) -> None:
    for key, low, high in (("A", 0.75, 0.95), ("B", 0.15, 0.35)):
        views = [exam.scene.view for exam in exams if exam.site_key == key]
        assert low < views.count("PA") / len(views) < high
    assert len({exam.encoding for exam in exams}) == 6


def test_a_patient_stays_one_person(exams: list[Exam]) -> None:
    people: dict[str, Exam] = {}
    for exam in exams:
        first = people.setdefault(exam.patient_id, exam)
        assert exam.scene.anatomy == first.scene.anatomy
        assert (exam.sex, exam.birth_date, exam.site_key) == (first.sex, first.birth_date, first.site_key)
        assert exam.study_date >= first.study_date
        assert exam.truth["nodule"] == first.truth["nodule"]
        if exam.study == first.study:
            assert exam.truth == first.truth
            assert exam.study_uid == first.study_uid


def test_few_patients_are_the_first_of_many(exams: list[Exam]) -> None:
    assert draw(PhantomConfig(patients=5)) == [exam for exam in exams if exam.patient_id < "PHANTOM00005"]


def test_another_seed_gives_other_people() -> None:
    assert draw_patient(PhantomConfig(seed=1), 0)[0].scene.anatomy != draw_patient(PhantomConfig(seed=2), 0)[0].scene.anatomy


def test_uids_are_unique_and_well_formed(exams: list[Exam]) -> None:
    uids = [exam.sop_uid for exam in exams]
    assert len(set(uids)) == len(uids)
    assert len({exam.series_uid for exam in exams}) == len(uids)
    assert all(re.fullmatch(r"2\.25\.(0|[1-9]\d{0,38})", value) and len(value) <= 64 for value in uids)
    assert uid(PhantomConfig(), 1) != uid(PhantomConfig(faults=("site_marker",)), 1)


def test_without_faults_labels_are_true_and_name_no_split(exams: list[Exam]) -> None:
    assert all(exam.labels == exam.truth for exam in exams)
    assert {exam.split for exam in exams} == {""}
    assert {letters for exam in exams for letters, _ in exam.scene.letters} == {"L"}
    assert {lesion.contrast for exam in exams for lesion in exam.scene.lesions.values()} == {1.0}


def test_fainter_in_f_fades_the_effusions_of_women_alone() -> None:
    for exam in draw(PhantomConfig(patients=150, faults=("fainter_in_f",))):
        for name, lesion in exam.scene.lesions.items():
            assert lesion.contrast == (FAINT if (name, exam.sex) == ("effusion", "F") else 1.0)


def test_label_noise_flips_a_quarter_of_site_bs_consolidations() -> None:
    exams = draw(PhantomConfig(patients=400, faults=("label_noise_site_b",)))
    wrong = {
        key: [exam.labels["consolidation"] != exam.truth["consolidation"] for exam in exams if exam.site_key == key]
        for key in "AB"
    }
    assert not any(wrong["A"])
    assert np.mean(wrong["B"]) == pytest.approx(0.25, abs=0.06)
    assert all(exam.labels[name] == exam.truth[name] for exam in exams for name in FINDINGS if name != "consolidation")


def test_the_site_marker_gives_pneumothorax_away() -> None:
    exams = draw(PhantomConfig(patients=300, faults=("site_marker",)))
    marked = np.array([any(text == "E" for text, _ in exam.scene.letters) for exam in exams])
    sick = np.array([bool(exam.truth["pneumothorax"]) for exam in exams])
    assert marked[sick].mean() > 0.9
    assert marked[~sick].mean() < 0.06


@pytest.mark.parametrize("patients", [1, 20, 300])
def test_patient_in_two_splits_puts_some_patients_in_two_splits(patients: int) -> None:
    exams = draw(PhantomConfig(patients=patients, faults=("patient_in_two_splits",)))
    splits: dict[str, set[str]] = {}
    for exam in exams:
        splits.setdefault(exam.patient_id, set()).add(exam.split)
    astray = [name for name, found in splits.items() if len(found) > 1]
    assert 1 <= len(astray) <= max(4, 0.1 * patients)
    if patients == 300:
        assert {exam.split for exam in exams} == {"train", "tune", "calibrate", "test"}


def test_faults_change_nothing_but_their_own() -> None:
    plain = draw(PhantomConfig(patients=30))
    faulty = draw(PhantomConfig(patients=30, faults=("label_noise_site_b", "patient_in_two_splits")))
    assert [exam.scene for exam in plain] == [exam.scene for exam in faulty]
