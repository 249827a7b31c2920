"""The benchmarks run on the tests' inputs, so that there is one place that knows what is valid."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
