"""Parts of a manifest: some of its samples, some of its findings, or all but some patients."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from medclassify.errors import ManifestError
from medclassify.manifest.identity import PATIENT_EXCLUDED
from medclassify.manifest.patients import PatientHasher, is_patient_hash, normalise_patient_key
from medclassify.manifest.table import Manifest
from medclassify.records import Exclusion


def keep_samples(manifest: Manifest, sample_ids: Iterable[str]) -> Manifest:
    """The named samples, in the manifest's order."""
    return replace(manifest, frame=manifest.frame[manifest.frame["sample_id"].isin(set(sample_ids))].reset_index(drop=True))


def keep_findings(manifest: Manifest, findings: Sequence[str]) -> Manifest:
    """The named findings, in the order given; other findings stay as columns that nothing reads.

    Raises:
        ManifestError: A name is not a finding of the manifest.
    """
    unknown = [name for name in findings if name not in manifest.findings]
    if unknown:
        raise ManifestError(f"{manifest.source}: has no finding {unknown[0]!r}; it has {', '.join(manifest.findings)}.")
    return replace(manifest, findings=tuple(findings))


def without_patients(
    manifest: Manifest, exclude: Sequence[str], hasher: PatientHasher
) -> tuple[Manifest, list[Exclusion], list[str]]:
    """Leaves out patients who withdrew consent.

    Args:
        manifest: Its patient ids are hashes.
        exclude: Ids as written in labels or headers, or their hashes.
        hasher: The one that made the manifest's hashes.

    Returns:
        The rest, one exclusion a sample, and notes: how many patients were left out, and entries that no patient here matches.

    Raises:
        ManifestError: Nobody is left.
    """
    wanted = [{hasher.hash(name), name.strip()} if is_patient_hash(name.strip()) else {hasher.hash(name)} for name in exclude
              if normalise_patient_key(name)]  # fmt: skip
    patients = manifest.frame["patient_id"]
    out = patients.isin(set().union(*wanted)) if wanted else patients.isna()
    present = set(patients)
    notes = [f"patients left out on request: {patients[out].nunique()}, with {int(out.sum())} images."] if out.any() else []
    if absent := sum(not hashes & present for hashes in wanted):
        notes.append(
            f"WARNING: {absent} of {len(wanted)} excluded patients have no image here; "
            f"was the manifest made with this patient key?"
        )
    exclusions = [
        Exclusion(path, PATIENT_EXCLUDED, f"patient {patient} is on the list of excluded patients")
        for path, patient in zip(manifest.frame["path"][out], patients[out], strict=True)
    ]
    if out.all() and len(manifest):
        raise ManifestError(f"{manifest.source}: no sample is left without the {patients.nunique()} excluded patients.")
    return replace(manifest, frame=manifest.frame[~out].reset_index(drop=True)), exclusions, notes
