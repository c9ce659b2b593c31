"""The report: complete, honest, safe to open, and whole."""

import json
import re
import struct
import time
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.audit import ExplainedCase, ReportFacts, audit_predictions, describe_splits, facts_from_json, write_audit
from medclassify.audit.replicates import STANDARDISED
from medclassify.config import HumanStatements
from medclassify.errors import MetricError, StorageError
from medclassify.records import OperatingPoint, Split

VOID = {"meta", "br", "img", "use", "path", "line", "rect", "circle", "link", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart: visible text, tags with their attributes, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.titles: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)
        self.close()
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["title"]:
            self.titles.append(data)
        if not {"style", "title", "desc"} & set(self.open[-1:]):
            self.words.append(data)


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def full_facts(**changes) -> ReportFacts:
    return ReportFacts(
        **{
            "title": "efficientnet_b0 on test data",
            "weights": {"source": "hub:efficientnet_b0", "share_loaded": 1.0, "fallback": False, "note": "ImageNet"},
            "model": {"backbone": "efficientnet_b0", "image_size": 224},
            "config": {"data": {"source": "folder", "exclude_patients": ["MRN-778899"]}, "seed_everything": 0},
            "counts": {"train": {"patients": 10, "images": 12}, "test": {"patients": 4, "images": 5}},
            "exclusions": {"unreadable": 3},
            "leakage": {
                "clean": True,
                "checked": {"patient_id": 14},
                "unchecked": ["pixel_hash: not compared."],
                "findings": [],
            },
            "operating_points": (
                OperatingPoint("Effusion", 0.3, "sensitivity >= 0.90", Split.CALIBRATE, 31, 200, "few positives"),
            ),
            "calibration_notes": ("Effusion: Platt, 60 positives",),
            "history": ({"epoch": 1, "train_loss": 0.5, "tune_auroc": 0.7}, {"epoch": 2, "train_loss": 0.4, "tune_auroc": 0.8}),
            "provenance": {"created": "2026-01-02T03:04:05+00:00", "versions": {"torch": "2.0"}, "git_commit": None},
            "warnings": ("12 label rows match no image.",),
        }
        | changes
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Page]:
    def run(predictions: pd.DataFrame, facts: ReportFacts, attributes: tuple[str, ...] = ("sex", "view"), **options) -> Page:
        write_audit(tmp_path / "audit", predictions, facts, attributes=attributes, **({"bootstrap": 100} | options))
        return Page((tmp_path / "audit" / "report.html").read_text(encoding="utf-8"))

    return run


def test_series_are_called_series(write: Callable[..., Page], make_predictions) -> None:
    counts = {"train": {"patients": 10, "series": 12}, "test": {"patients": 4, "series": 5}}
    leakage = {"clean": True, "checked": {"patient_id": 14, "sop_uid": 0, "pixel_hash": 17}, "findings": []}
    page = write(make_predictions(300), full_facts(counts=counts, leakage=leakage))
    text = page.text
    for words in ("tested on 300 series", "test series", "17 series of", "17 series by pixels"):
        assert words in text
    assert "by UID" not in text and "300 images" not in text


def test_the_files_are_written_and_agree(make_predictions, tmp_path: Path) -> None:
    result = write_audit(tmp_path / "deep" / "audit", make_predictions(300), full_facts(), attributes=["sex"], bootstrap=100)
    folder = tmp_path / "deep" / "audit"
    names = ["audit.json", "estimates.csv", "gaps.csv", "model_card.md", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == names
    estimates, gaps = pd.read_csv(folder / "estimates.csv"), pd.read_csv(folder / "gaps.csv")
    facts = json.loads((folder / "audit.json").read_text())
    assert len(estimates) == len(result.estimates) + len(result.equalised_odds) + len(result.coverage)
    crude = gaps[~gaps["metric"].str.endswith(STANDARDISED)]
    assert crude["verdict"].value_counts().to_dict() == {name: count for name, count in facts["verdicts"].items() if count}
    overall = estimates[(estimates["attribute"] == "all") & (estimates["metric"] == "auroc")]
    assert facts["macro_auroc"]["value"] == pytest.approx(overall["estimate"].mean())
    assert all(gap["note"] for gap in facts["gaps"] if gap["verdict"] == "INSUFFICIENT")
    assert result.macro_auroc == facts["macro_auroc"]["value"]


def test_the_facts_of_a_report_can_be_read_again(make_predictions, tmp_path: Path) -> None:
    cases = (ExplainedCase("s1", "Effusion", 1, 0.9, 0.3, png()),)
    facts = full_facts(
        explanations=cases, prevalence={"Effusion": {"test": (1, 4, 0)}}, sanity={"passed": True, "note": "kept"}
    )
    predictions = make_predictions(120)
    write_audit(tmp_path / "a", predictions, facts, attributes=["sex"], bootstrap=100)
    stored = json.loads((tmp_path / "a" / "audit.json").read_text())["facts"]
    again = facts_from_json(stored, config=facts.config, explanations=cases)
    write_audit(tmp_path / "b", predictions, again, attributes=["sex"], bootstrap=100)
    assert (tmp_path / "a" / "report.html").read_bytes() == (tmp_path / "b" / "report.html").read_bytes()


def test_the_page_is_well_formed_and_loads_nothing(make_predictions, write) -> None:
    page = write(make_predictions(300), full_facts(explanations=(ExplainedCase("s1", "Effusion", 1, 0.9, 0.3, png()),)))
    assert page.unbalanced == []
    assert page.open == []
    assert not {"script", "iframe", "link", "object"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/png;base64,")), (tag, value)
        assert not any(name.startswith("on") for name in attributes)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {(attributes.get("href") or "")[1:] for tag, attributes in page.tags if tag == "a"}
    assert links <= set(ids)


def test_every_figure_and_table_says_what_it_is(make_predictions, write) -> None:
    page = write(make_predictions(300), full_facts(explanations=(ExplainedCase("s1", "Effusion", 1, 0.9, 0.3, png()),)))
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    pictures = [attributes for attributes in drawn if attributes.get("aria-hidden") != "true"]
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert len(pictures) == 2 * 3 + 2  # ROC, reliability and decision curve of two findings, flow, learning curve
    assert {attributes["class"] for attributes in drawn if attributes not in pictures} == {"interval"}  # said in its cell
    for picture in pictures:
        assert picture["role"] == "img"
        assert set((picture["aria-labelledby"] or "").split()) <= ids
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table")


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{1}{", "{{ 7*7 }}", "北京", "&amp;"]
)
def test_names_from_files_stay_text(make_predictions, write, hostile: str) -> None:
    predictions = make_predictions(120)
    predictions["site"] = predictions["sample_id"].str[-1].map(lambda digit: hostile if digit < "5" else "North")
    predictions["finding"] = predictions["finding"].replace("Effusion", f"Effusion {hostile}")
    facts = full_facts(
        title=hostile,
        statements=HumanStatements(owner=hostile),
        warnings=(hostile,),
        exclusions={hostile: 1},
        provenance={hostile: hostile},
        explanations=(ExplainedCase(hostile, hostile, 1, 0.9, 0.3, png()),),
    )
    page = write(predictions, facts, ("site",))
    assert page.unbalanced == []
    assert not {"script"} & {tag for tag, _ in page.tags}
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1
    assert page.text.count(hostile) >= 7


def test_banners_are_there_when_due_and_only_then(make_predictions, write) -> None:
    predictions = make_predictions(100, findings=("Effusion",))
    quiet = write(predictions, full_facts()).text
    loud = write(
        predictions,
        full_facts(
            synthetic=True,
            weights={"source": "random", "fallback": True, "note": "hub not reachable"},
            leakage={"clean": False, "findings": [{"text": "2 patients are in both train and test."}], "allowed": "pilot only"},
        ),
    ).text
    for words in ("Synthetic data", "Random initial weights", "Leakage was allowed"):
        assert words not in quiet
        assert words in loud
    assert "2 patients are in both train and test." in loud
    assert "pilot only" in loud
    assert "fine-tuned from random weights" in loud
    assert "took no part in training" in quiet
    assert "took no part in training" not in loud


def test_a_map_is_never_shown_without_its_sanity_check(make_predictions, write) -> None:
    predictions, case = make_predictions(100, findings=("Effusion",)), ExplainedCase("s7", "Effusion", 0, 0.9, 0.3, png())
    checks = [
        (None, "has not been run", "NOT run"),
        (
            {"passed": True, "rank_correlation": [0.6, 0.08]},
            "does not say that they point at the finding",
            "maps depend on the weights",
        ),
        ({"passed": False, "rank_correlation": [0.99, 0.97]}, "run and FAILED", "run, FAILED"),
    ]
    for sanity, notice, short in checks:
        text = write(predictions, full_facts(explanations=(case, case), sanity=sanity)).text
        assert notice in text
        assert text.count(short) >= 2
        assert "passed" not in text  # which would read as approval of the map
        assert "called (false alarm)" in text
    assert "Explained cases" not in write(predictions, full_facts()).text


def stated_part(page: Page) -> str:
    return page.text[page.text.rindex("What only a person can state") : page.text.rindex("Reporting items and their sources")]


def checked(**changed) -> dict:
    found = {
        "passed": True,
        "method": "grad_cam",
        "reasons": [],
        "rank_correlation": [0.2],
        "labels": {"rank_correlation": 0.2},
    }
    return found | {"findings": {"Effusion": {"passed": True, "reasons": []}}} | changed


PLACES = {
    "finding": "Effusion", "attribute": "all", "subgroup": "all", "metric": "energy", "n": 40, "n_patients": 31,
    "estimate": 0.42, "ci_low": 0.33, "ci_high": 0.51, "status": "ok", "chance": 0.11, "above_chance_low": 0.2,
    "other_image": 0.25, "above_other_low": 0.05, "note": "",
}  # fmt: skip
ZONE = {
    "finding": "Effusion", "zone": "text", "n": 20, "n_patients": 18, "share": 0.08, "area": 0.01, "lift": 8.0, "lift_low": 5.0,
    "lift_high": 11.0, "alarm": True, "note": "",
}  # fmt: skip


def test_a_finding_whose_maps_failed_is_named_and_a_method_says_why(make_predictions, write) -> None:
    predictions, case = make_predictions(100, findings=("Effusion",)), ExplainedCase("s7", "Effusion", 0, 0.9, 0.3, png())
    why = "the model is not shown to tell this finding on the calibrate split (n_pos=2)"
    sanity = checked(findings={"Effusion": {"passed": False, "reasons": [why]}})
    text = write(predictions, full_facts(explanations=(case,), sanity=sanity)).text
    assert "Do not read the maps of these findings:" in text and f"Effusion: {why}." in text
    assert "FAILED for this finding" in text
    failed = checked(passed=False, reasons=["maps are much like those of a model that learnt shuffled labels"])
    text = write(predictions, full_facts(explanations=(case,), sanity=failed)).text
    assert (
        text.count("maps are much like those of a model that learnt shuffled labels") == 4
    )  # check, warning, maps, reporting item
    held = write(predictions, full_facts(explanations=(case,), sanity=checked())).text
    assert "Do not read" not in held and "differ from those of a model that learnt shuffled labels" in held


def test_localisation_and_shortcuts_stand_beside_chance(make_predictions, write) -> None:
    predictions, case = make_predictions(100, findings=("Effusion",)), ExplainedCase("s7", "Effusion", 0, 0.9, 0.3, png())
    facts = full_facts(explanations=(case,), sanity=checked(), localisation=(PLACES,), shortcuts=(ZONE,))
    text = write(predictions, facts).text
    assert ".420 (.330–.510)" in text and ".110" in text and ".250" in text and "✓ shown" in text
    assert text.count("Effusion: saliency gathers at letters or markers, 8.0 times its share of the area.") == 2
    quiet = {**ZONE, "alarm": False, "lift": 0.5, "lift_low": 0.3, "lift_high": 0.8}
    few = {**PLACES, "status": "not_estimable", "estimate": None, "note": "3 patients"}
    text = write(predictions, full_facts(explanations=(case,), sanity=checked(), localisation=(few,), shortcuts=(quiet,))).text
    assert "not estimable (3 patients)" in text and "saliency gathers" not in text and "✓ quiet" in text


def test_what_nobody_stated_is_not_provided(make_predictions, write) -> None:
    predictions = make_predictions(100, findings=("Effusion",))
    assert stated_part(write(predictions, full_facts())).count("NOT PROVIDED") == 8
    stated = HumanStatements(intended_use="Triage of chest radiographs.", owner="Dr. A")
    text = stated_part(write(predictions, full_facts(statements=stated)))
    assert text.count("NOT PROVIDED") == 6
    assert "Triage of chest radiographs." in text


def test_undefined_numbers_are_said_and_the_macro_lists_them(make_predictions, write) -> None:
    predictions = make_predictions(200)
    rare = predictions["finding"] == "Nodule"
    keep = predictions.index[rare & (predictions["target"] == 1)][:3]
    predictions.loc[rare, "target"] = 0
    predictions.loc[keep, "target"] = 1
    page = write(predictions, full_facts())
    assert "not estimable (n₊=3)" in page.text
    assert "leaves out Nodule: not estimable (n₊=3)" in page.text
    assert "over 1 of 2 findings" in page.text
    # A curve through three positives would show three patients, and nothing about the model.
    assert "No curves, for too few samples: Nodule." in page.text
    assert not any("ROC curve of Nodule" in title for title in page.titles)
    assert any("ROC curve of Effusion" in title for title in page.titles)


def test_no_cell_is_blank(make_predictions, tmp_path: Path) -> None:
    predictions = make_predictions(120)
    predictions.loc[predictions["sex"] == "F", "target"] = -1
    write_audit(tmp_path, predictions, full_facts(), attributes=["sex", "view"], bootstrap=100)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    cells = re.findall(r"<td[^>]*><span>(.*?)</span></td>", html, re.DOTALL)
    assert len(cells) > 100
    assert not [cell for cell in cells if not re.sub(r"<[^>]*>", "", cell).strip()]
    assert not re.search(r">\s*(nan|None|NaN|inf)\b", html)


def test_not_significant_is_never_called_fair(make_predictions, write) -> None:
    page = write(make_predictions(200), full_facts())
    assert "INSUFFICIENT means that the sample cannot tell" in page.text
    for word in ("fair", "unbiased", "no bias", "equitable", "safe"):
        assert not re.search(rf"\b{word}\b", page.text, re.IGNORECASE), word
    assert "not a medical device" in page.text.lower()


def test_miscalibration_is_said_and_marked(make_predictions, write) -> None:
    predictions = make_predictions(600, findings=("Effusion",))
    predictions["prob_cal"] = predictions["target"].astype(float).mean() * 0.9 + 0.1 * predictions["prob_cal"] + 0.2
    page = write(predictions, full_facts(), ())
    assert "Miscalibrated: ECE ." in page.text[: page.text.index("Data and flow")]
    assert re.search(r"\.\d{3} ✕ above the band calibrated models show \.\d{3} to \.\d{3}", page.text)
    assert not re.search(r"\.\d{3} \(\.\d{3}–\.\d{3}\) *</span></td></tr>", page.text)
    quiet = make_predictions(600, findings=("Effusion",))
    random = np.random.default_rng(0)
    quiet["target"] = (random.random(len(quiet)) < quiet["prob_cal"]).astype(int)
    text = write(quiet, full_facts(), ()).text
    assert "Miscalibrated" not in text
    assert "the band calibrated" not in text


@pytest.mark.parametrize(("images", "counted"), [(1, "fewer than 20 samples"), (3, "fewer than 20 patients")])
def test_the_star_says_what_it_counts(make_predictions, write, images: int, counted: str) -> None:
    page = write(make_predictions(180, findings=("Effusion",), images=images, prevalence=0.08), full_facts(), ("sex",))
    starred = re.findall(r"fewer than 20 \w+", page.text)
    assert set(starred) == {counted}
    assert len(starred) >= 4
    assert "* resting on" in page.text


def test_no_program_key_is_shown_and_no_blank_reads_as_a_refusal(make_predictions, write) -> None:
    facts = full_facts(
        model={"backbone": "efficientnet_b0", "head_alone_tune_auroc": 0.9, "chosen_by": "tune_auroc", "kept_epoch": 2},
        data={"licence": "", "consent": None, "excluded_on_request": 0},
        provenance={"versions": {"torch": "2.0"}, "git_commit": None, "consent": "not given", "hardware": {"memory_gib": 4}},
    )
    page = write(make_predictions(100, findings=("Effusion",)), facts, ())
    for words in (
        "AUROC on tune with the head alone trained", "Epoch chosen by AUROC on tune", "Version of torch 2.0",
        "Commit of the program none", "Patients left out on request 0", "Hardware, memory (GiB) 4", "tune AUROC",
        "Licence NOT PROVIDED", "images by pixels: not compared.",
    ):  # fmt: skip
        assert words in page.text
    assert page.text.count("Consent NOT PROVIDED") == 3
    before_config = page.text[: page.text.index("Configuration as run")]
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", before_config.replace("efficientnet_b0", "")) == []
    assert "data.source folder" in page.text  # as the file calls it


def test_the_model_is_named_once_at_the_top(make_predictions, write) -> None:
    page = write(make_predictions(100, findings=("Effusion",)), full_facts(), ())
    assert page.text[: page.text.index("Research decision support")].count("efficientnet_b0") == 1
    other = write(make_predictions(100, findings=("Effusion",)), full_facts(title="Ward 7"), ())
    assert "Ward 7 efficientnet_b0 · 1 finding" in other.text


def test_counts_of_the_leakage_check_that_differ_are_explained(make_predictions, write) -> None:
    predictions = make_predictions(100, findings=("Effusion",))
    checked = {"patient_id": 682, "sop_uid": 1000, "pixel_hash": 999}
    text = write(predictions, full_facts(leakage={"clean": True, "checked": checked}), ()).text
    assert (
        "By pixels there is 1 image fewer than by UID: the same picture stands under several UIDs, always within one split"
        in text
    )
    equal = write(predictions, full_facts(leakage={"clean": True, "checked": {**checked, "pixel_hash": 1000}}), ()).text
    assert "fewer than by UID" not in equal


def test_a_shortcut_is_warned_of_at_the_top(make_predictions, write) -> None:
    page = write(make_predictions(600, goes_with_view=True), full_facts())
    top = page.text[: page.text.index("Data and flow")]
    assert "Effusion goes with view" in top
    assert "view alone predicts it with AUROC" in top
    assert "among samples of the same view" in top


def test_a_large_difference_is_never_folded_away_and_never_called_none(make_predictions, write) -> None:
    predictions = make_predictions(48, findings=("Effusion",))
    predictions["view"], predictions["sex"] = ["AP", "PA"] * 24, ["F", "F", "M", "M"] * 12
    predictions["target"] = [1, 1] * 5 + [1, 0] * 6 + [0, 0] * 13  # 11 of 24 in AP, 5 of 24 in PA: p = .07
    page = write(predictions, full_facts(), ("view",))
    assert "? may be chance" in page.text
    assert "is not shown either way" in page.text[: page.text.index("Data and flow")]
    assert "no large difference" not in page.text
    assert "strong difference" not in page.text
    both = write(predictions, full_facts(), ("view", "sex")).text
    assert "Prevalence by subgroup of 1 other pair of" in both
    honest = write(make_predictions(600, findings=("Effusion",)), full_facts(), ("view",)).text
    assert "Prevalence by subgroup of 1 pair of" in honest
    assert "does not show that there is none" in honest
    assert "may be chance" not in honest[: honest.index("Methods")]


def test_a_failing_gap_is_named_at_the_top(make_predictions, write) -> None:
    page = write(make_predictions(1500, weaker_in="F"), full_facts())
    top = page.text[: page.text.index("Data and flow")]
    assert re.search(r"Effusion, sex [FM] against [FM]: AUROC gap", top)
    assert "hold after Holm" in top


def test_a_bare_table_makes_a_report_that_says_what_it_lacks(make_predictions, tmp_path: Path) -> None:
    predictions = make_predictions(300, findings=("Effusion",))[["target", "prob_cal", "sex"]]
    audit_predictions(predictions.rename(columns={"prob_cal": "probability"}), ["sex"], out_dir=tmp_path, bootstrap=100)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.unbalanced == []
    for words in (
        "No threshold and no decision is given",
        "There is no patient_id",
        "the model behind them is not known",
        "Not checked: the table does not say",
    ):
        assert words in page.text
    heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "AUROC" in heads
    assert "Sensitivity" not in heads
    assert "Decisions at the frozen threshold" not in page.text


def test_scores_that_are_no_probabilities_are_not_judged_for_calibration(make_predictions, tmp_path: Path) -> None:
    predictions = make_predictions(300, findings=("Effusion",))[["target", "logit"]].rename(columns={"logit": "score"})
    audit_predictions(predictions, out_dir=tmp_path, bootstrap=100)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "Not judged: the table gives scores that are not stated to be probabilities." in text
    assert "No attribute was given, so nothing can be said about subgroups." in text


def test_a_test_split_of_one_class_still_gets_its_report(make_predictions, write) -> None:
    predictions = make_predictions(120)
    predictions["target"] = 0
    page = write(predictions, full_facts())
    assert "not estimable (n₊=0)" in page.text
    assert page.unbalanced == []


def test_patients_who_withdrew_are_counted_and_not_named(make_predictions, tmp_path: Path) -> None:
    write_audit(tmp_path, make_predictions(120), full_facts(), attributes=["sex"], bootstrap=100)
    for path in tmp_path.iterdir():
        assert "MRN-778899" not in path.read_text(encoding="utf-8")
    assert "1 patients" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_nothing_is_written_when_the_table_is_bad(make_predictions, tmp_path: Path) -> None:
    predictions = make_predictions(120)
    predictions.loc[3, "prob_cal"] = float("nan")
    with pytest.raises(MetricError, match="not finite"):
        write_audit(tmp_path / "audit", predictions, full_facts(), attributes=["sex"], bootstrap=100)
    assert not (tmp_path / "audit").exists()


def test_a_file_that_cannot_be_written_is_said(make_predictions, tmp_path: Path) -> None:
    (tmp_path / "estimates.csv").mkdir()
    with pytest.raises(StorageError, match=r"estimates\.csv: cannot be written"):
        write_audit(tmp_path, make_predictions(120), full_facts(), bootstrap=100)


def test_the_same_input_gives_the_same_files(make_predictions, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_audit(tmp_path / name, make_predictions(120), full_facts(), attributes=["sex"], bootstrap=100)
    for name in ("report.html", "model_card.md", "estimates.csv", "gaps.csv", "audit.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_splits_are_described_with_missing_counted() -> None:
    frame = pd.DataFrame(
        {
            "split": ["test", "train", "train", None],
            "patient_id": ["a", "b", "b", "c"],
            "study_uid": ["1", "2", "3", "4"],
            "sex": ["F", None, "M", "M"],
            "Effusion": pd.array([1, -1, 0, None], dtype="Int8"),
        }
    )
    found = describe_splits(frame, ["Effusion"], ["sex"])
    assert list(found["counts"]) == ["train", "test", "not assigned"]
    assert found["counts"]["train"] == {"patients": 1, "studies": 2, "images": 2}
    assert found["demographics"]["sex"]["missing"] == {"train": 1, "test": 0, "not assigned": 0}
    assert found["prevalence"]["Effusion"] == {"train": (0, 1, 1), "test": (1, 0, 0), "not assigned": (0, 0, 1)}


@pytest.mark.slow
def test_a_report_on_fourteen_findings_and_twelve_groups_takes_seconds(make_predictions, tmp_path: Path) -> None:
    findings = tuple(f"Finding {number}" for number in range(14))
    predictions = make_predictions(1000, findings=findings, images=2)
    number = predictions["sample_id"].str[1:].astype(int)
    predictions["age_band"] = number.map(lambda n: ["0-17", "18-39", "40-59", "60-79", "80+"][n % 5])
    predictions["site"] = number.map(lambda n: ["A", "B", "C"][n % 3])
    started = time.process_time()
    write_audit(tmp_path, predictions, full_facts(), attributes=["sex", "view", "age_band", "site"], bootstrap=2000)
    assert time.process_time() - started < 30
