"""Truths of fastloss.losses.margin."""

import dataclasses
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

import fastloss as fl
from fastloss.losses.base import snake_case
from mpmath_truth.binary import label as label_of
from mpmath_truth.multiclass import cross_entropy
from mpmath_truth.terms import Number, Sum, Truth, sum_of


def one_versus_all(
    prediction: Sequence[Number],
    target: int,
    *,
    binary: str,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    positive = [k == target for k in range(len(prediction))]
    weight = _weight(target, class_weight, ignore_index)
    return _weighted(_classwise(prediction, positive, binary), weight)


def ordinal(
    prediction: Sequence[Number],
    target: int,
    *,
    binary: str,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    positive = [target > k for k in range(len(prediction))]
    weight = _weight(target, class_weight, ignore_index)
    return _weighted(_classwise(prediction, positive, binary), weight)


def _classwise(prediction: Sequence[Number], positive: Sequence[bool], binary: str) -> Truth:
    loss: Any = fl.get(binary)
    parameters = {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}
    del parameters["reduction"]
    truth = getattr(import_module(f"mpmath_truth.{loss.family}"), snake_case(type(loss).__name__))
    low = max(mpf(loss.target_domain[0]), mpf(-1))
    parts = [
        truth(z, mpf(1) if yes else low, **parameters)
        for z, yes in zip(prediction, positive, strict=True)
    ]
    return Truth(
        _total([part.value for part in parts]),
        [part.gradient[0] for part in parts],
        [part.hessian[0] for part in parts],
    )


def _total(sums: Sequence[Sum]) -> Sum:
    return Sum(*(mp.fsum(column) for column in zip(*sums, strict=True)))


def _weight(target: int, class_weight: Sequence[float] | None, ignore_index: int) -> Number:
    if target == ignore_index:
        return mpf(0)
    return mpf(1) if class_weight is None else mpf(class_weight[target])


def _weighted(truth: Truth, weight: Number) -> Truth:
    def scaled(one: Sum) -> Sum:
        return Sum(*(weight * x if weight else mpf(0) for x in one))

    return Truth(
        scaled(truth.value),
        [scaled(one) for one in truth.gradient],
        [scaled(one) for one in truth.hessian],
    )


def crammer_singer(
    prediction: Sequence[Number],
    target: int,
    *,
    margin: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    return _weighted(_rival(prediction, target, margin, -mp.inf), weight)


def categorical_hinge(
    prediction: Sequence[Number],
    target: int,
    *,
    margin: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    return _weighted(_rival(prediction, target, margin, mpf(0)), weight)


def multiclass_perceptron(
    prediction: Sequence[Number],
    target: int,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    return _weighted(_rival(prediction, target, 0, -mp.inf), weight)


def _rival(prediction: Sequence[Number], target: int, margin: float, floor: Number) -> Truth:
    target = max(target, 0)  # of an ignored row, which has no weight
    zeros = [sum_of(mpf(0)) for _ in prediction]
    others = [k for k in range(len(prediction)) if k != target]
    rival = max((prediction[k] for k in others), default=-mp.inf)
    best = max(rival, floor)
    # Of numbers that are both huge, first: fifty digits do not hold them and the margin.
    lead = best - prediction[target]
    if not margin + lead > 0:
        return Truth(sum_of(mpf(0)), zeros, zeros)
    gradient = list(zeros)
    gradient[target] = sum_of(mpf(-1))
    if rival > floor:
        gradient[next(k for k in others if prediction[k] == rival)] = sum_of(mpf(1))
    return Truth(sum_of(mpf(margin), lead), gradient, zeros)


def multi_margin(
    prediction: Sequence[Number],
    target: int,
    *,
    p: int,
    margin: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    target = max(target, 0)  # of an ignored row, which has no weight
    count = len(prediction)
    value, gradient, hessian = [], [], []
    for k, z in enumerate(prediction):
        lead = prediction[target] - z
        slack = margin - lead
        if k == target or not slack > 0:
            slack = lead = mpf(0)
        size = abs(lead) + (margin if slack else 0)
        value.append(Sum(slack**p / count, size**p / count))
        slope = 2 * slack if p == 2 else mpf(slack > 0)
        gradient.append(Sum(slope / count, (2 * size if p == 2 else slope) / count))
        hessian.append(sum_of((mpf(2) if p == 2 and slack else mpf(0)) / count))
    total = _total(gradient)
    gradient[target] = Sum(-total.exact, total.scale)
    hessian[target] = _total(hessian)
    return _weighted(Truth(_total(value), gradient, hessian), weight)


def multilabel_margin(
    prediction: Sequence[Number], target: Sequence[Number], *, axis: int
) -> Truth:
    classes = len(prediction)
    listed: list[int] = []
    for label in target:
        if label < 0:
            break
        listed.append(int(label))
    # How often each class is in a pair that violates the margin: a listed one on the minus side.
    counts = [0] * classes
    for j in listed:
        for i in range(classes):
            if i not in listed and 1 - (prediction[j] - prediction[i]) > 0:
                counts[i] += 1
                counts[j] -= 1
    gradient = [count / mpf(classes) for count in counts]
    pairs = sum(count for count in counts if count > 0)
    moves = (g * z for g, z in zip(gradient, prediction, strict=True))
    zeros = [sum_of(mpf(0))] * classes
    return Truth(sum_of(pairs / mpf(classes), *moves), [sum_of(g) for g in gradient], zeros)


def multiclass_sparsemax(
    prediction: Sequence[Number],
    target: int,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    target = max(target, 0)  # of an ignored row, which has no weight
    top = max(prediction)
    x = [z - top for z in prediction]
    falling = sorted(x, reverse=True)
    for size in range(len(x), 0, -1):
        tau = (mp.fsum(falling[:size]) - 1) / size
        if tau < falling[size - 1]:
            break
    p = [max(mpf(0), z - tau) for z in x]
    # P is a difference of two numbers that may be larger.
    noise = [abs(z) + abs(tau) if q else mpf(0) for z, q in zip(x, p, strict=True)]
    others = [k for k in range(len(x)) if k != target]
    rest, rest_noise = mp.fsum(p[k] for k in others), mp.fsum(noise[k] for k in others)
    late = max(mpf(0), tau - x[target])
    value = (rest**2 + mp.fsum(p[k] ** 2 for k in others)) / 2 + late
    room = rest * rest_noise + mp.fsum(p[k] * noise[k] for k in others)
    room += abs(tau) + abs(x[target]) if late else 0
    gradient = [Sum(q, q + n) for q, n in zip(p, noise, strict=True)]
    gradient[target] = Sum(-rest, rest + rest_noise)
    hessian = [Sum((1 - 1 / mpf(size)) if q else mpf(0), mpf(1)) for q in p]
    return _weighted(Truth(Sum(value, value + room), gradient, hessian), weight)


def entmax15(
    prediction: Sequence[Number],
    target: int,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = _weight(target, class_weight, ignore_index)
    target = max(target, 0)  # of an ignored row, which has no weight
    top = max(prediction)
    x = [(z - top) / 2 for z in prediction]
    falling = sorted(x, reverse=True)
    for size in range(len(x), 0, -1):
        mean = mp.fsum(falling[:size]) / size
        spread = mp.fsum((z - mean) ** 2 for z in falling[:size])
        if spread <= 1:
            tau = mean - mp.sqrt((1 - spread) / size)
            if tau < falling[size - 1]:
                break
    r = [max(mpf(0), z - tau) for z in x]
    noise = [abs(z) + abs(tau) if q else mpf(0) for z, q in zip(x, r, strict=True)]
    others = [k for k in range(len(x)) if k != target]
    p = [q**2 for q in r]
    p_noise = [q**2 + 2 * q * n for q, n in zip(r, noise, strict=True)]
    rest = mp.fsum(p[k] for k in others)
    rest_noise = mp.fsum(p_noise[k] for k in others)
    share = rest / (1 + r[target])
    late = 2 * max(mpf(0), tau - x[target])
    value = 2 * (share**2 * (2 + r[target]) + mp.fsum(r[k] ** 3 for k in others)) / 3 + late
    room = 4 * share * rest_noise + mp.fsum(2 * p[k] * noise[k] for k in others)
    room += share**2 * noise[target]
    room += 2 * (abs(tau) + abs(x[target])) if late else 0
    gradient = [Sum(q, n) for q, n in zip(p, p_noise, strict=True)]
    gradient[target] = Sum(-rest, rest_noise)
    total, total_noise = mp.fsum(r), mp.fsum(noise)
    hessian = [
        Sum(q * (1 - q / total), q + n + (q / total) ** 2 * total_noise)
        for q, n in zip(r, noise, strict=True)
    ]
    return _weighted(Truth(Sum(value, value + room), gradient, hessian), weight)


def sampled_softmax(prediction: Sequence[Number], target: Sequence[Number], *, axis: int) -> Truth:
    return cross_entropy(
        [z - q for z, q in zip(prediction, target, strict=True)],
        0,
        class_weight=None,
        ignore_index=-100,
        label_smoothing=0.0,
        prior=None,
        z_loss=0.0,
        soft_cap=None,
        empty="nan",
        axis=axis,
    )


def noise_contrastive(
    prediction: Sequence[Number], target: Sequence[Number], *, axis: int
) -> Truth:
    logits = [z - q for z, q in zip(prediction, target, strict=True)]
    return _classwise(logits, [k == 0 for k in range(len(logits))], "binary_cross_entropy")


def margin_ranking(
    prediction: Sequence[Number], target: Number, *, margin: float, labels: str, axis: int
) -> Truth:
    y, lead = label_of(target, labels), prediction[0] - prediction[1]
    with mp.workprec(3000):  # exact: whether there is any slack is all that counts
        slack = margin - y * (prediction[0] - prediction[1])
    # A hard label has no rounding; another is known to the size of its terms.
    size = mpf(margin) + abs(lead) * (1 + abs(y) if abs(y) < 1 else 1)
    pull = y if slack > 0 else mpf(0)
    nothing = [sum_of(mpf(0))] * 2
    return Truth(
        Sum(max(slack, mpf(0)), size if slack > 0 else mpf(0)),
        [sum_of(-pull), sum_of(pull)] if abs(y) == 1 else [Sum(-pull, 2), Sum(pull, 2)],
        nothing,
    )
