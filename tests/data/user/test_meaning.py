"""What a cell means: each role of a column with odd cells, and features in whole notations.

`meaning_of_a_cell.txt` holds what becomes of each of them. A change of it is a change of what
people's tables mean: look at every line, then write it anew with
`python -m tests.data.user.test_meaning`.
"""

from pathlib import Path

import pytest

from tests.data.user.meaning import USUAL, read_meaning

STORED = Path(__file__).with_name("meaning_of_a_cell.txt")
ODD = [
    *("", " ", "NA", "N/A", "nan", "null", "None", "(null)", "-", "?", "unknown", "#N/A", "#REF!"),
    *("inf", "-Infinity", "1e5", "1e39", "1e400", "1e-400", "-0", "+5", "-5", "−5", "5.", ".5"),
    *("0x1F", "1_000", "007", "1,5", "1,000", "1.000", "1.234,50", "1,234.50", "1'000", "1 000"),
    *("12 EUR", "€12", "5%", "(5)", "5-", "++5", "12 kg", "<5", "½", "١٢", "１２", "1/2"),
    *("TRUE", "no", "0.7", "1.0", "2", "-1", "9007199254740993", "18446744073709551616"),
    *("2026-01-31", "31/01/2026", "01/02/2026", "20260131", "1767225600", "1767225600000"),
    *("2026-01-31T10:00:00Z", "2026-01-31 25:00", "2026-02-30", "0001-01-01", "9999-12-31"),
    *("2026-01", "09:00", "9:00 PM", "Jan 5 2026", "[1, 2]", "=1+1", "abc", " a3 ", "A3", "é"),
    *("train", "validation", "fraud"),
]
"""Each stands third of four cells, among three that nobody doubts."""
NOTATIONS = [
    row.split("~")
    for row in """
1,5~2|1,5~2,25~3|1.234,50~2|1,234.50~1|1,234,567~2|1.234.567~2|1'234.5~3|1 234,5~2 000
1 234 567~1|100 000~1|1_000~2_000|12 EUR~13.5 EUR|12,50 €~1.000,00 €|EUR 12~EUR 13|$1,234.5~$3
US$5~US$6|R$ 1.234,50~R$ 5,00|-€5~€-6|(12.5)~3|12.5-~3|5%~7%|5,5 %~7 %|5%~0.5|nan~1.5|NaN~NaN
1000000000000000000000000000000~1|1e5~1e-5|1,5e3~2|1,000~1,001|1.234~2.000|1,234~5|0,125~0,250
0.125~0.250|1,00~2,00|1,0000~2|12,34,567~1|1.2.3~4.5.6|192.168.0.1~10.0.0.1|12 EUR~3~4|$5~5
12 EUR~3 USD|$5~€6|5 EUR~6 eur|5 kg~6 kg|5 kg~600 g|1~NA~3|1~NA~NA~NA~NA|1~~3|inf~1|1e39~2|007~012
0~1|0~1~TRUE|TRUE~false|true~NA|yes~no|0.1~0,1|1,000.5~1.000,5|٣~٤|１~２|∞~1|–5~5|18-24~25-34~65+
2026-01-05~2026-02-01|2026/01/05~2026/02/01|01/02/2026~03/04/2026|13/02/2026~01/02/2026
02/13/2026~01/02/2026|13.02.2026~01.02.2026|13/02/26~01/02/26|5 Jan 2026~6 Feb 2026
Jan 5, 2026~Feb 6, 2026|20260105~20260201|2026-01-01T10:00Z~2026-01-01T10:00|2026-01~2026-02
2026-01-01T10:00+01:00~2026-07-01T10:00+02:00|1/5/2026 3:05 PM~1/25/2026 11:00 AM|Jan 2026~Feb 2026
9999-12-31~2026-01-01|-1~2026-01-01~2026-01-02|NA~NA~2026-01-01|2026-W05~2026-W06|2026~2025
13/02/60~14/02/99|13/02/60~14/02/61|5 gennaio 2026~6 febbraio 2026|5. Januar 2026~6. März 2026
5 de enero de 2026~6 de mayo de 2026|2026年1月5日~2026年2月6日|1900-01-01~2026-01-05~2026-01-06
1767225600000~1767312000000|1767225600~1767312000000|12 rooms 2026~3 rooms 2025|31-Jan-26~01-Feb-26
01-JAN-26 10.15.00 AM~02-FEB-26 11.15.00 AM|31/Jan/2026:10:15:00 +0000~01/Feb/2026:10:15:00 +0000
Sat Jan 31 10:15:00 2026~Sun Feb  1 10:15:00 2026|/Date(1767225600000)/~/Date(1767312000000)/|5 kr~6 kr
09:00~10:00|1767225600~1767312000|Monday~Tuesday|1/2~3/4|a~A|0x1F~0x2A|=A1~=A2|-~-|~~
""".strip()
    .replace("\n", "|")
    .split("|")
]
"""Whole columns of features."""


@pytest.mark.parametrize("role", [*USUAL, "column"])
def test_every_cell_means_what_is_stored(role):
    stored = [x for x in STORED.read_text().split("\n") if x.split(" ")[0] == role]
    assert list_lines(role) == stored


def list_lines(role: str) -> list[str]:
    if role == "column":
        return [
            f"column {' '.join(map(repr, cells))} -> {read_meaning('number', cells)}"
            for cells in NOTATIONS
        ]
    first, second, last = USUAL[role]
    return [f"{role} {odd!r} -> {read_meaning(role, [first, second, odd, last])}" for odd in ODD]


if __name__ == "__main__":
    STORED.write_text("\n".join(x for role in [*USUAL, "column"] for x in list_lines(role)) + "\n")
