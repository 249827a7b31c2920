"""Focal loss in LightGBM, on data where one class is rare: what it gains, and what it does not.

    python examples/focal_loss_in_a_booster.py [--rounds 60 200]

The data are the handwritten digits that scikit-learn ships; the task is to find the eights, one
image in ten. Every loss trains on the same splits, five times two of them, from its own best
constant. A model is judged by its ranking (average precision) and by its probabilities (logarithmic
loss and Brier score); a difference stands beside its standard error over the splits, which share
data, so that two of them are not much.
"""

import argparse
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss
from sklearn.model_selection import RepeatedStratifiedKFold

import fastloss as fl
import fastloss.lightgbm

PARAMETERS = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 5,
    "num_threads": 2,
    "deterministic": True,
    "verbose": -1,
}


class Scores(NamedTuple):
    """What a model is judged by, one number for each split; the first is better when larger."""

    average_precision: Any
    log_loss: Any
    brier: Any


def eights() -> tuple[Any, Any]:
    """Return the images, and whether each is an eight."""
    images, digits = load_digits(return_X_y=True)
    return images, (digits == 8).astype(float)


def predict(loss: fl.Loss, X: Any, y: Any, X_test: Any, rounds: int) -> Any:
    """Train with a loss and return the probabilities of other data."""
    start = fastloss.lightgbm.init_score(loss, y)
    model = lgb.train(
        {**PARAMETERS, "objective": fastloss.lightgbm.objective(loss)},
        lgb.Dataset(X, y, init_score=np.full(len(y), start)),
        rounds,
    )
    return 1 / (1 + np.exp(-(model.predict(X_test) + start)))


def judge(loss: fl.Loss, rounds: int, repeats: int = 2) -> Scores:
    """Return the scores of a loss, split by split."""
    X, y = eights()
    splits = RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=0)
    found = []
    for train, test in splits.split(X, y):
        p = predict(loss, X[train], y[train], X[test], rounds)
        judges = (average_precision_score, log_loss, brier_score_loss)
        found.append([score(y[test], p) for score in judges])
    return Scores(*np.transpose(found))


def difference(ours: Any, theirs: Any) -> str:
    """Return a mean difference and its standard error."""
    gap = ours - theirs
    return f"{gap.mean():+.4f} ± {gap.std(ddof=1) / np.sqrt(len(gap)):.4f}"


def main() -> None:
    """Print a table for each number of rounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    rare = eights()[1].mean()
    losses: dict[str, fl.Loss] = {
        "cross-entropy": fl.BinaryCrossEntropy(),
        "cross-entropy, eights weigh as much": fl.BinaryCrossEntropy(pos_weight=1 / rare - 1),
        "focal, gamma 1": fl.Focal(gamma=1.0),
        "focal, gamma 2": fl.Focal(gamma=2.0),
        "focal, gamma 2, alpha 0.25": fl.Focal(gamma=2.0, alpha=0.25),
    }
    for rounds in options.rounds:
        print(f"\n{rounds} rounds" + " " * 24, *(f"{name:>26}" for name in Scores._fields))
        first = None
        for name, loss in losses.items():
            scores = judge(loss, rounds, options.repeats)
            first = first or scores
            cells = [
                f"{s.mean():.4f}" + (f"  {difference(s, f)}" if first is not scores else "")
                for s, f in zip(scores, first, strict=True)
            ]
            print(f"{name:<36}", *(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    main()
