"""The shortcut watch: by finding and zone, whether saliency gathers where there is no anatomy; and the worst cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medclassify.explain.resampling import ratios
from medclassify.explain.shortcuts import ZONES
from medclassify.metrics import MIN_CELL

LARGEST_LIFT = 2.0
"""A zone alarms where the lower limit of its lift, share of |saliency| over share of the area, lies above this."""
COLUMNS = ("finding", "zone", "n", "n_patients", "share", "area", "lift", "lift_low", "lift_high", "alarm", "note")
CASE_COLUMNS = ("sample_id", "finding", "zone", "share", "area", "lift")
_WORST = 20


@dataclass(frozen=True, slots=True)
class WatchedMap:
    """One map's shares.

    Attributes:
        sample_id: The sample.
        patient_id: Its patient.
        finding: The finding.
        zones: Zone → (share of |saliency|, share of the area).
    """

    sample_id: str
    patient_id: str
    finding: str
    zones: dict[str, tuple[float, float]]


def shortcut_table(watched: Sequence[WatchedMap], seed: int = 0) -> pd.DataFrame:
    """One row a finding and zone, with the lift's patient-bootstrap interval and whether it alarms.

    Returns:
        Columns ``COLUMNS``. Below 5 patients whose images have such a zone nothing is judged, and the note says so.
    """
    rows = []
    for finding in dict.fromkeys(each.finding for each in watched):
        for zone in ZONES:
            own = [each for each in watched if each.finding == finding and each.zones[zone][1] > 0]
            n_patients = len({each.patient_id for each in own})
            row: dict = {"finding": finding, "zone": zone, "n": len(own), "n_patients": n_patients, "alarm": False, "note": ""}
            if n_patients < MIN_CELL:
                rows.append(row | {"note": f"maps of {n_patients} patients with such a zone, of {MIN_CELL} needed: not judged"})
                continue
            share, area = np.array([each.zones[zone] for each in own]).T[:, :, None]
            (lift,), _ = ratios(share, area, [each.patient_id for each in own], seed)
            row |= {"share": float(share.mean()), "area": float(area.mean())}
            row |= {"lift": lift.value, "lift_low": lift.low, "lift_high": lift.high, "alarm": lift.low > LARGEST_LIFT}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def worst_cases(watched: Sequence[WatchedMap]) -> pd.DataFrame:
    """The twenty maps and zones with the largest share of |saliency| beyond the zone's share of the area."""
    rows = [
        {"sample_id": each.sample_id, "finding": each.finding, "zone": zone, "share": share, "area": area, "lift": share / area}
        for each in watched
        for zone, (share, area) in each.zones.items()
        if area > 0
    ]
    table = pd.DataFrame(rows, columns=list(CASE_COLUMNS))
    order = (table["share"] - table["area"]).sort_values(ascending=False, kind="stable").index
    return table.loc[order].head(_WORST).reset_index(drop=True)
