import pytest

from aiec_graph.wording import counted, listed


@pytest.mark.parametrize(("number", "said"), [(1, "1 node"), (0, "0 nodes"), (2000, "2,000 nodes")])
def test_a_number_has_its_noun(number, said):
    assert counted(number, "node") == said


def test_names_from_files_stay_on_one_line():
    assert listed([]) == "nothing"
    assert listed({"b\nc", "a" * 99}) == f"{'a' * 40}, b c"
    assert listed(range(10), most=2) == "0, 1 …"
