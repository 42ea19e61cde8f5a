"""The command `check`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.wording import counted

if TYPE_CHECKING:
    from aiec_graph.data.user.profile import DataProfile


def check(data: str, json: bool = False, data_root: Path | None = None) -> int:
    """Says what data hold, and all that is wrong with them, before anything is trained.

      run_bench.py check my-graph/
      run_bench.py check transactions.csv --json
      run_bench.py check path/to/pictures/

    For each column its role and kind; faults, which every command refuses; warnings of what is
    right in form and likely is not meant, such as a column that tells the label alone; counts; and
    the lines that may be written into graph.yaml. Of pictures: classes with counts, sizes, modes,
    unreadable and left-out files by name, and what stands in two parts or classes.
    docs/guides/own-graphs.md and docs/guides/vision.md say what DATA can be. The exit code is 2
    where there is a fault, and otherwise 0.

    Args:
        data: A folder, a file, or the name of a data set.
        json: Print one JSON object for programs.
        data_root: Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).
    """
    from aiec_graph.errors import InputError
    from aiec_graph.names import IMAGES
    from aiec_graph.vision.recognise import holds_pictures

    if not data.strip():
        raise InputError("data without a name; give a folder, a file or a name")
    if data in IMAGES or holds_pictures(Path(data)):
        from aiec_graph.cli.pictures import check_pictures

        return check_pictures(data, json, data_root)
    from aiec_graph.data.checks import profile_data

    found = profile_data(data, data_root)
    if json:
        from json import dumps

        sys.stdout.write(dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n")
    else:
        _show(data, found)
    return 2 if found.faults else 0


def _show(data: str, found: "DataProfile") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for file in dict.fromkeys(column.file for column in found.columns):
        table = Table("column", "role", "kind", title=Text(file), title_justify="left")
        for column in found.columns:
            if column.file == file:
                table.add_row(Text(column.name or "(no name)"), column.role, column.kind)
        console.print(table)
    for what in ("fault", "warning", "note"):
        for line in getattr(found, f"{what}s"):
            console.print(f"{what}: {line}", markup=False)
    if found.nodes is not None:
        console.print(
            f"{data}: {counted(found.nodes, 'node')}, {counted(found.edges or 0, 'edge')}, "
            f"{found.labelled:,} labelled, {found.anomalous:,} of these anomalous",
            markup=False,
        )
    if found.lines:
        console.print(f"\nlines for graph.yaml, to be read first ({data}):", markup=False)
        for line in found.lines:
            console.print(f"  {line}", markup=False)
    console.print("cannot be used as it is" if found.faults else "can be used", markup=False)
