"""A reader's queue: what is left to read, in which order, without giving the model's answer away."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ReviewError
from medclassify.records import Answer, Identity, Presence, Reading, ReadingState, Role
from medclassify.review.desk import Desk
from medclassify.review.ledger import Ledger
from medclassify.review.protocol import reached
from medclassify.review.worklist import WorklistFilter, build_worklist, filter_worklist

HIDDEN = ("uncertainty", "least_certain", "prob_cal", "threshold", "called", "n_called", "disagreement")
"""The columns that tell of the model: blank where a reader has not been shown its answer."""


class QueueOrder(StrEnum):
    """What comes first."""

    UNCERTAINTY = "uncertainty"
    """The sample whose least certain finding lies closest to its threshold."""
    PRIORITY = "priority"
    """The highest assigned priority, then uncertainty."""
    DISAGREEMENT = "disagreement"
    """The most findings on which finished readings differ from each other or from the model; a reader's own alone."""
    SUBGROUP = "subgroup"
    """Subgroups in turn, the smallest first, so that each is read evenly; by uncertainty within."""


class Queues:
    """Makes queues of one desk; what does not change between two looks is kept.

    Args:
        desk: Whose samples.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lists: dict[str | None, tuple[pd.DataFrame, NDArray[np.intp]]] = {}
        self._assigned: dict[str, tuple[int, NDArray[np.bool_], NDArray[np.int64]]] = {}

    def queue(
        self,
        who: Identity,
        *,
        order: QueueOrder = QueueOrder.UNCERTAINTY,
        chosen: WorklistFilter | None = None,
        attribute: str | None = None,
        finding: str | None = None,
    ) -> pd.DataFrame:
        """One row a sample that is somebody's to read, in order.

        The order by uncertainty tells a reader that the model is less sure of the first samples than of the last, and nothing
        else; where even that is too much, read by `QueueOrder.PRIORITY` with priorities of your own, or by subgroup.

        Args:
            who: Whose queue. Somebody who does not read sees all samples with what the model says.
            order: What comes first.
            chosen: Which samples to list; all when left out.
            attribute: By which subgroups, for `QueueOrder.SUBGROUP`.
            finding: Look at this finding alone.

        Returns:
            As `build_worklist`, with ``status`` (a `ReadingState` value), ``priority`` and ``disagreement``. Columns of
            `HIDDEN` are NaN or "" where the reader has not been shown the model's answer; filters on them leave such samples
            out.

        Raises:
            ReviewError: The finding or the attribute is unknown.
        """
        rows, places = self._list(finding)
        ledger = self._desk.ledger()
        mine, priority = self._assignments(ledger, who)
        state = self._states(ledger.of_reader.get(who.name, {}).copy())
        blind = Role.READER in who.roles
        seen = np.isin(state, (_CODE[ReadingState.REVEALED], _CODE[ReadingState.DONE])) if blind else np.ones(len(state), bool)
        rows = rows.assign(
            status=_STATES[state[places]],
            priority=priority[places],
            disagreement=self._disagreement(ledger, who)[places],
        )
        rows = rows.iloc[self._order(rows, order, attribute)]
        places = places[rows.index.to_numpy()]
        rows = _hide(rows, ~seen[places]).loc[mine[places]]
        return filter_worklist(rows, chosen or WorklistFilter())

    def _list(self, finding: str | None) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        if finding not in self._lists:
            rows = build_worklist(self._desk.run.predictions, finding=finding)
            self._lists[finding] = rows, self._desk.samples.places(rows["sample_id"].tolist())
        return self._lists[finding]

    def _assignments(self, ledger: Ledger, who: Identity) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which samples are somebody's to read, and how soon; by place."""
        kept = self._assigned.get(who.name)
        if kept is None or kept[0] != ledger.assignments_changed:
            names = self._desk.samples.names
            mine, priority = np.ones(len(names), bool), np.zeros(len(names), np.int64)
            assigned = ledger.assignments.copy()
            if assigned:
                places = self._desk.samples.places(list(assigned))
                known = places >= 0  # a run fitted again may hold fewer
                mine[:] = False
                mine[places[known]] = np.array([not a.readers or who.name in a.readers for a in assigned.values()], bool)[known]
                priority[places[known]] = np.array([a.priority for a in assigned.values()], np.int64)[known]
            kept = self._assigned[who.name] = ledger.assignments_changed, mine, priority
        everything = Role.READER not in who.roles
        return (np.ones_like(kept[1]) if everything else kept[1]), kept[2]

    def _states(self, readings: Mapping[str, Reading]) -> NDArray[np.int8]:
        codes = np.zeros(len(self._desk.samples.names), np.int8)
        for place, reading in self._placed(readings):
            codes[place] = _CODE[reading.state]
        return codes

    def _disagreement(self, ledger: Ledger, who: Identity) -> NDArray[np.float64]:
        """On how many findings the finished readings that one may know differ from each other or from the model."""
        differs = np.zeros(len(self._desk.samples.names))
        if Role.READER in who.roles:
            groups = {name: [reading] for name, reading in ledger.of_reader.get(who.name, {}).copy().items()}
        else:
            groups = {name: list(found.copy().values()) for name, found in ledger.readings.copy().items()}
        for name, readings in groups.items():
            done = [each for each in readings if reached(each.state, ReadingState.DONE)]
            if done and self._desk.samples.places([name])[0] >= 0:
                differs[self._desk.samples.places([name])[0]] = self._differences(name, done)
        return differs

    def _differences(self, sample_id: str, readings: list[Reading]) -> int:
        items = self._desk.samples.items(sample_id)
        called = {item.finding: {Presence.PRESENT if item.decision else Presence.ABSENT} for item in items}
        for reading in readings:
            if reading.item == self._desk.item(sample_id):
                _add_calls(called, reading.second)
        return sum(len(calls) > 1 for calls in called.values())

    def _placed(self, readings: Mapping[str, Reading]) -> list[tuple[int, Reading]]:
        """Readings of exactly the items that the run holds, with their places."""
        places = self._desk.samples.places(list(readings))
        return [
            (int(place), reading)
            for place, (sample_id, reading) in zip(places, readings.items(), strict=True)
            if place >= 0 and reading.item == self._desk.item(sample_id)
        ]

    def _order(self, rows: pd.DataFrame, order: QueueOrder, attribute: str | None) -> NDArray[np.intp]:
        """The places of rows, which come by falling uncertainty, in another order; equal ones keep theirs."""
        if order is QueueOrder.PRIORITY:
            return np.argsort(-rows["priority"].to_numpy(), kind="stable")
        if order is QueueOrder.DISAGREEMENT:
            return np.argsort(-rows["disagreement"].to_numpy(), kind="stable")
        if order is QueueOrder.SUBGROUP:
            if attribute is None or attribute not in self._desk.run.attributes:
                known = ", ".join(self._desk.run.attributes) or "none"
                raise ReviewError(f"queue: {attribute!r} is not an attribute to read subgroups of in turn. There are: {known}.")
            groups = rows.groupby(attribute, sort=False)["sample_id"]
            return np.lexsort((groups.transform("size").to_numpy(), groups.cumcount().to_numpy()))
        return np.arange(len(rows))


def next_sample(queue: pd.DataFrame, after: str | None = None) -> str | None:
    """The sample to read next: a reading that was begun, else the first unread one.

    Args:
        queue: Of `Queues.queue`.
        after: A sample to leave behind, e.g. the present one.

    Returns:
        Its id; None where nothing is left.
    """
    left = queue.loc[(queue["status"] != ReadingState.DONE.value) & (queue["sample_id"] != after)]
    begun = left.loc[left["status"] != ReadingState.UNREAD.value]
    first = begun if len(begun) else left
    return str(first["sample_id"].iloc[0]) if len(first) else None


_STATES = np.array([state.value for state in ReadingState], dtype=object)
_CODE = {state: code for code, state in enumerate(ReadingState)}


def _add_calls(called: dict[str, set[Presence]], answers: tuple[Answer, ...]) -> None:
    for answer in answers:
        if answer.finding in called:
            called[answer.finding].add(answer.presence)


def _hide(rows: pd.DataFrame, hidden: NDArray[np.bool_]) -> pd.DataFrame:
    if not hidden.any():
        return rows
    words = ("least_certain", "called")
    blanks = {name: rows[name].astype(object).mask(hidden, "") for name in words}
    numbers = {name: rows[name].astype(np.float64).mask(hidden) for name in HIDDEN if name not in words}
    return rows.assign(**blanks, **numbers)
