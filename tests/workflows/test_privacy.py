"""One run on files whose headers, folders and label columns name patients, two of whom withdrew consent; then every verb."""

import base64
import contextlib
import io
import json
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from safetensors.torch import save_file

from medclassify.cli import main
from medclassify.dicom import read_image
from medclassify.errors import ConfigError, ManifestError
from medclassify.manifest import PatientHasher, keep_samples, read_boxes, read_manifest
from medclassify.models import create_network
from medclassify.records import Answer, Presence
from medclassify.review import Desk, ReviewStore, build_worklist, named_reader, open_review_run
from medclassify.workflows.audit import audit
from medclassify.workflows.consent import Withdrawn, hashed
from medclassify.workflows.deidentify import deidentify
from medclassify.workflows.review import page_command

CONFIG = """
seed_everything: 1
data:
  source: {folder}
  labels: {labels}
  image_size: 32
  batch_size: 32
  exclude_patients: ["@{withdrawn}"]
  licence: CC-BY 4.0
model: {{backbone: test_efficientnet, weights: {weights}}}
trainer: {{max_epochs: 1}}
explain: {{samples: 2}}
audit: {{bootstrap: 100}}
"""
NAME = "CANARY"


@dataclass(frozen=True)
class Site:
    """A folder of images, its labels, the run fitted on them, and what the fit printed."""

    folder: Path
    labels: Path
    withdrawn: pd.DataFrame
    run: Path
    printed: str
    state: dict[str, str]


def _named(path: Path, out: Path, patient: str) -> None:
    ds = dcmread(path)
    item = Dataset()
    item.PersonName, item.TextValue = f"{NAME}^ITEM", f"{NAME} nested"
    ds.PatientName, ds.AccessionNumber, ds.PatientID = f"{NAME}^NAME", f"{NAME}1", f"{NAME}-{patient}"
    ds.StudyDescription = ds.PatientComments = ds.ImageComments = ds.SeriesDescription = f"{NAME} free text"
    ds.ReferringPhysicianName = ds.OperatorsName = f"{NAME}^DOCTOR"
    ds.RequestAttributesSequence = Sequence([item])
    ds.private_block(0x0009, f"{NAME} MAKER", create=True).add_new(1, "LO", NAME)
    out.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(out)


@pytest.fixture(scope="module")
def site(phantom: Path, tmp_path_factory: pytest.TempPathFactory, state: dict[str, str]) -> Site:
    root = tmp_path_factory.mktemp("site")
    folder, labels = root / f"{NAME}_archive", pd.read_csv(phantom / "labels.csv", dtype="str")
    patients = sorted(labels["patient_id"].unique())
    withdrawn = labels[labels["patient_id"].isin(patients[:2])]
    # Label file and headers name a patient differently; the site knows the second one by the header's id.
    listed = root / "withdrawn.txt"
    listed.write_text(f" {patients[0].lower()}\n\n{NAME}-{patients[1]}\n", encoding="utf-8")
    for row in labels.to_dict("records"):
        _named(phantom / row["path"], folder / f"{NAME}_{row['patient_id']}" / Path(row["path"]).name, row["patient_id"])
    labels["path"] = [f"{NAME}_{who}/{Path(path).name}" for who, path in zip(labels["patient_id"], labels["path"], strict=True)]
    labels["patient_name"], labels["comment"], labels["birth_date"] = f"{NAME}, John", f"{NAME} said it hurts", "1950-01-01"
    labels.to_csv(folder / "labels.csv", index=False)
    config = root / "named.yaml"
    weights = root / f"{NAME}_weights" / "start.safetensors"
    weights.parent.mkdir()
    save_file({name: each.contiguous() for name, each in create_network("test_efficientnet", 1).state_dict().items()}, weights)
    texts = CONFIG.format(folder=folder, labels=folder / "labels.csv", withdrawn=listed, weights=weights)
    config.write_text(texts, encoding="utf-8")
    done, printed = run_verb(state, "fit", config, "--run_dir", root / "run")
    assert done == 0, printed
    return Site(folder, folder / "labels.csv", withdrawn, root / "run", printed, state)


def run_verb(state: dict[str, str], *words: object) -> tuple[int, str]:
    """A verb in this process, for imports cost more than all else here; its exit code and what it printed."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        for name in ("MEDCLASSIFY_KEY_FILE", "MEDCLASSIFY_CACHE"):
            patch.setenv(name, state[name])
        code = main([str(word) for word in words])
    return code, printed.getvalue()


def verb(site: Site, *words: object) -> str:
    code, printed = run_verb(site.state, *words)
    assert code == 0, printed
    return printed


@pytest.fixture(autouse=True)
def same_key(state: dict[str, str], monkeypatch: pytest.MonkeyPatch, private_state: None) -> None:
    for name in ("MEDCLASSIFY_KEY_FILE", "MEDCLASSIFY_CACHE"):
        monkeypatch.setenv(name, state[name])


def contents(path: Path) -> str:
    """All text in a file, compressed or not."""
    raw = path.read_bytes()
    text = raw.decode("latin-1")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        text += pd.read_parquet(path).to_csv() + str(pq.read_schema(path).metadata)
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            text += str(arrays.files)
    elif path.suffix in (".sqlite", ".db"):
        with sqlite3.connect(path) as store:
            text += "\n".join(store.iterdump())
    elif path.suffix == ".html":
        text += "".join(base64.b64decode(part).decode("latin-1") for part in re.findall(r"base64,([A-Za-z0-9+/=]+)", text))
    return path.name + text


def leaks(folder: Path, needle: str = NAME) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and needle in contents(path)}


def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(f'<img src="data:image/png;base64,{base64.b64encode(NAME.encode()).decode()}">')
    pd.DataFrame({"x": [f"{NAME}^{n}" for n in range(99)]}).to_parquet(tmp_path / "b.parquet", compression="zstd")
    (tmp_path / "c.txt").write_text("nobody")
    assert leaks(tmp_path) == {"a.html", "b.parquet"}


def test_a_run_holds_folder_names_where_files_must_be_found_and_nothing_else(site: Site) -> None:
    # docs/privacy.md: what finds the files again
    assert leaks(site.run) == {"manifest.parquet", "exclusions.csv", "config.yaml"}
    manifest = read_manifest(site.run / "manifest.parquet")
    assert NAME not in manifest.frame.drop(columns="path").to_csv()
    assert not {"patient_name", "comment", "birth_date"} & set(manifest.frame.columns)
    config = (site.run / "config.yaml").read_text(encoding="utf-8")
    assert [line for line in config.splitlines() if NAME in line and not re.match(r"\s*(source|labels|weights):", line)] == []
    exclusions = pd.read_csv(site.run / "exclusions.csv")
    assert NAME not in exclusions.drop(columns="path").to_csv()


def test_excluded_patients_stand_nowhere_in_the_clear_and_are_counted(site: Site) -> None:
    hasher = PatientHasher()
    ids = site.withdrawn["patient_id"].unique()
    manifest = read_manifest(site.run / "manifest.parquet")
    assert len(manifest) and not set(manifest.frame["patient_id"]) & {hasher.hash(name) for name in ids}
    listed = pd.read_csv(site.run / "exclusions.csv")
    assert (listed["reason"] == "patient excluded").sum() == len(site.withdrawn)
    assert f"patients left out on request: 2, with {len(site.withdrawn)} images." in site.printed
    for path in site.run.rglob("*"):
        if path.is_file() and path.name not in ("exclusions.csv",):  # its path column names the files
            assert not [name for name in ids if re.search(rf"\b{re.escape(name)}\b", contents(path))], path
    kept = json.loads((site.run / "provenance.json").read_text(encoding="utf-8"))
    assert (kept["licence"], kept["consent"]) == ("CC-BY 4.0", "NOT PROVIDED")
    report = (site.run / "audit" / "report.html").read_text(encoding="utf-8")
    assert "CC-BY 4.0" in report and "Patients left out on request" in report


def test_cache_and_review_store_name_nobody(site: Site) -> None:
    run = open_review_run(site.run)
    desk, who = Desk(run, ReviewStore(run.layout.reviews)), named_reader("reader")
    answers = [Answer(finding, Presence.ABSENT, 50) for finding in run.findings]
    desk.reveal(who, desk.lock_first(who, desk.open(who, desk.samples.names[0]), answers, seconds=1))
    desk.store.close()
    assert leaks(site.run) == {"manifest.parquet", "exclusions.csv", "config.yaml"}
    assert {name for name in leaks(Path(site.state["MEDCLASSIFY_CACHE"])) if "headers" not in name} == set()


def test_predict_and_explain_leave_out_whom_the_run_leaves_out(site: Site, tmp_path: Path) -> None:
    # By the headers alone: the run knows these patients by both ids, whichever was on its list.
    rows = [*site.withdrawn.groupby("patient_id")["path"].first(), *_others(site, 2)["path"]]
    images = [next(site.folder.rglob(Path(path).name)) for path in rows]
    printed = verb(site, "predict", site.run, *images, "--out", tmp_path / "p.csv")
    assert "patients left out on request: 2, with 2 images." in printed
    assert pd.read_csv(tmp_path / "p.csv")["sample_id"].nunique() == 2
    assert leaks(tmp_path) == {"p.files.csv", "p.exclusions.csv"}
    other = f"{NAME}-{_others(site, 2)['patient_id'].iloc[0].lower()}"
    maps = verb(site, "explain", site.run, *images, "--out", tmp_path / "maps", "--exclude-patients", other)
    assert "patients left out on request: 3, with 3 images." in maps and other not in maps
    assert len(list((tmp_path / "maps").glob("*.png"))) == len(read_manifest(site.run / "manifest.parquet").findings)
    assert leaks(tmp_path / "maps") == {"files.csv"}  # which file a sample is: told in docs/privacy.md


def _others(site: Site, count: int) -> pd.DataFrame:
    """One image each of patients who are in the run's test split."""
    manifest = read_manifest(site.run / "manifest.parquet").frame
    test = manifest[manifest["split"] == "test"].drop_duplicates("patient_id").head(count)
    return pd.DataFrame(
        {"path": test["path"], "patient_id": [Path(path).parent.name.split("_", 1)[1] for path in test["path"]]}
    )


def test_consent_withdrawn_after_the_fit_is_honoured_by_evaluate_audit_and_review(site: Site, tmp_path: Path) -> None:
    who = _others(site, 1)["patient_id"].iloc[0]
    gone = PatientHasher().hash(who)
    before = pd.read_parquet(site.run / "predictions.parquet")
    out = before[before["patient_id"] == gone]["sample_id"].unique()
    assert len(out)
    printed = verb(site, "evaluate", site.run, "--out", tmp_path / "again", "--exclude-patients", who)
    assert f"patients left out on request: 1, with {len(out)} images." in printed
    assert "was made with 1 of these patients, 0 of them in what the model learnt from" in printed and who not in printed
    assert gone not in set(pd.read_parquet(tmp_path / "again" / "predictions.parquet")["patient_id"])
    facts = json.loads((tmp_path / "again" / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert facts["facts"]["data"] == {"licence": "CC-BY 4.0", "consent": "NOT PROVIDED", "excluded_on_request": 1}
    assert leaks(tmp_path / "again") == set()

    verb(site, "audit", site.run, "--out", tmp_path / "audit", "--exclude-patients", gone)
    told = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    whole = json.loads((site.run / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert (told["patients"], told["samples"]) == (whole["patients"] - 1, whole["samples"] - len(out))
    assert told["facts"]["counts"]["test"]["patients"] == whole["facts"]["counts"]["test"]["patients"] - 1
    assert told["facts"]["exclusions"]["patient excluded"] == whole["facts"]["exclusions"]["patient excluded"] + len(out)
    assert not set(out) & set(re.findall(r"[0-9a-f]{16}", (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")))
    assert leaks(tmp_path / "audit") == set()

    shown = build_worklist(open_review_run(site.run, [gone]).predictions)
    assert not set(out) & set(shown["sample_id"])
    assert page_command(site.run, 8501, [gone])[-2:] == [str(site.run.resolve()), gone]


def test_audit_of_a_foreign_table_leaves_out_by_id_or_hash(site: Site, tmp_path: Path, capsys) -> None:
    hasher = PatientHasher()
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": [f"0{n}" for n in range(40)], "target": [0, 1] * 20, "score": rng.uniform(size=40)})
    table.loc[3, "patient_id"] = hasher.hash("99")
    table.to_csv(tmp_path / "t.csv", index=False)
    result, _ = audit(None, tmp_path / "t.csv", (), tmp_path / "out", ["7", "99", "1000"])
    assert result.table.frame["patient_id"].nunique() == 38
    assert result.table.findings == ("t",)  # called after the file, as without exclusions
    told = capsys.readouterr()
    assert "patients left out on request: 2, with 2 samples." in told.out
    assert "1 of 3 patients of --exclude-patients have no image here (first: entry 3)" in told.err
    table.drop(columns="patient_id").to_csv(tmp_path / "n.csv", index=False)
    with pytest.raises(ManifestError, match="has no column patient_id, so nobody can be left out"):
        audit(None, tmp_path / "n.csv", (), tmp_path / "second", ["7"])
    with pytest.raises(ManifestError, match="no row is left without the 40 excluded patients"):
        audit(None, tmp_path / "t.csv", (), tmp_path / "third", [*map(str, range(40)), "99"])


def test_entries_are_hashed_and_never_kept_as_they_are(tmp_path: Path) -> None:
    hasher = PatientHasher()
    (tmp_path / "list").write_text("\ufeff 007 \n\n8\n", encoding="utf-8")
    digits = "1234567890123456"  # an id of sixteen digits looks like a hash
    found = hashed([f"@{tmp_path / 'list'}", "7", hasher.hash("9"), digits, " "], hasher)
    assert found == (hasher.hash("7"), hasher.hash("8"), hasher.hash("9"), hasher.hash(digits))
    with pytest.raises(ConfigError, match=r"@.*nowhere: the list of excluded patients cannot be read \(No such file"):
        hashed([f"@{tmp_path / 'nowhere'}"], hasher)
    (tmp_path / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        hashed([f"@{tmp_path / 'list'}"], hasher)


def test_a_printed_config_names_no_excluded_patient(site: Site, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {exclude_patients: ['SECRET-7']}", encoding="utf-8")
    printed = verb(site, "fit", tmp_path / "c.yaml", "--print_config")
    assert "SECRET" not in printed and PatientHasher().hash("SECRET-7") in printed


def test_a_key_that_others_may_read_is_warned_of_in_one_line(site: Site, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", str(tmp_path / "k"))
    Withdrawn.of([])
    assert capsys.readouterr().err == ""
    (tmp_path / "k").chmod(0o644)
    Withdrawn.of([])
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.startswith("WARNING: ") and "chmod 600" in told


def test_boxes_go_with_their_copies(site: Site, tmp_path: Path) -> None:
    manifest = read_manifest(site.run / "manifest.parquet")
    part = keep_samples(manifest, manifest.frame["sample_id"][:2])
    boxes = pd.DataFrame({"sample_id": manifest.frame["sample_id"][1:3], "finding": "nodule"})
    boxes = boxes.assign(left=1.0, top=2.0, width=3.0, height=4.0).reset_index(drop=True)
    copies = deidentify(part, tmp_path / "copies", boxes)
    kept = read_boxes(copies.manifest)
    assert kept is not None and kept["sample_id"].tolist() == [read_manifest(copies.manifest).frame["sample_id"][1]]
    assert kept["height"].tolist() == [4.0]


def test_when_nothing_may_be_copied_that_is_an_error(site: Site, tmp_path: Path) -> None:
    manifest = read_manifest(site.run / "manifest.parquet")
    part = keep_samples(manifest, manifest.frame["sample_id"][:1])
    part.frame["path"] = str(tmp_path / "gone.dcm")
    with pytest.raises(ManifestError, match=r"copies: none of 1 images could be copied. .*copies.exclusions.csv says why"):
        deidentify(part, tmp_path / "copies")


def test_index_writes_copies_that_can_be_learnt_from(site: Site, tmp_path: Path) -> None:
    gone = site.withdrawn["patient_id"].iloc[0]
    copies = tmp_path / "copies"
    marked = next(path for path in site.folder.rglob("*.dcm") if gone not in path.parent.name)
    original = marked.read_bytes()
    ds = dcmread(marked)
    ds.BurnedInAnnotation = "YES"
    ds.save_as(marked)
    try:
        printed = verb(
            *(site, "index", site.folder, "--labels", site.labels, "--out", tmp_path / "m.parquet"),
            *("--deidentify", copies, "--exclude-patients", gone),
        )
    finally:
        marked.write_bytes(original)
    assert "1 left out: not copied: may show or hold text" in printed and "(1 not copied)" in printed
    assert leaks(copies) == set()
    listed = pd.read_csv(tmp_path / "copies.exclusions.csv")
    assert listed["path"].tolist() == [str(marked)] and "is YES" in listed["detail"].iloc[0]
    before, after = read_manifest(tmp_path / "m.parquet"), read_manifest(copies / "manifest.parquet")
    assert len(after) == len(before) - 1 == len(list(copies.rglob("*.dcm")))
    assert PatientHasher().hash(gone) not in set(after.frame["patient_id"])
    same = before.frame[before.frame["path"] != str(marked)].reset_index(drop=True)
    for name in ("patient_id", "sex", "age_band", *after.findings):
        pd.testing.assert_series_equal(after.frame[name], same[name])
    assert not set(after.frame["sample_id"]) & set(before.frame["sample_id"])
    assert not set(after.frame["site"].dropna()) & set(before.frame["site"].dropna())
    assert after.frame["site"].nunique() == same["site"].nunique()
    for n in (0, 5):
        ds = dcmread(after.frame["path"][n])
        assert ds.PatientID == after.frame["patient_id"][n] and ds.StudyInstanceUID == after.frame["study_uid"][n]
        np.testing.assert_array_equal(read_image(after.frame["path"][n]).pixels, read_image(same["path"][n]).pixels)
    moved = copies.rename(tmp_path / "elsewhere")
    scored = verb(site, "predict", site.run, moved / "manifest.parquet", "--out", tmp_path / "p.csv")
    left_out = (site.withdrawn["patient_id"] != gone).sum()  # the run knows of another patient, by the hash alone
    assert f"scored {len(after) - left_out} images" in scored
    code, refused = run_verb(
        *(site.state, "index", site.folder, "--labels", site.labels, "--out", tmp_path / "x.parquet", "--deidentify", moved)
    )
    assert code == 1 and "is not an empty folder. Choose another one with --deidentify" in refused
    assert not (tmp_path / "x.parquet").exists()
