"""Measures what an objective costs per round of boosting, against NumPy and the libraries' own.

    python benchmarks/boosting.py [--rows 1000000] [--repeats 7] [--seconds 100]

The call alone: gradient and Hessian from raw scores and labels, as XGBoost (float32) and LightGBM
(float64) hand them over, by fastloss and by the NumPy functions that one finds on the web. LightGBM
then makes float32 of float64; that is in no figure of a call. And whole rounds, in which LightGBM's
and XGBoost's own objectives have theirs: of the smallest tree on one feature, so that the objective
is most of what differs. All competitors take turns; a figure is the median.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import fastloss as fl
import fastloss.lightgbm
import fastloss.xgboost

Call = Callable[[], object]
CLASSES = 7


def numpy_logistic(y: Any, z: Any) -> Any:
    """The logistic objective as blogs have it."""
    p = 1.0 / (1.0 + np.exp(-z))
    return p - y, p * (1.0 - p)


def numpy_focal(y: Any, z: Any, gamma: float = 2.0) -> Any:
    """The focal objective as blogs have it, written with the probability of the right class."""
    p = 1.0 / (1.0 + np.exp(-z))
    sign = 2.0 * y - 1.0
    q = np.where(y == 1, p, 1.0 - p)
    log_q = np.log(q)
    gradient = sign * (1.0 - q) ** gamma * (gamma * q * log_q + q - 1.0)
    bend = (1.0 - q) * (1.0 + 2.0 * gamma) + gamma * log_q * (1.0 - (1.0 + gamma) * q)
    return gradient, q * (1.0 - q) ** gamma * bend


def numpy_softmax(y: Any, z: Any) -> Any:
    """The softmax objective as blogs have it."""
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    gradient = p.copy()
    gradient[np.arange(len(y)), y.astype(int)] -= 1.0
    return gradient, 2.0 * p * (1.0 - p)


CASES: dict[str, tuple[fl.Loss, Callable[..., Any], bool]] = {
    "logistic": (fl.BinaryCrossEntropy(), numpy_logistic, False),
    "focal": (fl.Focal(gamma=2.0), numpy_focal, False),
    "softmax": (fl.CrossEntropy(), numpy_softmax, True),
}


def problem(rows: int, classes: bool, library: str) -> tuple[Any, Any]:
    """Return labels and scores as a library has them."""
    random = np.random.default_rng(0)
    if classes:
        y = random.integers(0, CLASSES, rows).astype(np.float32)
        z = random.normal(size=(rows, CLASSES))
    else:
        y = random.integers(0, 2, rows).astype(np.float32)
        z = random.normal(size=rows)
    return y, z.astype(np.float32) if library == "xgboost" else np.asfortranarray(z)


def calls(rows: int, case: str, library: str) -> dict[str, Call]:
    """Return the competitors of a call."""
    loss, blog, classes = CASES[case]
    y, z = problem(rows, classes, library)
    module = {"xgboost": fastloss.xgboost, "lightgbm": fastloss.lightgbm}[library]
    preset = next(iter(module.PRESETS)) if case == "softmax" else None
    custom = module.objective(loss, preset)
    return {"fastloss": lambda: custom(y, z), "NumPy": lambda: blog(y, z)}


def xgboost_rounds(rows: int, case: str) -> dict[str, Call]:
    """Return the competitors of a round of XGBoost."""
    import xgboost as xgb

    loss, blog, classes = CASES[case]
    y, _ = problem(rows, classes, "xgboost")
    X = np.random.default_rng(1).integers(0, 4, (rows, 1)).astype(np.float32)
    data = xgb.QuantileDMatrix(X, y)
    shared = {"max_depth": 1, "tree_method": "hist", **({"num_class": CLASSES} if classes else {})}
    custom = fastloss.xgboost.objective(loss, "xgboost-2.1" if case != "focal" else None)
    ways: dict[str, tuple[dict[str, Any], Any]] = {
        "fastloss": ({}, custom),
        "NumPy": ({}, lambda z, data: blog(data.get_label(), z)),
    }
    if case != "focal":
        ways["own"] = ({"objective": custom.rule.name}, None)
    found = {}
    for name, (named, function) in ways.items():
        booster = xgb.Booster({**shared, **named}, [data])
        count = iter(range(10**9))
        found[name] = lambda b=booster, f=function, c=count: b.update(data, next(c), f)
    return found


def lightgbm_rounds(rows: int, case: str) -> dict[str, Call]:
    """Return the competitors of a round of LightGBM."""
    import lightgbm as lgb

    loss, blog, classes = CASES[case]
    y, _ = problem(rows, classes, "lightgbm")
    X = np.random.default_rng(1).integers(0, 4, (rows, 1)).astype(np.float32)
    shared = {"num_leaves": 2, "verbose": -1, **({"num_class": CLASSES} if classes else {})}
    custom = fastloss.lightgbm.objective(loss, "lightgbm-4" if case != "focal" else None)
    ways: dict[str, tuple[Any, Any]] = {
        "fastloss": ("none", custom),
        "NumPy": ("none", lambda z, data: blog(data.get_label(), z)),
    }
    if case != "focal":
        ways["own"] = (custom.rule.name, None)
    found = {}
    for name, (objective, function) in ways.items():
        booster = lgb.Booster({**shared, "objective": objective}, lgb.Dataset(X, y))
        found[name] = lambda b=booster, f=function: b.update(fobj=f)
    return found


def measure(competitors: dict[str, Call], repeats: int) -> dict[str, float]:
    """Return the median milliseconds of each, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for turn in range(repeats + 1):
        for name, call in competitors.items():
            start = time.perf_counter()
            call()
            if turn:  # the first one warms up
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=100.0, help="begin nothing after so many")
    options = parser.parse_args()
    start = time.perf_counter()
    print(f"{options.rows} rows, {CLASSES} classes for softmax; milliseconds\n")
    print(
        "| what | loss | fastloss | NumPy | own | NumPy / fastloss |",
        "|---|---|--:|--:|--:|--:|",
        sep="\n",
    )
    kinds: dict[str, Callable[[str], dict[str, Call]]] = {
        "a call, XGBoost's arrays": lambda case: calls(options.rows, case, "xgboost"),
        "a call, LightGBM's arrays": lambda case: calls(options.rows, case, "lightgbm"),
    }
    if find_spec("xgboost"):
        kinds["a round of XGBoost"] = lambda case: xgboost_rounds(options.rows, case)
    if find_spec("lightgbm"):
        kinds["a round of LightGBM"] = lambda case: lightgbm_rounds(options.rows, case)
    for kind, make in kinds.items():
        for case in CASES:
            if time.perf_counter() - start > options.seconds:
                print("(out of time)")
                return
            found = measure(make(case), options.repeats)
            names = ("fastloss", "NumPy", "own")
            times = [f"{found[name]:.1f}" if name in found else "" for name in names]
            ratio = f"{found['NumPy'] / found['fastloss']:.1f}"
            print("|", " | ".join((kind, case, *times, ratio)), "|", flush=True)


if __name__ == "__main__":
    main()
