"""Graph anomaly detection with AIEC, an activation that learns which channels serve which class.

`aiec_graph.core` holds the method, `aiec_graph.nn` the graph layers, `aiec_graph.data` the data
sets and a user's own tables, `aiec_graph.train` training and the classifiers, `aiec_graph.detect`
the detector for analysts and `aiec_graph.bench` the benchmark behind `run_bench.py`.
"""

__version__ = "0.1.0"
