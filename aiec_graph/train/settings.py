"""What a training run is made of: network, activation, optimisation."""

from dataclasses import dataclass, field
from typing import Any

FANOUT = 10


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one run; the defaults are those of the GADBench protocol.

    The text below each field is the command line's help for it.
    """

    hidden: int = 32
    """Width of the hidden layers."""
    layers: int = 2
    """Number of graph layers, before the linear head."""
    aggr: str = "pool"
    """GraphSAGE's aggregator: mean, max, pool or gcn."""
    normalise: str = "out_in"
    """GCN's degrees: out_in (the source's out-degree and the target's in-degree, as DGL and so
    GADBench) or in (the in-degree on both sides, as PyG); the same on undirected graphs."""
    dropout: float = 0.0
    """Probability of dropping a hidden feature in training."""
    norm: str = "none"
    """Normalisation before each activation: none, batch or layer."""
    residual: bool = False
    """Each layer after the first adds its input to its output."""
    lr: float = 0.01
    """Learning rate of Adam."""
    weight_decay: float = 0.0
    """Adam's L2 penalty: this times a weight is added to its gradient."""
    epochs: int = 200
    """Largest number of epochs; in full batch, one epoch is one step."""
    patience: int = 50
    """Epochs without a better validation AP after which training stops."""
    device: str = "auto"
    """Where to train: cpu, cuda, mps, or auto for a CUDA GPU where there is one."""
    features: str = "raw"
    """Input features: raw (as given), standard (mean 0, variance 1 over the training nodes),
    robust (ranks among the training nodes, standardised) or row (each row divided by its sum of
    magnitudes)."""
    lambda_aux: float = 1.0
    """AIEC: weight of the auxiliary loss."""
    lambda_gate: float = 0.1
    """AIEC: weight of the gate loss; 0 leaves the auxiliary loss alone, which is not AIEC."""
    batch_size: str = "auto"
    """Training nodes of a step; full for all of them and the whole graph at once, or auto: full
    where it fits in memory, else batches of 1024."""
    fanout: list[int] = field(default_factory=list)
    """In batches: neighbours that are sampled of a node at each layer, the last layer's first; -1
    for all (default: 10 at each layer)."""
    act_options: dict[str, Any] = field(default_factory=dict)
    """AIEC: its further options, such as {gate: union, count: all, gate_norm: square, tau: 0.1};
    variant names one that a plugin has registered."""

    @property
    def fanouts(self) -> list[int]:
        """The fan-out of each layer."""
        return self.fanout or [FANOUT] * self.layers


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of the models that are no networks; each uses its own."""

    trees: int = 100
    """Number of trees of a forest."""
    min_samples_leaf: int = 1
    """Fewest training nodes in a leaf of a forest."""
    max_features: float = 0.1
    """Share of the columns that a split of a forest chooses from."""
    budget: float = 180.0
    """Seconds that auto may take."""
    refit: bool = False
    """Fit forests, boosting and logistic regression on the validation nodes as well; auto, the
    models that it took."""

    def options(self, model: str) -> dict[str, Any]:
        """What `make_classifier` takes of these settings for a model."""
        if model.startswith("auto"):
            return {"budget": self.budget, "refit": self.refit}
        if model.split("_")[0] == "rf":
            shape = {"min_samples_leaf": self.min_samples_leaf, "max_features": self.max_features}
            return {"n_estimators": self.trees, **shape}
        return {}
