"""Names, coefficients, preprocessing, and the bundle's round trip."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medclassify.errors import ConfigError, RunError
from medclassify.models import (
    ModelBundle,
    backbone_name,
    create_network,
    load_bundle,
    preprocessing_of,
    save_bundle,
    scaling_of,
    state_fingerprint,
)


@pytest.mark.parametrize(
    ("backbone", "scale", "name"),
    [
        ("efficientnet_b0", None, "efficientnet_b0"),
        ("efficientnet_b0", 5, "efficientnet_b5"),
        ("tf_efficientnet_b0.ns_jft_in1k", 3, "tf_efficientnet_b3.ns_jft_in1k"),
        ("tf_efficientnetv2_b0", 2, "tf_efficientnetv2_b2"),
        ("efficientnetv2_s", None, "efficientnetv2_s"),
    ],
)
def test_names_and_coefficients(backbone: str, scale: int | None, name: str) -> None:
    assert backbone_name(backbone, scale) == name


@pytest.mark.parametrize(
    ("backbone", "scale", "message"),
    [
        ("efficientnet_bo", None, "did you mean efficientnet_b"),
        ("resnet50", None, "not an EfficientNet"),
        ("tf_efficientnetv2_b0", 4, "must be 0–3"),
        ("efficientnetv2_s", 1, "named by coefficient"),
    ],
)
def test_wrong_names_are_refused(backbone: str, scale: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        backbone_name(backbone, scale)


def test_every_family_member_of_the_promise_exists() -> None:
    names = [f"efficientnet_b{n}" for n in range(8)] + [f"tf_efficientnetv2_b{n}" for n in range(4)]
    names += [f"tf_efficientnetv2_{size}" for size in ("s", "m", "l", "xl")]
    assert [backbone_name(name, None) for name in names] == names


def test_preprocessing_comes_with_the_weights() -> None:
    plain = preprocessing_of("tf_efficientnet_b0", image_size=None, window="voi")
    adversarial = preprocessing_of("tf_efficientnet_b0.ap_in1k", image_size=None, window="voi")
    assert plain.image_size == 224 and plain.interpolation == "bicubic"
    assert plain.mean == pytest.approx((0.485, 0.456, 0.406))
    assert adversarial.mean == (0.5, 0.5, 0.5)  # AdvProp was trained on [-1, 1]
    assert preprocessing_of("efficientnet_b0", image_size=96, window="full").image_size == 96


FAMILY = {  # the sizes they were published with (Tan & Le 2019; the V2s' are those of their last stage of training)
    **{f"tf_efficientnet_b{n}": side for n, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    **{f"tf_efficientnetv2_b{n}": side for n, side in enumerate((192, 192, 208, 240))},
    **{f"tf_efficientnetv2_{size}": side for size, side in (("s", 300), ("m", 384), ("l", 384), ("xl", 384))},
}


@pytest.mark.parametrize("backbone", FAMILY)
def test_every_family_member_is_built_with_its_own_resolution_and_dropout(backbone: str) -> None:
    with torch.device("meta"):  # shapes alone: nothing is computed
        network = create_network(backbone, 3)
        assert network.eval()(torch.empty(1, 3, 64, 64)).shape == (1, 3)
    assert network.drop_rate == scaling_of(backbone).dropout
    assert preprocessing_of(backbone, image_size=None, window="voi").image_size == FAMILY[backbone]


def test_one_coefficient_chooses_resolution_too() -> None:
    sides = [
        preprocessing_of(backbone_name("tf_efficientnet_b0", n), image_size=None, window="voi").image_size for n in range(8)
    ]
    assert sides == [224, 240, 260, 300, 380, 456, 528, 600]


@pytest.mark.parametrize(
    ("backbone", "mean"),
    [
        *((f"tf_efficientnet_b0.{tag}", 0.485) for tag in ("in1k", "aa_in1k", "ns_jft_in1k")),
        *((f"tf_efficientnet_b{n}.ap_in1k", 0.5) for n in range(8)),
        ("tf_efficientnetv2_b3.in1k", 0.485),
        *((f"tf_efficientnetv2_{size}.in21k", 0.5) for size in ("b3", "s", "m", "l", "xl")),
        ("efficientnet_b1.ra4_e3600_r240_in1k", 0.5),
        ("efficientnet_b1.ft_in1k", 0.485),
    ],
)
def test_a_weights_tag_brings_its_normalisation(backbone: str, mean: float) -> None:
    assert preprocessing_of(backbone, image_size=None, window="voi").mean[0] == mean
    assert backbone_name(backbone, None) == backbone


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ("efficientnet_b0", "width × 1, depth × 1, dropout 0.2"),
        ("tf_efficientnet_b7.ns_jft_in1k", "width × 2, depth × 3.1, dropout 0.5"),
        ("tf_efficientnetv2_b3", "width × 1.2, depth × 1.4, dropout 0.3"),
        ("tf_efficientnetv2_l", "dropout 0.4"),
        ("test_efficientnet", "dropout 0.2"),
    ],
)
def test_one_coefficient_scales_everything(backbone: str, words: str) -> None:
    assert str(scaling_of(backbone)) == words
    assert create_network(backbone, 1).drop_rate == scaling_of(backbone).dropout


def test_the_factors_are_those_of_the_networks() -> None:
    """Depth and width as published: the channels before the head and the number of blocks grow as the factors say."""
    small, large = (create_network(f"efficientnet_b{n}", 1) for n in (0, 3))
    factor = scaling_of("efficientnet_b3")
    assert large.num_features / small.num_features == factor.width
    for first, scaled in zip(small.blocks, large.blocks, strict=True):
        assert len(scaled) == math.ceil(len(first) * factor.depth)  # section 3.3: layers are rounded up


def test_dropout_can_be_chosen() -> None:
    assert create_network("efficientnet_b3", 1, drop_rate=0.0).drop_rate == 0.0


def bundle() -> ModelBundle:
    torch.manual_seed(0)
    network = create_network("test_efficientnet", 2).eval()
    preprocessing = preprocessing_of("test_efficientnet", image_size=64, window="voi")
    fingerprint = state_fingerprint(network.state_dict())
    return ModelBundle(
        network,
        "test_efficientnet",
        ("a", "b"),
        "multilabel",
        preprocessing,
        {"c": 1},
        [{"o": 2}],
        True,
        fingerprint,
        ("CR", "DX"),
    )


def test_a_bundle_reads_back_equal_and_holds_no_pickle(tmp_path: Path) -> None:
    written = bundle()
    save_bundle(tmp_path, written)
    read = load_bundle(tmp_path)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(read.network(images), written.network(images))
    assert replace(read, network=None) == replace(written, network=None)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    json.loads((tmp_path / "model.json").read_text())


def test_a_bundle_of_an_earlier_version_does_not_say_its_modalities(tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle())
    facts = json.loads((tmp_path / "model.json").read_text())
    assert facts.pop("modalities") == ["CR", "DX"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    assert load_bundle(tmp_path).modalities == ()


def test_a_changed_or_broken_bundle_is_refused(tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle())
    facts = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**facts, "fingerprint": "0" * 64}))
    with pytest.raises(RunError, match="not those that model.json describes"):
        load_bundle(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**facts, "schema": 99}))
    with pytest.raises(RunError, match="schema 99"):
        load_bundle(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(RunError, match="cannot be read"):
        load_bundle(tmp_path)
