"""Graph anomaly detection with AIEC, an activation function with a training-time conscience.

`aiec_graph.core` holds the method, `aiec_graph.nn` the graph layers, `aiec_graph.data` the data
sets, `aiec_graph.train` the training loop and `aiec_graph.bench` the benchmark behind
`run_bench.py`.
"""

__version__ = "0.1.0"
