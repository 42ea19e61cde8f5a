"""Checkpoint files: they come back whole, equal content is equal bytes, damage is seen."""

import numpy as np
import pytest
import torch

from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.errors import InputError

CONTENT = {"format": "test-1", "numbers": [1, 2.5, None, True], "nested": {"b": "ü", "a": []}}
TENSORS = {
    "weight": torch.arange(60, dtype=torch.float32).reshape(12, 5),
    "mask": torch.tensor([True, False, True]),
    "count": torch.tensor(7),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "empty": torch.empty(0, 4),
}


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "a" / "file.safetensors"
    save_tensors(path, CONTENT, TENSORS)
    content, tensors = load_tensors(path)
    assert content == CONTENT
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)


def test_equal_content_is_equal_bytes_and_views_are_written_as_they_look(tmp_path):
    tied = TENSORS["weight"]
    save_tensors(tmp_path / "a", CONTENT, {"x": tied, "y": tied, "t": tied.T})
    reordered = dict(reversed(CONTENT.items()))
    copies = {"t": tied.T.contiguous(), "y": tied.clone(), "x": tied.clone()}
    save_tensors(tmp_path / "b", reordered, copies)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert torch.equal(load_tensors(tmp_path / "a")[1]["t"], tied.T)


def test_no_damaged_file_is_accepted(tmp_path):
    save_tensors(tmp_path / "good", CONTENT, TENSORS)
    good = bytearray((tmp_path / "good").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "bad"
    for position in rng.integers(0, len(good), 400):
        bad = bytearray(good)
        bad[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            content, tensors = load_tensors(path)
        except InputError:
            continue
        # A flipped bit that changes nothing that is read, such as in the padding of the header.
        assert content == CONTENT
        assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())


def test_a_full_disk_is_an_error_of_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
        save_tensors(tmp_path / "file", CONTENT, TENSORS)
    assert not list(tmp_path.iterdir())
