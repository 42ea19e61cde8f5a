"""The networks by name, built from settings."""

from collections.abc import Callable

from torch import nn

from aiec_graph.core import AIEC
from aiec_graph.core.activations import check_options
from aiec_graph.errors import InputError, look_up
from aiec_graph.nn import AGGREGATORS, BWGNN, GAT, GCN, GIN, MLP, NORMS, GraphSAGE
from aiec_graph.nn.gcn_conv import DEGREES
from aiec_graph.nn.networks import GNN
from aiec_graph.train.device import DEVICES
from aiec_graph.train.memory import check_batches
from aiec_graph.train.settings import TrainSettings

MODELS: dict[str, Callable[..., GNN]] = {
    "mlp": MLP,
    "gcn": GCN,
    "sage": GraphSAGE,
    "gin": GIN,
    "gat": GAT,
    "bwgnn": BWGNN,
}


def build_model(name: str, act: str, in_channels: int, settings: TrainSettings) -> GNN:
    """Builds a network of the benchmark.

    Raises:
        InputError: a name or an option is unknown.
    """
    make = look_up(name, MODELS, "model")
    options = {"gcn": {"normalise": settings.normalise}, "sage": {"aggr": settings.aggr}}
    return make(
        in_channels,
        hidden_channels=settings.hidden,
        num_layers=settings.layers,
        act=act,
        act_options=settings.act_options if act == "aiec" else None,
        dropout=settings.dropout,
        norm=settings.norm,
        residual=settings.residual,
        **options.get(name, {}),
    )


def check_settings(settings: TrainSettings) -> None:
    """Checks values and names before anything runs.

    Raises:
        InputError: one is out of its range or unknown.
    """
    look_up(settings.aggr, AGGREGATORS, "aggregator")
    look_up(settings.norm, NORMS, "norm")
    look_up(settings.normalise, DEGREES, "normalise")
    look_up(settings.device.partition(":")[0], DEVICES, "device")
    for name in ("hidden", "layers", "epochs", "patience"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} must be at least 1, not {getattr(settings, name)}")
    if not 0 <= settings.dropout < 1:
        raise InputError(f"dropout must be within 0 and 1, not {settings.dropout}")
    if not settings.lr > 0:
        raise InputError(f"lr must be above 0, not {settings.lr}")
    for name in ("lambda_aux", "lambda_gate", "weight_decay"):
        if not getattr(settings, name) >= 0:
            raise InputError(f"{name} must be at least 0, not {getattr(settings, name)}")
    check_batches(settings)
    check_options(settings.act_options)


def count_parameters(model: nn.Module) -> int:
    """Parameters that are left at inference: AIEC's decision weights do not count."""
    decisions = {id(p) for m in model.modules() if isinstance(m, AIEC) for p in m.parameters()}
    return sum(p.numel() for p in model.parameters() if id(p) not in decisions)
