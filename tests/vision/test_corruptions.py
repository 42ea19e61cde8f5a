"""Corrupted pictures: each strength, and that they are the same for every network."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from aiec_graph.vision import VisionSettings, load_images
from aiec_graph.vision.corruptions import CORRUPTIONS, corrupt, corrupted_accuracy

PICTURE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
).resize((32, 32), Image.Resampling.BOX)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_strength_changes_more_and_the_same_way_twice(kind):
    before = np.asarray(PICTURE, float)
    distances = []
    for strength in range(1, 6):
        out = corrupt(PICTURE, kind, strength)
        assert (out.mode, out.size) == ("RGB", PICTURE.size)
        assert np.array_equal(out, corrupt(PICTURE, kind, strength))
        distances.append(np.abs(np.asarray(out, float) - before).mean())
    assert distances[0] > 0 and (np.diff(distances) > 0).all()


def test_small_pictures_can_be_corrupted():
    for kind in CORRUPTIONS:
        assert corrupt(PICTURE.resize((8, 8)), kind, 5).size == (8, 8)


def test_noise_leaves_the_generator_as_it_was():
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    corrupt(PICTURE, "noise", 3)
    assert torch.equal(torch.rand(1), wanted)


class Mean(nn.Module):
    """Says class 0 of bright pictures, and 1 of others."""

    def forward(self, images):
        bright = images.mean((1, 2, 3))
        return torch.stack([bright, -bright], 1)


def test_accuracy_of_each_kind_and_strength(tmp_path):
    for name, level in (("bright", 250), ("dark", 5)):
        for part in ("train", "test"):
            (tmp_path / "d" / part / name).mkdir(parents=True)
            for i in range(4):
                image = Image.new("RGB", (16, 16), (level, level, level + i))
                image.save(tmp_path / "d" / part / name / f"{i}.png")
    settings = VisionSettings(image_size=16, corrupted=4)
    data = load_images(str(tmp_path / "d"), settings, tmp_path)
    found = corrupted_accuracy(Mean(), data, settings)
    assert len(found) == 1 + 5 * len(CORRUPTIONS)
    assert (found["images"] == 4).all() and (found["top1"] == 100).all()
