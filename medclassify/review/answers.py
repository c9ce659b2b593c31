"""All readings as one table: one row a reader, sample and finding, blind answer beside final answer beside the model's call."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from medclassify.errors import ReviewError
from medclassify.records import Answer, Identity, Presence, Reading, ReadingState, Role
from medclassify.review.desk import Desk
from medclassify.review.ledger import Ledger
from medclassify.review.people import require_role
from medclassify.review.protocol import reached

COLUMNS = (
    "sample_id", "finding", "reader", "state", "opened_at",
    "first_presence", "first_confidence", "first_score", "first_comment", "first_marks", "first_seconds",
    "verdict", "final_presence", "final_confidence", "final_score", "comment", "marks", "second_seconds",
    "shown", "adjudicated", "adjudicator", "item",
)  # fmt: skip
MODEL_COLUMNS = ("patient_id", "split", "target", "prob_cal", "threshold", "decision")


def score(answer: Answer) -> float:
    """An answer on one scale from 0 (surely absent) over 50 (unsure) to 100 (surely present)."""
    if answer.presence is Presence.UNSURE:
        return 50.0
    half = answer.confidence / 2
    return 50.0 + half if answer.presence is Presence.PRESENT else 50.0 - half


def answers(desk: Desk, who: Identity) -> pd.DataFrame:
    """What readers said of the run's present model, from the locked first read on.

    Args:
        desk: The readings and the run.
        who: A reader sees the own answers alone; an auditor, adjudicator or admin who does not read sees all.

    Returns:
        `COLUMNS`, `MODEL_COLUMNS` and the run's attributes; in the order of readers' names and samples. Marks are JSON lists of
        [x, y, width, height, frame]. Final columns are blank while a finding has no second read; what belongs to the model is
        blank for a finding that it does not know, and, for a reader, before the reveal.

    Raises:
        NotAllowedError: Somebody without a role.
    """
    require_role(who, Role.READER, Role.AUDITOR, Role.ADJUDICATOR, Role.ADMIN, to="see answers")
    ledger = desk.ledger()
    names = [who.name] if Role.READER in who.roles else sorted(ledger.of_reader)
    readings = [reading for name in names for reading in ledger.of_reader.get(name, {}).copy().values()]
    return answers_of(desk, ledger, readings, blind=Role.READER in who.roles)


def answers_of(desk: Desk, ledger: Ledger, readings: Sequence[Reading], *, blind: bool) -> pd.DataFrame:
    """The rows of some readings; see `answers`."""
    places = desk.samples.places([reading.sample_id for reading in readings])
    current = [
        reading
        for place, reading in zip(places, readings, strict=True)
        if place >= 0 and reading.item == desk.item(reading.sample_id) and reached(reading.state, ReadingState.LOCKED)
    ]
    rows = [row for reading in current for row in _rows(ledger, reading)]
    table = pd.DataFrame.from_records(rows, columns=list(COLUMNS))
    predictions = desk.run.predictions
    read = predictions.loc[predictions["sample_id"].isin({reading.sample_id for reading in current})]
    table = table.merge(
        read[["sample_id", "finding", "target", "prob_cal", "threshold", "decision"]], "left", ["sample_id", "finding"]
    )
    # A finding that the model does not know still belongs to a patient.
    facts = read.drop_duplicates("sample_id")[["sample_id", "patient_id", "split", *desk.run.attributes]]
    table = table.merge(facts, "left", "sample_id")
    if blind:
        unseen = table["state"] == ReadingState.LOCKED.value
        for name in ("target", "prob_cal", "threshold", "decision"):
            table[name] = table[name].astype(object).where(~unseen, None)
    return table[[*COLUMNS, *MODEL_COLUMNS, *desk.run.attributes]]


def _rows(ledger: Ledger, reading: Reading) -> Iterator[tuple[object, ...]]:
    first = {answer.finding: answer for answer in reading.first}
    second = {answer.finding: answer for answer in reading.second}
    adjudication = ledger.adjudication(reading.sample_id, reading.item)
    settled = {answer.finding: answer.presence.value for answer in adjudication.answers} if adjudication else {}
    for finding in dict.fromkeys([*first, *second]):
        blind, final = first.get(finding), second.get(finding)
        yield (
            *(reading.sample_id, finding, reading.reader, reading.state.value),
            reading.opened_at.isoformat() if reading.opened_at else None,
            *_answer(blind),
            reading.first_seconds,
            final.verdict.value if final and final.verdict else None,
            *_answer(final),
            reading.second_seconds,
            *(json.dumps(reading.shown), settled.get(finding)),
            adjudication.adjudicator if adjudication and finding in settled else None,
            reading.item,
        )


def _answer(answer: Answer | None) -> tuple[object, ...]:
    if answer is None:
        return (None, np.nan, np.nan, None, None)
    marks = [[mark.x, mark.y, mark.width, mark.height, mark.frame] for mark in answer.marks]
    return (answer.presence.value, answer.confidence, score(answer), answer.comment, json.dumps(marks))


def share_out(
    sample_ids: Sequence[str], readers: Sequence[str], *, per_sample: int, seed: int = 0
) -> dict[tuple[str, ...], list[str]]:
    """Shares samples out evenly, each to several readers, every set of readers in turn.

    Args:
        sample_ids: The samples.
        readers: Their names.
        per_sample: How many read each sample.
        seed: Of the draw.

    Returns:
        The samples of each set of readers: `Desk.assign` takes them.

    Raises:
        ReviewError: There are fewer readers than one sample needs.
    """
    names = list(dict.fromkeys(readers))
    if not 1 <= per_sample <= len(names):
        raise ReviewError(f"{per_sample} readers a sample are wanted, and {len(names)} are named. Name more, or ask for fewer.")
    order = np.random.default_rng(seed).permutation(len(sample_ids))
    shared: dict[tuple[str, ...], list[str]] = {}
    for turn, place in enumerate(order):
        # Neighbours on a circle of readers: each reader gets as many as any other, to within one round.
        chosen = tuple(sorted(names[(turn * per_sample + step) % len(names)] for step in range(per_sample)))
        shared.setdefault(chosen, []).append(str(sample_ids[place]))
    return shared
