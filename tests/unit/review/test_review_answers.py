import itertools
from pathlib import Path

import pandas as pd
import pytest

from medclassify.errors import NotAllowedError, ReviewError
from medclassify.manifest import CORE_COLUMNS, Manifest
from medclassify.records import Answer, Identity, Presence, Role, Verdict
from medclassify.review import (
    Desk,
    answer_to,
    answers,
    named_reader,
    review_labels,
    share_out,
    write_labels,
    write_readings,
)

IDA, OZ, AUDITOR = named_reader("Dr Ida"), named_reader("Dr Oz"), named_reader("eye", Role.AUDITOR)
ADA = named_reader("Dr Ada", Role.ADJUDICATOR)
ABSENT = (Answer("effusion", Presence.ABSENT, 60, comment="=1+1"), Answer("nodule", Presence.ABSENT, 20))


def read(desk: Desk, who: Identity, sample_id: str, verdict: Verdict = Verdict.ACCEPT) -> None:
    reading, items = desk.reveal(who, desk.lock_first(who, desk.open(who, sample_id), ABSENT, seconds=3))
    desk.answer(who, reading, [answer_to(item, verdict, confidence=90) for item in items], seconds=2, shown=("image",))


def manifest() -> Manifest:
    frame = pd.DataFrame({name: pd.array([None] * 3, "str") for name in CORE_COLUMNS})
    frame["sample_id"], frame["path"] = ["a", "b", "c"], ["/data/a.dcm", "/data/b.dcm", "/data/c.dcm"]
    frame["sop_uid"], frame["split"] = ["1.1", "1.2", "1.3"], ["test", "train", "test"]
    frame["ward"] = ["x", "y", "x"]
    frame["effusion"], frame["nodule"] = pd.array([1, 0, None], "Int8"), pd.array([0, 1, 1], "Int8")
    return Manifest(frame, ("effusion", "nodule"), "labels.csv", "generic")


def test_the_table_holds_blind_and_final_answer_beside_the_models(desk: Desk) -> None:
    read(desk, IDA, "a")
    table = answers(desk, AUDITOR)
    assert table["finding"].tolist() == ["effusion", "nodule"]
    row = table.iloc[0]
    assert (row["reader"], row["sample_id"], row["state"], row["split"], row["sex"]) == ("Dr Ida", "a", "done", "test", "F")
    assert (row["first_presence"], row["first_confidence"], row["first_score"], row["first_seconds"]) == ("absent", 60, 20, 3)
    assert (row["verdict"], row["final_presence"], row["final_score"], row["second_seconds"]) == ("accept", "present", 95, 2)
    assert (row["decision"], row["prob_cal"], row["target"], row["shown"]) == (True, 0.9, 1, '["image"]')


def test_a_reader_sees_the_own_answers_alone_and_nothing_of_the_model_before_the_reveal(desk: Desk) -> None:
    read(desk, OZ, "a")
    desk.lock_first(IDA, desk.open(IDA, "b"), ABSENT, seconds=1)
    own = answers(desk, IDA)
    assert set(own["reader"]) == {"Dr Ida"}
    assert own[["target", "prob_cal", "threshold", "decision"]].isna().all(axis=None)
    assert len(answers(desk, AUDITOR)) == 4
    with pytest.raises(NotAllowedError):
        answers(desk, Identity("nobody", frozenset(), "named"))


def test_a_reading_that_is_not_locked_is_in_no_table(desk: Desk) -> None:
    desk.open(IDA, "a")
    assert answers(desk, AUDITOR).empty


@pytest.mark.parametrize("name", ["readings.csv", "readings.parquet"])
def test_readings_are_written_whole(desk: Desk, tmp_path: Path, name: str) -> None:
    read(desk, IDA, "a")
    desk.lock_first(OZ, desk.open(OZ, "b"), ABSENT, seconds=1)
    write_readings(answers(desk, AUDITOR), tmp_path / name)
    back = pd.read_csv(tmp_path / name) if name.endswith("csv") else pd.read_parquet(tmp_path / name)
    assert len(back) == 4
    text = back["first_comment"].iloc[0]
    assert text == ("'=1+1" if name.endswith("csv") else "=1+1")  # a spreadsheet must not compute a comment


def test_other_endings_are_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match=r"readings are written as \.csv or \.parquet"):
        write_readings(answers(desk, AUDITOR), tmp_path / "readings.xlsx")
    with pytest.raises(ReviewError, match=r"labels are written as \.csv"):
        write_labels(pd.DataFrame(), tmp_path / "labels.parquet")
    assert list(tmp_path.glob("readings.*")) == []


def test_labels_are_what_finished_readers_agree_on(desk: Desk) -> None:
    read(desk, IDA, "a")  # the model: effusion yes, nodule no
    read(desk, OZ, "a")
    read(desk, IDA, "c", Verdict.REJECT)  # the model: effusion no, nodule yes
    desk.lock_first(OZ, desk.open(OZ, "b"), ABSENT, seconds=1)  # not finished: counts for nothing
    labels, counts = review_labels(manifest(), answers(desk, AUDITOR))
    assert labels.columns.tolist() == ["sop_uid", "split", "ward", "reviewed", "effusion", "nodule"]
    assert labels["reviewed"].tolist() == ["yes", "no", "yes"]
    assert labels["effusion"].tolist() == [1, 0, 1]
    assert labels["nodule"].tolist() == [0, 1, 0]
    assert labels["split"].tolist() == ["test", "train", "test"]
    assert (counts.samples, counts.settled, counts.changed, counts.disputed, counts.unknown) == (2, 4, 2, 0, 0)


def test_disputed_labels_are_uncertain_until_they_are_adjudicated(desk: Desk) -> None:
    read(desk, IDA, "a")
    read(desk, OZ, "a", Verdict.REJECT)
    labels, counts = review_labels(manifest(), answers(desk, AUDITOR))
    assert labels.loc[0, ["effusion", "nodule"]].tolist() == [-1, -1]
    assert counts.disputed == 2
    desk.adjudicate(ADA, desk.adjudication(ADA, "a"), ABSENT, seconds=1)
    labels, counts = review_labels(manifest(), answers(desk, AUDITOR))
    assert labels.loc[0, ["effusion", "nodule"]].tolist() == [0, 0]
    assert (counts.settled, counts.changed, counts.disputed) == (2, 1, 0)
    table = answers(desk, AUDITOR)
    assert set(table["adjudicator"]) == {"Dr Ada"}


def test_a_finding_beyond_the_models_own_is_counted_not_written(desk: Desk) -> None:
    read(desk, IDA, "a")
    rib = Answer("rib", Presence.PRESENT, 70, Verdict.SUPPLEMENT, "left")
    desk.answer(IDA, desk.reading(IDA, "a"), [rib], seconds=1)
    labels, counts = review_labels(manifest(), answers(desk, AUDITOR))
    assert counts.unknown == 1
    assert "rib" not in labels.columns
    row = answers(desk, AUDITOR).iloc[-1]
    assert (row["finding"], row["final_presence"], row["patient_id"]) == ("rib", "present", "patient-a")
    assert pd.isna(row["prob_cal"])


def test_samples_are_shared_out_evenly() -> None:
    ids, readers = [f"s{k}" for k in range(60)], ["ida", "oz", "eve", "ada"]
    shared = share_out(ids, readers, per_sample=2)
    assert sorted(itertools.chain(*shared.values())) == sorted(ids)
    assert all(len(set(group)) == 2 for group in shared)
    assert {name: sum(len(got) for group, got in shared.items() if name in group) for name in readers} == dict.fromkeys(
        readers, 30
    )
    assert share_out(ids, readers, per_sample=2) == shared
    with pytest.raises(ReviewError, match="3 readers a sample are wanted, and 2 are named"):
        share_out(ids, ["ida", "oz", "oz"], per_sample=3)
