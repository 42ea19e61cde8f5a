"""How Sphinx builds the site: `make docs`."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from sphinx.application import Sphinx

from aiec_graph import __version__

for package in ("data", "data.user", "train", "vision"):  # autodoc sees no name on demand
    module = import_module(f"aiec_graph.{package}")
    for name in module.__all__:
        setattr(module, name, getattr(module, name))

project = "aiec_graph"
author = "The aiec_graph developers"
project_copyright = "The aiec_graph developers"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_pages",
    "mathml",
]
exclude_patterns = ["_build"]
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
highlight_language = "text"
default_role = "literal"  # docstrings quote code by single backticks

html_theme = "pydata_sphinx_theme"
html_title = "aiec_graph"
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # summaries are fetched, which pages opened from a disk may not
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_depth": 2,
    "show_toc_level": 2,
    "header_links_before_dropdown": 4,
}
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}


def put_back(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Puts back what Napoleon took for an attribute's type, which the code states anyway."""
    found = [line for line in lines if line.startswith(":type: ")]
    if what in ("attribute", "data", "property") and found:
        lines[0] = f"{found[0].removeprefix(':type: ')}: {lines[0]}"
        lines.remove(found[0])


def setup(app: Sphinx) -> None:
    """Registers the step, after Napoleon's."""
    app.connect("autodoc-process-docstring", put_back, priority=600)
