"""The pages by Streamlit's own tester: what is shown to whom, at which step, and what is stored."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from google.protobuf.text_format import MessageToString
from streamlit.testing.v1 import AppTest

from app.text import apart
from medclassify.records import Answer, Identity, Presence, ReadingState, Role, Verdict
from medclassify.review import Accounts, Desk, ReviewStore, answer_to, named_reader, open_review_run

Open = Callable[..., AppTest]
FINDINGS = ("cardiomegaly", "effusion", "nodule", "consolidation", "pneumothorax")
PASSWORD = "a long enough password"
SAMPLE = "sample-000"


@pytest.fixture
def open_page(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Runs the page once for a run, at an address."""

    def open_(run: Path | None, *options: str, **address: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["review.py", *([str(run)] if run else []), *options])
        page = AppTest.from_file(str(repository / "app" / "review.py"), default_timeout=120)
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception, page.exception
        return page

    return open_


def words(page: AppTest) -> str:
    """Everything that the page sends to the browser, as text; Markdown's escapes are taken out."""
    seen: list[str] = []

    def walk(block) -> None:
        for element in block.children.values():
            if hasattr(element, "children"):
                walk(element)
            if getattr(element, "proto", None) is not None:
                seen.append(MessageToString(element.proto, as_utf8=True))

    walk(page.main)
    return "\n".join(seen).replace("\\", "")


def button(page: AppTest, label: str):
    return next(button for button in page.button if button.label == label)


def press(page: AppTest, label: str) -> AppTest:
    button(page, label).click().run()
    assert not page.exception, page.exception
    return page


def desk_of(run: Path) -> Desk:
    return Desk(open_review_run(run), ReviewStore(run / "reviews.sqlite"))


def read_blind(desk: Desk, who: Identity, sample: str = SAMPLE, comment: str = "") -> None:
    answers = [Answer(name, Presence.ABSENT, 70, comment=comment) for name in desk.run.findings]
    desk.lock_first(who, desk.open(who, sample), answers, seconds=1)


def read_all(desk: Desk, who: Identity, sample: str = SAMPLE, verdict: Verdict = Verdict.ACCEPT, comment: str = "") -> None:
    read_blind(desk, who, sample)
    reading, items = desk.reveal(who, desk.reading(who, sample))
    desk.answer(who, reading, [answer_to(item, verdict, confidence=80, comment=comment) for item in items], seconds=1)


def at_the_answer(open_page: Open, run: Path, reader: str = "Dr Ida") -> AppTest:
    """The page of a sample whose blind read is locked, with the model's answer shown."""
    read_blind(desk_of(run), named_reader(reader))
    return press(open_page(run, reader=reader, sample=SAMPLE), "Show the model's answer")


# --- the run, and who is at the page


def test_the_worklist_says_what_the_run_is(build_run, open_page: Open) -> None:
    said = words(open_page(build_run(), reader="Dr Ida"))
    for text in ("Not a medical device", "SYNTHETIC DATA", "RANDOM WEIGHTS", "**12** samples", "**12** to read"):
        assert text in said


def test_a_run_on_people_with_pretrained_weights_raises_no_alarm(build_run, open_page: Open) -> None:
    said = words(open_page(build_run(synthetic=False, fallback=False)))
    assert "Not a medical device" in said
    assert "SYNTHETIC" not in said
    assert "RANDOM WEIGHTS" not in said


def test_a_run_that_cannot_be_read_is_said_in_one_line(build_run, open_page: Open, tmp_path: Path) -> None:
    assert [error.value for error in open_page(None).error] == [
        "No run was named. Start this page with: medclassify review RUN"
    ]
    (error,) = open_page(tmp_path / "nowhere").error
    assert "no such run directory" in error.value
    run = build_run()
    (run / "reviews.sqlite").write_bytes(b"not a database " * 100)
    (error,) = open_page(run).error
    assert "not a SQLite file" in error.value


def test_without_accounts_a_name_is_asked_for_and_nobody_checks_it(build_run, open_page: Open) -> None:
    page = open_page(build_run())
    assert "nobody checks the name" in words(page)
    assert "samples" not in words(page)
    page.text_input(key="ask_reader").input(" Dr Ida ").run()
    press(page, "Begin") if any(item.label == "Begin" for item in page.button) else None
    assert page.query_params["reader"] in ("Dr Ida", ["Dr Ida"])
    assert "**12** samples" in words(page)
    press(page, "Sign out")
    assert "reader" not in page.query_params


def test_with_accounts_a_password_is_needed_and_a_session_ends_by_itself(build_run, open_page: Open) -> None:
    run = build_run()
    Accounts(ReviewStore(run / "reviews.sqlite")).add("Ida", [Role.READER], password=PASSWORD)
    page = open_page(run, reader="Ida")  # a name in the address is no way in
    assert "samples" not in words(page)
    for password, said in (("wrong wrong wrong", "wrong"), (PASSWORD, "**12** samples")):
        page.text_input[0].input("Ida")
        page.text_input[1].input(password)
        press(page, "Sign in")
        assert said in words(page)
    assert PASSWORD not in words(page)
    with sqlite3.connect(run / "reviews.sqlite") as store:
        store.execute("UPDATE sessions SET seen_at = '2020-01-01T00:00:00+00:00'")
    page.run()
    assert "signed out after a time without use" in words(page)
    assert "samples" not in words(page)


def test_each_role_sees_its_own_pages(build_run, open_page: Open) -> None:
    run = build_run()
    seen = {}
    for role in Role:
        page = open_page(run, reader="X", role=role.value)
        seen[role] = {item.label for item in page.button} & {"Adjudication", "Export", "People", "Statistics", "Audit"}
    assert seen[Role.READER] == {"Statistics", "Audit"}
    assert seen[Role.ADJUDICATOR] == {"Statistics", "Audit", "Adjudication"}
    assert seen[Role.AUDITOR] == {"Statistics", "Audit", "Export"}
    assert seen[Role.ADMIN] == {"Statistics", "Audit", "Export", "People"}
    (error,) = open_page(run, reader="X", page="people").error
    assert "There is no page people for you" in error.value.replace("\\", "")


# --- the worklist


def test_filters_narrow_the_list_and_the_queue(build_run, open_page: Open) -> None:
    page = open_page(build_run(), reader="Dr Ida")
    page.selectbox(key="filter/attribute").select("sex").run()
    page.selectbox(key="filter/subgroup").select("F").run()
    assert "**6** samples" in words(page)
    page.text_input(key="filter/sample").input("no such id").run()
    assert "No sample passes these filters" in words(page)
    page.text_input(key="filter/sample").input("").run()
    press(page, "Begin reading")
    assert "1 of 6" in words(page)
    press(page, "Worklist")
    assert "**6** samples" in words(page)  # the filters are still set


def test_the_worklist_shows_the_test_split_until_another_is_chosen(build_run, open_page: Open) -> None:
    run = build_run(splits=("test", "tune", "calibrate", "test"))
    page = open_page(run, reader="Dr Ida")
    chooser = page.segmented_control(key="filter/split")
    assert chooser.formatted_values == ["test 6"]
    assert chooser.options == ["test 6", "calibrate 3", "tune 3", "all 12"]
    page.segmented_control(key="filter/split").set_value("tune").run()
    assert "**3** samples" in words(page)
    assert "of 3" in words(open_page(run, reader="Dr Ida", sample="sample-001"))  # a bookmark goes on in its own split
    assert "**12** samples" in words(open_page(build_run(splits=("tune", "calibrate")), reader="Dr Ida"))


def test_a_reader_sees_no_model_answer_in_the_list_and_others_do(build_run, open_page: Open) -> None:
    run = build_run()
    blind = open_page(run, reader="Dr Ida").dataframe[0].value
    assert list(blind.columns) == ["Status", "Sample", "Overlay", "sex", "age_band", "view", "site", "split"]
    read_all(desk_of(run), named_reader("Dr Ida"), "sample-003")
    table = open_page(run, reader="Dr Ida").dataframe[0].value.set_index("Sample")
    np.testing.assert_allclose(table.loc["sample-003", ["Probability", "Threshold"]].astype(float), [13.5486, 12], atol=1e-4)
    assert table.drop("sample-003")["Probability"].isna().all()
    seen = open_page(run, reader="Aud", role="auditor").dataframe[0].value
    assert seen["Probability"].notna().all()


def test_orders_are_offered(build_run, open_page: Open) -> None:
    page = open_page(build_run(), reader="Dr Ida")
    for order in page.selectbox(key="filter/order").options:
        page.selectbox(key="filter/order").select(order).run()
        assert not page.exception
        assert len(page.dataframe[0].value) == 12
    assert page.dataframe[0].value["sex"].head(4).nunique() == 2  # subgroups in turn


def test_a_long_list_is_sent_a_page_at_a_time(build_run, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    import app.worklist

    monkeypatch.setattr(app.worklist, "ROWS_SHOWN", 5)
    page = open_page(build_run(), reader="Dr Ida")
    assert len(page.dataframe[0].value) == 5
    page.number_input(key="filter/page").set_value(3).run()
    assert len(page.dataframe[0].value) == 2


# --- the protocol


def test_the_model_is_silent_until_the_first_read_is_locked_and_it_is_asked(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample=SAMPLE)
    values = [f"{100 * value:.1f} %" for value in desk_of(run).samples.rows(SAMPLE)["prob_cal"]]
    leaks = re.compile("|".join([*map(re.escape, values), "threshold ", "POSITIVE", "Grad-CAM map", "conv_head"]))
    assert not leaks.search(words(page))
    assert button(page, "Lock the first read").disabled
    press(page, "Present")
    assert "1 of 5 findings" in words(page)
    press(page, "The 4 left: absent")
    press(page, "Lock the first read")
    assert not leaks.search(words(page))
    assert "Your first read is locked" in words(page)
    press(page, "Show the model's answer")
    assert all(value in words(page) for value in values)
    reading = desk_of(run).reading(named_reader("Dr Ida"), SAMPLE)
    assert reading.state is ReadingState.REVEALED
    calls = [(answer.presence, answer.confidence) for answer in reading.first]
    assert calls == [(Presence.PRESENT, 95), *[(Presence.ABSENT, 95)] * 4]
    assert reading.first_seconds > 0


def test_a_second_read_is_stored_with_what_was_shown(build_run, open_page: Open) -> None:
    run = build_run()
    page = at_the_answer(open_page, run)
    press(page, "cardiomegaly")
    page.text_area(key=f"comment/second/{SAMPLE}/cardiomegaly").input("large heart; 'quoted'").run()
    page.slider(key=f"confidence/second/{SAMPLE}/cardiomegaly").set_value(85).run()
    press(page, "Reject")
    (answer,) = desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).second
    assert (answer.finding, answer.verdict, answer.confidence) == ("cardiomegaly", Verdict.REJECT, 85)
    assert answer.comment == "large heart; 'quoted'"
    assert page.text[0].value == "large heart; 'quoted'"
    press(page, "Accept the 4 not judged")
    reading = desk_of(run).reading(named_reader("Dr Ida"), SAMPLE)
    assert reading.state is ReadingState.DONE
    assert reading.shown == ("image", "probability")
    assert "All findings are judged" in words(page)
    press(page, "Worklist")
    assert "**1** read, **11** to read" in words(page)


def test_a_supplement_needs_a_comment_or_a_mark(build_run, open_page: Open) -> None:
    run = build_run()
    page = at_the_answer(open_page, run)
    press(page, "nodule")
    press(page, "Supplement")
    assert "supplemented with nothing" in words(page)
    page.text_area(key=f"comment/second/{SAMPLE}/nodule").input("upper lobe").run()
    press(page, "Supplement")
    assert desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).second[0].verdict is Verdict.SUPPLEMENT


def test_what_was_typed_survives_a_lost_connection(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample=SAMPLE)
    press(page, "Probably present")
    page.text_area(key=f"comment/first/{SAMPLE}/effusion").input("half a thought").run()
    again = open_page(run, reader="Dr Ida", sample=SAMPLE)  # a new session: another browser, or the same after a crash
    assert "1 of 5 findings" in words(again)
    press(again, "effusion")
    assert again.text_area(key=f"comment/first/{SAMPLE}/effusion").value == "half a thought"
    assert "half a thought" not in words(open_page(run, reader="Dr Oz", sample=SAMPLE))


def test_what_the_store_does_not_take_is_told_at_once(build_run, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample=SAMPLE)
    with sqlite3.connect(run / "reviews.sqlite") as database:
        database.execute("ALTER TABLE drafts RENAME TO gone")
    press(page, "Probably present")
    assert "What you said is on this page alone" in words(page)
    with sqlite3.connect(run / "reviews.sqlite") as database:
        database.execute("ALTER TABLE gone RENAME TO drafts")
    press(page, "Probably present")
    assert "on this page alone" not in words(page)


def test_the_patients_id_is_shown_where_the_site_has_turned_it_on_and_logged(build_run, open_page: Open) -> None:
    run = build_run()
    assert not [each for each in open_page(run, reader="Dr Ida", sample=SAMPLE).button if "patient's ID" in each.label]
    page = open_page(run, "--show-phi", reader="Dr Ida", sample=SAMPLE)
    assert "CANARY" not in words(page)
    press(page, "Show the patient's ID")
    assert "Patient ID: **CANARY-ID**" in words(page)
    (event,) = [event for event in ReviewStore(run / "reviews.sqlite").events() if event.kind == "identity_shown"]
    assert (event.reader, event.sample_id) == ("Dr Ida", SAMPLE)
    assert "CANARY" not in event.body


def test_a_second_window_that_is_behind_is_told(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample=SAMPLE)
    press(page, "The 5 left: absent")
    read_blind(desk_of(run), named_reader("Dr Ida"))  # the other window
    press(page, "Lock the first read")
    assert len(page.error) == 1
    assert "Your first read is locked" in words(page)  # drawn anew, as it stands
    assert {answer.confidence for answer in desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).first} == {70}


def test_another_readers_reading_is_not_on_any_page(build_run, open_page: Open) -> None:
    run = build_run()
    read_all(desk_of(run), named_reader("Dr Ida"), comment="for my eyes")
    for address in ({}, {"sample": SAMPLE}, {"page": "statistics"}, {"page": "monitoring"}):
        said = words(open_page(run, reader="Dr Oz", **address))
        assert "for my eyes" not in said
        assert "Dr Ida" not in said
    page = open_page(run, reader="Dr Oz", sample=SAMPLE)
    press(page, "The 5 left: absent")
    press(page, "Lock the first read")
    press(page, "Show the model's answer")
    assert "for my eyes" not in words(page)
    press(page, "Accept the 5 not judged")
    press(page, "Show the others' readings")
    assert "for my eyes" in words(page)
    press(page, "nodule")
    press(page, "Reject")
    assert "you have seen the others' readings, so yours is final" in words(page)


def test_an_auditor_sees_finished_readings_and_gives_none(build_run, open_page: Open) -> None:
    run = build_run()
    read_all(desk_of(run), named_reader("Dr Ida"), comment="<b>bold</b>")
    read_blind(desk_of(run), named_reader("Dr Oz"), comment="still blind")
    page = open_page(run, reader="Aud", role="auditor", sample=SAMPLE)
    assert "&lt;b&gt;bold&lt;/b&gt;" in words(page)
    assert "still blind" not in words(page)
    assert not {"Accept", "Lock the first read"} & {item.label for item in page.button}


# --- what stands beside the model's answer


@pytest.mark.parametrize(
    ("probability", "threshold", "said"),
    [
        (0.5, 0.25, ("50.0 %", "25.0 %")),
        (0.291732, 0.292001, ("29.17 %", "29.20 %")),
        (0.2919999, 0.292, ("29.19999 %", "29.20000 %")),
        (0.292, 0.292, ("29.2 %", "29.2 %")),
        (np.nextafter(0.292, 0), 0.292, ("29.19999999999999 %", "29.20000000000000 %")),
    ],
)
def test_enough_digits_to_tell_a_probability_from_its_threshold(
    probability: float, threshold: float, said: tuple[str, str]
) -> None:
    assert apart(probability, threshold) == said


def test_the_case_says_what_speaks_against_the_answer(build_run, open_page: Open) -> None:
    run = build_run(uncalibrated=("effusion",))
    predictions = pd.read_parquet(run / "predictions.parquet")
    here = predictions["sample_id"] == SAMPLE
    predictions.assign(conformal_set=np.where(here & (predictions["finding"] == "nodule"), "refer", "absent")).to_parquet(
        run / "predictions.parquet"
    )
    (run / "audit").mkdir()
    pd.DataFrame(
        [
            ("effusion", "sex", "F", "auroc", "INSUFFICIENT"),
            ("effusion", "sex", "F", "auroc_standardised", "INSUFFICIENT"),  # said by the plain one already
            ("effusion", "sex", "M", "sensitivity", "INSUFFICIENT"),
            ("nodule", "sex*site", "F, Site A", "sensitivity", "FAIL"),
            ("effusion", "site", "Site A", "auroc", "PASS"),
        ],
        columns=["finding", "attribute", "subgroup", "metric", "verdict"],
    ).to_csv(run / "audit" / "gaps.csv", index=False)
    page = at_the_answer(open_page, run)
    press(page, "effusion")
    said = words(page)
    assert "NOT CALIBRATED: 3 positives and 97 negatives" in said
    assert "effusion · sex F: auroc could not be judged (INSUFFICIENT)" in said
    assert "sex M" not in said
    assert "site Site A: auroc" not in said
    assert "nodule · sex*site F, Site A: sensitivity is worse than in the reference group (FAIL)" in said
    assert said.count("REFER: a person must decide") == 1
    assert said.count("conformal set: absent") == 4


def test_similar_cases_are_shown_after_the_reveal_and_that_they_were(build_run, open_page: Open) -> None:
    run = build_run()
    pd.DataFrame(
        [
            (SAMPLE, "similar", "", 1, "sample-001", 0.5, "nodule"),
            (SAMPLE, "counter", "effusion", 1, "sample-002", 0.9, "<b>x</b>"),
            (SAMPLE, "counter", "nodule", 1, "sample-003", 0.9, ""),
            ("sample-009", "similar", "", 1, "sample-004", 0.1, ""),
        ],
        columns=["sample_id", "kind", "finding", "rank", "neighbour_id", "distance", "labels"],
    ).to_parquet(run / "explain" / "neighbours.parquet")
    assert "Similar" not in words(open_page(run, reader="Dr Ida", sample=SAMPLE))
    page = press(at_the_answer(open_page, run), "effusion")
    box = page.selectbox(key=f"similar/{SAMPLE}")
    assert box.options == [
        "Similar case 1 · nodule · distance 0.50",
        "Nearest with the other label 1 · <b>x</b> · distance 0.90",
    ]
    assert "need not mean alike to you" in words(page)
    box.select_index(1).run()
    assert "Image of sample sample-002" in words(page)
    press(page, "Accept the 5 not judged")
    assert "similar" in desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).shown


def test_without_an_audit_the_case_says_so(build_run, open_page: Open) -> None:
    assert "This run has no audit" in words(at_the_answer(open_page, build_run()))


def test_the_reference_label_is_hidden_until_asked_for(build_run, open_page: Open) -> None:
    run = build_run()
    page = at_the_answer(open_page, run)
    label = "label: (present|absent|uncertain|not labelled)"
    assert not re.search(label, words(page))
    page.toggle(key="show_target").set_value(True).run()
    assert len(re.findall(label, words(page))) == 5
    press(page, "Accept the 5 not judged")
    assert desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).shown == ("image", "probability", "target")
    press(page, "Next")
    assert "show_target" not in page.session_state or not page.session_state["show_target"]


# --- images


@pytest.mark.parametrize(
    ("sanity", "said"),
    [
        (None, "sanity check not run"),
        ({"passed": True, "n_maps": 12}, "sanity check passed"),
        ({"passed": False, "n_maps": 12}, "SANITY CHECK FAILED"),
        ({"n_maps": 12}, "SANITY CHECK FAILED"),  # no verdict is no pass
    ],
)
def test_the_sanity_check_stands_beside_the_overlay(build_run, open_page: Open, sanity: dict | None, said: str) -> None:
    run = build_run(sanity=sanity)
    page = press(at_the_answer(open_page, run), "cardiomegaly")
    assert said in words(page)
    assert "conv_head" not in words(page)
    page.session_state["view/overlay"] = True
    page.run()
    assert "conv_head" in words(page)
    press(page, "Accept the 5 not judged")
    assert "saliency/cardiomegaly" in desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).shown
    press(page, "effusion")
    assert "no Grad-CAM map is stored for this finding" in words(page)


def test_a_map_of_another_image_is_not_laid_over(build_run, open_page: Open) -> None:
    run = build_run()
    np.savez(run / "explain" / f"{SAMPLE}_cardiomegaly.npz", saliency=np.ones((100, 200), dtype=np.float32))
    page = press(at_the_answer(open_page, run), "cardiomegaly")
    page.session_state["view/overlay"] = True
    page.run()
    assert "it was made from another image, so it is not shown" in words(page)
    press(page, "Accept the 5 not judged")
    assert desk_of(run).reading(named_reader("Dr Ida"), SAMPLE).shown == ("image", "probability")


def test_an_original_that_is_lost_or_damaged_is_said_without_its_path(build_run, open_page: Open, tmp_path: Path) -> None:
    broken = tmp_path / "CANARY^Jane.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    run = build_run()
    manifest = pd.read_parquet(run / "manifest.parquet")
    for path, reason in (("/data/CANARY^Jane/x.dcm", "The original image is gone"), (str(broken), "cannot be read: the file")):
        manifest.assign(path=path).to_parquet(run / "manifest.parquet")
        (run / "provenance.json").touch()  # as a run that was fitted again
        said = words(open_page(run, reader="Dr Ida", sample=SAMPLE))
        assert reason in said
        assert "CANARY" not in said
        assert "Lock the first read" in said


def test_other_images_of_the_patient_can_be_laid_beside(build_run, open_page: Open) -> None:
    run = build_run()
    manifest = pd.read_parquet(run / "manifest.parquet")
    manifest.assign(
        patient_id="p1", study_uid=[f"1.2.{number}" for number in range(12)], age=range(50, 62), view="PA"
    ).to_parquet(run / "manifest.parquet")
    page = open_page(run, reader="Dr Ida", sample=SAMPLE)
    box = page.selectbox(key=f"prior/{SAMPLE}")
    assert box.options[0] == "DX · PA · age 51 · another study · sample-001"
    box.select_index(0).run()
    assert "Image of sample sample-001" in words(page)
    assert "dates" in words(page)


# --- the rest


def test_the_report_is_embedded_but_not_for_blind_readers(build_run, open_page: Open) -> None:
    run = build_run()
    (run / "audit").mkdir()
    (run / "audit" / "report.html").write_text("<h1>The report of this run</h1>")
    assert "The report of this run" in words(open_page(run, reader="Aud", role="auditor", page="audit"))
    assert "The report of this run" not in words(open_page(run, reader="Dr Ida", page="audit"))


def test_an_admin_assigns_and_a_reader_sees_what_is_assigned(build_run, open_page: Open) -> None:
    run = build_run()
    desk = desk_of(run)
    desk.assign(named_reader("Root", Role.ADMIN), ["sample-001", "sample-002"], ["Dr Ida"], priority=5)
    assert "**2** samples" in words(open_page(run, reader="Dr Ida"))
    assert "No sample passes" in words(open_page(run, reader="Dr Oz"))
    (error,) = open_page(run, reader="Dr Oz", sample="sample-001").error
    assert "not assigned to Dr Oz" in error.value.replace("\\", "")
    accounts = Accounts(ReviewStore(run / "reviews.sqlite"))
    accounts.add("Root", [Role.ADMIN], password=PASSWORD)
    accounts.add("Dr Oz", [Role.READER], password=PASSWORD)
    page = open_page(run, page="people")
    page.text_input[0].input("Root")
    page.text_input[1].input(PASSWORD)
    press(page, "Sign in")
    page.multiselect[0].set_value(["Dr Oz"]).run()
    press(page, "Assign 12 samples")
    assert len(desk.ledger().assignments) == 12


def test_readers_who_differ_are_settled_by_an_adjudicator(build_run, open_page: Open) -> None:
    run = build_run()
    read_all(desk_of(run), named_reader("Dr Ida"))
    read_all(desk_of(run), named_reader("Dr Oz"), verdict=Verdict.REJECT)
    page = open_page(run, reader="Adj", role="adjudicator", page="adjudication")
    assert "**1** samples on which readers differ" in words(page)
    page = open_page(run, reader="Adj", role="adjudicator", page="adjudication", sample=SAMPLE)
    assert button(page, "Settle for good").disabled
    for number in range(5):
        [item for item in page.button if item.label == "Probably present"][number].click().run()
    press(page, "Settle for good")
    assert "Nothing is in dispute" in words(page)
    adjudication = desk_of(run).ledger().adjudication(SAMPLE, desk_of(run).item(SAMPLE))
    assert adjudication is not None
    assert {(answer.presence, answer.confidence) for answer in adjudication.answers} == {(Presence.PRESENT, 70)}


def test_an_adjudicator_who_also_reads_is_told_that_he_stays_blind(build_run, open_page: Open) -> None:
    run = build_run()
    accounts = Accounts(ReviewStore(run / "reviews.sqlite"))
    accounts.add("Dr Both", {Role.READER, Role.ADJUDICATOR}, password=PASSWORD)
    page = open_page(run, page="adjudication")
    page.text_input[0].input("Dr Both")
    page.text_input[1].input(PASSWORD)
    press(page, "Sign in")
    assert "whoever reads stays blind" in words(page)
    assert "Nothing is in dispute" not in words(page)


def test_statistics_monitoring_and_export_say_what_was_read(build_run, open_page: Open) -> None:
    run = build_run()
    for address in ("statistics", "monitoring"):
        assert "Nothing has been read" in words(open_page(run, reader="Aud", role="auditor", page=address))
    desk = desk_of(run)
    for name, verdict in (("Dr Ida", Verdict.ACCEPT), ("Dr Oz", Verdict.REJECT)):
        for number in range(12):
            read_all(desk, named_reader(name), f"sample-{number:03d}", verdict)
    page = open_page(run, reader="Aud", role="auditor", page="statistics")
    for view, column in (
        ("Performance", "metric"), ("Agreement", "measure"), ("Influence of the model", "measure"), ("Overrides", "verdict"),
    ):  # fmt: skip
        page.segmented_control[0].set_value(view).run()
        assert column in page.dataframe[0].value, view
    assert len(page.dataframe[0].value) == 60
    page.segmented_control[0].set_value("Reader study").run()
    assert "at least 10 of each are needed" in words(page)
    own = open_page(run, reader="Dr Ida", page="statistics")
    assert set(own.dataframe[0].value["reader"]) == {"Dr Ida"}
    monitoring = open_page(run, reader="Aud", role="auditor", page="monitoring")
    assert not monitoring.exception
    assert monitoring.dataframe[0].value["n"].max() == 12
    assert len(monitoring.get("vega_lite_chart")) == 2
    said = words(open_page(run, reader="Aud", role="auditor", page="export"))
    assert "**120** answers of **2** readers" in said
    assert "chain intact" in said


def test_a_run_fitted_again_is_read_again(build_run, open_page: Open) -> None:
    run = build_run()
    assert "SYNTHETIC DATA" in words(open_page(run, reader="Dr Ida"))
    facts = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps({**facts, "synthetic": False}))
    assert "SYNTHETIC DATA" not in words(open_page(run, reader="Dr Ida"))


def test_the_page_needs_no_network_stack(build_run, repository: Path) -> None:
    code = """
import sys
from streamlit.testing.v1 import AppTest
for sample in ("", "sample-000"):
    page = AppTest.from_file("app/review.py", default_timeout=60)
    page.query_params["reader"] = "Dr Ida"
    if sample:
        page.query_params["sample"] = sample
    page.run()
    assert not page.exception and not page.error, page
assert "medclassify.dicom" in sys.modules, "the case page has read no image"
print(sorted({"torch", "torchvision", "monai", "pytorch_lightning", "lightning", "timm"} & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(build_run())], cwd=repository, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip() == "[]", result.stderr[-2000:]
