"""The pure maths of AIEC: threshold, statistics, gates and losses. No state, no loop over samples.

Shapes: N labelled samples, C channels, K classes. `a` [N, C] holds the global features after
activation, `one_hot` [N, K] the labels, `weight` [K, C] the decision weights. Equation numbers
are those of the AIEC paper.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from aiec_graph.core.layout import layout_of
from aiec_graph.errors import look_up


def threshold(x: Tensor, tau: float = 0.0) -> Tensor:
    """Passes `x` where it exceeds `tau` and gives 0 elsewhere (eq. 1).

    At `tau` = 0 this is `torch.relu` itself, so it equals ReLU bit for bit and costs the same.
    """
    return torch.relu(x) if tau == 0 else F.threshold(x, tau, 0.0)


POOLINGS = ("mean", "class_token")


def global_feature(
    activated: Tensor,
    pooling: str = "mean",
    dtype: torch.dtype | None = None,
    layout: str | None = None,
) -> Tensor:
    """Reduces an activated tensor to one vector a sample (eq. 3).

    Args:
        activated: node matrix [N, C], feature map [N, C, H, W] or token sequence [N, T, C], or
            what `layout` says.
        pooling: for token sequences, "mean" over the tokens or the "class_token" (the first one).
        dtype: of the mean, wider than the tensor's where a small mean must not round to zero.
        layout: one of `layout.LAYOUTS`; by default the usual one of the number of dimensions.

    Returns:
        [N, C].

    Raises:
        ValueError: the tensor has another number of dimensions.
    """
    layout = layout_of(activated, layout)
    if layout == "NC":
        return activated
    positions = [dim for dim, name in enumerate(layout) if name not in "NC"]
    if len(positions) == 1 and pooling == "class_token":
        return activated.select(positions[0], 0)
    return activated.mean(positions, dtype=dtype)


Index = Tensor | slice | None
"""Which samples are labelled: their positions [N], a boolean mask [M], a slice, or all (None)."""


def check_index(index: Index) -> None:
    """Checks what says which samples are labelled.

    Args:
        index: positions [N] as integers, a boolean mask [M], a slice, or None for all.

    Raises:
        TypeError: it is none of these.
        ValueError: it is no vector.
    """
    if index is None or isinstance(index, slice):
        return
    if not isinstance(index, Tensor):
        raise TypeError(
            "index must be a tensor of positions, a boolean mask, a slice or None, not "
            f"{type(index).__name__}"
        )
    if index.dim() != 1:
        raise ValueError(f"index must be a vector, not of shape {tuple(index.shape)}")
    if index.dtype not in (torch.bool, torch.int16, torch.int32, torch.int64):
        raise TypeError(
            f"index must hold integers or be a boolean mask, not {index.dtype}; "
            "index.bool() makes a mask of zeros and ones"
        )


def take(features: Tensor, index: Index) -> Tensor:
    """Returns the labelled rows [N, C] of features [M, C]; a view of them for a slice.

    Raises:
        IndexError: a position is outside of the features (on a GPU, torch's own assertion).
        ValueError: a mask has another length.
    """
    if index is None:
        return features
    if isinstance(index, slice):
        return features[index]
    if index.dtype == torch.bool:
        if len(index) != len(features):
            raise ValueError(
                f"a mask must have an element for each of the {len(features)} samples that the "
                f"model saw, not {len(index)}"
            )
        return features[index]
    try:
        return features.index_select(0, index.long())
    except IndexError:
        raise IndexError(
            f"index must hold positions from 0 to {len(features) - 1} among the samples that "
            f"the model saw, not {int(index.min())} to {int(index.max())}"
        ) from None


def one_hot_labels(y: Tensor, num_classes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Returns one-hot labels [N, K] of labels [N], one class after the other in memory."""
    return (torch.arange(num_classes, device=y.device)[:, None] == y).to(dtype).T


def correctly_classified(one_hot: Tensor, logits: Tensor) -> Tensor:
    """Returns one-hot labels [N, K] with the rows of misclassified samples set to zero.

    Args:
        one_hot: labels [N, K].
        logits: of the decision unit [N, K]; of equal ones the first class is taken.
    """
    # Over the first dimension of the transposed logits, as the decision unit lays them out.
    predicted = logits.T.max(0, keepdim=True).indices
    return one_hot * one_hot.T.gather(0, predicted).T


def auxiliary_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """The weighted cross-entropy of the decision unit (eq. 9), a scalar.

    Args:
        logits: of the decision unit [N, K].
        shares: one-hot labels times what a sample of the class counts [N, K], its weight over the
            total weight, in the dtype of the logits.
    """
    return -_inner(shares.T, logits.T.log_softmax(0))


def count_activations(a: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Counts, per class, the samples and the activations of each channel (eq. 4 and 5).

    The sums are made in float32 or wider whatever the dtype of `a`, so they are exact for up to
    2^24 samples a call.

    Args:
        a: global features [N, C], non-negative.
        counted: one-hot labels [N, K] with the rows of samples that do not count set to zero.

    Returns:
        θ [K, C], how often a channel fired, and φ [K], how many samples were counted, as int64.
        η, the inhibitions, is φ − θ.
    """
    fired = a.sign().to(counted.dtype)  # 1 where a > 0: they are not negative
    return (counted.T @ fired).long(), counted.sum(0).long()


def firing_rate(theta: Tensor, phi: Tensor) -> Tensor:
    """The relative firing rate v = (θ − η)/φ ∈ [−1, 1], [K, C]; NaN where φ is 0 (eq. 6)."""
    phi = phi[:, None]
    return (2 * theta - phi) / phi


# I and E are the boolean gates [K, C] of the two assessments. The second field tells whether the
# mode consults the counters: then a class without a counted sample has no gate.
GATES = {
    "consensus": (lambda i, e: i & e, True),
    "union": (lambda i, e: i | e, True),
    "intrinsic": (lambda i, e: i, True),
    "extrinsic": (lambda i, e: e, False),
    "all": (lambda i, e: torch.ones_like(e), False),
    "none": (lambda i, e: torch.zeros_like(e), False),
}


def gate(theta: Tensor, phi: Tensor, weight: Tensor, mode: str = "consensus") -> Tensor:
    """Marks the channels that are irrelevant to each class (eq. 7, 10 and 11).

    Args:
        theta: activation counts [K, C].
        phi: sample counts [K].
        weight: decision weights [K, C].
        mode: one of `GATES`: the consensus of both assessments, or an ablation of it.

    Returns:
        G [K, C], boolean, without gradient. Where the mode consults the counters, a class
        with φ = 0 gates nothing.
    """
    combine, consults_counters = look_up(mode, GATES, "gate")
    # v ≤ 0 written on the integers, 2θ ≤ φ: exact, and defined at φ = 0.
    gates = combine(2 * theta <= phi[:, None], weight.detach() <= 0)
    return gates & (phi > 0)[:, None] if consults_counters else gates


GATE_NORMS = ("abs", "vector", "square", "batch")
# Keeps the gradient of a root finite where all gated responses are 0.
VECTOR_EPS = 1e-12


def gate_loss(a: Tensor, one_hot: Tensor, gates: Tensor, norm: str = "abs") -> Tensor:
    """The mean over samples of the gated channels' response (eq. 12 and 13).

    Args:
        a: global features [N, C], non-negative.
        one_hot: labels [N, K] in the dtype of `a`.
        gates: G [K, C].
        norm: how a sample's gated responses are measured, each divided by Σ_c G_kc:
            "abs" is Σ_c a_c, the literal reading of eq. 13;
            "square" is Σ_c a_c²;
            "vector" is the 2-norm over the sample's gated channels;
            "batch" is Σ_c of the channel's 2-norm over the samples of the same class.

    Returns:
        The sum of the per-sample losses divided by N, a scalar. A class whose gate is empty
        contributes 0 with zero gradient.
    """
    g = gates.to(a.dtype)
    share = g / (g.sum(1, keepdim=True).clamp(min=1) * max(len(a), 1))
    if norm in ("abs", "square"):
        return _inner(one_hot.T @ (a if norm == "abs" else a.square()), share)
    if norm == "vector":
        energy = ((a.square() @ g.T) * one_hot).sum(1)
        size = (energy + VECTOR_EPS).sqrt() - VECTOR_EPS**0.5
        return _inner(size, one_hot @ share.amax(1))
    if norm == "batch":
        size = (one_hot.T @ a.square() + VECTOR_EPS).sqrt() - VECTOR_EPS**0.5
        return _inner(size, share * one_hot.sum(0)[:, None])
    raise ValueError(f"unknown gate_norm {norm!r}; known: {', '.join(GATE_NORMS)}")


def _inner(x: Tensor, y: Tensor) -> Tensor:
    """The sum over the products of elements, in one operation, a scalar."""
    return torch.dot(x.flatten(), y.flatten())
