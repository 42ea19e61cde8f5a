"""The names that are known without PyTorch are those of the registries."""

from aiec_graph import names
from aiec_graph.core.activations import ACTIVATIONS
from aiec_graph.data.transforms.preprocess import FEATURES
from aiec_graph.data.transforms.splits import SPLITS
from aiec_graph.train.models import MODELS
from aiec_graph.vision.activations import IMAGE_ACTIVATIONS
from aiec_graph.vision.backbones import BACKBONES
from aiec_graph.vision.images import IMAGES


def test_names_are_those_of_the_registries():
    assert tuple(ACTIVATIONS) == names.ACTIVATIONS
    assert tuple(IMAGE_ACTIVATIONS) == names.IMAGE_ACTIVATIONS
    assert set(MODELS) == set(names.MODELS)
    assert set(FEATURES) == set(names.FEATURES)
    assert set(SPLITS) == set(names.SPLITS)
    assert set(BACKBONES) == set(names.BACKBONES)
    assert set(IMAGES) == set(names.IMAGES)
