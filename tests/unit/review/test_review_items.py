import hashlib

import numpy as np
import pandas as pd
import pytest

from medclassify.errors import ReviewError
from medclassify.review import attribute_columns, build_items, check_predictions

MODEL = "m" * 64


def test_an_item_holds_what_the_row_says(predictions: pd.DataFrame) -> None:
    items = build_items(predictions, model_fingerprint=MODEL)
    assert [(item.sample_id, item.finding) for item in items] == list(
        zip(predictions["sample_id"], predictions["finding"], strict=True)
    )
    assert (items[0].probability, items[0].threshold, items[0].decision) == (0.90, 0.30, True)


def test_the_fingerprint_is_sha256_of_the_facts_as_json(predictions: pd.DataFrame) -> None:
    expected = hashlib.sha256(f'["a", "effusion", 0.9, 0.3, true, "{MODEL}"]'.encode()).hexdigest()
    assert build_items(predictions, model_fingerprint=MODEL)[0].fingerprint == expected


def test_the_fingerprint_changes_with_each_fact_and_with_nothing_else(predictions: pd.DataFrame) -> None:
    before = build_items(predictions, model_fingerprint=MODEL)[0].fingerprint
    assert build_items(predictions.assign(sex="O", target=0), model_fingerprint=MODEL)[0].fingerprint == before
    smallest_step = np.nextafter(predictions["prob_cal"], 1.0)
    for changed in (
        predictions.assign(sample_id="z"),
        predictions.assign(finding="z"),
        predictions.assign(prob_cal=smallest_step),
        predictions.assign(threshold=0.29),
        predictions.assign(decision=False),
    ):
        assert build_items(changed, model_fingerprint=MODEL)[0].fingerprint != before
    assert build_items(predictions, model_fingerprint="n" * 64)[0].fingerprint != before


def test_fields_cannot_run_into_each_other(predictions: pd.DataFrame) -> None:
    one = build_items(predictions.assign(sample_id="a", finding="b,c"), model_fingerprint=MODEL)[0]
    two = build_items(predictions.assign(sample_id="a,b", finding="c"), model_fingerprint=MODEL)[0]
    assert one.fingerprint != two.fingerprint


def test_attributes_are_the_columns_the_contract_does_not_name(predictions: pd.DataFrame) -> None:
    assert attribute_columns(predictions.assign(site="x")) == ("sex", "site")


def test_a_sound_table_passes(predictions: pd.DataFrame) -> None:
    check_predictions(predictions, "predictions.parquet")
    check_predictions(predictions.assign(target=pd.NA), "a masked target is no fault")
    check_predictions(predictions.astype({"decision": "Int8"}), "decisions may be written as 0 and 1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns=["prob_cal", "split"]), "no column split, prob_cal"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: pd.concat([t, t.iloc[[3]]]), r"1 rows repeat a sample's finding \(first: b, nodule\)"),
        (lambda t: t.assign(prob_cal=t["prob_cal"].where(t["sample_id"] != "b")), "2 values of prob_cal are blank or outside"),
        (lambda t: t.assign(prob_cal=4.71), "6 values of prob_cal"),
        (lambda t: t.assign(threshold=-0.1), "6 values of threshold"),
        (
            lambda t: t.assign(decision=True),
            r"3 decisions are not prob_cal >= threshold \(first: True for a, nodule: 0.1 at 0.5\)",
        ),
        (lambda t: t.assign(decision=t["decision"].where(t["sample_id"] != "c")), "2 decisions are not"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_line(predictions: pd.DataFrame, change, said: str) -> None:
    with pytest.raises(ReviewError, match=said) as refusal:
        check_predictions(change(predictions), "run/predictions.parquet")
    assert str(refusal.value).startswith("run/predictions.parquet: ")
    assert "\n" not in str(refusal.value)
