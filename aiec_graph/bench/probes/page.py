"""What the pages of the probes have in common."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.files import write_whole
from aiec_graph.tables import escape_markdown, write_csv


def heading(setting: tuple[Any, ...], note: str) -> str:
    """The heading of a setting's part of a page."""
    dataset, _, features, model = setting
    name = MODEL_NAMES[str(model)]
    return f"## {escape_markdown(str(dataset))}{note}, {features} features, {name}"


def write_results(folder: Path, tables: Mapping[str, pd.DataFrame], blocks: list[str]) -> Path:
    """Writes each table as `<name>.csv` and the blocks of a page as `index.md`.

    Returns:
        The page.

    Raises:
        InputError: a file cannot be written.
    """
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    path = folder / "index.md"
    text = "\n\n".join(blocks) + "\n"
    write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))
    return path
