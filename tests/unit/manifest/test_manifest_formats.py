"""Every published layout, in the form in which it is published: recognised as itself and as no other, and read."""

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import LabelTable, read_labels
from medclassify.manifest.delimited import read_header
from medclassify.manifest.formats import LAYOUTS, PUBLISHED, chexpert, vindr_cxr

Write = Callable[[str, str], Path]

NIH = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    "00000001_000.png,Cardiomegaly,0,1,58,M,PA,2682,2749,0.143,0.143\n"
)
CHEXPERT = (
    f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(chexpert.FINDINGS)}\n"
    "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n"
    "CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,Male,0,Frontal,PA,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,\n"
    "CheXpert-v1.0-small/train/patient00002/study1/view2_lateral.jpg,Unknown,83,Lateral,,,,,1.0,,,-1.0,,,,,,1.0,\n"
)
MIMIC = (
    "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices\n"
    "10000032,50414267,,,,,,,,,1.0,,,,,\n"
    "10000032,53189527,-1.0,,,0.0,,,,1.0,,,,,,\n"
    "10000764,57375967,,,1.0,,,,,,,,,-1.0,,\n"
)
MIMIC_METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning\n"
    "02aa804e-bde0afdd,10000032,50414267,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.53,CHEST (PA AND LAT),"
    "postero-anterior,Erect\n"
    "174413ec-4ec4c1f7,10000032,50414267,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.53,CHEST (PA AND LAT),"
    "lateral,Erect\n"
    "2a2277a9-b0ded155,10000032,53189527,CHEST (PA AND LAT),PA,3056,2544,21800626,165500.31,CHEST (PA AND LAT),"
    "postero-anterior,Erect\n"
    "096052b7-d256dc40,19999999,58888888,CHEST (PORTABLE AP),AP,2500,2048,21800626,165500.31,CHEST (PORTABLE AP),"
    "antero-posterior,\n"
)
MIMIC_SPLIT = (
    "dicom_id,study_id,subject_id,split\n"
    "02aa804e-bde0afdd,50414267,10000032,train\n"
    "174413ec-4ec4c1f7,50414267,10000032,validate\n"
)
RSNA_PNEUMONIA = (
    "patientId,x,y,width,height,Target\n"
    "0004cfab-14fd-4e49-80ba-63a80b6bddd6,,,,,0\n"
    "00436515-870c-4b36-a041-de91049b9ab4,264.0,152.0,213.0,379.0,1\n"
    "00436515-870c-4b36-a041-de91049b9ab4,562.0,152.0,256.0,453.0,1\n"
)
ICH_TYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
RSNA_ICH = "ID,Label\n" + "".join(
    f"{image}_{kind},{int(kind in positive)}\n"
    for image, positive in (("ID_12cadc6af", ()), ("ID_38fd7baa0", ("subdural", "any")))
    for kind in ICH_TYPES
)
VINDR = f"image_id,rad_id,{','.join(vindr_cxr.FINDINGS)}\n" + "".join(
    f"{image},{reader},{','.join(str(int(name in said)) for name in vindr_cxr.FINDINGS)}\n"
    for image, reader, said in (
        ("000434271f63a053c4128a0ba6352c7f", "R6", ("No finding",)),
        ("000434271f63a053c4128a0ba6352c7f", "R2", ("No finding",)),
        ("000434271f63a053c4128a0ba6352c7f", "R3", ("No finding", "COPD")),
        ("0005e8e3701dfb1dd93d53e2ff537b6e", "R10", ("Consolidation", "Infiltration", "Nodule/Mass")),
        ("0005e8e3701dfb1dd93d53e2ff537b6e", "R8", ("Consolidation",)),
        ("0005e8e3701dfb1dd93d53e2ff537b6e", "R9", ("Consolidation", "Nodule/Mass")),
    )
)
SIIM = (
    "ImageId, EncodedPixels\n"
    "1.2.276.0.7230010.3.1.4.8323329.5597.1517875188.959090, -1\n"
    "1.2.276.0.7230010.3.1.4.8323329.12515.1517875239.501137, 175349 7 1013 12 1009 17\n"
    "1.2.276.0.7230010.3.1.4.8323329.12515.1517875239.501137, 10 5\n"
)
PADCHEST = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,"
    "PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,RelativeXRayExposure_DICOM,ReportID,"
    "Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS\n"
)


def padchest_row(number: int, labels: str) -> str:
    quoted = f'"{labels}"' if "," in labels else labels
    return (
        f"{number},20536686640136348236148679891455886468_k6ga2{number}.png,0,20140915,S{number},8447{number}57294,1930.0,F,"
        "POSTEROANTERIOR,PA,Manual review of DICOM fields,No,CR,ImagingDynamicsCompanyLtd,MONOCHROME2,0.0,,0.16,12.0,2048.0,"
        "4096.0,2000.0,2000.0,,,,,,4765777,\"sin hallazgos , patologicos .\",Physician,"
        f"{quoted},['loc'],\"[['normal'], ['x']]\",['C0'],[]\n"
    )  # fmt: skip


PADCHEST_LABELS = (
    "['normal']", "['pleural effusion', ' cardiomegaly', '']", "['unchanged', 'cardiomegaly']", "['exclude']", "",
)  # fmt: skip
PADCHEST += "".join(padchest_row(number, labels) for number, labels in enumerate(PADCHEST_LABELS))

RSNA_PE = (
    "StudyInstanceUID,SeriesInstanceUID,SOPInstanceUID,pe_present_on_image,negative_exam_for_pe,qa_motion,qa_contrast,"
    "flow_artifact,rv_lv_ratio_gte_1,rv_lv_ratio_lt_1,leftsided_pe,chronic_pe,true_filling_defect_not_pe,rightsided_pe,"
    "acute_and_chronic_pe,central_pe,indeterminate\n"
    "1.1,1.1.1,1.1.1.1,0,0,0,0,1,1,0,1,0,0,0,0,0,0\n"
    "1.2,1.2.1,1.2.1.1,0,1,1,0,0,0,0,0,0,0,0,0,0,0\n"
)

FILES = {
    "nih": ("Data_Entry_2017.csv", NIH),
    "chexpert": ("train.csv", CHEXPERT),
    "mimic-cxr": ("mimic-cxr-2.0.0-chexpert.csv", MIMIC),
    "rsna-pneumonia": ("stage_2_train_labels.csv", RSNA_PNEUMONIA),
    "rsna-ich": ("stage_2_train.csv", RSNA_ICH),
    "rsna-pe": ("train.csv", RSNA_PE),
    "vindr-cxr": ("image_labels_train.csv", VINDR),
    "siim": ("train-rle.csv", SIIM),
    "padchest": ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", PADCHEST),
    "generic": ("labels.csv", "path,patient_id,effusion\na.png,1,1\n"),
}


@pytest.fixture
def published(write: Write) -> Callable[[str], Path]:
    """Writes a layout's file, with what is published beside it."""

    def write_layout(name: str) -> Path:
        if name == "mimic-cxr":
            write("mimic-cxr-2.0.0-metadata.csv", MIMIC_METADATA)
            write("mimic-cxr-2.0.0-split.csv", MIMIC_SPLIT)
        return write(*FILES[name])

    return write_layout


def replaced(write: Write, name: str, old: str, new: str) -> Path:
    file, text = FILES[name]
    assert old in text
    return write(file, text.replace(old, new))


def by_image(labels: LabelTable, finding: str) -> list[int | None]:
    return [None if pd.isna(value) else int(value) for value in labels.rows[finding]]


@pytest.mark.parametrize("name", FILES)
def test_each_is_recognised_as_itself_and_as_no_other(published: Callable[[str], Path], name: str) -> None:
    path = published(name)
    header, _ = read_header(path)
    assert [layout.NAME for layout in PUBLISHED if layout.recognises(header)] == [name] * (name != "generic")
    labels = read_labels(path)
    assert labels.format == name
    assert any(f"read as {name}, " in note for note in labels.notes)
    assert labels.rows.index.is_unique


def test_every_layout_has_a_file_here() -> None:
    assert {layout.NAME for layout in LAYOUTS} == {*FILES, "vindr-cxr-any", "vindr-cxr-soft"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("mimic-cxr", "study_id", "study"),
        ("rsna-pneumonia", "Target", "Class"),
        ("rsna-ich", "ID,Label", "ID,Label,fold"),
        ("nih", "Image Index,Finding Labels", "Index,Finding Labels"),
    ],
)
def test_a_changed_header_is_not_guessed_at(write: Write, name: str, old: str, new: str) -> None:
    with pytest.raises(ManifestError, match="no label format fits its columns .*; known formats are generic, nih, chexpert, "):
        read_labels(replaced(write, name, old, new))


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("chexpert", "Frontal/Lateral"),
        ("mimic-cxr", "study_id"),
        ("rsna-pneumonia", "patientId"),
        ("rsna-ich", "Label"),
        ("vindr-cxr", "image_id"),
        ("siim", "EncodedPixels"),
        ("padchest", "Projection"),
    ],
)
def test_a_named_layout_says_which_column_is_missing(write: Write, name: str, lacking: str) -> None:
    with pytest.raises(ManifestError, match=f"not the {name} layout: no column '{lacking}', received .*Other"):
        read_labels(replaced(write, name, lacking, "Other"), name)


def test_a_header_of_two_layouts_asks_which(write: Write) -> None:
    path = write("labels.csv", "Image Index,Finding Labels,ImageId,EncodedPixels\na.png,Mass,a,-1\n")
    with pytest.raises(ManifestError, match=r"fit nih and siim\. Say which with --format \(data\.format\); known are "):
        read_labels(path)
    assert read_labels(path, "siim").findings == ("Pneumothorax",)


def test_chexpert(published: Callable[[str], Path]) -> None:
    labels = read_labels(published("chexpert"))
    assert labels.findings == chexpert.FINDINGS
    assert labels.rows["path"].tolist()[0] == "train/patient00001/study1/view1_frontal.jpg"
    assert labels.rows["patient_id"].tolist() == ["patient00001", "patient00002", "patient00002"]
    assert labels.rows["view"].tolist() == ["AP", "PA", "LATERAL"]
    assert by_image(labels, "Cardiomegaly") == [None, -1, None]
    assert by_image(labels, "No Finding") == [1, None, None]
    assert labels.rows["age"].isna().tolist() == [False, True, False]
    assert "train.csv: age 0 means unknown: 1 rows." in labels.notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("patient00001/", "someone/", r"row 2, column Path: '.*view1_frontal\.jpg' names no patient"),
        (",1.0,,,,,,,,,0.0,,,,1.0", ",2.0,,,,,,,,,0.0,,,,1.0", "row 2, column No Finding: '2.0' is not a label"),
        ("CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg", "", "row 2: Path is blank"),
    ],
)
def test_chexpert_rows_that_were_changed(write: Write, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(replaced(write, "chexpert", old, new))


def test_chexpert_without_findings(write: Write) -> None:
    path = write("train.csv", "Path,Frontal/Lateral\ntrain/patient00001/study1/view1.jpg,Frontal\n")
    with pytest.raises(ManifestError, match="none of CheXpert's findings is a column"):
        read_labels(path)


@pytest.mark.parametrize("gzipped", [False, True])
def test_mimic_cxr_gives_a_study_s_labels_to_its_images(write: Write, tmp_path: Path, gzipped: bool) -> None:
    for kind, text in (("chexpert", MIMIC), ("metadata", MIMIC_METADATA), ("split", MIMIC_SPLIT)):
        path = tmp_path / f"mimic-cxr-2.0.0-{kind}.csv{'.gz' if gzipped else ''}"
        path.write_bytes(gzip.compress(text.encode()) if gzipped else text.encode())
    labels = read_labels(tmp_path / f"mimic-cxr-2.0.0-chexpert.csv{'.gz' if gzipped else ''}")
    assert labels.rows["image_id"].tolist() == ["02aa804e-bde0afdd", "174413ec-4ec4c1f7", "2a2277a9-b0ded155"]
    assert labels.rows.index.tolist() == [2, 3, 4]
    assert labels.lines_name.startswith("mimic-cxr-2.0.0-metadata.csv")
    assert labels.rows["patient_id"].tolist() == ["10000032"] * 3
    assert labels.rows["view"].tolist() == ["PA", "LATERAL", "PA"]
    assert labels.rows["split"].tolist()[:2] == ["train", "tune"]
    assert by_image(labels, "No Finding") == [1, 1, None]
    assert by_image(labels, "Atelectasis") == [None, None, -1]
    assert "StudyDate" not in labels.rows.columns
    assert any(note.endswith("1 images of " + labels.lines_name + " have no labelled study; 1 studies have no image there.")
               for note in labels.notes)  # fmt: skip


def test_mimic_cxr_needs_the_file_that_names_images(write: Write) -> None:
    path = write(*FILES["mimic-cxr"])
    with pytest.raises(ManifestError, match=r"\(mimic-cxr-2\.0\.0-metadata\.csv\) is not beside it\. Put it there\."):
        read_labels(path)
    write("mimic-cxr-2.1.0-metadata.csv", MIMIC_METADATA)
    labels = read_labels(write("my-labels.csv", MIMIC))
    assert len(labels.rows) == 3
    assert any("the published split is not used" in note for note in labels.notes)


def test_mimic_cxr_refuses_a_study_twice_and_a_changed_metadata_file(write: Write) -> None:
    write("mimic-cxr-2.0.0-metadata.csv", MIMIC_METADATA.replace("dicom_id", "image"))
    with pytest.raises(ManifestError, match=r"not the mimic-cxr metadata layout: no column 'dicom_id', received image, "):
        read_labels(write(*FILES["mimic-cxr"]))
    with pytest.raises(ManifestError, match="row 3: study 50414267 stands twice"):
        read_labels(replaced(write, "mimic-cxr", "53189527", "50414267"))


def test_rsna_pneumonia_warns_that_patients_cannot_be_grouped(published: Callable[[str], Path]) -> None:
    labels = read_labels(published("rsna-pneumonia"))
    assert labels.findings == ("Pneumonia",)
    assert by_image(labels, "Pneumonia") == [0, 1]
    assert labels.keys == ("image_id",)
    assert "patient_id" not in labels.rows.columns
    assert any(note.startswith("WARNING: ") and "PATIENTS CANNOT BE GROUPED BY IT" in note for note in labels.notes)
    assert labels.boxes is not None
    assert labels.boxes.rows[["left", "top", "width", "height"]].to_numpy().tolist() == [
        [264, 152, 213, 379], [562, 152, 256, 453],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("453.0,1", "453.0,0", "row 3: 00436515-.* has Target 1 in one row and 0 in another"),
        ("264.0", "", "row 3: left, top, width, height are blank, '152.0', '213.0', '379.0'; a box needs four numbers"),
        ("264.0", "inf", "row 3: left, top, width, height are 'inf'"),
        ("213.0", "0", "row 3: left, top, width, height are '264.0', '152.0', '0', '379.0'"),
        ("379.0,1", "379.0,yes", "row 3, column Target: 'yes' is not a label"),
    ],
)
def test_rsna_pneumonia_rows_that_were_changed(write: Write, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(replaced(write, "rsna-pneumonia", old, new))


def test_rsna_ich_has_six_rows_an_image(published: Callable[[str], Path]) -> None:
    labels = read_labels(published("rsna-ich"))
    assert labels.findings == ICH_TYPES
    assert labels.rows["image_id"].tolist() == ["ID_12cadc6af", "ID_38fd7baa0"]
    assert labels.rows.index.tolist() == [2, 8]
    assert [by_image(labels, kind)[1] for kind in ICH_TYPES] == [0, 0, 0, 0, 1, 1]


def test_rsna_ich_repeated_and_missing_rows_are_counted(write: Write) -> None:
    text = RSNA_ICH.replace("ID_38fd7baa0_epidural,0\n", "") + "ID_12cadc6af_any,0\n"
    labels = read_labels(write("stage_2_train.csv", text))
    assert by_image(labels, "epidural") == [0, None]
    assert "stage_2_train.csv: 1 rows repeat an earlier one; they change nothing." in labels.notes
    assert "stage_2_train.csv: 1 images lack some of the six rows; those findings are not labelled." in labels.notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ID_12cadc6af_any,0", "ID_12cadc6af_any,0\nID_12cadc6af_any,1", "row 8: ID_12cadc6af_any has another Label in"),
        ("ID_12cadc6af_any", "ID_12cadc6af_none", "row 7, column ID: 'ID_12cadc6af_none' does not end in one of _epidural"),
        ("ID_12cadc6af_any,0", "ID_12cadc6af_any,0.3", "row 7, column Label: '0.3' is not a label"),
    ],
)
def test_rsna_ich_rows_that_were_changed(write: Write, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(replaced(write, "rsna-ich", old, new))


@pytest.mark.parametrize(
    ("name", "mass", "infiltration", "copd"),
    [("vindr-cxr", 1, 0, 0), ("vindr-cxr-any", 1, 1, 1), ("vindr-cxr-soft", -1, -1, -1)],
)
def test_vindr_readers_become_one_label(
    published: Callable[[str], Path], name: str, mass: int, infiltration: int, copd: int
) -> None:
    labels = read_labels(published("vindr-cxr"), name)
    assert labels.format == name
    assert labels.findings == vindr_cxr.FINDINGS
    assert labels.rows.index.tolist() == [2, 5]
    assert by_image(labels, "Nodule/Mass") == [0, mass]
    assert by_image(labels, "Infiltration") == [0, infiltration]
    assert by_image(labels, "COPD") == [copd, 0]
    assert by_image(labels, "Consolidation") == [0, 1]
    assert by_image(labels, "No finding") == [1, 0]
    assert "rad_id" not in labels.rows.columns
    assert any("3 to 3 readers an image; they differ in 3 labels" in note for note in labels.notes)


def test_vindr_a_tie_is_uncertain_and_the_test_file_has_no_readers(write: Write) -> None:
    lines = VINDR.splitlines(keepends=True)
    two = read_labels(write("two.csv", "".join((lines[0], *lines[4:6]))))
    assert by_image(two, "Nodule/Mass") == [-1]
    assert by_image(two, "Consolidation") == [1]
    test = "".join(",".join(line.split(",")[:1] + line.split(",")[2:]) for line in (lines[0], lines[4]))
    single = read_labels(write("image_labels_test.csv", test.replace("Other diseases", "Other disease")))
    assert single.format == "vindr-cxr"
    assert single.findings == vindr_cxr.FINDINGS
    assert by_image(single, "Nodule/Mass") == [1]
    assert not any("readers" in note for note in single.notes)


def test_vindr_values_that_no_reader_writes(write: Write) -> None:
    with pytest.raises(ManifestError, match="row 2 holds -1; a reader of VinDr-CXR says 1 or 0"):
        read_labels(replaced(write, "vindr-cxr", "R6,0", "R6,-1"))
    with pytest.raises(ManifestError, match="none of VinDr-CXR's findings is a column"):
        read_labels(write("labels.csv", "image_id,mass\na,1\n"), "vindr-cxr")


BOXES_TRAIN = (
    "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
    "000434271f63a053c4128a0ba6352c7f,R6,No finding,,,,\n"
    "0005e8e3701dfb1dd93d53e2ff537b6e,R8,Consolidation,932.467,567.78,1197.77,896.40\n"
)


def test_vindr_boxes_lie_beside_the_labels(write: Write, published: Callable[[str], Path]) -> None:
    assert read_labels(published("vindr-cxr")).boxes is None
    write("annotations_train.csv", BOXES_TRAIN)
    boxes = read_labels(published("vindr-cxr")).boxes
    assert boxes is not None
    assert boxes.size is None
    assert boxes.rows["finding"].tolist() == ["Consolidation"]
    assert boxes.rows[["left", "top", "width", "height"]].to_numpy()[0] == pytest.approx([932.467, 567.78, 265.303, 328.62])
    write("annotations_train.csv", BOXES_TRAIN.replace("932.467", ""))
    with pytest.raises(ManifestError, match=r"annotations_train\.csv: row 3: left, top, width, height are blank, '567\.78'"):
        read_labels(published("vindr-cxr"))


def test_siim_runs_become_a_label_and_boxes(published: Callable[[str], Path]) -> None:
    labels = read_labels(published("siim"))
    assert labels.findings == ("Pneumothorax",)
    assert by_image(labels, "Pneumothorax") == [0, 1]
    assert labels.rows.index.tolist() == [2, 3]
    assert labels.boxes is not None
    sides = labels.boxes.rows[["left", "top", "width", "height"]].to_numpy().tolist()
    # 175349 = column 171, row 245: rows 245-251; then 1013 on: column 172, rows 241-252; then column 173, rows 238-254
    assert sides == [[171, 238, 3, 17], [0, 10, 1, 5]]


@pytest.mark.parametrize(
    ("runs", "box"),
    [("0 1", [0, 0, 1, 1]), ("1023 2", [0, 0, 2, 1024]), ("1048575 1", [1023, 1023, 1, 1]), ("5 3 10 0", [0, 5, 1, 3])],
)
def test_siim_boxes_at_the_edges(write: Write, runs: str, box: list[int]) -> None:
    labels = read_labels(replaced(write, "siim", "10 5", runs))
    assert labels.boxes is not None
    assert labels.boxes.rows[["left", "top", "width", "height"]].iloc[1].tolist() == box


@pytest.mark.parametrize("runs", ["10", "10 5 3", "a b", "-5 10", "1048575 2", "5 0", "9999999999999999999999 1", "١ ٢"])
def test_siim_runs_that_are_none(write: Write, runs: str) -> None:
    with pytest.raises(ManifestError, match="row 4, column EncodedPixels: .* is not -1 and not pairs of gap and length"):
        read_labels(replaced(write, "siim", "10 5", runs))


def test_siim_an_image_with_and_without_an_annotation(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"row 3: 1\.2\..*\.501137 has both an annotation and -1"):
        read_labels(replaced(write, "siim", " 10 5", "-1"))


def test_padchest(published: Callable[[str], Path]) -> None:
    labels = read_labels(published("padchest"))
    assert labels.findings == ("cardiomegaly", "normal", "pleural effusion")
    assert by_image(labels, "normal") == [1, 0, None, None, None]
    assert by_image(labels, "cardiomegaly") == [0, 1, 1, None, None]
    assert by_image(labels, "pleural effusion") == [0, 1, None, None, None]
    assert labels.rows["age"].tolist() == ["84"] * 5
    assert labels.rows["view"].tolist() == ["PA"] * 5
    assert labels.rows["sex"].tolist() == ["F"] * 5
    assert labels.rows["patient_id"].tolist()[:2] == ["8447057294", "8447157294"]
    assert not {"born", "date", "Report", "StudyID"} & set(labels.rows.columns)
    assert any("2 rows are blank or say 'exclude': nothing is labelled; 1 say 'unchanged'" in note for note in labels.notes)


@pytest.mark.parametrize(
    "labels",
    [
        "normal", "['normal'", "{'normal'}", "[1]", "['a'] + ['b']", "[__import__('os').getcwd()]", "[" * 9000,
        "['" + "a" * 30000 + "']",
    ],
)  # fmt: skip
def test_padchest_labels_that_are_no_list_of_texts(write: Write, labels: str) -> None:
    with pytest.raises(ManifestError, match=r"row 2, column Labels: .* is not a list of labels such as \['pleural effusion'\]"):
        read_labels(replaced(write, "padchest", "Physician,['normal']", f"Physician,{labels}"))


def test_padchest_without_a_finding(write: Write) -> None:
    path = write("p.csv", "ImageID,PatientID,Projection,Labels\na.png,1,PA,['exclude']\n")
    with pytest.raises(ManifestError, match="column Labels names no finding"):
        read_labels(path)
    part = read_labels(write("p.csv", "ImageID,PatientID,Projection,Labels,StudyDate_DICOM\na.png,1,PA,['mass'],20140915\n"))
    assert part.findings == ("mass",)
    assert list(part.rows.columns) == ["image_id", "patient_id", "view", "mass"]


def test_a_column_that_stands_twice_is_refused(write: Write) -> None:
    with pytest.raises(ManifestError, match="column 'Target' stands twice"):
        read_labels(write("labels.csv", "patientId,x,y,width,height,Target,Target\na,,,,,0,0\n"))


@pytest.mark.parametrize(
    ("left", "message"),
    [(29, "row 2 has fewer fields than the header: field 30 is not there"), (4, "a line does not fit the header")],
)
def test_a_first_row_that_was_cut_off_is_refused(write: Write, left: int, message: str) -> None:
    header, first, *rows = VINDR.splitlines(keepends=True)
    cut = ",".join(first.split(",")[:left]) + "\n"
    with pytest.raises(ManifestError, match=message):
        read_labels(write("image_labels_train.csv", "".join((header, cut, *rows))))


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused_in_one_line(published: Callable[[str], Path], write: Write, name: str) -> None:
    published(name)
    random = Random(name)
    file, text = FILES[name]
    bits = (",", "\n", "'", '"', "[", "]", "-1", "1", "nan", " ", "|", "é", "\0", "1e9", "\t", ";", "(", "9" * 30)
    messages = []
    for _ in range(25):
        damaged = text
        for _ in range(random.randint(1, 4)):
            start = random.randrange(len(damaged))
            end = start + random.choice((0, 0, 1, 1, 3, 10))
            damaged = damaged[:start] + random.choice((*bits, "", "")) + damaged[end:]
        try:
            read_labels(write(file, damaged), random.choice(("auto", name)))
        except ManifestError as error:
            messages.append(str(error))
    assert 0 < len(messages) < 25
    assert not [message for message in messages if "\n" in message]
