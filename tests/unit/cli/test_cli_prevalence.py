import pytest

from medclassify.cli.verbs.predict import shares
from medclassify.errors import ConfigError


def test_words_become_numbers():
    assert shares(["effusion=0.02", "a=b=0.5"]) == {"effusion": 0.02, "a=b": 0.5}
    assert shares([]) == {}


@pytest.mark.parametrize("words", [["effusion"], ["effusion=many"], ["=0.1"], ["effusion=0.1", "effusion=0.2"]])
def test_another_form_is_refused(words):
    with pytest.raises(ConfigError, match=r"--prevalence: expected FINDING=SHARE, each finding once, .*; received "):
        shares(words)
