"""The review page without a browser: what it says, and what it stores."""

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
from medclassify.records import Verdict
from medclassify.review import ReviewStore, build_items, open_review_run

Open = Callable[..., AppTest]
LABEL = "label: (present|absent|uncertain|not labelled)"


@pytest.fixture
def open_page(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Runs the page once for a run, at an address."""

    def open_(run: Path | None, **address: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["review.py", *([str(run)] if run else [])])
        page = AppTest.from_file(str(repository / "app" / "review.py"), default_timeout=60)
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


def sample_of(page: AppTest) -> str:
    value = page.query_params["sample"]
    return value if isinstance(value, str) else value[0]


def stored(run: Path):
    return ReviewStore(run / "reviews.sqlite").decisions()


def test_the_worklist_says_what_the_run_is(build_run, open_page: Open) -> None:
    said = words(open_page(build_run()))
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


def test_filters_narrow_the_list_and_the_queue(build_run, open_page: Open) -> None:
    page = open_page(build_run(), reader="Dr Ida")
    page.selectbox(key="filter/attribute").select("sex").run()
    page.selectbox(key="filter/subgroup").select("F").run()
    assert "**6** samples" in words(page)
    page.text_input(key="filter/sample").input("no such id").run()
    assert "No sample passes these filters" in words(page)
    page.text_input(key="filter/sample").input("").run()
    button(page, "Open the first to read").click().run()
    assert "1 of 6" in words(page)
    button(page, "Worklist").click().run()
    assert "**6** samples" in words(page)  # the filters are still set


def test_the_worklist_shows_the_test_split_until_another_is_chosen(build_run, open_page: Open) -> None:
    run = build_run(splits=("test", "tune", "calibrate", "test"))
    page = open_page(run, reader="Dr Ida")
    chooser = page.segmented_control(key="filter/split")
    assert chooser.formatted_values == ["test 6"]
    assert chooser.options == ["test 6", "calibrate 3", "tune 3", "all 12"]
    assert "**6** samples" in words(page)
    button(page, "Open the first to read").click().run()
    assert "1 of 6" in words(page)
    button(page, "Worklist").click().run()
    page.segmented_control(key="filter/split").set_value("tune").run()
    assert "**3** samples" in words(page)
    page.segmented_control(key="filter/split").set_value("all").run()
    assert "**12** samples" in words(page)
    assert "of 3" in words(open_page(run, reader="Dr Ida", sample="sample-001"))  # a bookmark goes on in its own split
    assert "**12** samples" in words(open_page(build_run(splits=("tune", "calibrate"))))  # no test split: all are listed


def test_the_list_shows_the_probability_of_the_least_certain_finding(build_run, open_page: Open) -> None:
    page = open_page(build_run())
    table = page.dataframe[0].value.set_index("Sample")
    assert "Uncertainty" not in table
    assert table.loc["sample-003", "Least certain"] == "pneumothorax"
    np.testing.assert_allclose(table.loc["sample-003", ["Probability", "Threshold"]].astype(float), [13.5486, 12], atol=1e-4)


def test_a_case_opens_on_its_least_certain_finding(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-003")
    assert "**pneumothorax**: the model calls it" in words(page)
    button(page, "Accept").click().run()
    page = open_page(run, reader="Dr Ida", sample="sample-003")
    assert "**nodule**: the model calls it" in words(page)  # of those not judged
    button(page, "Worklist").click().run()
    page.selectbox(key="filter/finding").select("consolidation").run()
    button(page, "Open the first to read").click().run()
    assert "**consolidation**: the model calls it" in words(page)  # the list spoke of it alone


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


def test_what_is_printed_bears_out_the_call(build_run, open_page: Open) -> None:
    run = build_run()
    predictions = pd.read_parquet(run / "predictions.parquet")
    for finding, probability in (("cardiomegaly", 0.39999), ("effusion", 0.31)):
        here = (predictions["sample_id"] == "sample-000") & (predictions["finding"] == finding)
        predictions.loc[here, ["prob_cal", "decision"]] = [probability, finding == "effusion"]
    predictions.astype({"decision": bool}).to_parquet(run / "predictions.parquet")
    page = open_page(run, sample="sample-000")
    assert "effusion**: the model calls it **POSITIVE** (31.0 %, exactly its threshold)" in words(page)
    button(page, "cardiomegaly").click().run()
    assert "cardiomegaly**: the model calls it **negative** (39.999 % < 40.000 %)" in words(page)
    assert "threshold 40.000 %" in words(page)


def test_a_subgroup_of_another_attribute_does_not_linger(build_run, open_page: Open) -> None:
    page = open_page(build_run())
    page.selectbox(key="filter/attribute").select("sex").run()
    page.selectbox(key="filter/subgroup").select("F").run()
    page.selectbox(key="filter/attribute").select("site").run()
    assert page.selectbox(key="filter/subgroup").value == "any"
    assert "**12** samples" in words(page)


def test_called_positive_speaks_of_the_chosen_finding(build_run, open_page: Open) -> None:
    run = build_run()
    predictions = pd.read_parquet(run / "predictions.parquet")
    called = int(predictions.loc[predictions["finding"] == "nodule", "decision"].sum())
    page = open_page(run)
    page.selectbox(key="filter/finding").select("nodule").run()
    page.selectbox(key="filter/called").select("positive").run()
    assert 0 < called < 12
    assert f"**{called}** samples" in words(page)


def test_only_samples_with_a_stored_map(build_run, open_page: Open) -> None:
    page = open_page(build_run(explained=3))
    page.selectbox(key="filter/overlay").select("stored").run()
    assert "**3** samples" in words(page)


def test_a_verdict_is_stored_with_what_was_shown(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    page.text_area(key="comment/sample-000/cardiomegaly").input("large heart; 'quoted'").run()
    button(page, "Reject").click().run()
    (decision,) = stored(run)
    opened = open_review_run(run)
    item = build_items(opened.of_sample("sample-000"), model_fingerprint="m" * 64)[0]
    assert (decision.sample_id, decision.finding, decision.reader) == ("sample-000", "cardiomegaly", "Dr Ida")
    assert (decision.verdict, decision.comment) == (Verdict.REJECT, "large heart; 'quoted'")
    assert decision.item_fingerprint == item.fingerprint
    assert decision.shown == ("image", "probability")
    assert page.text_area(key="comment/sample-000/effusion").value == ""  # on to the next finding, with an empty field
    assert page.text[0].value == "large heart; 'quoted'"


def test_a_probability_that_was_never_calibrated_says_so(build_run, open_page: Open) -> None:
    page = open_page(build_run(uncalibrated=("effusion",)), reader="Dr Ida", sample="sample-000")
    said = words(page)
    assert said.count(">doubtful<") == 1
    button(page, "effusion").click().run()
    assert "effusion: NOT CALIBRATED: 3 positives and 97 negatives" in page.caption[-1].value.replace("\\", "")


def test_accepting_the_rest_stores_one_decision_each(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    button(page, "Unsure").click().run()
    button(page, "Accept the 4 not judged").click().run()
    assert [decision.verdict.value for decision in stored(run)] == ["unsure", "accept", "accept", "accept", "accept"]
    assert len({decision.finding for decision in stored(run)}) == 5
    assert "All findings of this sample are judged" in words(page)
    button(page, "Worklist").click().run()
    assert "**1** read, **11** to read" in words(page)


def test_an_unsent_comment_waits_for_the_reader_to_come_back(build_run, open_page: Open) -> None:
    page = open_page(build_run(), reader="Dr Ida", sample="sample-000")
    page.text_area(key="comment/sample-000/cardiomegaly").input("half a thought").run()
    button(page, "Next").click().run()
    assert sample_of(page) != "sample-000"
    button(page, "Previous").click().run()
    assert page.text_area(key="comment/sample-000/cardiomegaly").value == "half a thought"


def test_without_a_name_nothing_can_be_judged(build_run, open_page: Open) -> None:
    page = open_page(build_run(), sample="sample-000")
    assert all(button(page, label).disabled for label in ("Accept", "Reject", "Unsure", "Accept the 5 not judged"))
    page.text_input(key="ask_reader").input(" Dr Ida ").run()
    assert page.query_params["reader"] == "Dr Ida"
    assert not button(page, "Accept").disabled


def test_a_name_once_given_is_changed_by_a_button_alone(build_run, open_page: Open) -> None:
    for address in ({}, {"sample": "sample-000"}):
        page = open_page(build_run(), reader="Dr Ida", **address)
        assert all(field.key != "ask_reader" for field in page.text_input)
        assert "Reader <b>Dr Ida</b>" in words(page)
        button(page, "Change reader").click().run()
        assert "reader" not in page.query_params
        page.text_input(key="ask_reader").input("Dr Oz").run()
        assert page.query_params["reader"] in ("Dr Oz", ["Dr Oz"])


def test_another_readers_verdicts_are_not_shown(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    page.text_area(key="comment/sample-000/cardiomegaly").input("for my eyes").run()
    button(page, "Accept").click().run()
    other = words(open_page(run, reader="Dr Oz", sample="sample-000"))
    assert "for my eyes" not in other
    assert "Your decisions" not in other


def test_a_store_that_fails_is_said_and_the_comment_stays(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    page.text_area(key="comment/sample-000/cardiomegaly").input("do not lose me").run()
    guard = sqlite3.connect(run / "reviews.sqlite")
    guard.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
    guard.commit()
    button(page, "Accept").click().run()
    assert "the disk is full, so nothing was stored" in words(page)
    assert page.text_area(key="comment/sample-000/cardiomegaly").value == "do not lose me"
    guard.execute("DROP TRIGGER full")
    guard.commit()
    button(page, "Accept").click().run()
    assert [decision.comment for decision in stored(run)] == ["do not lose me"]


def test_a_store_that_cannot_be_read_is_said(build_run, open_page: Open) -> None:
    run = build_run()
    open_page(run, reader="Dr Ida")
    with sqlite3.connect(run / "reviews.sqlite") as store:
        store.execute("DROP TABLE events")
    for address in ({}, {"sample": "sample-000"}):
        (error,) = open_page(run, reader="Dr Ida", **address).error
        assert "the review store failed" in error.value


def test_the_reference_label_is_hidden_until_asked_for(build_run, open_page: Open) -> None:
    run = build_run()
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    assert not re.search(LABEL, words(page))
    page.toggle(key="show_target").set_value(True).run()
    assert len(re.findall(LABEL, words(page))) == 5
    button(page, "Accept").click().run()
    assert stored(run)[0].shown == ("image", "probability", "target")
    button(page, "Next").click().run()
    assert not re.search(LABEL, words(page))  # hidden again on the next sample


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
    page = open_page(build_run(sanity=sanity), reader="Dr Ida", sample="sample-000")
    assert said in words(page)
    page.session_state["view/overlay"] = True
    page.run()
    assert "conv_head" in words(page)
    assert said in words(page)


def test_a_finding_without_a_stored_map_says_so(build_run, open_page: Open) -> None:
    page = open_page(build_run(), reader="Dr Ida", sample="sample-000")
    button(page, "effusion").click().run()
    assert "no Grad-CAM map is stored for this finding" in words(page)


def test_a_map_of_another_image_is_not_laid_over(build_run, open_page: Open) -> None:
    run = build_run()
    np.savez(run / "explain" / "sample-000_cardiomegaly.npz", saliency=np.ones((100, 200), dtype=np.float32))
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    page.session_state["view/overlay"] = True
    page.run()
    assert "it was made from another image, so it is not shown" in words(page)
    button(page, "Accept").click().run()
    assert stored(run)[0].shown == ("image", "probability")


def test_a_lost_original_is_said_without_its_path(build_run, open_page: Open) -> None:
    run = build_run()
    manifest = pd.read_parquet(run / "manifest.parquet")
    manifest.assign(path="/data/CANARY^Jane/x.dcm").to_parquet(run / "manifest.parquet")
    page = open_page(run, reader="Dr Ida", sample="sample-000")
    assert "The original image is gone" in words(page)
    assert "CANARY" not in words(page)
    button(page, "Accept").click().run()
    assert stored(run)[0].shown == ("probability",)


def test_an_original_that_cannot_be_decoded_is_said_without_its_path(build_run, open_page: Open, tmp_path: Path) -> None:
    broken = tmp_path / "CANARY^Jane.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    run = build_run()
    manifest = pd.read_parquet(run / "manifest.parquet")
    manifest.assign(path=str(broken)).to_parquet(run / "manifest.parquet")
    said = words(open_page(run, reader="Dr Ida", sample="sample-000"))
    assert "The original image cannot be read: the file" in said
    assert "CANARY" not in said


def test_the_page_says_how_the_grey_levels_were_made(build_run, open_page: Open) -> None:
    said = words(open_page(build_run(), sample="sample-001"))
    assert "inverted (MONOCHROME1)" in said


def test_a_run_fitted_again_is_read_again(build_run, open_page: Open) -> None:
    run = build_run()
    assert "SYNTHETIC DATA" in words(open_page(run))
    facts = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps({**facts, "synthetic": False}))
    assert "SYNTHETIC DATA" not in words(open_page(run))


def test_the_page_needs_no_network_stack(build_run, repository: Path) -> None:
    code = """
import sys
from streamlit.testing.v1 import AppTest
for sample in ("", "sample-000"):
    page = AppTest.from_file("app/review.py", default_timeout=60)
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
