"""Each section of the report stands where there is something to say, and nowhere else; what it says is what was computed."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from medclassify.audit import AuditResult, ExplainedCase, ReportFacts, compute_audit
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.probes import AttributeProbe
from medclassify.audit.report import page as report_page
from medclassify.audit.report import render_report
from medclassify.audit.report.benefit import benefit_table
from medclassify.audit.report.flow import flow_figure
from medclassify.audit.report.forest import forest
from medclassify.audit.report.items import reporting_items
from medclassify.audit.report.page import SECTIONS
from medclassify.audit.report.subgroups import failing_table
from medclassify.audit.report.svg import Axes, picture, ticks
from medclassify.audit.standardised import Standardised
from medclassify.audit.underdiagnosis import Underdiagnosis
from medclassify.audit.worst_groups import WorstGroups
from medclassify.records import Estimate, EstimateRow, Status

ALWAYS = {"data", "performance", "calibration", "subgroups", "methods", "statements", "items", "origin"}


@pytest.fixture(scope="module")
def result(make_predictions) -> AuditResult:
    """An audit without the parts that the tests below add one by one."""
    found = compute_audit(make_predictions(300, weaker_in="F"), attributes=["sex", "view"], bootstrap=100)
    bare = {"standardised": (), "standardised_gaps": (), "underdiagnosis": (), "worst_groups": (), "equalised_odds": ()}
    return replace(found, **bare)


def shown(html: str) -> list[str]:
    return re.findall(r'<h2 id="(\w+)">', html)


def sure(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05, "test", Status.OK)


def test_every_section_has_its_partial_and_a_name_of_its_own() -> None:
    folder = Path(report_page.__file__).parents[1] / "templates" / "sections"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{section.name}.html.j2" for section in SECTIONS)
    assert len({section.title for section in SECTIONS}) == len(SECTIONS)


def test_a_bare_table_has_only_the_sections_it_can_fill(make_predictions) -> None:
    bare = make_predictions(200, findings=("Effusion",))[["target", "logit"]].rename(columns={"logit": "score"})
    html = render_report(compute_audit(bare, bootstrap=100), ReportFacts("bare"))
    assert set(shown(html)) - {"minute"} == ALWAYS
    assert "NOT KNOWN to this report" in html


CASE = ExplainedCase("s1", "Effusion", 1, 0.9, 0.3, b"png")
ADDED: dict[str, tuple[Callable[[AuditResult], AuditResult], dict]] = {
    "explanation": (lambda result: result, {"explanations": (CASE,)}),
    "standardised": (
        lambda result: replace(
            result,
            standardised=[Standardised("Effusion", "sex", "F", "auroc", ("view",), sure(0.7), sure(0.75), 40.4, 90.0, 0.93)],
        ),
        {},
    ),
    "underdiagnosis": (
        lambda result: replace(
            result,
            underdiagnosis=[
                Underdiagnosis("Effusion", "sex", "M", "fnr", 50, sure(0.1), None, None, None, None),
                Underdiagnosis("Effusion", "sex", "F", "fnr", 40, sure(0.3), "M", sure(0.2), 0.01, GapVerdict.FAIL),
            ],
        ),
        {},
    ),
    "intersections": (lambda result: replace(result, table=replace(result.table, intersections={"view": ("a", "b")})), {}),
}


@pytest.mark.parametrize("name", ADDED)
def test_a_section_comes_with_its_facts_and_goes_without(result, name: str) -> None:
    change, facts = ADDED[name]
    assert name not in shown(render_report(result, ReportFacts("t")))
    assert name in shown(render_report(change(result), ReportFacts("t", **facts)))


def test_what_is_added_is_said_in_numbers(result) -> None:
    for name in ("standardised", "underdiagnosis"):
        result = ADDED[name][0](result)
    worst = WorstGroups("Effusion", "sex", "auroc", "F", "M", 0.21, 0.046, 0.113, 0.001, ("X",))
    odds = EstimateRow("Effusion", "sex", "all", "equalised_odds_difference", 300, 300, 90, 210, sure(0.31))
    gap = GapRow(
        "Effusion",
        "sex",
        "F",
        "M",
        "auroc",
        -0.1,
        -0.2,
        0.0,
        0.04,
        0.04,
        "m",
        0.05,
        GapVerdict.INSUFFICIENT,
        Status.OK,
        0.2,
        "",
    )
    probe = AttributeProbe("sex", ("F", "M"), 100, 50, sure(0.91), sure(0.62), "ImageNet-frozen", sure(0.51))
    changed = replace(result, worst_groups=[worst], equalised_odds=[odds], standardised_gaps=[gap])
    text = re.sub(r"<[^>]+>", " ", render_report(changed, ReportFacts("t", probes=(probe,))))
    for words in (
        "F lowest, M highest", ".046", "left out, too few: X", "0.31 (0.26–0.36)", ".750 (.700–.800)", "40 with, 90 without",
        "93.0 % of the mix covered", "with the same mix of view", "30.0 % (25.0–35.0)", "+20.0 (+15.0 to +25.0) points",
        ".910 (.860–.960)", "ImageNet-frozen", "ncoded is not the same as used",
    ):  # fmt: skip
        assert words in text, words


def test_headings_go_down_one_step_at_a_time(result) -> None:
    changed = result
    for change, _ in ADDED.values():
        changed = change(changed)
    html = render_report(changed, ReportFacts("t", explanations=(CASE,), history=({"epoch": 1, "tune_loss": 0.5},)))
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_forest_says_in_words_what_it_draws(result) -> None:
    gaps = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in result.reference_gaps}
    view = forest(result, "Effusion", ["sex"], gaps)
    assert [scale.label for scale in view.scales] == ["AUROC", "Sensitivity", "Specificity"]
    lines = {line.label.removesuffix(" (reference)"): line for line in view.lines}
    assert list(lines) == ["Whole test set", "sex", "F", "M"]
    row = result.estimate("Effusion", "auroc", "sex", "F")
    assert row is not None and row.estimate.value is not None
    assert lines["F"].cells[0].text.startswith(f"{row.estimate.value:.3f}".removeprefix("0"))
    low = view.scales[0].low
    place = re.search(r'<rect class="\w+" x="([\d.]+)%"', lines["F"].cells[0].bar)
    assert place is not None
    assert low + float(place[1]) / 100 * (1 - low) == pytest.approx(row.estimate.value, abs=0.001)


def test_a_group_of_few_is_drawn_open(make_predictions) -> None:
    few = compute_audit(make_predictions(60, findings=("Effusion",)), attributes=["sex"], bootstrap=100)
    html = render_report(few, ReportFacts("t"))
    assert '<rect class="few"' in html
    assert '<rect class="sure"' not in html.split("Effusion by subgroup, with 95 % intervals")[1].split("</table>")[0]


def test_the_flow_names_every_exclusion_and_every_split() -> None:
    facts = ReportFacts(
        "t",
        counts={"train": {"patients": 10, "images": 12}, "test": {"patients": 4, "images": 5}},
        exclusions={"not an image": 3, "none of this": 0},
        leakage={"clean": False},
    )
    text = re.sub(r"<[^>]+>", " ", flow_figure(facts, ["Effusion: 2 present, 3 absent"]))
    for words in ("20 files or images considered", "Left out: 3", "3 × not an image", "17 images of at most 14 patients",
                  "train: 12 images, 10 patients", "Effusion: 2 present, 3 absent"):  # fmt: skip
        assert words in text
    assert "none of this" not in text
    assert flow_figure(ReportFacts("t"), []) == ""


def test_net_benefit_is_hits_less_false_alarms_at_their_price(make_predictions) -> None:
    result = compute_audit(make_predictions(400, findings=("Effusion",)), bootstrap=100)
    frame = result.table.frame
    called, present = frame["decision"] == 1, frame["target"] == 1
    expected = 1000 * ((called & present).mean() - (called & ~present).mean() * 0.3 / 0.7)
    table = benefit_table([each.whole for each in result.cells], result)
    assert table is not None
    assert table.rows[0][3].text.startswith(f"{expected:.0f} (")


def test_curves_are_held_in_their_box_and_broken_outside_it() -> None:
    axes = Axes((0, 0, 100, 100), (0, 1), (0, 1))
    assert axes.curve([0, 0.5, 1], [0, 0.5, 1], "line") == '<path class="line" d="M0,100L50,50L100,0"/>'
    assert axes.curve([0, 0.4, 0.6, 1], [0.5, 2, 2, 0.5], "line").count("M") == 2
    many = axes.curve(np.linspace(0, 1, 100_000), np.linspace(0, 1, 100_000), "line")
    assert len(many) < 5000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0", ".2", ".4", ".6", ".8", "1"]),
        (-0.1, 0.4, ["−.1", "0", ".1", ".2", ".3", ".4"]),
        (1, 3, ["1", "1.5", "2", "2.5", "3"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [label for _, label in ticks(low, high)] == expected


def test_words_of_a_picture_are_escaped() -> None:
    svg = picture("<b>", '"><script>', (1, 1), [])
    assert "<script>" not in svg
    assert "&lt;b&gt;" in svg


def test_every_reporting_item_is_there_and_has_a_source(result) -> None:
    bare, full = (reporting_items(result, facts) for facts in (ReportFacts("t"), ReportFacts("t", provenance={"seed": 7})))
    items = [item for part in bare.values() for item in part]
    assert all(said and source for _, said, source in items)
    names = " ".join(name for name, _, _ in items).lower()
    for words in (  # methods: reporting items
        "weights hash", "architecture", "initial weights", "library versions", "seeds", "hardware", "selection rule",
        "exclusion", "patients, studies and images", "no patient or duplicate", "demographics, scanner, site and view",
        "prevalence", "preprocessing", "missing and uncertain labels", "threshold", "2×2", "interval method", "calibration",
        "net benefit", "not-estimable", "highest-confidence errors", "explanation sanity", "coverage and abstention",
        "data hash", "code", "config hash", "licence", "consent", "intended use", "population", "must not be used",
        "reference standard", "ethics", "limits", "gap", "owner",
    ):  # fmt: skip
        assert words in names, words
    assert ("Seeds", "NOT KNOWN to this report", "config.yaml") in bare["Model (AI Act Art. 11, 13)"]
    assert ("Seeds", "7", "config.yaml") in full["Model (AI Act Art. 11, 13)"]
    assert [said for _, said, _ in bare["Stated by a person"]] == ["NOT PROVIDED"] * 8


@pytest.mark.parametrize(
    ("metric", "value", "figure"),
    [("calibration_intercept", -0.5, "intercept"), ("calibration_slope", 0.4, "slope")],
)
def test_what_is_miscalibrated_is_named_with_the_figure_that_says_so(result, metric: str, value: float, figure: str) -> None:
    sound = {"calibration_intercept": 0.0, "calibration_slope": 1.0}
    rows = [
        replace(row, estimate=sure(value if (row.metric, row.finding) == (metric, "Effusion") else sound[row.metric]))
        if row.metric in sound
        else replace(row, estimate=Estimate(None, None, None, "", Status.NOT_ESTIMABLE, ""))
        if row.metric == "ece"
        else row
        for row in result.estimates
    ]
    html = render_report(replace(result, estimates=rows), ReportFacts("t"))
    assert f"Predicted and observed shares differ: Effusion by its {figure}." in html
    assert "Predicted and observed shares differ" not in render_report(
        replace(
            result, estimates=[replace(row, estimate=sure(sound[row.metric])) if row.metric in sound else row for row in rows]
        ),
        ReportFacts("t"),
    )


def test_decision_curves_are_promised_where_there_are_some(result) -> None:
    def said(of: AuditResult) -> str:
        return next(
            said for part in reporting_items(of, ReportFacts("t")).values() for name, said, _ in part if name == "Net benefit"
        )

    assert said(result) == "Decision curves in the section on net benefit"
    assert said(replace(result, decision_curves={})) == "NOT KNOWN to this report"


def test_the_style_prints_whole(result) -> None:
    html = render_report(result, ReportFacts("t"))
    style = html[html.index("<style>") : html.index("</style>")]
    for rule in ("@page", "counter(page)", "break-inside: avoid", "table-header-group", "details-content"):
        assert rule in style, rule
    assert "url(" not in style
    assert "@import" not in style


def test_a_page_of_many_findings_keeps_every_table_captioned(result) -> None:
    html = render_report(result, ReportFacts("t"))
    assert html.count("<table") == html.count("<caption")
    assert not re.findall(r"<th(?![^>]*scope=)[ >]", html)


def test_gaps_beyond_the_margin_have_max_t_limits_or_say_why_not(make_predictions) -> None:
    predictions = make_predictions(900, findings=("Effusion",), weaker_in="F")
    halves = np.where(predictions["sample_id"].str[-1].astype(int) % 2, "A", "B")
    predictions["site"] = np.where(predictions["sex"] == "F", "C", halves)
    result = compute_audit(predictions, attributes=["site"], references={"site": "A"}, bootstrap=100)
    table = failing_table(result)
    assert table is not None
    said = {row[2].text: row[4].sub for row in table.rows if row[3].text == "AUROC"}
    assert re.fullmatch(r"max-T: −\.\d+ to −\.\d+", said["C against A"])
    assert said["C against all others"] == "no max-T limits: not against the reference"
    assert "take no part" in render_report(result, ReportFacts("t"))
