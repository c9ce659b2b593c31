import threading
from pathlib import Path

import pytest

from medclassify.errors import NotAllowedError, ReviewError, StaleError
from medclassify.records import Answer, Identity, Mark, Presence, Reading, ReadingState, Role, Verdict
from medclassify.review import Desk, ReviewStore, answer_to, named_reader, open_review_run

IDA, OZ, ADA = named_reader("Dr Ida"), named_reader("Dr Oz"), named_reader("Dr Ada", Role.ADJUDICATOR)
ADMIN, AUDITOR = named_reader("boss", Role.ADMIN), named_reader("eye", Role.AUDITOR)
NASTY = "<script>alert('x')</script> \"quoted\" '; DROP TABLE events; --\n\x00 ../../etc/passwd ünïcode 漢字 🫁"
FIRST = (
    Answer("effusion", Presence.PRESENT, 80, comment="left", marks=(Mark(10, 20, 30.5, 40, 0),)),
    Answer("nodule", Presence.UNSURE, 0),
)


def second_window(desk: Desk) -> Desk:
    """Another process at the same store."""
    return Desk(desk.run, ReviewStore(Path(desk.store.place)))


def locked(desk: Desk, who: Identity, sample_id: str = "a", first: tuple[Answer, ...] = FIRST) -> Reading:
    return desk.lock_first(who, desk.open(who, sample_id), first, seconds=3)


def read(desk: Desk, who: Identity, sample_id: str = "a", verdict: Verdict = Verdict.ACCEPT) -> Reading:
    """A whole reading, from opening to done."""
    reading, items = desk.reveal(who, locked(desk, who, sample_id))
    return desk.answer(who, reading, [answer_to(item, verdict, confidence=90) for item in items], seconds=2)


def test_a_reading_goes_from_unread_to_done_and_is_stored_as_it_was_given(desk: Desk) -> None:
    assert desk.reading(IDA, "a").state is ReadingState.UNREAD
    opened = desk.open(IDA, "a")
    assert opened.state is ReadingState.OPENED
    assert opened.opened_at is not None
    first = desk.lock_first(IDA, opened, FIRST, seconds=12.5)
    assert (first.state, first.first, first.first_seconds) == (ReadingState.LOCKED, FIRST, 12.5)
    revealed, items = desk.reveal(IDA, first)
    assert revealed.state is ReadingState.REVEALED
    assert [(item.finding, item.probability, item.decision) for item in items] == [
        ("effusion", 0.9, True),
        ("nodule", 0.1, False),
    ]
    half = desk.answer(IDA, revealed, [answer_to(items[1], Verdict.REJECT, confidence=70)], seconds=1, shown=("image",))
    assert half.state is ReadingState.REVEALED
    mark = Mark(1, 2)
    whole = answer_to(items[0], Verdict.SUPPLEMENT, confidence=60, comment=NASTY, marks=(mark,))
    done = desk.answer(IDA, half, [whole], seconds=2, shown=("image", "saliency"))
    assert done.state is ReadingState.DONE
    assert done.second == (Answer("nodule", Presence.PRESENT, 70, Verdict.REJECT), whole)
    assert whole.presence is Presence.PRESENT
    assert (done.second_seconds, done.shown) == (3, ("image", "saliency"))
    assert second_window(desk).reading(IDA, "a") == done
    kinds = [event.kind for event in desk.store.events(reader="Dr Ida")]
    assert kinds == ["opened", "locked", "revealed", "answered", "answered"]
    assert desk.store.verify().broken == ""


def test_the_model_is_not_shown_before_the_first_read_is_locked(desk: Desk) -> None:
    with pytest.raises(
        NotAllowedError, match="the model's answer comes when a reading is revealed or done; this one is unread"
    ):
        desk.items(IDA, "a")
    opened = desk.open(IDA, "a")
    with pytest.raises(NotAllowedError, match="the reveal comes when a reading is locked; this one is opened"):
        desk.reveal(IDA, opened)
    first = desk.lock_first(IDA, opened, FIRST, seconds=1)
    with pytest.raises(NotAllowedError, match="this one is locked"):
        desk.items(IDA, "a")
    desk.reveal(IDA, first)
    assert [item.finding for item in desk.items(IDA, "a")] == ["effusion", "nodule"]


def test_no_step_can_be_skipped_or_taken_back(desk: Desk) -> None:
    opened = desk.open(IDA, "a")
    item = desk.items(AUDITOR, "a")[0]
    with pytest.raises(NotAllowedError, match="the second read comes when a reading is revealed or done; this one is opened"):
        desk.answer(IDA, opened, [answer_to(item, Verdict.ACCEPT, confidence=1)], seconds=1)
    first = desk.lock_first(IDA, opened, FIRST, seconds=1)
    again = (Answer("effusion", Presence.ABSENT, 1), FIRST[1])
    with pytest.raises(NotAllowedError, match="the blind first read comes when a reading is opened; this one is locked"):
        desk.lock_first(IDA, first, again, seconds=1)
    revealed, _ = desk.reveal(IDA, first)
    with pytest.raises(NotAllowedError, match="this one is revealed"):
        desk.lock_first(IDA, revealed, again, seconds=1)
    assert desk.reading(IDA, "a").first == FIRST


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ((FIRST[0],), "'nodule' has no answer or two"),
        ((*FIRST, FIRST[0]), "'effusion' has no answer or two"),
        ((*FIRST, Answer("rib", Presence.ABSENT, 1)), "'rib' has no answer or two, or is not one"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, Verdict.ACCEPT)), "nodule has a verdict on the model's call"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 101)), "confidence is a whole number from 0 to 100, received 101"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 0.5)), "confidence is a whole number"),  # type: ignore[arg-type]
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, marks=(Mark(-1, 2),))), "nodule: a mark lies outside the image"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, marks=(Mark(float("nan"), 2),))), "a mark lies outside"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, marks=(Mark(1, 2),) * 101)), "101 marks, and at most 100"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, comment="x" * 10_001)), "comment: 10001 characters"),
        ((FIRST[0], Answer("nodule", Presence.ABSENT, 1, comment="ok \ud83e")), "character 4 is half a Unicode pair"),
    ],
)
def test_a_first_read_that_is_not_whole_is_refused(desk: Desk, first: tuple[Answer, ...], said: str) -> None:
    opened = desk.open(IDA, "a")
    with pytest.raises(ReviewError, match=said):
        desk.lock_first(IDA, opened, first, seconds=1)
    assert desk.reading(IDA, "a") == opened


@pytest.mark.parametrize("seconds", [-1, float("nan"), 1e6])
def test_time_spent_is_a_time(desk: Desk, seconds: float) -> None:
    with pytest.raises(ReviewError, match="seconds: from 0 to 86400"):
        desk.lock_first(IDA, desk.open(IDA, "a"), FIRST, seconds=seconds)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "each finding is answered once, and at least one"),
        ([Answer("effusion", Presence.PRESENT, 1)], "effusion has no verdict"),
        ([Answer("effusion", Presence.PRESENT, 1, Verdict.REJECT)], "effusion: reject and present contradict each other"),
        ([Answer("effusion", Presence.PRESENT, 1, Verdict.SUPPLEMENT)], "effusion is supplemented with nothing"),
        ([Answer("rib", Presence.PRESENT, 1, Verdict.ACCEPT)], "the model does not know 'rib'"),
        ([Answer("rib", Presence.ABSENT, 1, Verdict.SUPPLEMENT, "no")], "the model does not know 'rib'"),
        ([Answer("effusion", Presence.PRESENT, 1, Verdict.ACCEPT)] * 2, "each finding is answered once"),
    ],
)
def test_a_second_read_that_contradicts_itself_is_refused(desk: Desk, answers: list[Answer], said: str) -> None:
    revealed, _ = desk.reveal(IDA, locked(desk, IDA))
    with pytest.raises(ReviewError, match=said):
        desk.answer(IDA, revealed, answers, seconds=1)
    assert desk.reading(IDA, "a") == revealed


def test_a_finding_that_the_model_does_not_know_can_be_added(desk: Desk) -> None:
    done = read(desk, IDA)
    rib = Answer("rib fracture", Presence.PRESENT, 70, Verdict.SUPPLEMENT, "seventh, left")
    assert desk.answer(IDA, done, [rib], seconds=1).second[-1] == rib


def test_a_finished_reading_can_be_revised_and_both_stay_in_the_log(desk: Desk) -> None:
    done = read(desk, IDA)
    revised = desk.answer(IDA, done, [answer_to(desk.items(IDA, "a")[0], Verdict.REJECT, confidence=55)], seconds=1)
    assert revised.state is ReadingState.DONE
    assert {answer.finding: answer.verdict for answer in revised.second} == {
        "effusion": Verdict.REJECT,
        "nodule": Verdict.ACCEPT,
    }
    assert len(desk.store.events(kind="answered")) == 2


def test_the_same_step_sent_twice_is_stored_once(desk: Desk) -> None:
    opened = desk.open(IDA, "a")
    assert desk.open(IDA, "a") == opened
    first = desk.lock_first(IDA, opened, FIRST, seconds=3)
    assert desk.lock_first(IDA, opened, FIRST, seconds=4) == first  # a retry after a lost connection
    revealed, items = desk.reveal(IDA, first)
    assert desk.reveal(IDA, first) == (revealed, items)
    answers = [answer_to(item, Verdict.ACCEPT, confidence=90) for item in items]
    done = desk.answer(IDA, revealed, answers, seconds=2)
    assert second_window(desk).answer(IDA, revealed, answers, seconds=2) == done
    assert [event.kind for event in desk.store.events()] == ["opened", "locked", "revealed", "answered"]


def test_a_step_from_another_window_is_refused_when_the_reading_has_moved_on(desk: Desk) -> None:
    other = second_window(desk)
    revealed, items = desk.reveal(IDA, locked(desk, IDA))
    seen = other.reading(IDA, "a")
    desk.answer(IDA, revealed, [answer_to(items[0], Verdict.ACCEPT, confidence=90)], seconds=1)
    with pytest.raises(StaleError, match="your reading went on in another window"):
        other.answer(IDA, seen, [answer_to(items[0], Verdict.REJECT, confidence=90)], seconds=1)
    assert len(desk.store.events(kind="answered")) == 1


def test_a_reading_is_of_one_model_and_begins_again_after_another_fit(desk: Desk, run: Path) -> None:
    from run_files import write_facts

    revealed, _ = desk.reveal(IDA, locked(desk, IDA))
    write_facts(run, {"model_sha256": "e" * 64})
    fitted_again = Desk(open_review_run(run), desk.store)
    assert fitted_again.reading(IDA, "a").state is ReadingState.UNREAD
    with pytest.raises(StaleError, match="the model has been fitted again"):
        fitted_again.lock_first(IDA, revealed, FIRST, seconds=1)
    assert fitted_again.open(IDA, "a").first == ()
    assert [event.kind for event in desk.store.events()] == ["opened", "locked", "revealed", "opened"]


def test_an_unknown_sample_is_refused(desk: Desk) -> None:
    with pytest.raises(ReviewError, match=r"not in this run \(first: '../../etc/passwd'\)"):
        desk.open(IDA, "../../etc/passwd")


def test_another_readers_reading_cannot_be_fetched_before_ones_own_is_done(desk: Desk) -> None:
    theirs = read(desk, OZ)
    for step in (desk.open, locked):
        with pytest.raises(NotAllowedError, match="looking at the others' readings comes when a reading is done"):
            desk.others(IDA, "a")
        step(IDA, "a") if step == desk.open else step(desk, IDA)
    with pytest.raises(NotAllowedError, match="this one is locked"):
        desk.readings(IDA, "a")
    revealed, items = desk.reveal(IDA, desk.reading(IDA, "a"))
    done = desk.answer(IDA, revealed, [answer_to(item, Verdict.ACCEPT, confidence=9) for item in items], seconds=2)
    assert desk.others(IDA, "a") == (theirs,)
    assert [event.reader for event in desk.store.events(kind="others_shown")] == ["Dr Ida"]
    with pytest.raises(NotAllowedError, match="you have seen the others' readings, so yours is final"):
        desk.answer(IDA, done, [answer_to(items[0], Verdict.REJECT, confidence=90)], seconds=1)


def test_an_unfinished_reading_is_shown_to_nobody_else(desk: Desk) -> None:
    locked(desk, OZ)
    read(desk, IDA)
    assert desk.others(IDA, "a") == ()
    assert [reading.reader for reading in desk.readings(AUDITOR, "a")] == ["Dr Ida"]


def test_roles_are_kept(desk: Desk) -> None:
    with pytest.raises(NotAllowedError, match="eye: the role of reader is needed to read"):
        desk.open(AUDITOR, "a")
    with pytest.raises(NotAllowedError, match="the role of admin is needed to assign samples"):
        desk.assign(IDA, ["a"], ["Dr Ida"])
    with pytest.raises(NotAllowedError, match="the role of adjudicator is needed to adjudicate"):
        desk.adjudication(AUDITOR, "a")
    with pytest.raises(NotAllowedError, match="the role of auditor or admin is needed to see the log"):
        desk.events(IDA)
    both = Identity("both", frozenset({Role.READER, Role.AUDITOR}), "password")
    with pytest.raises(NotAllowedError, match="a reader does not see the log"):
        desk.events(both)
    with pytest.raises(NotAllowedError, match="the reading of Dr Ida is not Dr Oz's to change"):
        desk.lock_first(OZ, desk.open(IDA, "a"), FIRST, seconds=1)


def test_a_dispute_is_settled_by_somebody_who_has_not_read_it(desk: Desk) -> None:
    read(desk, IDA)
    with pytest.raises(NotAllowedError, match="nothing is in dispute"):
        desk.adjudication(ADA, "a")
    read(desk, OZ, verdict=Verdict.REJECT)
    case = desk.adjudication(ADA, "a")
    assert case.disputed == ("effusion", "nodule")
    assert [reading.reader for reading in case.readings] == ["Dr Ida", "Dr Oz"]
    with pytest.raises(NotAllowedError, match="Dr Ida has read it"):
        desk.adjudication(named_reader("Dr Ida", Role.ADJUDICATOR), "a")
    with pytest.raises(ReviewError, match="'nodule' has no answer"):
        desk.adjudicate(ADA, case, FIRST[:1], seconds=1)
    settled = desk.adjudicate(ADA, case, FIRST, seconds=1)
    assert (settled.adjudicator, settled.answers) == ("Dr Ada", FIRST)
    with pytest.raises(NotAllowedError, match="already adjudicated"):
        desk.adjudicate(ADA, case, FIRST, seconds=1)
    with pytest.raises(NotAllowedError, match="adjudicated, so the readings are final"):
        desk.answer(IDA, desk.reading(IDA, "a"), [answer_to(desk.items(IDA, "a")[0], Verdict.REJECT, confidence=9)], seconds=1)


def test_a_reading_that_changes_under_an_adjudicator_is_noticed(desk: Desk) -> None:
    done = read(desk, IDA)
    read(desk, OZ, verdict=Verdict.REJECT)
    case = desk.adjudication(ADA, "a")
    desk.answer(IDA, done, [answer_to(desk.items(IDA, "a")[0], Verdict.UNSURE, confidence=9)], seconds=1)
    with pytest.raises(StaleError, match="a reading has changed meanwhile"):
        desk.adjudicate(ADA, case, FIRST, seconds=1)


def test_assigned_samples_are_read_by_their_readers_alone(desk: Desk) -> None:
    desk.assign(ADMIN, ["a", "b"], ["Dr Ida", "Dr Oz"], priority=2)
    desk.open(IDA, "a")
    with pytest.raises(NotAllowedError, match="b: not assigned to Dr Eve"):
        desk.open(named_reader("Dr Eve"), "b")
    with pytest.raises(NotAllowedError, match="c: not assigned to Dr Ida"):
        desk.open(IDA, "c")
    desk.assign(ADMIN, ["c"], [])
    desk.open(IDA, "c")
    with pytest.raises(ReviewError, match=r"1 samples are not in this run \(first: 'zz'\)"):
        desk.assign(ADMIN, ["a", "zz"], ["Dr Ida"])


def test_a_dispute_waits_for_every_assigned_reader(desk: Desk) -> None:
    desk.assign(ADMIN, ["a"], ["Dr Ida", "Dr Oz", "Dr Eve"])
    read(desk, IDA)
    read(desk, OZ, verdict=Verdict.REJECT)
    with pytest.raises(NotAllowedError, match="nothing is in dispute"):
        desk.adjudication(ADA, "a")
    read(desk, named_reader("Dr Eve"))
    assert desk.adjudication(ADA, "a").disputed == ("effusion", "nodule")


def test_a_draft_waits_until_its_step_is_stored(desk: Desk) -> None:
    opened = desk.open(IDA, "a")
    desk.keep_draft(IDA, "a", {"effusion": {"comment": NASTY}})
    desk.keep_draft(IDA, "a", {"effusion": {"comment": NASTY, "confidence": 3}})
    assert second_window(desk).draft(IDA, "a") == {"effusion": {"comment": NASTY, "confidence": 3}}
    assert desk.draft(OZ, "a") == {}
    desk.lock_first(IDA, opened, FIRST, seconds=1)
    assert desk.draft(IDA, "a") == {}
    with pytest.raises(ReviewError, match="draft: .* characters, and at most"):
        desk.keep_draft(IDA, "a", {"x": "y" * 1_000_000})


def test_a_patients_identity_is_shown_only_where_the_site_allows_it_and_each_time_is_logged(desk: Desk) -> None:
    with pytest.raises(NotAllowedError, match=r"turns it on with: --show-phi"):
        desk.show_identity(IDA, "a")
    assert desk.store.events() == []
    Desk(desk.run, desk.store, show_identity=True).show_identity(IDA, "a")
    (event,) = desk.store.events()
    assert (event.kind, event.reader, event.sample_id) == ("identity_shown", "Dr Ida", "a")


def test_threads_of_one_desk_lose_nothing(desk: Desk) -> None:
    names = [f"reader {k}" for k in range(6)]
    threads = [
        threading.Thread(target=lambda name=name: [read(desk, named_reader(name), sample) for sample in "abc"])
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(desk.reading(named_reader(name), sample).state is ReadingState.DONE for name in names for sample in "abc")
    assert desk.store.verify() == second_window(desk).store.verify()
    assert desk.store.verify().count == 6 * 3 * 4
