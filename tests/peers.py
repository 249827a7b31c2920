"""Losses as other libraries compute them, as one table: what of theirs is what of ours.

A row names a function or class of the peer with its options, and the loss with its parameters. The
predictions and targets come from `cases`. Every public loss of a peer is in the table or among
those that have no counterpart, and a test says so when the peer gets a new one.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastloss as fl
from cases import Array, Case, sample

Values = tuple[Array, Array | None]
Call = Callable[[Any, Any], Any]


class Row(NamedTuple):
    """One loss of a peer, and the same of ours.

    `kind` is that of the target, as in `cases.Case`. `call` is for signatures out of the ordinary:
    it takes the peer's function, prediction and target.
    """

    name: str
    ours: str
    options: dict[str, Any] = {}  # noqa: RUF012
    parameters: dict[str, Any] = {}  # noqa: RUF012
    kind: str = "numbers"
    call: Call | None = None

    def loss(self) -> Any:
        try:
            return getattr(fl, self.ours)(**self.parameters)
        except (AttributeError, TypeError) as error:
            pytest.skip(f"not in the catalogue: {error}")

    def data(self, dtype: Any) -> tuple[Array, Array]:
        case = Case(getattr(fl, self.ours), self.parameters, self.kind)
        prediction, target = sample(case, dtype, 64)
        if self.ours in HARD:
            low, high = np.asarray(self.loss().target_domain, target.dtype)
            target = np.where(target > (low + high) / 2, high, low)
        # The peers have NaN for what is 0 times infinity.
        return prediction, np.maximum(target, -30) if "log_target" in self.parameters else target

    def __str__(self) -> str:
        options = [f"{name}={value}" for name, value in self.options.items()]
        kind = [] if self.kind == "numbers" else [self.kind]
        return "-".join([self.name, *kind, *options]).replace(" ", "")


CLASS_WEIGHT = [1.0, 0.5, 2.0, 0.25, 4.0]
PM1 = {"labels": "pm1"}
# Of two labels, of which the peers take no mixture, or mean something else by one.
HARD = ("Hinge", "SquaredHinge", "HingeEmbedding", "SoftMargin", "BinarySparsemax")


def with_variance(function: Any, prediction: Any, target: Any, **options: Any) -> Any:
    """The variance is an argument of its own."""
    return function(prediction[:, 0], target, prediction[:, 1], **options)


def rows_summed(function: Any, prediction: Any, target: Any, **options: Any) -> Any:
    return function(prediction, target, **options).sum(-1)


TORCH = [
    Row("l1_loss", "AbsoluteError"),
    Row("mse_loss", "SquaredError"),
    *(Row("huber_loss", "Huber", {"delta": d}, {"delta": d}) for d in (0.25, 1.0, 3.0)),
    *(Row("smooth_l1_loss", "SmoothL1", {"beta": b}, {"beta": b}) for b in (0.0, 0.5, 1.0)),
    Row("binary_cross_entropy", "LogLoss", {}, {"clamp": "torch"}),
    Row("binary_cross_entropy_with_logits", "BinaryCrossEntropy"),
    Row(
        "binary_cross_entropy_with_logits",
        "BinaryCrossEntropy",
        {"pos_weight": 2.5},
        {"pos_weight": 2.5},
    ),
    *(
        Row("cross_entropy", "CrossEntropy", options, parameters, kind)
        for options in (
            {},
            {"label_smoothing": 0.125},
            {"weight": CLASS_WEIGHT},
            {"weight": CLASS_WEIGHT, "label_smoothing": 0.125},
            {"ignore_index": 1},
        )
        for parameters in [{{"weight": "class_weight"}.get(k, k): v for k, v in options.items()}]
        for kind in ("labels", "probabilities")
        if kind == "labels" or "ignore_index" not in options
    ),
    *(
        Row("nll_loss", "NegativeLogLikelihood", options, parameters, "labels")
        for options, parameters in (
            ({}, {}),
            ({"weight": CLASS_WEIGHT}, {"class_weight": CLASS_WEIGHT}),
            ({"ignore_index": 1}, {"ignore_index": 1}),
        )
    ),
    *(
        Row(
            "kl_div",
            "KLDivergence",
            {"log_target": t},
            {"log_target": t},
            "probabilities",
            rows_summed,
        )
        for t in (False, True)
    ),
    *(Row("poisson_nll_loss", "Poisson", {"full": full}, {"full": full}) for full in (False, True)),
    *(
        Row(
            "poisson_nll_loss",
            "Poisson",
            {"log_input": False, "eps": eps},
            {"link": "identity", "eps": eps},
        )
        for eps in (1e-8, 1e-2)
    ),
    *(
        Row(
            "gaussian_nll_loss",
            "GaussianNLL",
            {"full": full},
            {"full": full, "parametrisation": "variance"},
            "parameters",
            with_variance,
        )
        for full in (False, True)
    ),
    Row("soft_margin_loss", "SoftMargin", {}, PM1),
    Row("hinge_embedding_loss", "HingeEmbedding", {"margin": 0.5}, {"margin": 0.5, **PM1}),
    *(
        Row("multi_margin_loss", "MultiMargin", options, parameters, "labels")
        for options, parameters in (
            ({}, {"ignore_index": None}),
            ({"p": 2}, {"p": 2, "ignore_index": None}),
            ({"margin": 0.5}, {"margin": 0.5, "ignore_index": None}),
            ({"weight": CLASS_WEIGHT}, {"class_weight": CLASS_WEIGHT, "ignore_index": None}),
        )
    ),
    Row("multilabel_margin_loss", "MultilabelMargin", kind="label_lists"),
]

NO_COUNTERPART = {
    "torch": {
        "cosine_embedding_loss": "of pairs of vectors",
        "triplet_margin_loss": "of triples of vectors",
        "triplet_margin_with_distance_loss": "of triples of vectors",
        "ctc_loss": "of sequences",
        "margin_ranking_loss": "of pairs; MarginRanking takes them as two predictions",
        "multilabel_soft_margin_loss": "BinaryCrossEntropy, its mean over the classes",
        "linear_cross_entropy": "LinearCrossEntropy, tested on its own",
    },
    "optax": {
        "binary_dice_loss": "of regions",
        "dice_loss": "of regions",
        "multiclass_generalized_dice_loss": "of regions",
        "convex_kl_divergence": "KLDivergence and a term for what is no distribution",
        "generalized_kl_divergence": "KLDivergence and a term for what is no distribution",
        "cosine_distance": "of pairs of vectors",
        "cosine_similarity": "of pairs of vectors",
        "ctc_loss": "of sequences",
        "ctc_loss_with_forward_probs": "of sequences",
        "make_fenchel_young_loss": "makes losses",
        "ntxent": "of pairs of vectors",
        "ranking_softmax_loss": "of lists",
        "smooth_labels": "changes targets",
        "triplet_margin_loss": "of triples of vectors",
        "poly_loss_cross_entropy": "takes probabilities, Poly1 labels",
        "safe_softmax_cross_entropy": "CrossEntropy, which is that safe",
    },
    "sklearn": {
        "HalfBinomialLossArrayAPI": "HalfBinomialLoss for other arrays",
        "HalfMultinomialLossArrayAPI": "HalfMultinomialLoss for other arrays",
    },
    "keras": {
        "Loss": "their base",
        "CTC": "of sequences",
        "Circle": "of pairs of vectors",
        "CosineSimilarity": "of pairs of vectors",
        "Dice": "of regions",
        "KLDivergence": "of probabilities; ours takes their logarithms",
        "Tversky": "of regions",
        "BinaryFocalCrossentropy": "of probabilities; Focal takes logits",
        "CategoricalFocalCrossentropy": "of probabilities; SoftmaxFocal takes logits",
        "CategoricalGeneralizedCrossEntropy": "of probabilities; ours takes logits",
    },
}

OPTAX = [
    Row("squared_error", "SquaredError"),
    Row("l2_loss", "SquaredError", {}, {"half": True}),
    Row("huber_loss", "Huber", {"delta": 0.5}, {"delta": 0.5}),
    Row("log_cosh", "LogCosh"),
    Row("sigmoid_binary_cross_entropy", "BinaryCrossEntropy"),
    *(
        Row("sigmoid_focal_loss", "Focal", {"alpha": a, "gamma": g}, {"alpha": a, "gamma": g})
        for a, g in ((None, 2.0), (0.25, 2.0), (0.25, 1.0))
    ),
    Row("hinge_loss", "Hinge", {}, PM1),
    Row("perceptron_loss", "Hinge", {}, {"margin": 0.0, **PM1}),
    Row("sparsemax_loss", "BinarySparsemax"),
    Row("softmax_cross_entropy", "CrossEntropy", kind="probabilities"),
    Row(
        "softmax_cross_entropy_with_integer_labels",
        "CrossEntropy",
        {},
        {"ignore_index": None},
        "labels",
    ),
    Row("kl_divergence", "KLDivergence", kind="probabilities"),
    Row(
        "kl_divergence_with_log_targets", "KLDivergence", {}, {"log_target": True}, "probabilities"
    ),
    Row("multiclass_hinge_loss", "CrammerSinger", {}, {"ignore_index": None}, "labels"),
    Row("multiclass_perceptron_loss", "MulticlassPerceptron", {}, {"ignore_index": None}, "labels"),
    Row("multiclass_sparsemax_loss", "MulticlassSparsemax", {}, {"ignore_index": None}, "labels"),
]

SKLEARN = [
    Row("HalfSquaredError", "SquaredError", {}, {"half": True}),
    Row("AbsoluteError", "AbsoluteError", {}, {"hessian": "unit"}),
    *(
        Row("PinballLoss", "Pinball", {"quantile": q}, {"quantile": q, "hessian": "unit"})
        for q in (0.25, 0.5, 0.875)
    ),
    Row("HuberLoss", "Huber", {"delta": 1.5}, {"delta": 1.5}),
    Row("HalfPoissonLoss", "Poisson"),
    Row("HalfGammaLoss", "Gamma"),
    *(
        Row("HalfTweedieLoss", "Tweedie", {"power": p}, {"power": p})
        for p in (0.0, 1.0, 1.5, 2.0, 3.0)
    ),
    *(
        Row("HalfTweedieLossIdentity", "Tweedie", {"power": p}, {"power": p, "link": "identity"})
        for p in (0.0, 1.0, 1.5, 2.0, 3.0)
    ),
    Row("HalfBinomialLoss", "BinaryCrossEntropy"),
    Row("HalfMultinomialLoss", "CrossEntropy", {"n_classes": 5}, {"ignore_index": None}, "labels"),
]


def keras_numbers(function: Any, prediction: Any, target: Any) -> Any:
    """Keras takes the mean over the last axis: here of one."""
    return function(target[:, None], prediction[:, None])


def keras_rows(function: Any, prediction: Any, target: Any) -> Any:
    return function(target, prediction)


KERAS = [
    *(
        Row(name, ours, options, parameters, "numbers", keras_numbers)
        for name, ours, options, parameters in (
            ("MeanSquaredError", "SquaredError", {}, {}),
            ("MeanAbsoluteError", "AbsoluteError", {}, {}),
            ("Huber", "Huber", {"delta": 0.5}, {"delta": 0.5}),
            ("LogCosh", "LogCosh", {}, {}),
            ("MeanSquaredLogarithmicError", "SquaredLogError", {}, {"lower": 1e-7}),
            (
                "MeanAbsolutePercentageError",
                "AbsolutePercentageError",
                {},
                {"eps": 1e-7, "scale": 100.0},
            ),
            ("Poisson", "Poisson", {}, {"link": "identity", "eps": 1e-7}),
            ("BinaryCrossentropy", "LogLoss", {}, {"clamp": "keras"}),
            ("BinaryCrossentropy", "BinaryCrossEntropy", {"from_logits": True}, {}),
            (
                "BinaryCrossentropy",
                "BinaryCrossEntropy",
                {"from_logits": True, "label_smoothing": 0.125},
                {"label_smoothing": 0.125},
            ),
            ("Hinge", "Hinge", {}, PM1),
            ("SquaredHinge", "SquaredHinge", {}, PM1),
        )
    ),
    *(
        Row(name, ours, options, parameters, kind, keras_rows)
        for name, ours, options, parameters, kind in (
            ("CategoricalCrossentropy", "CrossEntropy", {"from_logits": True}, {}, "probabilities"),
            (
                "CategoricalCrossentropy",
                "CrossEntropy",
                {"from_logits": True, "label_smoothing": 0.125},
                {"label_smoothing": 0.125},
                "probabilities",
            ),
            (
                "SparseCategoricalCrossentropy",
                "CrossEntropy",
                {"from_logits": True},
                {"ignore_index": None},
                "labels",
            ),
            ("SparseCategoricalCrossentropy", "LogLoss", {}, {"clamp": "keras"}, "labels"),
        )
    ),
    Row("CategoricalHinge", "CategoricalHinge", {}, {"ignore_index": None}, "labels", keras_rows),
]

TABLES = {"torch": TORCH, "optax": OPTAX, "sklearn": SKLEARN, "keras": KERAS}


def every_row() -> Iterator[tuple[str, Row]]:
    for peer, rows in TABLES.items():
        for row in rows:
            yield peer, row


# --- how each peer is asked -----------------------------------------------------------------------


def torch_values(row: Row, prediction: Array, target: Array) -> Values:
    import torch
    import torch.nn.functional as F

    options = dict(row.options)
    for name in ("weight", "pos_weight"):
        if name in options:
            options[name] = torch.tensor(options[name], dtype=torch.from_numpy(prediction).dtype)
    x = torch.from_numpy(prediction).requires_grad_()
    call = row.call or (lambda function, *arrays, **more: function(*arrays, **more))
    values = call(getattr(F, row.name), x, torch.from_numpy(target), reduction="none", **options)
    values.sum().backward()
    return values.detach().numpy(), np.asarray(x.grad)


def optax_values(row: Row, prediction: Array, target: Array) -> Values:
    import jax
    import optax

    function = getattr(optax.losses, row.name)

    def total(x: Any) -> tuple[Any, Any]:
        values = function(x, target, **row.options)
        return values.sum(), values

    with jax.enable_x64(prediction.dtype == np.float64):
        gradient, values = jax.grad(total, has_aux=True)(jax.numpy.asarray(prediction))
        return np.asarray(values), np.asarray(gradient)


def sklearn_values(row: Row, prediction: Array, target: Array) -> Values:
    """The loss without the constant that scikit-learn leaves out of it, and the gradient."""
    import sklearn._loss

    theirs = getattr(sklearn._loss, row.name)(**row.options)
    target = target.astype(prediction.dtype)
    values, gradient = theirs.loss_gradient(target, prediction)
    return values, gradient


def sklearn_hessian(row: Row, prediction: Array, target: Array) -> Array:
    import sklearn._loss

    theirs = getattr(sklearn._loss, row.name)(**row.options)
    _, hessian = theirs.gradient_hessian(target.astype(prediction.dtype), prediction)
    return np.broadcast_to(hessian, prediction.shape)


def keras_values(row: Row, prediction: Array, target: Array) -> Values:
    import keras

    if row.name == "CategoricalHinge":
        target = np.eye(prediction.shape[1])[target]
    theirs = getattr(keras.losses, row.name)(
        reduction="none", dtype=prediction.dtype.name, **row.options
    )
    assert row.call is not None
    return keras.ops.convert_to_numpy(row.call(theirs, prediction, target)), None


VALUES: dict[str, Callable[[Row, Array, Array], Values]] = {
    "torch": torch_values,
    "optax": optax_values,
    "sklearn": sklearn_values,
    "keras": keras_values,
}
