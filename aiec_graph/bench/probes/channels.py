"""Figures 1, 3 and 6 to 8: each channel's activity level and decision weight, class by class."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from scipy.stats import spearmanr
from torch import Tensor, nn

from aiec_graph.artifacts.channels import Channels, collect_features, measure_channels
from aiec_graph.artifacts.checkpoint import is_of_images, read_content
from aiec_graph.artifacts.predict import reopen
from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.errors import InputError, did_you_mean, look_up, named
from aiec_graph.files import write_whole
from aiec_graph.tables import write_csv

CLASSES_A_PAGE = 4
BATCH = 128
LAST, ALL = "last", "all"


class Source(NamedTuple):
    """Where the data of a training lie now."""

    data_root: Path | None = None
    """The folder that holds a folder for each data set."""
    dataset: str | None = None
    """The data set itself, where it is called otherwise than in the training."""


class ChannelFeatures(NamedTuple):
    """A trained network's features on its test samples."""

    title: str
    data: str
    class_names: Sequence[str]
    modules: dict[str, nn.Module]
    """The activation layers, first to last."""
    features: dict[str, Tensor]
    """By layer, the global features [N, C]."""
    y: Tensor


def draw_channels(
    checkpoints: Sequence[Path],
    out: Path,
    layer: str,
    classes: Sequence[str],
    source: Source,
    fit: bool,
    console: Console,
) -> pd.DataFrame:
    """Writes `channels.csv`, `channels_summary.csv` and a PNG for each layer and four classes.

    Args:
        checkpoints: networks that were trained on one data set, to be shown side by side; one
            alone is shown in the order of its channels and sorted, as in the paper's Figure 1.
        out: folder for the files.
        layer: "last", "all", or the name of a layer.
        classes: names; none means all.
        source: where the data of the training lie.
        fit: fit a linear classifier for AIEC too, instead of showing its own decision weights.
        console: for progress.

    Returns:
        The summary: a row per network, layer and class.

    Raises:
        InputError: a checkpoint, name, data set or folder cannot be used.
    """
    networks = _read_all(checkpoints, source, console)
    names = list(networks[0].class_names)
    for name in classes:
        look_up(name, dict.fromkeys(names), "class")
    wanted = [i for i, name in enumerate(names) if not classes or name in classes]
    summary, frames = [], []
    for setting in _layers(networks, layer):
        measured = [
            measure_channels(one.modules[name], one.features[name], one.y, len(names), fit)
            for one, name in zip(networks, setting, strict=True)
        ]
        for one, name, channels in zip(networks, setting, measured, strict=True):
            frames.append(_frame(one, name, channels, wanted))
            summary += _summary(one, name, channels, wanted)
        for page, start in enumerate(range(0, len(wanted), CLASSES_A_PAGE), 1):
            several = f"-{page}" if len(wanted) > CLASSES_A_PAGE else ""
            path = out / f"channels_{_slug(setting[-1])}{several}.png"
            own = wanted[start : start + CLASSES_A_PAGE]
            _plot(path, networks, setting, measured, own)
    rows = pd.concat(frames, ignore_index=True)
    table = pd.DataFrame(summary)
    write_csv(rows, out / "channels.csv")
    write_csv(table, out / "channels_summary.csv")
    return table


def _read_all(
    checkpoints: Sequence[Path], source: Source, console: Console
) -> list[ChannelFeatures]:
    networks = []
    for path in checkpoints:
        console.print(f"reading {path}", highlight=False, markup=False, soft_wrap=True)
        networks.append(read_features(path, source))
    first = networks[0]
    for path, other in zip(checkpoints, networks, strict=True):
        if other.data != first.data or list(other.class_names) != list(first.class_names):
            raise InputError(
                f"{path}: trained on {other.data}, but {checkpoints[0]} on {first.data}; networks "
                "side by side need the same data set"
            )
    return networks


def read_features(path: Path, source: Source) -> ChannelFeatures:
    """Runs a checkpoint's network over the test samples of its data set.

    Raises:
        InputError: the checkpoint or the data cannot be used.
    """
    if is_of_images(read_content(path)[0]):
        return _read_image_features(path, source)
    network, preprocessor, spec, prepared, split, _ = reopen(path, *source)
    graph = prepared.graph
    if split is None:
        raise InputError(
            f"{path}: {graph.label} has changed since the network was trained on it, so its test "
            "nodes are not known"
        )
    index = torch.from_numpy(np.flatnonzero(split.test_mask))
    with named(path):
        x = preprocessor.network_inputs(graph)

    def forward() -> Iterator[Tensor]:
        network(x, prepared.adjacency)
        yield index

    modules = {f"layer {i + 1}": act for i, act in enumerate(network.acts)}
    features = collect_features(forward, {name: (m, "mean") for name, m in modules.items()})
    title = f"{MODEL_NAMES[spec.model]} {title_of(spec.act_label)}"
    y = torch.from_numpy(graph.y)[index]
    return ChannelFeatures(title, graph.label, ["normal", "anomalous"], modules, features, y)


def _read_image_features(path: Path, source: Source) -> ChannelFeatures:
    from torch.utils.data import DataLoader

    from aiec_graph.artifacts.image_checkpoint import load_data_again, load_image_checkpoint
    from aiec_graph.vision import BACKBONES
    from aiec_graph.vision.sites import NO_SAMPLES, find_sites

    loaded = load_image_checkpoint(path)
    spec, network = loaded.spec, loaded.network
    data = load_data_again(path, loaded, source.data_root, source.dataset)
    sites = find_sites(network, loaded.image_size, BACKBONES[spec.backbone].blocks)
    modules = {
        name: (network.get_submodule(name), pooling)
        for name, pooling in sites.items()
        if pooling != NO_SAMPLES
    }
    labels: list[Tensor] = []

    def forward() -> Iterator[None]:
        for images, y in DataLoader(data.test, BATCH):
            network(images)
            labels.append(y)
            yield None

    features = collect_features(forward, modules)
    title = f"{BACKBONES[spec.backbone].title} {title_of(spec.act_label)}"
    layers = {name: module for name, (module, _) in modules.items()}
    return ChannelFeatures(title, data.name, data.class_names, layers, features, torch.cat(labels))


def _layers(networks: Sequence[ChannelFeatures], layer: str) -> list[tuple[str, ...]]:
    """The layers to show: each a name for every network."""
    names = [list(one.modules) for one in networks]
    if layer == LAST:
        return [tuple(own[-1] for own in names)]
    if layer == ALL:
        if len({len(own) for own in names}) > 1:
            raise InputError("the networks have different numbers of layers; choose one by --layer")
        return list(zip(*names, strict=True))
    for own in names:
        if layer not in own:
            raise InputError(
                f"no layer {layer!r}.{did_you_mean(layer, own)} Known: {LAST}, {ALL}, "
                f"{', '.join(own)}"
            )
    return [(layer,) * len(networks)]


def _frame(one: ChannelFeatures, layer: str, channels: Channels, wanted: list[int]) -> pd.DataFrame:
    frames = []
    for k in wanted:
        order = _order(channels.activity[k])
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        frames.append(
            pd.DataFrame(
                {
                    **{"data": one.data, "network": one.title, "layer": layer},
                    "class": one.class_names[k],
                    "channel": np.arange(len(order)),
                    "rank": rank,
                    "activity_level": channels.activity[k],
                    "decision_weight": channels.weight[k],
                    "irrelevant": channels.gated[k],
                }
            )
        )
    return pd.concat(frames)


def _summary(
    one: ChannelFeatures, layer: str, channels: Channels, wanted: list[int]
) -> list[dict[str, object]]:
    rows = []
    for k in wanted:
        activity, weight = channels.activity[k], channels.weight[k]
        rows.append(
            {
                **{"data": one.data, "network": one.title, "layer": layer},
                "class": one.class_names[k],
                "samples": int((one.y == k).sum()),
                "channels": len(activity),
                "mostly_active_%": 100 * float((activity > 0).mean()),
                "silent_%": 100 * float((activity == -1).mean()),
                "irrelevant_%": 100 * float(channels.gated[k].mean()),
                "rank_correlation": _rank_correlation(activity, weight),
                "weights": "own" if channels.own else "fitted",
            }
        )
    return rows


def _rank_correlation(activity: Any, weight: Any) -> float:
    """Spearman's; NaN where either is the same for all channels."""
    if not np.ptp(activity) or not np.ptp(weight):
        return float("nan")
    found: Any = spearmanr(activity, weight)
    return float(found.statistic)


def _order(activity: Any) -> Any:
    return np.argsort(-activity, kind="stable")


def _slug(layer: str) -> str:
    return layer.replace(" ", "").replace(".", "_")


def _plot(
    path: Path,
    networks: Sequence[ChannelFeatures],
    setting: tuple[str, ...],
    measured: Sequence[Channels],
    classes: list[int],
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A network alone is shown as it is and sorted; several are shown sorted, side by side.
    alone = len(networks) == 1
    columns = [(0, False), (0, True)] if alone else [(i, True) for i in range(len(networks))]
    figure = Figure(figsize=(4.6 * len(columns), 0.5 + 2.9 * len(classes)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * len(classes), len(columns), squeeze=False)
    figure.suptitle(f"{networks[0].data}, test samples; bars in orange: held for irrelevant")
    for row, k in enumerate(classes):
        for column, (i, is_sorted) in enumerate(columns):
            channels = measured[i]
            order = _order(channels.activity[k])
            order = order if is_sorted else np.arange(len(order))
            colors = np.where(channels.gated[k][order], "C1", "C0")
            upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
            x = np.arange(len(order))
            upper.bar(x, channels.activity[k][order], width=1, color=colors)
            lower.bar(x, channels.weight[k][order], width=1, color=colors)
            upper.set_ylim(-1.05, 1.05)
            upper.set_ylabel("activity level", fontsize=8)
            kind = "own" if channels.own else "fitted"
            lower.set_ylabel(f"decision weight\n({kind})", fontsize=8)
            how = "sorted by activity level" if is_sorted else "in channel order"
            name = f"{networks[i].title}, {setting[i]}"
            upper.set_title(f"{name}: class {networks[i].class_names[k]}, {how}", fontsize=8)
            for axis in (upper, lower):
                axis.set_xlim(-0.5, len(order) - 0.5)
                axis.axhline(0, color="0.3", linewidth=0.6)
                axis.tick_params(labelsize=7)
            lower.set_xlabel("channel, sorted" if is_sorted else "channel", fontsize=8)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=130))
