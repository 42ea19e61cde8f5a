"""Tables that leave the program: nothing in them is run or rendered by what opens them."""

import re
from pathlib import Path

import pandas as pd

from aiec_graph.files import write_whole

FORMULA = r"[=+\-@\t\r\n＝＋－＠]"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RUNS = re.compile(rf"(?!{NUMBER}\Z){FORMULA}")
"""Text that a spreadsheet would take for a formula; a plain number is none."""
LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "{}$&#_%"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "∪": r"$\cup$",
    "−": r"$-$",
    "τ": r"$\tau$",
    "λ_aux": r"$\lambda_{\mathrm{aux}}$",
    "λ_gate": r"$\lambda_{\mathrm{gate}}$",
    "λ": r"$\lambda$",
}
_LATEX = re.compile("|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))))
# An underscore within a word means nothing in Markdown.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|]|(?<![^\W_])_|_(?![^\W_])")


def quote_formula(text: str) -> str:
    """Puts an apostrophe before text that a spreadsheet would run; see `harmless`."""
    return f"'{text}" if RUNS.match(text) else text


def unquote_formula(text: str) -> str:
    """Takes away the apostrophe of `quote_formula`."""
    return text[1:] if text.startswith("'") and RUNS.match(text[1:]) else text


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose text no spreadsheet runs: such a cell or name gets an apostrophe before it.

    Spreadsheets run text that begins with `=`, `+`, `-`, `@`, a tab or a line break. Numbers, and
    text that is a plain number such as `-5`, stay as they are. Carriage returns become line breaks.

    Args:
        frame: not changed; its index is not looked at.
    """
    changed: dict[str, pd.Series] = {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
            continue
        text = column.astype("string")
        broken = text.str.contains("\r", regex=False).fillna(False).astype(bool)
        runs = text.str.match(RUNS).fillna(False).astype(bool)
        if broken.any() or runs.any():
            # CSV leaves a lone carriage return unquoted, and readers begin a new row there.
            safe = text.str.replace(r"\r\n?", "\n", regex=True)
            changed[str(name)] = column.astype(object).mask(broken, safe).mask(runs, "'" + safe)
    names = {c: f"'{c}" for c in frame.columns if isinstance(c, str) and RUNS.match(c)}
    return frame.assign(**changed).rename(columns=names)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table as CSV without its index, whole and harmless.

    Raises:
        InputError: it cannot be written.
    """
    safe = harmless(frame)
    write_whole(path, lambda draft: safe.to_csv(draft, index=False))


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it, whatever signs it holds."""
    return _LATEX.sub(lambda found: LATEX[found[0]], " ".join(text.split()))


def escape_markdown(text: str) -> str:
    """Text as Markdown shows it within a cell of a table."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
