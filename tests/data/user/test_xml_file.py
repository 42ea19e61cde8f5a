"""GraphML and GEXF files as other programs write them, and as an attacker might."""

import re

import networkx as nx
import numpy as np
import pytest

from aiec_graph.data.user import load_own
from aiec_graph.data.user.xml_file import read_xml
from aiec_graph.errors import InputError


def network(name_of=lambda i: f"A{i}", label="label"):
    graph = nx.DiGraph()
    for i in range(40):
        graph.add_node(name_of(i), amount=i + 0.5, age=i % 7, **{label: int(i % 5 == 0)})
    graph.add_edges_from((name_of(i), name_of((i * 3 + 1) % 40)) for i in range(40))
    return graph


LABELS = np.array([int(i % 5 == 0) for i in range(40)])


@pytest.mark.parametrize("suffix", ["gexf", "graphml"])
@pytest.mark.parametrize("name_of", [lambda i: i, lambda i: f"A{i}", lambda i: (i + 1) % 40])
def test_a_label_is_a_label_whatever_the_ids_are(tmp_path, suffix, name_of):
    """GEXF calls its names labels, too: a class of 0 and 1 must not be taken for names of nodes."""
    path = tmp_path / f"net.{suffix}"
    getattr(nx, f"write_{suffix}")(network(name_of), path)
    graph = load_own(path)
    np.testing.assert_array_equal(graph.y, LABELS)
    assert graph.columns is not None
    assert [c.name for c in graph.columns] == ["amount", "age"]


def test_names_that_are_the_ids_are_left_out(tmp_path):
    made = network(label="fraud")
    nx.write_gexf(made, tmp_path / "net.gexf")
    with pytest.raises(InputError, match="column fraud: is it the label"):
        load_own(tmp_path / "net.gexf")
    (tmp_path / "net.graph.yaml").write_text("label: fraud")
    np.testing.assert_array_equal(load_own(tmp_path / "net.gexf").y, LABELS)


def test_display_names_are_no_classes(tmp_path):
    made = network(label="fraud")
    for i, data in enumerate(made.nodes.values()):
        data["label"] = f"Shop {i}"
    nx.write_gexf(made, tmp_path / "net.gexf")
    with pytest.raises(InputError, match="40 different words, such as 'Shop 0'.*'label: fraud'"):
        load_own(tmp_path / "net.gexf")
    (tmp_path / "net.graph.yaml").write_text("label: fraud\ndrop: [label]")
    np.testing.assert_array_equal(load_own(tmp_path / "net.gexf").y, LABELS)


@pytest.mark.parametrize("suffix", ["gexf", "graphml"])
def test_values_that_are_declared_as_usual_stand_where_none_is_stated(tmp_path, suffix):
    path = tmp_path / f"net.{suffix}"
    getattr(nx, f"write_{suffix}")(network(label="fraud"), path)
    text = path.read_text()
    if suffix == "graphml":
        key = re.search(r'<key id="(\w+)"[^>]*attr\.name="fraud"[^>]*/>', text)
        text = text.replace(key[0], key[0].replace("/>", "><default>0</default></key>"))
        text = text.replace(f'<data key="{key[1]}">0</data>', "")
    else:
        key = re.search(r'<attribute id="(\w+)" title="fraud" type="long" */>', text)
        text = text.replace(key[0], key[0].replace("/>", "><default>0</default></attribute>"))
        text = re.sub(rf'<attvalue for="{key[1]}" value="0" */>', "", text)
    path.write_text(text)
    (tmp_path / "net.graph.yaml").write_text("label: fraud")
    np.testing.assert_array_equal(load_own(path).y, LABELS)


def test_an_attribute_that_gexf_would_hide_is_refused(tmp_path):
    path = tmp_path / "net.gexf"
    nx.write_gexf(network(label="fraud"), path)
    path.write_text(path.read_text().replace('title="fraud"', 'title="label"'))
    with pytest.raises(InputError, match=r"net\.gexf, line \d+: an attribute called label"):
        load_own(path)


def test_advice_names_the_file_beside(tmp_path):
    made = network()
    for i, data in enumerate(made.nodes.values()):
        data["opened"] = f"2026-01-{i % 28 + 1:02d}"
        data["id"] = f"own {i}"
    nx.write_graphml(made, tmp_path / "net.graphml")
    with pytest.raises(InputError, match=r"'as_of: .*' in net\.graph\.yaml"):
        load_own(tmp_path / "net.graphml")
    (tmp_path / "net.graph.yaml").write_text("drop: [opened]")
    assert any("the attribute id" in note for note in load_own(tmp_path / "net.graphml").notes)


def test_attributes_without_a_type_are_numbers(tmp_path):
    nx.write_graphml(network(), tmp_path / "typed.graphml")
    text = (tmp_path / "typed.graphml").read_text()
    (tmp_path / "untyped.graphml").write_text(re.sub(r' attr\.type="[a-z]+"', "", text))
    typed, untyped = (load_own(tmp_path / f"{kind}.graphml") for kind in ("typed", "untyped"))
    assert typed.columns == untyped.columns
    np.testing.assert_array_equal(typed.x.numpy(), untyped.x.numpy())
    np.testing.assert_array_equal(typed.y, untyped.y)


GRAPHML = (
    '<?xml version="1.0"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    '<key id="a" for="node" attr.name="a" attr.type="double"/>\n'
    '<graph edgedefault="directed">\n{}\n</graph></graphml>'
)


def node(name):
    return f'<node id="{name}"><data key="a">1.5</data></node>'


GEXF = (
    '<?xml version="1.0"?>\n<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph>\n'
    '<nodes><node id="x"/>{}</nodes>\n<edges>{}</edges>\n</graph></gexf>'
)


def laughs(kind="ENTITY"):
    names = [f'<!{kind} a{i} "{f"&a{i - 1};" * 10 if i else "ha" * 100}">' for i in range(10)]
    return f'<?xml version="1.0"?><!DOCTYPE g [{"".join(names)}]><graphml>&a9;</graphml>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<data>" * 5000, "nested too deeply"),
        (laughs(), "declares entities"),
        (laughs().encode("utf-16"), "declares entities"),
        ('<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>', "declares entities"),
    ],
    ids=["deep", "laughs", "laughs in UTF-16", "outside"],
)
@pytest.mark.parametrize("suffix", [".graphml", ".gexf"])
def test_what_is_refused_of_any_xml(tmp_path, content, message, suffix):
    refuse(tmp_path / f"net{suffix}", content, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (node("x") + '\n<edge source="x" target="y"/>', "line 6: no node has.*'y'"),
        (node("x") + "\n" + node("x"), "line 6: the node 'x' is repeated.*line 5"),
        (node("x") + '\n<edge source="x" tarx="x"/>', "line 6: an element edge without target"),
        (node("x") + "\n<node/>", "line 6: an element node without id"),
        (node("x") + '\nsource="x" target="x"/&gt;', "line 6: 'source=.*stands in graph"),
        (node("x") + '\n<edg source="x" target="x"/>', "line 6: no element edg can stand in graph"),
        (
            node("x").replace("</node>", '<data key="a">2</data></node>'),
            "line 5: a second value of 'a'",
        ),
        (node("x") + '\n</graph><graph edgedefault="directed">', "line 6: a second graph"),
        (node("x") + '\n<node id="y"><graph/></node>', "line 6: a second graph, or one within"),
    ],
)
def test_what_is_refused_of_graphml(tmp_path, content, message):
    refuse(tmp_path / "net.graphml", GRAPHML.format(content), message)


@pytest.mark.parametrize(
    ("more", "edges", "message"),
    [
        ("", '<edge id="0" source="x" target="y"/>', "line 4: no node has.*'y'"),
        ('<node id="x"/>', "", "line 3: the node 'x' is repeated"),
        ("", '<edge id="0" ource="x" target="x"/>', "line 4: an element edge without source"),
        ('<node id="y"><attvalues>="1"</attvalues></node>', "", "line 3: '=.*stands in attvalues"),
        (
            '<node id="y"><attvalues><attvalue for="0" value="1"/><attvalue for="0" value="2"/></attvalues></node>',
            "",
            "line 3: a second value of '0'",
        ),
        ("", '<ege id="0" source="x" target="x"/>', "line 4: no element ege can stand in edges"),
    ],
)
def test_what_is_refused_of_gexf(tmp_path, more, edges, message):
    refuse(tmp_path / "net.gexf", GEXF.format(more, edges), message)


def test_two_attributes_of_one_name_are_refused(tmp_path):
    key = '<key id="b" for="node" attr.name="a" attr.type="double"/>'
    content = GRAPHML.format(node("x")).replace("<graph ", f"{key}\n<graph ")
    refuse(tmp_path / "net.graphml", content, "line 4: a second attribute 'a' of node")
    declared = '<attribute id="{}" title="a" type="double"/>'
    both = f'<attributes class="node">{declared.format(0)}{declared.format(1)}</attributes>'
    content = GEXF.format("", "").replace("<nodes>", f"{both}<nodes>")
    refuse(tmp_path / "net.gexf", content, "a second attribute 'a' of node")


def test_ports_of_nodes_are_passed_over(tmp_path):
    more = '<node id="y"><port name="p"/></node>'
    (tmp_path / "net.graphml").write_text(GRAPHML.format(node("x") + more))
    assert len(read_xml(tmp_path / "net.graphml")[0].frame) == 2


def test_elements_of_other_name_spaces_stay_unread(tmp_path):
    more = '<node id="y" xmlns:viz="v"><viz:color r="1"/></node>'
    (tmp_path / "net.gexf").write_text(GEXF.format(more, ""))
    assert len(read_xml(tmp_path / "net.gexf")[0].frame) == 2


def refuse(path, content, message):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        read_xml(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_table_of_gaps_is_refused_before_it_is_made():
    from aiec_graph.data.user import from_networkx

    graph = nx.DiGraph()
    graph.add_nodes_from((i, {f"a{i}": 1.0}) for i in range(20_000))
    with pytest.raises(InputError, match="20000 attributes over 20000 nodes"):
        from_networkx(graph)
