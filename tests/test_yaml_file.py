"""YAML that people write: what has no value is asked about, and null is a value."""

import pytest

from aiec_graph.errors import InputError
from aiec_graph.yaml_file import read_yaml


def test_null_that_is_written_out_is_a_value(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text('seeds: null\nout: ""\nmodel:\n  - gcn\n')
    assert read_yaml(path) == {"seeds": None, "out": "", "model": ["gcn"]}


@pytest.mark.parametrize("text", ["dataset: x\nseeds:\n", "seeds: # three\n", "a: {seeds: }\n"])
def test_a_key_without_a_value_is_refused(tmp_path, text):
    path = tmp_path / "options.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"line \d.*seeds has no value: give one, or leave"):
        read_yaml(path)
