"""Tables and plots of what `speed.py` measured."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import peers

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SHORT = (
    "Times as fast as the peer, a whole epoch, ReLU; what a step with AIEC costs, as a multiple of "
    "ReLU's, the median of several pairs of networks, the least and the most."
)
AIMS = {
    "network and graph": "aim",
    "DGL": "4 (pool 3)",
    "PyG, `edge_index`": "20",
    "PyG's best": "3",
    "AIEC's step / ReLU's": "1.10 (T-Finance 1.05)",
}
TITLES = {"gcn": "GCN", "sage-mean": "GraphSAGE (mean)", "sage-pool": "GraphSAGE (pool)"}


def write(results: Path, docs: Path | None, threads: int) -> None:
    """Draws the plots into `results`, and renews the measured part of docs/research/performance.md.

    Args:
        results: folder with speed.csv, aiec.csv, growth.csv and memory.csv.
        docs: folder of performance.md; None leaves it alone.
        threads: told in the text.
    """
    speed, aiec, growth, memory = (
        pd.read_csv(results / f"{name}.csv") for name in ("speed", "aiec", "growth", "memory")
    )
    parts = [f"{threads} threads; medians of contestants taken in turn, quartiles in brackets.", ""]
    parts += ["### In short", "", SHORT, "", standing_table(speed, aiec), ""]
    for (graph, model), rows in speed.groupby(["graph", "model"], sort=False):
        parts += [f"### {TITLES[str(model)]} on {graph}", "", speed_table(rows), ""]
    parts += ["### Growth", "", growth_table(growth), ""]
    parts += ["### Memory", "", memory_table(memory), ""]
    folder = results if docs is None else docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    plot_speed(speed, folder / "epochs.png")
    plot_growth(growth, folder / "growth.png")
    if docs is None:
        (results / "performance.md").write_text("\n".join(parts))
        return
    page = docs / "performance.md"
    text = page.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(before + BEGIN + "\n\n" + "\n".join(parts) + "\n" + END + after)


def standing_table(speed: pd.DataFrame, aiec: pd.DataFrame) -> str:
    lines = []
    for (graph, model), rows in speed.groupby(["graph", "model"], sort=False):
        times = rows.set_index(["network", "stage"]).median_ms
        own = times[peers.OWN, "epoch"]
        pyg = [name for name in rows.network.unique() if name.startswith("PyG")]
        cost = aiec[(aiec.graph == graph) & (aiec.model == model)].ratio
        ratios = {
            "DGL": times[peers.DGL, "epoch"] / own,
            "PyG, `edge_index`": times.get((peers.EDGE_INDEX, "epoch"), float("nan")) / own,
            "PyG's best": min(times[name, "epoch"] for name in pyg) / own,
        }
        line = {"network and graph": f"{TITLES[str(model)]}, {graph}"}
        line |= {peer: f"{ratio:.2f}" for peer, ratio in ratios.items()}
        line["AIEC's step / ReLU's"] = f"{cost.median():.2f} ({cost.min():.2f} to {cost.max():.2f})"
        lines.append(line)
    return (
        pd.DataFrame([*lines, AIMS])
        .replace("nan", "–")
        .to_markdown(index=False, disable_numparse=True)
    )


def speed_table(rows: pd.DataFrame) -> str:
    own = rows[(rows.network == peers.OWN) & (rows.stage == "epoch")].median_ms.iloc[0]
    lines = []
    for network, mine in rows.groupby("network", sort=False):
        cells = {"network": network}
        by_stage = mine.set_index("stage")
        for stage in ("forward", "step", "epoch"):
            if stage in by_stage.index:
                row = by_stage.loc[stage]
                spread = f"({row.low_ms:.1f} to {row.high_ms:.1f})"
                cells[f"{stage}, ms"] = f"{row.median_ms:.1f} {spread}"
            else:
                cells[f"{stage}, ms"] = ""
        if "epoch" in by_stage.index:
            cells["epoch, times ours"] = f"{by_stage.loc['epoch'].median_ms / own:.2f}"
        lines.append(cells)
    return pd.DataFrame(lines).fillna("").to_markdown(index=False, disable_numparse=True)


def growth_table(growth: pd.DataFrame) -> str:
    lines = []
    for (varied, model), rows in growth.groupby(["varied", "model"], sort=False):
        medians = rows.median_ms.tolist()
        pairs = zip(medians[1:], medians[:-1], strict=True)
        lines.append(
            {
                "doubled": varied,
                "network": TITLES[str(model)],
                "from": f"{rows[varied].iloc[0]:,}",
                "to": f"{rows[varied].iloc[-1]:,}",
                "epochs, ms": ", ".join(f"{m:.1f}" for m in medians),
                "ratios": ", ".join(f"{high / low:.2f}" for high, low in pairs),
            }
        )
    return pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)


def memory_table(memory: pd.DataFrame) -> str:
    table = memory.assign(
        network=memory.model.map(TITLES) + ", " + memory.network,
        ratio=memory.peak_mb / memory.formula_mb,
    )
    columns = {"peak_mb": "peak, MB", "formula_mb": "by formula, MB", "ratio": "ratio"}
    table = table[["graph", "network", *columns]].rename(columns=columns)
    return table.to_markdown(index=False, floatfmt=("", "", ".0f", ".0f", ".2f"))


def plot_speed(speed: pd.DataFrame, path: Path) -> None:
    epochs = speed[speed.stage == "epoch"]
    names = list(dict.fromkeys(epochs.graph))
    figure, axes = plt.subplots(len(names), 1, figsize=(9, 3.2 * len(names)), squeeze=False)
    for axis, graph in zip(axes[:, 0], names, strict=True):
        rows = epochs[epochs.graph == graph]
        table = rows.pivot_table(index="network", columns="model", values="median_ms", sort=False)
        table.rename(columns=TITLES).plot.barh(ax=axis, logx=True, width=0.8)
        axis.invert_yaxis()
        axis.set(title=f"An epoch on {graph}", xlabel="ms (logarithmic)", ylabel="")
        axis.legend(title="", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_growth(growth: pd.DataFrame, path: Path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    for axis, (varied, rows) in zip(axes, growth.groupby("varied", sort=False), strict=True):
        for model, line in rows.groupby("model", sort=False):
            axis.plot(line[varied], line.median_ms, marker="o", label=TITLES[str(model)])
        axis.set(xlabel=str(varied), xscale="log", yscale="log")
        points = sorted(set(rows[varied]))
        axis.set_xticks(points, [f"{point:,}" for point in points], fontsize=8)
        axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("epoch, ms")
    axes[0].legend(fontsize=8)
    figure.suptitle("An epoch on random graphs")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
