"""Mean ± standard deviation over the seeds, as a summary file and as tables to read."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.paper import paper_figures
from aiec_graph.files import write_whole
from aiec_graph.tables import escape_latex, escape_markdown, write_csv
from aiec_graph.train import TrainSettings

METRICS = {"auc": "AUC", "ap": "AP", "rec_at_k": "Rec@K"}
MODEL_NAMES = {
    "mlp": "MLP",
    "gcn": "GCN",
    "sage": "GraphSAGE",
    "gin": "GIN",
    "gat": "GAT",
    "bwgnn": "BWGNN",
    "logistic": "Logistic",
    "logistic_graph": "LogisticGraph",
    "logistic_rich": "LogisticRich",
    "rf": "RF",
    "rf_graph": "RFGraph",
    "rf_rich": "RFRich",
    "xgb": "XGB",
    "xgb_graph": "XGBGraph",
    "xgb_rich": "XGBRich",
    "hgb": "HGB",
    "hgb_graph": "HGBGraph",
    "hgb_rich": "HGBRich",
    "auto": "Auto",
}
SETTING_NAMES = {
    "aggr": "GraphSAGE aggregator",
    "lambda_aux": "λ_aux",
    "lambda_gate": "λ_gate",
    "act_options": "AIEC options",
}


def summarise(runs: pd.DataFrame, cells: list[RunSpec]) -> pd.DataFrame:
    """One row per cell: number of seeds, mean and standard deviation of each metric, in percent."""
    rows = []
    for cell in cells:
        own = runs[runs["config_hash"] == cell.config_hash]
        row: dict[str, object] = {
            "dataset": cell.name,
            "simulated": cell.simulate is not None,
            "split": cell.split,
            "model": cell.model,
            "act": cell.act_label,
            "seeds": len(own),
        }
        for column in [f"{part}_{metric}" for part in ("val", "test") for metric in METRICS]:
            row[f"{column}_mean"] = own[column].mean()
            row[f"{column}_std"] = own[column].std()
        row["seconds_per_epoch_median"] = own["seconds_per_epoch"].median()
        row["simulate_scale"] = cell.simulate
        row["config_hash"] = cell.config_hash
        rows.append(row)
    return pd.DataFrame(rows)


def mean_and_std(mean: float, std: float, digits: int = 1) -> str:
    """As in the paper's tables; of one seed there is no deviation, and of no number no text."""
    if math.isnan(mean):
        return ""
    text = f"{mean:.{digits}f}"
    return text if math.isnan(std) else f"{text} ± {std:.{digits}f}"


def markdown(rows: Iterable[Mapping[Any, str]]) -> str:
    """A table of texts as Markdown, a row a mapping from its columns; what is missing is empty."""
    return pd.DataFrame(list(rows)).fillna("").to_markdown(index=False, disable_numparse=True)


@dataclass(frozen=True)
class Entry:
    """One number of the table."""

    text: str
    best: bool


@dataclass(frozen=True)
class ResultTable:
    """The shape of the paper's Table 5: a row per network and activation, metrics per data set."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Entry]]]
    notes: list[str]

    def to_rich(self) -> Table:
        table = Table(title=self.title, caption="\n".join(self.notes), caption_justify="left")
        table.add_column("", no_wrap=True)
        for column in self.columns:
            table.add_column(column, justify="right", overflow="fold")
        for name, entries in self.rows:
            cells = (f"[bold]{e.text}[/bold]" if e.best else e.text for e in entries)
            table.add_row(name, *cells)
        return table

    def to_markdown(self) -> str:
        rows = [
            [escape_markdown(name), *(f"**{e.text}**" if e.best else e.text for e in entries)]
            for name, entries in self.rows
        ]
        frame = pd.DataFrame(rows, columns=["", *map(escape_markdown, self.columns)])
        table = frame.to_markdown(index=False, disable_numparse=True)
        parts = [f"**{escape_markdown(self.title)}**", table, *map(escape_markdown, self.notes)]
        return "\n\n".join(parts) + "\n"

    def to_latex(self) -> str:
        def entry(e: Entry) -> str:
            return rf"\textbf{{{escape_latex(e.text)}}}" if e.best else escape_latex(e.text)

        rows = [[escape_latex(name), *map(entry, entries)] for name, entries in self.rows]
        frame = pd.DataFrame(rows, columns=["", *map(escape_latex, self.columns)])
        caption = escape_latex(" ".join([self.title + ".", *self.notes]))
        return frame.to_latex(index=False, caption=caption)


def write_tables(
    folder: Path, summary: pd.DataFrame, table: ResultTable, name: str = "summary"
) -> None:
    """Writes `<name>.csv`, `table.md` and `table.tex`.

    Raises:
        InputError: one cannot be written.
    """

    def text(content: str) -> Callable[[Path], object]:
        return lambda path: path.write_text(content, encoding="utf-8")

    write_csv(summary, folder / f"{name}.csv")
    write_whole(folder / "table.md", text(table.to_markdown()))
    write_whole(folder / "table.tex", text(table.to_latex()))


def make_table(summary: pd.DataFrame, cells: list[RunSpec]) -> ResultTable:
    """Arranges a summary; the best mean of each data set and network is marked.

    The paper's figure stands in brackets where the cell ran on the real data set that it belongs
    to, under the paper's protocol.
    """
    datasets = list(dict.fromkeys((cell.name, cell.simulate) for cell in cells))
    groups = list(dict.fromkeys((cell.model, cell.act_label) for cell in cells))
    by_place = {
        (cell.name, cell.model, cell.act_label): (cell, summary.iloc[i])
        for i, cell in enumerate(cells)
    }
    best = {
        (*place, metric): rows[f"test_{metric}_mean"].max()
        for place, rows in summary.groupby(["dataset", "model"])
        for metric in METRICS
    }
    has_paper = False
    rows = []
    for model, act in groups:
        entries = []
        for dataset, _ in datasets:
            if (dataset, model, act) not in by_place:
                entries += [Entry("", False)] * len(METRICS)
                continue
            cell, row = by_place[dataset, model, act]
            paper = paper_figures(cell)
            has_paper = has_paper or paper is not None
            for i, metric in enumerate(METRICS):
                mean, std = row[f"test_{metric}_mean"], row[f"test_{metric}_std"]
                text = mean_and_std(mean, std)
                if paper is not None:
                    text += f" [{paper[i]:.1f}]"
                is_best = len(groups) > 1 and mean == best[dataset, model, metric]
                entries.append(Entry(text, bool(is_best)))
        rows.append((f"{MODEL_NAMES[model]}-{title_of(act)}", entries))
    names = [
        name if scale is None else f"{name} (simulated, scale {scale:g})"
        for name, scale in datasets
    ]
    seeds = sorted(set(summary["seeds"]))
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    notes = [_settings_note(cells)]
    if any(scale is not None for _, scale in datasets):
        notes.append("Simulated data: these numbers say nothing about the real data set.")
    if has_paper:
        notes.append("In brackets: the paper's Table 5.")
    return ResultTable(
        title=f"Test metrics in %, mean ± standard deviation over {count} seeds",
        columns=[f"{name} {metric}" for name in names for metric in METRICS.values()],
        rows=rows,
        notes=notes,
    )


def _settings_note(cells: list[RunSpec]) -> str:
    """States the split, the features, and each setting that is not the protocol's or not shared."""
    used = [cell.relevant()["settings"] for cell in cells]
    default = asdict(TrainSettings())
    parts = [f"{cells[0].split.capitalize()} split"]
    for name, usual in default.items():
        values = list(dict.fromkeys(str(s[name]) for s in used if name in s))
        always = name in ("features", "aggr", "lambda_aux", "lambda_gate")
        if values and (always or values != [str(usual)]):
            parts.append(f"{SETTING_NAMES.get(name, name)} {' / '.join(values)}")
    return "; ".join(parts) + ". Best of each network in bold."
