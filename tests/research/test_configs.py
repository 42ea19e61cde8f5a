"""The studies of variants run as their files say."""

from pathlib import Path

import pytest
import yaml

from aiec_graph.bench.study.plan import StudyConfig
from aiec_graph.core import activations
from aiec_graph.errors import InputError
from aiec_graph.plugins import load_plugins, loaded_plugins

CONFIGS = sorted((Path(__file__).parents[2] / "research" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_of_variants_is_checked_and_planned(path):
    values = yaml.safe_load(path.read_text())
    assert values["plugins"] == ["research.variants"]
    config = StudyConfig(**{**values, "out": Path(values["out"])})
    config.check()
    assert "research.variants" in loaded_plugins()


def test_a_plugin_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"'research\.varaints'.*PYTHONPATH"):
        load_plugins(["research.varaints"])


def test_without_a_plugin_there_is_no_variant(monkeypatch):
    monkeypatch.setattr(activations, "VARIANTS", {})
    with pytest.raises(InputError, match=r"research\.variants"):
        activations.check_options({"variant": "share"})


def test_two_variants_do_not_share_a_name():
    load_plugins(["research.variants"])
    with pytest.raises(ValueError, match="'share'"):
        activations.register_variant("share", activations.AIEC)
