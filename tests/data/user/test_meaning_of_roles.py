"""Which columns get which role, or are asked about: names, masks, counters, labels and ids."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user.folder import profile_own

COUNT = 40
IDS = [f"n{i}" for i in range(COUNT)]
FAR = [f"n{(7 * i + 1) % COUNT}" for i in range(COUNT)]
LABELS = [int(i % 4 == 0) for i in range(COUNT)]
SIZES = [round(3.5 + i * 11 % 17, 1) for i in range(COUNT)]


def nodes(**columns) -> pd.DataFrame:
    """A table of nodes; a column that is None is left out."""
    made = {"id": IDS, "size": SIZES, "label": LABELS, **columns}
    return pd.DataFrame({name: v for name, v in made.items() if v is not None})


def edges(**columns) -> pd.DataFrame:
    made = {"source": IDS, "target": FAR, **columns}
    return pd.DataFrame({name: v for name, v in made.items() if v is not None})


@pytest.fixture
def profile(tmp_path):
    """What is said of some tables; text is written as it is."""

    def make(declared="", suffix="csv", path="", **tables):
        for name, table in tables.items():
            if isinstance(table, str):
                (tmp_path / f"{name}.csv").write_text(table)
            elif suffix == "csv":
                table.to_csv(tmp_path / f"{name}.csv", index=False)
            else:
                table.to_parquet(tmp_path / f"{name}.parquet")
        if declared:
            (tmp_path / "graph.yaml").write_text(declared)
        return profile_own(tmp_path / path if path else tmp_path)

    return make


def roles(found) -> dict[str, str]:
    return {column.name: column.role for column in found.columns}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("id", "Account ID", "id"),
        ("id", "node_id", "id"),
        ("label", "is_fraud", "label"),
        ("label", "Class", "label"),
        ("source", "from", "source"),
        ("id", "acct_id", "id"),
        ("id", "merchantNumber", "id"),
        ("source", "cust_src", "source"),
        ("target", "payeeId", "target"),
        ("target", "receiver_account", "target"),
        ("source", "src", "source"),
        ("target", "to", "target"),
        ("target", "DST", "target"),
    ],
)
def test_other_names_of_a_role_are_asked_for_with_the_line_to_write(
    profile, tmp_path, old, new, key
):
    tables = {"nodes": nodes(), "edges": edges()}
    tables = {name: table.rename(columns={old: new}) for name, table in tables.items()}
    found = profile(**tables)
    assert any(f"'{key}: {new}' in graph.yaml" in fault for fault in found.faults), found.faults
    again = profile(declared=f"{key}: {new}\n", **tables)
    assert again.faults == ()
    assert (again.labelled, again.anomalous) == (COUNT, 10)


@pytest.mark.parametrize("name", ["timestamp", "Date", "booked_at"])
def test_other_names_of_optional_roles_are_warned_of(profile, name):
    when = pd.date_range("2026-01-01", periods=COUNT).strftime("%Y-%m-%d")
    table = edges(amount=SIZES, **{name: when})
    found = profile(transactions=table, accounts=nodes(size=None))
    assert any(f"'time: {name}' in graph.yaml" in line for line in found.warnings)
    assert roles(found)[name] == "ignored"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("train_mask", [i % 2 == 0 for i in range(COUNT)]),
        ("is_test", [i % 2 for i in range(COUNT)]),
        ("has_label", [float(i % 2) for i in range(COUNT)]),
        ("valid mask", ["TRUE" if i % 2 else "FALSE" for i in range(COUNT)]),
        ("part", ["train" if i % 2 else "test" for i in range(COUNT)]),
        ("fold", [i % 5 for i in range(COUNT)]),
        ("cv_fold", [f"f{i % 3}" for i in range(COUNT)]),
        ("is_fraud", LABELS),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_splits_masks_and_labels_are_no_features_unsaid(profile, name, values, suffix):
    found = profile(nodes=nodes(**{name: values}), edges=edges(), suffix=suffix)
    assert len(found.faults) == 1
    assert f"column {name}: looks like" in found.faults[0]
    assert roles(found)[name] != "feature"


@pytest.mark.parametrize(
    ("name", "values", "is_counter"),
    [
        ("", range(COUNT), True),
        ("n", range(COUNT), True),
        ("n", range(1, COUNT + 1), True),
        ("n", [float(i) for i in range(COUNT)][::-1], True),
        ("row", range(100, 100 + COUNT), True),
        ("n", range(2, COUNT + 2), False),
        ("n", [*range(COUNT - 1), 0], False),
    ],
)
def test_row_numbers_are_left_out_with_a_note(profile, name, values, is_counter):
    found = profile(nodes=nodes(**{name: list(values)}), edges=edges())
    assert found.faults == ()
    role = roles(found).get(name, "ignored")
    assert (role == "ignored") == is_counter
    assert any("counts the rows" in n or "has no name" in n for n in found.notes) == is_counter


@pytest.mark.parametrize(
    ("anomalous", "normal"),
    [
        ("yes", "no"),
        ("Y", "N"),
        ("TRUE", "FALSE"),
        ("fraud", "ok"),
        (" illicit", "licit "),
        (1.0, 0.0),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_labels_by_usual_words(profile, anomalous, normal, suffix):
    words = [anomalous if label else normal for label in LABELS]
    words[3] = None
    found = profile(nodes=nodes(label=words), edges=edges(), suffix=suffix)
    assert found.faults == ()
    assert (found.labelled, found.anomalous) == (COUNT - 1, 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([2 - label for label in LABELS], r"the label '2' \(in 30 rows\)"),
        ([f"{label},0" for label in LABELS], "the label '1,0'"),
        ([0.7, *LABELS[1:]], "line 2, column label: the label '0.7' is none"),
        ([2 * label - 1 for label in LABELS], "holds 1 and -1 and no 0"),
        (["NA", *LABELS[1:]], "the label 'NA' is none"),
        (IDS, "40 different words, such as 'n0' and 'n1', are no labels"),
    ],
)
def test_other_labels_are_asked_about(profile, words, message):
    import re

    found = profile(nodes=nodes(label=words), edges=edges())
    assert re.search(message, " ".join(found.faults)), found.faults


def test_where_the_column_called_label_is_none_another_is_asked_for(profile):
    found = profile(nodes=nodes(label=[f"Shop {i}" for i in IDS], fraud=LABELS), edges=edges())
    assert any("is it the label? Then say 'label: fraud'" in fault for fault in found.faults)


def test_an_id_of_several_columns(profile):
    bank, number = [i % 2 for i in range(COUNT)], [f"{i // 2:03d}" for i in range(COUNT)]
    far = [(7 * i + 1) % COUNT for i in range(COUNT)]
    links = pd.DataFrame(
        {
            "From Bank": bank,
            "From": number,
            "To Bank": [bank[i] for i in far],
            "To": [number[i] for i in far],
        }
    )
    lines = "id: [bank, number]\nsource: [From Bank, From]\ntarget: [To Bank, To]\n"
    found = profile(nodes=nodes(id=None, bank=bank, number=number), edges=links, declared=lines)
    assert found.faults == ()
    assert found.tables.target.tolist() == far
    assert found.tables.nodes.ids[3] == "1/001"


def test_two_columns_of_one_name_are_source_and_target_in_their_order(profile):
    rows = "\n".join(f"0{i % 2},8{i},0{i % 3},8{(i + 1) % COUNT},{i}.5" for i in range(COUNT))
    table = f"From Bank,Account,To Bank,Account,Amount Paid\n{rows}\n"
    lines = "source: Account\ntarget: Account\namount: Amount Paid\n"
    found = profile(transactions=table, declared=lines)
    assert found.faults == ()
    assert found.nodes == COUNT
    assert found.tables.nodes.ids[found.tables.target[0]] == "81"
    asked = profile(transactions=table, declared="amount: Amount Paid\n")
    assert any("'source: Account' in graph.yaml" in fault for fault in asked.faults)
    assert any("'target: Account.1' in graph.yaml" in fault for fault in asked.faults)


def test_one_of_several_tables_may_be_given_for_the_folder(profile):
    whole = profile(nodes=nodes(), edges=edges())
    for name in ("nodes.csv", "edges.csv"):
        found = profile(path=name)
        assert found.faults == ()
        assert (found.nodes, found.edges) == (whole.nodes, whole.edges)
        assert any("read with the other tables" in note for note in found.notes)


@pytest.mark.parametrize("cell", ["1.23457E+15", "1,23457E+15", "1.5e+15"])
def test_ids_that_a_spreadsheet_has_shortened_are_refused(profile, cell):
    source = [cell, *IDS[1:]]
    found = profile(transactions=edges(source=source, amount=SIZES), accounts=nodes(size=None))
    assert len(found.faults) == 1
    assert "transactions.csv, line 2: source is" in found.faults[0]
    assert "a spreadsheet has shortened" in found.faults[0]


@pytest.mark.parametrize(
    ("odd", "cause"),
    [
        ("N0", "capitals and small letters"),
        ("n 0", "blanks within"),
        ("007", "zeros before the number"),
        ("7.0", "one has .0"),
    ],
)
def test_ids_that_are_nearly_others_are_told(profile, odd, cause):
    table = edges(source=[odd, "7", *IDS[2:]], target=["7", *FAR[1:]], amount=SIZES)
    found = profile(transactions=table, accounts=nodes(size=None))
    assert found.faults == ()
    assert any(cause in line and repr(odd) in line for line in found.warnings), found.warnings
    plain = profile(transactions=edges(amount=SIZES), accounts=nodes(size=None))
    assert not any("are the same but for" in line for line in plain.warnings)


def test_wei_is_summed_and_more_than_32_bits_hold_is_named(profile):
    wei = [str(10**18 * (i + 1) + 7) for i in range(COUNT)]
    found = profile(transactions=edges(amount=wei), accounts=nodes(size=None))
    assert found.faults == ()
    sums = {f.column.name: f.values for f in found.tables.nodes.features}
    np.testing.assert_allclose(sums["out_amount_sum"][:2], [1e18, 2e18], rtol=1e-12)
    wei[5] = str(2**256 - 1)
    found = profile(transactions=edges(amount=wei), accounts=nodes(size=None))
    assert len(found.faults) == 1
    assert "transactions.csv, line 7, column amount" in found.faults[0]


def test_another_separator_and_a_line_before_the_header_are_named(profile, tmp_path):
    text = nodes().to_csv(index=False, sep="^")
    found = profile(nodes=text, edges=edges())
    assert "separated by '^'? Save it with commas, or put the line 'sep=^'" in found.faults[0]
    assert profile(nodes=f"sep=^\n{text}", edges=edges()).faults == ()
    found = profile(nodes=f"# made by hand\n{nodes().to_csv(index=False)}", edges=edges())
    assert "Expected 1 column, as line 1 has (is it no header?); line 2 has 3" in found.faults[0]


def test_edges_that_are_there_twice_are_counted(profile):
    twice = pd.concat([edges(), edges().head(7)])
    found = profile(nodes=nodes(), edges=twice)
    assert any("there already: 7 of 47" in note for note in found.notes)
    assert not any("already" in note for note in profile(edges=edges()).notes)


def test_tables_under_other_names_are_judged_by_what_they_hold(tmp_path):
    nodes().to_csv(tmp_path / "zz.csv", index=False)
    pd.DataFrame({"user": IDS * 2, "topic": range(2 * COUNT)}).to_csv(tmp_path / "aa.csv")
    found = profile_own(tmp_path)
    assert found.lines == ("nodes: zz.csv",)
    edges().to_csv(tmp_path / "moves.csv", index=False)
    found = profile_own(tmp_path)
    assert "'nodes: zz.csv' in graph.yaml and 'edges: moves.csv' in graph.yaml" in found.faults[0]
    Path(tmp_path / "bb.csv").write_text("1,2\n3,4\n")
    assert "bb.csv: the first line holds numbers (1, 2)" in profile_own(tmp_path).faults[0]


def test_columns_of_two_values_are_named_where_nothing_is_labelled(profile):
    table = nodes(label=None, mule=LABELS, code=[i % 3 for i in range(COUNT)])
    found = profile(nodes=table, edges=edges())
    assert any(line.endswith("of which one may be it: mule") for line in found.warnings)
