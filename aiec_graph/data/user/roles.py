"""Which column has which role: by declaration, else by name; what is close to a name is asked."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from aiec_graph.data.user.columns import FEW, Fault, Options, read_column
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.labels import SPLIT_WORDS, read_labels
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import spell, split_words
from aiec_graph.errors import did_you_mean

SYNONYMS = {
    role: frozenset(names.split())
    for role, names in {
        "id": (
            "nodeid node nodes account accountid accountnumber accountno customer "
            "customerid user userid txid txnid transactionid address wallet ids key name "
            "uid guid uuid"
        ),
        "label": (
            "class labels isfraud fraud fraudflag fraudlabel y isanomaly anomaly anomalous "
            "isanomalous isoutlier outlier islaundering laundering illicit isillicit "
            "phishing isphishing suspicious issuspicious isscam scam flag target "
            "groundtruth truth isspam spam isbot fraudulent"
        ),
        "split": "splits part parts partition set subset fold folds splitset",
        "time_step": "timestep timesteps step month period week snapshot",
        "source": (
            "from src sender payer sourceid srcid fromid fromaccount sourceaccount senderid "
            "orig origin originator nameorig debtor fromaddress fromnode sourcenode txid1 u "
            "node1 id1 debit buyer caller follower head start parent rater"
        ),
        "target": (
            "to dst dest destination receiver recipient payee targetid dstid toid toaccount "
            "targetaccount receiverid beneficiary namedest creditor toaddress tonode "
            "targetnode txid2 v node2 id2 credit seller callee followee tail end child ratee rated"
        ),
        "weight": "weights edgeweight w",
        "amount": (
            "amt value amountpaid amountreceived transactionamount transamt sum eur usd volume"
        ),
        "time": (
            "timestamp date datetime when bookedat createdat blocktimestamp transactiontime "
            "transactiondate bookingdate executedat valuedate ts unixtime"
        ),
        "transaction_label": (
            "label class isfraud fraud islaundering laundering illicit isillicit suspicious"
        ),
    }.items()
}
"""Names that other people give to a role, in small letters without blanks and signs."""
OF_ANY_NODE = {
    *("account", "acct", "acc", "id", "no", "nr", "number", "node", "user", "customer", "cust"),
    *("client", "address", "addr", "party", "ip"),
}
"""Words in the names of ends that do not tell which end it is: cust_src, payer_id."""
OF_IDS = {
    *("id", "no", "nr", "number", "iban", "key", "code", "uuid", "client", "entity", "party"),
    *("vertex", "company", "member"),
}
"""Words at the end of the names of ids; such a column is one where all its values differ."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
MASKS = re.compile(
    r"(?:is|in)?(?:train|training|val|valid|validation|test|testing|dev|holdout)"
    r"(?:mask|set|split|idx|flag)?|(?:has|is|with)label(?:led|ed)?|labell?ed|masks?|ismasked"
)
FOLDS = re.compile(r"(?:cv|k)?folds?(?:id|no|nr|number|idx|index)?|(?:cv)?splits?(?:id|no|number)")
MOST_FOLDS = 100
LOOKED_AT = 1_000
"""Rows by which the kind of a column that is not used is told."""
COUNTERS = re.compile(r"index|row|rownumber|rownum|rowid|rowno|lineno|linenumber|level0|counter")


def simplify(name: str) -> str:
    """Returns a name in small letters, without blanks and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_near(table: Table, key: str, taken: Sequence[str] = ()) -> tuple[str, bool]:
    """Finds the column that likely has a role, and whether but for capitals and signs it is it."""
    free = [name for name in table.names if name not in taken]
    wanted = key.replace("_", "")
    for name in free:
        if simplify(name) == wanted and name != key:
            return name, True
    for name in free:
        base = name.removesuffix(".1") if key == "target" else name
        if simplify(base) in SYNONYMS.get(key, ()):
            return name, False
    for name in free:
        words = [word.lower() for word in WORD.findall(name)]
        if key in ("source", "target"):
            core = "".join(word for word in words if word not in OF_ANY_NODE)
            if core in SYNONYMS[key]:
                return name, False
        elif key == "id" and words and words[-1] in OF_IDS and table.frame[name].is_unique:
            return name, False
    if key in ("source", "target"):  # as in IBM's tables, where both are called Account
        for name in free:
            base = name.removesuffix(".1")
            is_end = base in table.repeated and simplify(base) in SYNONYMS["id"]
            if is_end and (base == name) == (key == "source"):
                return name, False
    return "", False


def resolve(table: Table, reading: Reading, keys: Sequence[str]) -> dict[str, list[str]]:
    """Finds the columns of roles that a table must have; what is missing becomes a fault.

    Returns:
        For each key the names of its columns; empty where one is missing.
    """
    declared, found = reading.declared, {}
    taken = taken_names(declared)
    for key in keys:
        names = declared.columns_of(key)
        lacking = [name for name in names if name not in table.names]
        if not lacking:
            found[key] = names
            continue
        found[key] = []
        reading.findings.add_fault(_explain_missing(table, reading, key, lacking[0], taken))
    _tell_apart(table, reading, found)
    return found


def _tell_apart(table: Table, reading: Reading, found: dict[str, list[str]]) -> None:
    """Source and target under one name: the first column is the source, the second the target."""
    source, target = found.get("source", []), found.get("target", [])
    for i, name in enumerate(target):
        if name in source:
            second = f"{name}.1"
            if name in table.repeated and second in table.names:
                found["target"] = [*target[:i], second, *target[i + 1 :]]
                reading.findings.notes.append(
                    f"{table.where}: of the two columns {name}, the first is the source's and the "
                    "second the target's"
                )
            elif len(target) == 1 and len(source) == 1:
                reading.findings.add_fault(
                    f"{table.where}: source and target are both the column {name!r}"
                )


def _explain_missing(
    table: Table, reading: Reading, key: str, name: str, taken: Sequence[str]
) -> str:
    declared = reading.declared
    listed = ", ".join(table.names)[:300]
    if name in table.repeated or not declared.is_default(key):
        hint = did_you_mean(name, table.names)
        hint = hint or (f" Found: {listed}" if listed else "")
        return (
            f"{table.where}: {table.declared_in} names the column {name!r} ({key}), which is not "
            f"there.{hint}"
        )
    near, _ = find_near(table, key, taken)
    hint = did_you_mean(name, table.names)
    apart = (
        re.fullmatch(r"\w+([^\w,;\t|]+)\w+(?:\1\w+)*", listed) if len(table.names) == 1 else None
    )
    if apart:
        hint = (
            f" Are its columns separated by {apart[1]!r}? Save it with commas, or put the line "
            f"'sep={apart[1]}' before the first."
        )
    elif near:
        reading.record(table, near, key, "text")
        hint = f" Is it {near!r}? Then say {table.advise(key, near)}."
        if near.removesuffix(".1") in table.repeated:
            hint += " (The name stands there twice; the second is called with .1 after it.)"
    elif (key == "id" and {"source", "target"} <= set(table.names)) or (
        key in ("source", "target") and "id" in table.names and len(table.names) > 2 and not hint
    ):
        hint = " Are the tables of nodes and edges swapped?"
    return f"{table.where}: no column {name!r}.{hint} Found: {listed}"


def taken_names(declared: Declaration) -> list[str]:
    """Names that have a role, or that somebody declared in some way."""
    names: list[str] = []
    for key in ("id", "label", "split", "time_step", "source", "target", "weight", "amount"):
        names += declared.columns_of(key)
    names += [*declared.columns_of("time"), *(declared.features or []), *declared.drop]
    names += [*declared.categorical, *declared.numeric, *declared.missing_of]
    names += [*(declared.aggregate or {}), *declared.columns_of("transaction_label")]
    return names


def check_optional(table: Table, reading: Reading, keys: Sequence[str]) -> None:
    """Looks for columns of roles that a table may lack: declared ones must be there."""
    declared = reading.declared
    taken = taken_names(declared)
    for key in keys:
        names = declared.columns_of(key)
        if all(name in table.names for name in names):
            continue
        if not declared.is_default(key):
            lacking = next(name for name in names if name not in table.names)
            reading.findings.add_fault(_explain_missing(table, reading, key, lacking, taken))
            continue
        near, is_same = find_near(table, key, taken)
        if is_same:
            reading.findings.add_fault(
                f"{table.where}: is the column {near!r} the {key}? Then say "
                f"{table.advise(key, near)}; if not, say {table.advise('drop', [near])} or rename "
                "it"
            )
        elif near and key in ("amount", "time", "weight"):
            reading.findings.warnings.append(
                f"{table.where}: no column {key!r}; if it is {near!r}, say "
                f"{table.advise(key, near)}"
            )


def check_features(table: Table, reading: Reading, names: Sequence[str]) -> list[str]:
    """Sorts out what must not be a feature unsaid: labels, splits, masks and counters.

    Args:
        table: of nodes.
        reading: where faults and notes go.
        names: columns that would be features though nobody listed them.

    Returns:
        Those that are.
    """
    kept = []
    for name in names:
        asked = _ask_role(table, reading, name)
        if asked:
            role = next((r for r in ("label", "split") if f"'{r}: " in asked), "ignored")
            reading.record(table, name, role, guess_kind(table, name))
            reading.findings.add_fault(table.explain(name, Fault(asked)))
        elif _is_counter(name, table.frame[name]):
            reading.record(table, name, "ignored", "number")
            reading.findings.notes.append(
                f"{table.where}: column {name} counts the rows, so it is not used; list it under "
                "features: to use it"
            )
        else:
            kept.append(name)
    return kept


def guess_kind(table: Table, name: str) -> str:
    """Returns the kind of a column that is not used, by its first rows."""
    return read_column(table.frame[name].head(LOOKED_AT), Options(name)).kind


def _ask_role(table: Table, reading: Reading, name: str) -> str:
    """The question about a column that looks like a label, a split or a mask; empty if none."""
    simple = simplify(name)
    base = re.sub(r"\.\d+$", "", name)
    if name in table.repeated:
        return ""
    if base in table.repeated and base != name:
        return (
            f"the name {base!r} is there twice, and the second is called {name!r} here; say "
            f"{table.advise('drop', [name])} or rename it"
        )
    drop = table.advise("drop", [name])
    values = table.frame[name]
    if simple in SYNONYMS["label"] and _are_labels(values, reading, table):
        if not _has_label(table, reading):
            return f"is it the label? Then say {table.advise('label', name)}; if not, say {drop}"
        if simple not in ("y", "flag", "target"):
            return f"looks like another label, which would tell the first; say {drop}"
    words = _few_words(values)
    is_flag = words is not None and set(words) <= {"true", "false", "0", "1"}
    if MASKS.fullmatch(simple) and is_flag:
        return (
            f"looks like a mask and not like a feature; say {drop}, or make one column split of "
            "the masks, with train, val and test in it"
        )
    if FOLDS.fullmatch(simple) and len(split_words(values).text) <= MOST_FOLDS:
        return f"looks like the folds of a cross-validation and not like a feature; say {drop}"
    tells = {word for word in words or () if SPLIT_WORDS.get(word)}
    if words and len(tells) > 1 and set(words) <= set(SPLIT_WORDS):
        return f"looks like a split; say {table.advise('split', name)}, or {drop}"
    return ""


def _has_label(table: Table, reading: Reading) -> bool:
    """Whether the column of the labels is there, and holds labels if nobody said that it does."""
    declared = reading.declared
    if declared.label not in table.names:
        return False
    is_said = not declared.is_default("label") or declared.anomalous or declared.normal
    return bool(is_said) or _are_labels(table.frame[declared.label], reading, table)


def _few_words(values: pd.Series) -> list[str] | None:
    """The words of a column that has at most eight; None for any other."""
    if len(split_words(values.head(LOOKED_AT)).text) > 8:
        return None
    words = split_words(values).text
    return [w.lower() for w in spell(words)] if 0 < len(words) <= 8 else None


def _are_labels(values: pd.Series, reading: Reading, table: Table) -> bool:
    words = _few_words(values)
    if words is None:
        return False
    plain = Declaration()
    _, faults = read_labels(values, plain, plain.options_of("", yaml=table.yaml))
    return not faults


def _is_counter(name: str, values: pd.Series) -> bool:
    if not len(values) or not str(values.iloc[0]).strip().removesuffix(".0").isdigit():
        return False
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not len(numbers) or np.isnan(numbers).any() or (numbers != np.rint(numbers)).any():
        return False
    if COUNTERS.fullmatch(simplify(name)) and len(np.unique(numbers)) == len(numbers):
        return True
    low = numbers.min()
    is_run = low in (0, 1) and numbers.max() - low == len(numbers) - 1
    return bool(len(numbers) >= FEW and is_run and len(np.unique(numbers)) == len(numbers))
