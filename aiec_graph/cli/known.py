"""The names that the help of commands on graphs and on images lists, by option."""

from collections.abc import Sequence

from aiec_graph.artifacts.variants import NAMED
from aiec_graph.data.datasets.cards import card_names
from aiec_graph.names import (
    ACTIVATIONS,
    BACKBONES,
    CLASSIFIERS,
    FEATURES,
    IMAGE_ACTIVATIONS,
    IMAGES,
    MODELS,
)


def _acts(names: Sequence[str]) -> tuple[str, ...]:
    return (*names, *NAMED, "aiec:SETTING=VALUE,… (as in aiec:tau=0.1)")


DATASETS = tuple(card_names())
GRAPHS = {
    "dataset": DATASETS,
    "model": MODELS,
    "act": _acts(ACTIVATIONS),
    "features": FEATURES,
    "classifiers": tuple(name for name in CLASSIFIERS if name not in MODELS),
}
PICTURES = {"dataset": IMAGES, "backbone": BACKBONES, "act": _acts(IMAGE_ACTIVATIONS)}
