"""The samples behind one number: a finding within a subgroup, as the arrays that statistics take."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.audit.table import AuditTable

ALL = "all"


@dataclass(frozen=True, eq=False)
class Cell:
    """Labelled samples of one finding in one subgroup.

    Attributes:
        finding: The finding.
        attribute: The attribute, ``all`` for the whole table.
        subgroup: The level, ``all`` for the whole table.
        positive: bool (n,), the finding is present.
        score: float64 (n,).
        decision: float64 (n,), 1, 0, or NaN where no threshold is given.
        patients: intp (n,), a code that means the same patient in every cell of the table.
    """

    finding: str
    attribute: str
    subgroup: str
    positive: NDArray[np.bool_]
    score: NDArray[np.float64]
    decision: NDArray[np.float64]
    patients: NDArray[np.intp]

    @property
    def n(self) -> int:
        return self.positive.size

    @property
    def n_pos(self) -> int:
        return int(np.count_nonzero(self.positive))

    @property
    def n_neg(self) -> int:
        return self.n - self.n_pos

    @property
    def n_patients(self) -> int:
        return int(np.unique(self.patients).size)

    def decided(self) -> "Cell":
        """Only the samples with a decision."""
        return self.where(~np.isnan(self.decision))

    def where(self, rows: NDArray[np.bool_], subgroup: str | None = None) -> "Cell":
        """Some of the samples, under the same or another name."""
        name = self.subgroup if subgroup is None else subgroup
        parts = (self.positive[rows], self.score[rows], self.decision[rows], self.patients[rows])
        return Cell(self.finding, self.attribute, name, *parts)


@dataclass(frozen=True, eq=False)
class FindingCells:
    """One finding: its whole test set, and that set cut by each attribute.

    Attributes:
        whole: All labelled samples.
        groups: Attribute → subgroup → its samples; subgroups may be empty.
        masked: Samples without a usable label.
        n_patients: Patients in the whole table, for resampling.
        rows: intp (n,), where the labelled samples stand in the table.
        members: Attribute → intp (n,), the number of each labelled sample's subgroup.
    """

    whole: Cell
    groups: dict[str, dict[str, Cell]]
    masked: int
    n_patients: int
    rows: NDArray[np.intp]
    members: dict[str, NDArray[np.intp]]


def finding_cells(table: AuditTable) -> Iterator[FindingCells]:
    """Cuts the table by finding and subgroup."""
    codes, patients = pd.factorize(table.frame["patient_id"])
    for finding in table.findings:
        of_finding = (table.frame["finding"] == finding).to_numpy()
        labelled = of_finding & table.frame["target"].notna().to_numpy()
        rows = table.frame[labelled]
        whole = Cell(
            finding,
            ALL,
            ALL,
            rows["target"].to_numpy() == 1,
            rows["score"].to_numpy(dtype=np.float64),
            rows["decision"].to_numpy(dtype=np.float64),
            codes[labelled].astype(np.intp),
        )
        members = {
            attribute: pd.Categorical(rows[attribute], categories=list(levels)).codes.astype(np.intp)
            for attribute, levels in table.levels.items()
        }
        groups = {
            attribute: {level: _cut(whole, members[attribute] == k, attribute, level) for k, level in enumerate(levels)}
            for attribute, levels in table.levels.items()
        }
        masked = int(of_finding.sum() - labelled.sum())
        yield FindingCells(whole, groups, masked, len(patients), np.flatnonzero(labelled), members)


def _cut(whole: Cell, rows: NDArray[np.bool_], attribute: str, level: str) -> Cell:
    cell = whole.where(rows, level)
    return Cell(cell.finding, attribute, level, cell.positive, cell.score, cell.decision, cell.patients)
