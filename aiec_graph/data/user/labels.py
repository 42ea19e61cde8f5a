"""What the words in columns of labels, splits and time steps mean."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user import dates
from aiec_graph.data.user.columns import MOST_NAMED, Fault, Options, show
from aiec_graph.data.user.date_columns import list_date_faults
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.words import Words, spell, split_words
from aiec_graph.graph.column import NO_PART, PARTS, UNKNOWN

USUAL = {
    meaning: words.split()
    for meaning, words in {
        "anomalous": (
            "1 true yes y t fraud fraudulent fraudster anomalous anomaly abnormal illicit "
            "suspicious bad phishing malicious scam spam attack laundering outlier positive "
            "fake bot criminal"
        ),
        "normal": (
            "0 false no n f ok normal licit legit legitimate genuine good benign clean "
            "honest inlier negative ham regular trusted"
        ),
        "unknown": "-1 unknown unlabelled unlabeled undetermined nan ?",
    }.items()
}
"""The usual words; what is declared for a meaning takes the place of its list."""
MEANINGS = {"anomalous": 1, "normal": 0, "unknown": UNKNOWN}
TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
SPLIT_WORDS = {
    **PARTS,
    "training": PARTS["train"],
    "tr": PARTS["train"],
    "valid": PARTS["val"],
    "validation": PARTS["val"],
    "validate": PARTS["val"],
    "dev": PARTS["val"],
    "testing": PARTS["test"],
    "te": PARTS["test"],
    "none": NO_PART,
    "unlabelled": NO_PART,
}
WRONG = -9
MOST_WORDS = 20
"""More different words than this are not the words of a few meanings."""


def read_labels(
    values: pd.Series, declared: Declaration, options: Options
) -> tuple[NDArray[np.int64], list[Fault]]:
    """Reads labels: 1 anomalous, 0 normal, -1 unknown or empty [N], and what is wrong with them."""
    words = split_words(values, declared.missing_values)
    meaning, faults = _meanings(declared, options)
    spelt = [word.lower() for word in spell(words.text)]
    is_truth = set(spelt) <= {"true", "false"}
    if is_truth:  # YAML's yes, on and true are one
        meaning |= {
            TRUTH[w]: m for w, m in meaning.items() if w in TRUTH and TRUTH[w] not in meaning
        }
    known = np.array([meaning.get(word, WRONG) for word in spelt], dtype=np.int64)
    if set(spelt) == {"1", "-1"} and declared.unknown is None and declared.normal is None:
        faults.append(
            Fault(
                "holds 1 and -1 and no 0; say which of them is anomalous: "
                f"{options.advise('anomalous', ['-1'])} with {options.advise('normal', ['1'])}, or "
                "the other way round"
            )
        )
    bad = words.first_rows(known == WRONG)[: 0 if faults else None]
    strange = words.text[known == WRONG]
    if len(bad) and len(strange) > MOST_WORDS:
        message = f"{len(strange):,} different words, such as {show(strange)}, are no labels"
        return words.spread(known, UNKNOWN), [Fault(message, int(bad[0]))]
    for row in bad[:MOST_NAMED]:
        word, count = words.text[words.codes[row]], words.counts[words.codes[row]]
        more = f" (in {count:,} rows)" if count > 1 else ""
        faults.append(
            Fault(
                f"the label {word!r}{more} is none of {', '.join(list(meaning)[1:12])} …; say "
                f"{options.advise('anomalous', [word])} or {options.advise('normal', [word])} "
                f"(or unknown:), listing every word of that meaning",
                int(row),
            )
        )
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more that are no labels"))
    return words.spread(known, UNKNOWN), faults


def _meanings(declared: Declaration, options: Options) -> tuple[dict[str, int], list[Fault]]:
    lists = {key: getattr(declared, key) for key in MEANINGS}
    spelt = {
        key: [w.lower() for w in spell(pd.Series([str(v).strip() for v in words], dtype="str"))]
        for key, words in lists.items()
        if words is not None
    }
    meaning = {"": UNKNOWN}
    faults = []
    for key, words in USUAL.items():
        if key not in spelt:
            meaning |= dict.fromkeys(words, MEANINGS[key])
    own: dict[str, str] = {}
    for key, words in spelt.items():
        for word in words:
            usual = next((k for k, known in USUAL.items() if word in known), key)
            if own.get(word, key) != key:
                lists = f"{own[word]} and {key}"
                faults.append(Fault(f"the label {word!r} is declared as both {lists}; keep one"))
            elif usual != key and usual not in spelt:
                faults.append(
                    Fault(
                        f"the label {word!r} is declared as {key}, and is a usual word for "
                        f"{usual}; say what is {usual} as well, as in "
                        f"{options.advise(usual, ['...'])}"
                    )
                )
            own[word] = key
            meaning[word] = MEANINGS[key]
    return meaning, faults


def read_split(values: pd.Series, options: Options) -> tuple[NDArray[np.int8], list[Fault]]:
    """Reads train, val and test as `PARTS`, and `NO_PART` where the cell is empty [N]."""
    words = split_words(values, options.missing_values)
    known = np.array([SPLIT_WORDS.get(word.lower(), WRONG) for word in words.text], np.int64)
    bad = words.first_rows(known == WRONG)
    faults = [
        Fault(f"{words.text[words.codes[row]]!r} is none of train, val, test", int(row))
        for row in bad[:MOST_NAMED]
    ]
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more that are none"))
    return words.spread(known, NO_PART).astype(np.int8), faults


def read_time_step(
    values: pd.Series, options: Options
) -> tuple[NDArray[np.int64], list[Fault], str]:
    """Reads whole numbers of up to 64 bits, or dates as days since 1970.

    Returns:
        The steps [N], what is wrong with them, and their kind: number or date.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        utc = values if values.dt.tz is None else values.dt.tz_convert("UTC")
        values = utc.dt.strftime("%Y-%m-%d %H:%M:%S")
    words = split_words(values, options.missing_values)
    looks = dates.looks_like_dates(words.text)
    if len(looks) and 2 * words.counts[looks].sum() >= words.counts.sum():
        return *_read_days(words, options), "date"
    text = spell(words.text)
    whole = np.array(text.str.fullmatch(r"[+-]?[0-9]{1,19}"), dtype=bool)
    steps = np.zeros(len(text), np.int64)
    for i in np.flatnonzero(whole):
        number = int(text[i])
        whole[i] = -(2**63) <= number < 2**63
        steps[i] = number if whole[i] else 0
    table = np.concatenate([whole, [False]])
    bad = np.flatnonzero(~table[words.codes])
    faults = []
    for row in bad[:MOST_NAMED]:
        code = words.codes[row]
        shown = "is empty" if code < 0 else f"{words.text[code]!r} is none"
        message = f"must be a whole number of up to 64 bits, or a date; {shown}"
        faults.append(Fault(message, int(row)))
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more like these"))
    return words.spread(steps, 0), faults, "number"


def _read_days(words: Words, options: Options) -> tuple[NDArray[np.int64], list[Fault]]:
    """Dates as days since 1970 [N], and what is wrong with them."""
    found = dates.read_dates(words.text, options.date_format)
    faults = list_date_faults(words, found, options)
    empty = np.flatnonzero(words.codes < 0)
    faults += [Fault("must be a date; is empty", int(row)) for row in empty[:MOST_NAMED]]
    days = np.floor(np.nan_to_num(found.seconds) / dates.DAY).astype(np.int64)
    return words.spread(days, 0), faults
