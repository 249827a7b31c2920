"""The peers: one module for each library, imported in a process of its own.

A module has ``PEERS``, the names it measures; ``VERSION``; ``start(threads)``, called once; and
``jobs(case, prediction, target)``, which yields a `suite.Job` for each peer and way of returning
the result, and nothing for what the library does not have; some have ``linear_jobs(case, hidden,
weight, target)`` too. Each loss is written as an expert user
of the library would write it, so that a formula may differ from one peer to another.
"""

from typing import NamedTuple


class Runtime(NamedTuple):
    """A module of this package, and the peers in it."""

    module: str
    peers: tuple[str, ...]


OURS = "fastloss"
CHUNKED = "PyTorch linear_cross_entropy"
# Not a peer.
LIMIT = Runtime("limit", ("limit",))
RUNTIMES = (
    Runtime("ours", (OURS,)),
    Runtime("numpy_expressions", ("NumPy", "NumPy reference")),
    Runtime("scikit_learn", ("scikit-learn",)),
    Runtime("pytorch", ("PyTorch", "PyTorch compiled", CHUNKED)),
    Runtime("jax_jit", ("JAX",)),
    Runtime("tensorflow_function", ("TensorFlow", "TensorFlow XLA")),
    Runtime("numba_loops", ("Numba",)),
    Runtime("numexpr_expressions", ("numexpr",)),
)
