"""Mean ± standard deviation over the seeds, as a summary file and as tables to read."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from aiec_graph.artifacts.specs import NO_ACT, REFIT, ClassifierSpec, RunSpec
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
    "rf": "Random forest",
    "rf_graph": "RFGraph",
    "rf_rich": "RFRich",
    "xgb": "XGB",
    "xgb_graph": "XGBGraph",
    "xgb_rich": "XGBRich",
    "hgb": "HGB",
    "hgb_graph": "HGBGraph",
    "hgb_rich": "HGBRich",
    "auto": "Auto",
    "auto_no_trees": "Auto without trees",
    "auto_no_networks": "Auto without networks",
    "auto_no_aiec": "Auto without AIEC",
    "auto_no_rich": "Auto without rich columns",
}
SETTING_NAMES = {
    "aggr": "GraphSAGE aggregator",
    "lambda_aux": "λ_aux",
    "lambda_gate": "λ_gate",
    "act_options": "AIEC options",
}


def summarised(
    runs: pd.DataFrame,
    specs: Sequence[Any],
    keys: Sequence[Mapping[str, object]],
    metrics: Iterable[str],
) -> pd.DataFrame:
    """One row per specification: number of seeds, mean and standard deviation of each metric.

    Args:
        runs: a row per run.
        specs: the specifications.
        keys: of each specification, the columns that name it.
        metrics: columns of the runs.
    """
    rows = []
    for spec, key in zip(specs, keys, strict=True):
        own = runs[runs["config_hash"] == spec.config_hash]
        row: dict[str, object] = {**key, "seeds": len(own)}
        for metric in metrics:
            row[f"{metric}_mean"], row[f"{metric}_std"] = own[metric].mean(), own[metric].std()
        row["seconds_per_epoch_median"] = own["seconds_per_epoch"].median()
        rows.append(row | {"config_hash": spec.config_hash})
    return pd.DataFrame(rows)


def summarise(runs: pd.DataFrame, specs: Sequence[RunSpec | ClassifierSpec]) -> pd.DataFrame:
    """One row per specification of the benchmark, in percent."""
    keys = [
        {
            "dataset": spec.name,
            "simulated": spec.simulate is not None,
            "split": spec.split,
            "model": spec.model,
            "act": spec.act_label,
        }
        for spec in specs
    ]
    metrics = [f"{part}_{metric}" for part in ("val", "test") for metric in METRICS]
    summary = summarised(runs, specs, keys, metrics)
    scales = pd.Series([spec.simulate for spec in specs], dtype="float64")
    summary.insert(summary.columns.get_loc("config_hash"), "simulate_scale", scales)  # pyright: ignore
    return summary


def row_title(model: str, act: str) -> str:
    """A row of the tables: a model, with its activation where it has one."""
    if act in (NO_ACT, REFIT):
        return MODEL_NAMES[model] + (", refit" if act == REFIT else "")
    return f"{MODEL_NAMES[model]}-{title_of(act)}"


def mean_and_std(mean: float, std: float, digits: int = 1) -> str:
    """As in the paper's tables; of one seed there is no deviation, and of no number no text."""
    if math.isnan(mean):
        return ""
    text = f"{mean:.{digits}f}"
    return text if math.isnan(std) else f"{text} ± {std:.{digits}f}"


def markdown(rows: Iterable[Mapping[Any, str]]) -> str:
    """A table of texts as Markdown, a row a mapping from its columns; what is missing is empty."""
    frame = pd.DataFrame([{k: v.replace("|", r"\|") for k, v in row.items()} for row in rows])
    return frame.fillna("").to_markdown(index=False, disable_numparse=True)


def over_seeds(counts: Iterable[int]) -> str:
    """What a table's numbers are over, for its title."""
    seeds = sorted(set(counts))
    if seeds[-1] == 1:
        return ", of one seed"
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f", mean ± standard deviation over {span} seeds"


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
            table.add_row(escape(name), *cells)
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


def make_table(summary: pd.DataFrame, specs: Sequence[RunSpec | ClassifierSpec]) -> ResultTable:
    """Arranges a summary; the best mean of each data set and network is marked.

    The paper's figure stands in brackets where it ran on the real data set that it belongs
    to, under the paper's protocol.
    """
    datasets = list(dict.fromkeys((spec.name, spec.simulate) for spec in specs))
    groups = list(dict.fromkeys((spec.model, spec.act_label) for spec in specs))
    by_setting = {
        (spec.name, spec.model, spec.act_label): (spec, summary.iloc[i])
        for i, spec in enumerate(specs)
    }
    best = {
        (*setting, metric): rows[f"test_{metric}_mean"].max()
        for setting, rows in summary.groupby(["dataset", "model"])
        for metric in METRICS
    }
    has_paper = False
    rows = []
    for model, act in groups:
        entries = []
        for dataset, _ in datasets:
            if (dataset, model, act) not in by_setting:
                entries += [Entry("", False)] * len(METRICS)
                continue
            spec, row = by_setting[dataset, model, act]
            paper = paper_figures(spec)
            has_paper = has_paper or paper is not None
            for i, metric in enumerate(METRICS):
                mean, std = row[f"test_{metric}_mean"], row[f"test_{metric}_std"]
                text = mean_and_std(mean, std)
                if paper is not None:
                    text += f" [{paper[i]:.1f}]"
                is_best = len(groups) > 1 and mean == best[dataset, model, metric]
                entries.append(Entry(text, bool(is_best)))
        rows.append((row_title(model, act), entries))
    names = [
        name if scale is None else f"{name} (simulated, scale {scale:g})"
        for name, scale in datasets
    ]
    seeds = list(summary["seeds"])
    notes = [_settings_note(specs)]
    if any(scale is not None for _, scale in datasets):
        notes.append("Simulated data: these numbers say nothing about the real data set.")
    if has_paper:
        notes.append("In brackets: the paper's Table 5.")
    return ResultTable(
        title=f"Test metrics in %{over_seeds(seeds)}",
        columns=[f"{name} {metric}" for name in names for metric in METRICS.values()],
        rows=rows,
        notes=notes,
    )


def _settings_note(specs: Sequence[RunSpec | ClassifierSpec]) -> str:
    """States the split, the features, and each setting that is not the protocol's or not shared."""
    used = [spec.relevant()["settings"] for spec in specs if isinstance(spec, RunSpec)]
    default = asdict(TrainSettings())
    parts = [f"{specs[0].split.capitalize()} split"]
    for name, usual in default.items():
        values = list(dict.fromkeys(str(s[name]) for s in used if name in s))
        always = name in ("features", "aggr", "lambda_aux", "lambda_gate")
        if values and (always or values != [str(usual)]):
            parts.append(f"{SETTING_NAMES.get(name, name)} {' / '.join(values)}")
    return "; ".join(parts) + ". Best of each network in bold."
