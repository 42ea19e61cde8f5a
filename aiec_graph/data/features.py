"""Input features as given, standardised or row-normalised, fitted on training nodes only."""

from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from torch import Tensor

from aiec_graph.errors import look_up


class _Scaler(Protocol):
    def fit(self, x: NDArray[np.float32]) -> object: ...
    def transform(self, x: NDArray[np.float32]) -> NDArray[np.float32]: ...


FEATURES = {
    "raw": FunctionTransformer,
    "standard": StandardScaler,
    "row": lambda: Normalizer(norm="l1"),
}


def scale_features(x: Tensor, train_mask: NDArray[np.bool_], kind: str) -> Tensor:
    """Scales the features [N, F].

    Args:
        x: float32; it is not changed.
        train_mask: [N], the nodes to fit on.
        kind: "raw" leaves them as they are, the protocol's default; "standard" gives each column
            mean 0 and variance 1 over the training nodes; "row" divides each row by the sum of
            its magnitudes.

    Returns:
        [N, F], float32.

    Raises:
        InputError: the kind is unknown.
    """
    make = look_up(kind, FEATURES, "kind of features")
    if kind == "raw":
        return x
    scaler = cast(_Scaler, make())
    values = x.numpy()
    scaler.fit(values[train_mask])
    return torch.from_numpy(scaler.transform(values).astype(np.float32, copy=False))
