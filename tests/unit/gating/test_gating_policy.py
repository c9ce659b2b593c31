"""Policy files: the shipped ones, and what is refused."""

import re
from pathlib import Path

import pytest
import yaml

from medclassify.errors import ConfigError
from medclassify.gating import load_policy
from medclassify.gating.policy import REQUIREMENTS

FOLDER = Path(__file__).resolve().parents[3] / "configs" / "policies"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_policies_are_read(path: Path):
    policy = load_policy(path)
    assert policy.auroc.every is not None and policy.declared and policy.insufficient_gaps == "fail"


def test_the_page_has_a_policy_that_is_read_and_names_every_requirement(repository: Path, tmp_path: Path):
    page = (repository / "docs" / "gate.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "p.yaml").write_text(block.group(1), encoding="utf-8")
    policy = load_policy(tmp_path / "p.yaml")
    assert (policy.auroc.findings, policy.slope, policy.coverage["conformal"]) == ({"effusion": 0.8}, (0.7, 1.3), 0.8)
    assert set(policy.required) == set(REQUIREMENTS)
    assert all(f"`{name}`" in page for name in REQUIREMENTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aurocs: {every: 0.7}", "aurocs is not known; did you mean auroc?"),
        ("auroc: {evry: 0.7}", "auroc.evry is not known; did you mean auroc.every?"),
        ("sensitivity: {macro: 0.7}", "sensitivity.macro is not known. Known are: every, findings."),
        ("gap: {brier: 0.1}", "gap.brier is not known. Known are: auroc, sensitivity, specificity, insufficient."),
        ("gap: {auroc: 0.1, insufficient: ok}", "gap.insufficient must be fail or allow, received 'ok'."),
        ("auroc: {every: 70}", "auroc.every must be a number in [0, 1], received 70."),
        ("auroc: {findings: {effusion: high}}", "auroc.findings.effusion must be a number in [0, 1], received 'high'."),
        ("auroc: 0.7", "auroc is a mapping of keys to values, received 0.7."),
        ("calibration: {slope: [1.2, 0.8]}", "calibration.slope must be a band such as [-0.2, 0.2], received [1.2, 0.8]."),
        ("require: [leakage_clear]", "require: leakage_clear is not known; did you mean require: leakage_clean?"),
        ("require: verified", "require must be a list such as [a, b], received 'verified'."),
        ("attributes: {exempt: {site: }}", "attributes.exempt.site must say why it is not audited, received None."),
        ("", "holds no rule, so that anything would pass."),
        ("[a, b]", "a policy is a mapping of keys to values, received ['a', 'b']."),
        ("a: [", "not valid YAML ("),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str, tmp_path: Path):
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_policy(path)
    assert str(refused.value).startswith(f"{path}: ") and message in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such policy. Examples are in configs/policies/"):
        load_policy(tmp_path / "none.yaml")
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "p.yaml")


def test_no_key_of_a_shipped_policy_is_left_unread():
    values = yaml.safe_load((FOLDER / "run.yaml").read_text(encoding="utf-8"))
    policy = load_policy(FOLDER / "run.yaml")
    assert policy.gap == {"auroc": values["gap"]["auroc"], "sensitivity": values["gap"]["sensitivity"]}
    assert policy.intercept == tuple(values["calibration"]["intercept"])
    assert policy.declared == tuple(values["attributes"]["declared"]) and policy.exempt == values["attributes"]["exempt"]
