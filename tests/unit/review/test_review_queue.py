import numpy as np
import pandas as pd
import pytest

from medclassify.errors import ReviewError
from medclassify.records import Answer, Presence, Role, Verdict
from medclassify.review import Called, Desk, QueueOrder, Queues, WorklistFilter, answer_to, named_reader, next_sample
from medclassify.review.queue import HIDDEN

IDA, OZ, AUDITOR = named_reader("Dr Ida"), named_reader("Dr Oz"), named_reader("eye", Role.AUDITOR)
ADMIN = named_reader("boss", Role.ADMIN)
FIRST = (Answer("effusion", Presence.ABSENT, 60), Answer("nodule", Presence.ABSENT, 20))


@pytest.fixture
def queues(desk: Desk) -> Queues:
    return Queues(desk)


def reveal(desk: Desk, who, sample_id: str):
    return desk.reveal(who, desk.lock_first(who, desk.open(who, sample_id), FIRST, seconds=1))


def read(desk: Desk, who, sample_id: str, verdict: Verdict = Verdict.ACCEPT) -> None:
    reading, items = reveal(desk, who, sample_id)
    desk.answer(who, reading, [answer_to(item, verdict, confidence=90) for item in items], seconds=2)


def test_the_queue_tells_a_reader_nothing_of_the_model_before_the_reveal(desk: Desk, queues: Queues) -> None:
    reveal(desk, IDA, "a")
    rows = queues.queue(IDA).set_index("sample_id")
    assert rows.index.tolist() == ["b", "c", "a"]  # by uncertainty, all the same
    for name in HIDDEN:
        assert rows.loc[["b", "c"], name].replace("", np.nan).isna().all(), name
    assert rows.loc["a", "called"] == "effusion"
    assert rows.loc["a", "prob_cal"] == 0.1
    assert rows["status"].to_dict() == {"a": "revealed", "b": "unread", "c": "unread"}
    assert queues.queue(AUDITOR)["called"].tolist() == ["effusion", "nodule", "effusion"]


@pytest.mark.parametrize("called", [Called.POSITIVE, Called.NEGATIVE])
def test_a_filter_on_the_models_call_does_not_tell_it(desk: Desk, queues: Queues, called: Called) -> None:
    reveal(desk, IDA, "a")
    found = queues.queue(IDA, chosen=WorklistFilter(called=called))["sample_id"].tolist()
    assert found == (["a"] if called is Called.POSITIVE else [])


def test_filters_and_status(desk: Desk, queues: Queues) -> None:
    from medclassify.records import ReadingState

    desk.open(IDA, "b")
    assert queues.queue(IDA, chosen=WorklistFilter(status=ReadingState.UNREAD))["sample_id"].tolist() == ["c", "a"]
    assert queues.queue(IDA, chosen=WorklistFilter(split="test"))["sample_id"].tolist() == ["b", "a"]
    assert queues.queue(OZ)["status"].tolist() == ["unread"] * 3


def test_a_queue_is_gone_on_with_where_it_was_left(desk: Desk, queues: Queues) -> None:
    assert next_sample(queues.queue(IDA)) == "b"
    desk.open(IDA, "c")
    assert next_sample(queues.queue(IDA)) == "c"
    assert next_sample(queues.queue(IDA), after="c") == "b"
    for sample in "abc":
        read(desk, IDA, sample)
    assert next_sample(queues.queue(IDA)) is None


def test_only_assigned_samples_are_queued_by_priority(desk: Desk, queues: Queues) -> None:
    assert len(queues.queue(IDA)) == 3
    desk.assign(ADMIN, ["a"], ["Dr Ida"], priority=5)
    desk.assign(ADMIN, ["c"], [], priority=1)
    assert queues.queue(IDA)["sample_id"].tolist() == ["c", "a"]
    rows = queues.queue(IDA, order=QueueOrder.PRIORITY)
    assert rows["sample_id"].tolist() == ["a", "c"]
    assert rows["priority"].tolist() == [5, 1]
    assert queues.queue(OZ)["sample_id"].tolist() == ["c"]
    assert len(queues.queue(ADMIN)) == 3


def test_disagreement_is_between_readers_and_the_model(desk: Desk, queues: Queues) -> None:
    read(desk, IDA, "a", Verdict.REJECT)
    read(desk, OZ, "c")
    rows = queues.queue(AUDITOR, order=QueueOrder.DISAGREEMENT)
    assert rows["sample_id"].tolist() == ["a", "b", "c"]
    assert rows["disagreement"].tolist() == [2, 0, 0]
    own = queues.queue(OZ, order=QueueOrder.DISAGREEMENT).set_index("sample_id")["disagreement"]
    assert own["c"] == 0
    assert own[["a", "b"]].isna().all()


def test_subgroups_come_in_turn(desk: Desk, queues: Queues) -> None:
    rows = queues.queue(IDA, order=QueueOrder.SUBGROUP, attribute="sex")
    assert sorted(rows["sex"]) == ["F", "M", "missing"]
    with pytest.raises(ReviewError, match="'ward' is not an attribute to read subgroups of in turn. There are: sex"):
        queues.queue(IDA, order=QueueOrder.SUBGROUP, attribute="ward")


def test_of_a_large_subgroup_and_a_small_one_every_other_is_of_the_small_one(queues: Queues) -> None:
    rows = pd.DataFrame({"sample_id": list("abcdefgh"), "sex": list("FFFFFFMM")})
    order = queues._order(rows, QueueOrder.SUBGROUP, "sex")
    assert rows["sex"].to_numpy()[order].tolist() == list("MFMFFFFF")
