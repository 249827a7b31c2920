"""Which loss for which task: the source of ``fastloss losses --guide`` and of the docs' page."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TASKS", "Choice", "Task", "find", "tasks_of"]


@dataclass(frozen=True)
class Choice:
    """A loss that suits a task.

    Parameters
    ----------
    loss : str
        The name of its class.
    why : str
        What speaks for it, one sentence without its full stop.
    typical : dict
        Hyper-parameters that are worth a try, each with its values.
    """

    loss: str
    why: str
    typical: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def values(self) -> Iterator[tuple[str, str]]:
        """Yield each typical hyper-parameter and its values as they are written."""
        for name, values in self.typical.items():
            yield name, ", ".join(f"{v:g}" if isinstance(v, float) else repr(v) for v in values)


@dataclass(frozen=True)
class Task:
    """A task, and the losses for it, the usual one first.

    Parameters
    ----------
    name : str
    about : str
        What the task is and what to look out for.
    choices : tuple of Choice
    example : str
        A doctest, where how to call the loss is not obvious.
    """

    name: str
    about: str
    choices: tuple[Choice, ...]
    example: str = ""


TASKS = (
    Task(
        "regression",
        "A real number with noise of about the same size everywhere. The loss decides what is "
        "estimated: the mean, the median, or something between.",
        (
            Choice("SquaredError", "estimates the mean; where nothing speaks against it"),
            Choice(
                "Huber",
                "the square for ordinary residuals, a line for large ones",
                {"delta": (0.5, 1.0, 2.0)},
            ),
            Choice("LogCosh", "of the same shape, smooth everywhere, no parameter"),
            Choice("AbsoluteError", "estimates the median; all residuals pull alike"),
            Choice(
                "EpsilonInsensitive",
                "of support vectors: what is near enough costs nothing",
                {"epsilon": (0.01, 0.1, 0.5)},
            ),
            Choice("SquaredEpsilonInsensitive", "the same, squared, so differentiable"),
        ),
    ),
    Task(
        "relative errors",
        "Targets of very different sizes, of which a share is forgiven rather than an amount: "
        "prices, loads, populations.",
        (
            Choice(
                "SquaredLogError",
                "ratios count, too much and too little alike; targets not negative",
                {"half": (True,)},
            ),
            Choice(
                "AbsolutePercentageError",
                "MAPE; estimates what lies below the median, and is endless at a target of 0",
                {"eps": (1.0, 1e-3)},
            ),
            Choice(
                "SymmetricAbsolutePercentageError",
                "SMAPE; bounded, to evaluate rather than to train with",
            ),
            Choice(
                "LogLinearQuantile",
                "a quantile of positive targets, from a score that is its logarithm",
                {"quantile": (0.1, 0.5, 0.9)},
            ),
        ),
    ),
    Task(
        "boxes and landmarks",
        "Coordinates in an image, in pixels or as shares of a box.",
        (
            Choice(
                "SmoothL1",
                "Huber divided by its delta: far residuals pull with 1 whatever beta",
                {"beta": (0.1, 1.0)},
            ),
            Choice(
                "Wing",
                "pulls hardest on small residuals: the last pixels of a landmark",
                {"width": (5.0, 10.0), "curvature": (0.5, 2.0)},
            ),
            Choice("AbsoluteError", "the plain choice, without a parameter"),
        ),
    ),
    Task(
        "robust regression",
        "Some targets are wrong, or the noise has heavy tails. Give the scale parameter in units "
        "of the residuals, whose robust standard deviation is 1.4826 times their median size. "
        "Convex losses have one minimum; those that level off forget outliers altogether, and "
        "want a good start, from Huber say.",
        (
            Choice(
                "Huber",
                "convex; 1.345 standard deviations lose 5 % on normal noise",
                {"delta": (0.5, 1.345, 3.0)},
            ),
            Choice("LogCosh", "as Huber, without a parameter: scale the targets instead"),
            Choice("AbsoluteError", "no parameter, but no curvature either"),
            Choice("PseudoHuber", "as Huber, smooth", {"delta": (0.5, 1.345, 3.0)}),
            Choice("Fair", "as Huber, smooth, slow to become a line", {"c": (0.5, 1.4)}),
            Choice(
                "Cauchy",
                "pulls less the farther a residual is; begin from a convex loss's solution",
                {"c": (1.0, 2.385)},
            ),
            Choice("Tukey", "forgets what is beyond c; begin from Huber's solution"),
            Choice("Welsch", "forgets what is far, smoothly", {"c": (1.0, 2.985)}),
            Choice("GemanMcClure", "forgets what is far, slower", {"c": (1.0, 2.0)}),
            Choice(
                "Barron",
                "all of these by one parameter, which may be lowered while training goes on",
                {"alpha": (-2.0, 0.0, 1.0, 2.0)},
            ),
            Choice("Lq", "between the absolute and the squared error", {"q": (1.25, 1.5)}),
        ),
    ),
    Task(
        "quantiles",
        "An interval, or a cost that differs between too much and too little. Quantiles that are "
        "learned apart may cross: sort them.",
        (
            Choice(
                "Pinball",
                "its minimiser is the quantile itself; a sequence asks for several at once",
                {"quantile": (0.05, 0.25, 0.5, 0.75, 0.95)},
            ),
            Choice(
                "SmoothPinball",
                "differentiable, with a curvature for Newton and boosting",
                {"bandwidth": (0.05, 0.25, 1.0)},
            ),
            Choice(
                "Expectile",
                "the mean's counterpart: differentiable, sensitive to how far off a tail is",
                {"level": (0.1, 0.5, 0.9)},
            ),
        ),
        example="""\
>>> loss = fl.Pinball(quantile=[0.1, 0.5, 0.9])
>>> loss.grad(np.zeros((2, 3)), np.array([1.0, -1.0]), reduction="sum")
array([[-0.1, -0.5, -0.9],
       [ 0.9,  0.5,  0.1]])
""",
    ),
    Task(
        "counts",
        "Targets 0, 1, 2, …: calls, claims, clicks. The prediction is the logarithm of the rate; "
        "add the logarithm of the exposure to it.",
        (
            Choice("Poisson", "the variance grows as the mean; finds the mean even if not"),
            Choice(
                "NegativeBinomial",
                "counts that vary more: a large count pulls less",
                {"alpha": (0.1, 0.5, 2.0)},
            ),
        ),
    ),
    Task(
        "amounts",
        "Positive targets whose spread grows with their mean: costs, durations, volumes. The "
        "prediction is the logarithm of the mean.",
        (
            Choice("Gamma", "the spread is a share of the mean; positive targets"),
            Choice(
                "Tweedie",
                "amounts with many zeros among them: claims per policy, rain",
                {"power": (1.1, 1.5, 1.9)},
            ),
            Choice("InverseGaussian", "longer tails than Gamma's; positive targets"),
        ),
    ),
    Task(
        "uncertainty",
        "A distribution for every row instead of a number: the network has two outputs, and "
        "learns where it is sure. Scale the targets to about 1 first; where the spread collapses "
        "early, learn the location alone for a while.",
        (
            Choice("GaussianNLL", "mean and spread; the default"),
            Choice("StudentNLL", "the same against outliers", {"df": (3.0, 5.0, 10.0)}),
            Choice("LaplaceNLL", "median and spread, tails between the two"),
            Choice("CauchyNLL", "the heaviest tails: a residual far out counts for nothing"),
            Choice("LogisticNLL", "nearly normal, with a linear tail"),
            Choice("LogNormalNLL", "positive targets that vary by factors"),
            Choice("GumbelNLL", "the largest of many: floods, loads, peaks"),
            Choice("GammaNLL", "positive targets whose spread grows as their mean"),
            Choice("WeibullNLL", "times until something fails; positive targets"),
            Choice("BetaNLL", "shares, between 0 and 1"),
            Choice("NegativeBinomialNLL", "counts that vary more than Poisson's"),
            Choice("ZeroInflatedPoissonNLL", "counts with too many zeros"),
        ),
    ),
    Task(
        "binary classification",
        "Two classes, one logit. Train on logits, not on probabilities: no digit is lost.",
        (
            Choice("BinaryCrossEntropy", "probabilities that can be believed; the default"),
            Choice("LogLoss", "where only probabilities are at hand: to evaluate"),
            Choice(
                "Brier", "bounded, so a wrong label cannot cost much; a proper score all the same"
            ),
            Choice(
                "CrossEntropyLambda",
                "an event within an exposure that differs from row to row",
            ),
        ),
    ),
    Task(
        "classification by a margin",
        "Two classes, and a score whose sign is the answer: how far it is from zero is no "
        "probability. What is right by the margin costs nothing, so few rows decide. Labels are 0 "
        "and 1, or -1 and 1 with labels='pm1'.",
        (
            Choice("Hinge", "the support vector machine's", {"margin": (1.0,)}),
            Choice("SquaredHinge", "smooth, for solvers that want a gradient everywhere"),
            Choice("ModifiedHuber", "smooth, and linear where a label is badly missed"),
            Choice("SoftMargin", "never quite 0: logistic regression by another name"),
            Choice("BinarySparsemax", "the logistic loss's relative that is 0 beyond the margin"),
            Choice("Exponential", "AdaBoost's; trusts every label"),
        ),
    ),
    Task(
        "similar pairs",
        "Two things are alike or not, and the prediction is the distance of what stands for them.",
        (
            Choice(
                "HingeEmbedding",
                "draws together what is alike, drives the rest as far as the margin apart",
                {"margin": (0.5, 1.0, 2.0)},
            ),
        ),
    ),
    Task(
        "ranking of pairs",
        "Which of two is better: a row has the scores of both, and the target is 1 where the first "
        "is, else 0. For probabilities take BinaryCrossEntropy of the scores' difference.",
        (
            Choice(
                "MarginRanking",
                "scores that are far enough apart cost nothing",
                {"margin": (0.1, 0.5, 1.0)},
            ),
        ),
    ),
    Task(
        "imbalanced classes",
        "One class is rare. Weights move the threshold and cost calibration: with weight w the "
        "logit comes out larger by log w. If probabilities matter, leave the loss and move the "
        "threshold.",
        (
            Choice(
                "BinaryCrossEntropy",
                "pos_weight: negatives per positive, or its square root",
                {"pos_weight": (2.0, 5.0, 10.0)},
            ),
            Choice(
                "Focal",
                "for dense detection, where easy negatives are legion",
                {"gamma": (0.5, 1.0, 2.0, 5.0), "alpha": (0.25, 0.75)},
            ),
            Choice("CrossEntropy", "class_weight: inverse frequency of each class, or its root"),
            Choice(
                "SoftmaxFocal",
                "of many classes: rows that are right already count for little",
                {"gamma": (0.5, 1.0, 2.0)},
            ),
        ),
    ),
    Task(
        "multi-class classification",
        "One of K classes, K logits a row.",
        (
            Choice(
                "CrossEntropy",
                "the default; a little label smoothing regularises",
                {"label_smoothing": (0.0, 0.05, 0.1)},
            ),
            Choice("LogLoss", "for probabilities, as other libraries' predict_proba returns them"),
            Choice("NegativeLogLikelihood", "for their logarithms: what a log-softmax layer gives"),
            Choice(
                "OneVersusAll",
                "classes that do not compete: an input may be of none of them; any binary loss",
            ),
            Choice("MulticlassBrier", "bounded, and a proper score too: half=True is in [0, 1]"),
            Choice(
                "MulticlassSparsemax", "probabilities that are exactly 0 for most of the classes"
            ),
            Choice("Entmax15", "sparse too, and nearer to a softmax"),
            Choice(
                "Poly1",
                "cross-entropy and some of 1 - p; epsilon is worth a search",
                {"epsilon": (-1.0, 1.0, 2.0)},
            ),
        ),
    ),
    Task(
        "classification by a largest margin",
        "The label's logit is to be ahead of the others, and by how much more does not matter: "
        "support vector machines, structured prediction. There are no probabilities.",
        (
            Choice(
                "CrammerSinger",
                "against the greatest rival",
                {"margin": (0.5, 1.0, 2.0)},
            ),
            Choice("MultiMargin", "against every rival", {"p": (1, 2), "margin": (0.5, 1.0, 2.0)}),
            Choice("CategoricalHinge", "the same as Keras has it: a negative rival counts as 0"),
            Choice("MulticlassPerceptron", "without a margin: online learning"),
        ),
    ),
    Task(
        "noisy labels",
        "Some labels are wrong. Cross-entropy learns them by heart in the end, because what it "
        "pays for one wrong label has no bound. Bounded losses learn more slowly: begin with "
        "cross-entropy for an epoch or two.",
        (
            Choice(
                "CrossEntropy",
                "label smoothing as large as the share of wrong labels",
                {"label_smoothing": (0.1, 0.2, 0.3)},
            ),
            Choice(
                "GeneralizedCrossEntropy",
                "from cross-entropy (q towards 0) to bounded and robust (q = 1)",
                {"q": (0.3, 0.5, 0.7)},
            ),
            Choice(
                "BiTemperedLogistic",
                "bounded where t1 < 1, and heavy tails where t2 > 1",
                {"t1": (0.5, 0.8), "t2": (1.2, 2.0)},
            ),
            Choice(
                "SymmetricCrossEntropy",
                "cross-entropy to learn, a bounded term to bear what is wrong",
                {"alpha": (0.1, 6.0), "beta": (0.1, 1.0)},
            ),
            Choice(
                "TaylorCrossEntropy",
                "bounded; more terms are nearer to cross-entropy",
                {"order": (2, 4, 6)},
            ),
            Choice("SoftmaxAbsoluteError", "bears the most, and learns the slowest"),
        ),
    ),
    Task(
        "segmentation",
        "A class per pixel. Logits of shape (N, C, H, W), labels of shape (N, H, W), no copy to "
        "bring the classes last; pixels without a label are ignored. Lanes on a road take one "
        "pixel in a hundred: weigh their class.",
        (
            Choice(
                "CrossEntropy", "class_weight for what is thin, ignore_index for the unlabelled"
            ),
            Choice(
                "Focal",
                "one logit per pixel, lane or not",
                {"gamma": (2.0,), "alpha": (0.25, 0.75)},
            ),
            Choice(
                "BinaryCrossEntropy",
                "one logit per pixel and class, where classes overlap",
                {"pos_weight": (5.0, 20.0)},
            ),
        ),
        example="""\
>>> logits, labels = np.zeros((1, 2, 3, 4)), np.zeros((1, 3, 4), np.uint8)
>>> labels[0, 0, 0], labels[0, 2, 3] = 1, 255
>>> loss = fl.CrossEntropy(class_weight=[0.4, 1.0], ignore_index=255)
>>> value, gradient = loss.value_and_grad(logits, labels)
>>> gradient.shape, gradient[0, :, 2, 3]
((1, 2, 3, 4), array([0., 0.]))
""",
    ),
    Task(
        "face recognition",
        "Cross-entropy of scaled cosines with a margin taken off the true class's: the embeddings "
        "of one face close up. Scale 64 and margin 0.35 (additive, CosFace) or 0.5 radians "
        "(angular, ArcFace) are usual.",
        (Choice("CrossEntropy", "on 64 times the cosine, the true class's less the margin"),),
        example="""\
>>> cosine, labels = np.array([[0.7, 0.2], [0.1, 0.4]]), np.array([0, 1])
>>> logits = 64 * cosine
>>> logits[np.arange(2), labels] -= 64 * 0.35
>>> round(fl.CrossEntropy()(logits, labels), 4)
1.62
""",
    ),
    Task(
        "text generation",
        "The next token among tens of thousands; padding has the label -100. With gradients "
        "accumulated over several calls divide each by the tokens of all.",
        (
            Choice(
                "LinearCrossEntropy",
                "the last layer and its loss in one, without the logits in memory",
                {"z_loss": (1e-4,), "soft_cap": (30.0,)},
            ),
            Choice(
                "CrossEntropy",
                "where the logits are there already",
                {"label_smoothing": (0.0, 0.1)},
            ),
        ),
        example="""\
>>> logits, labels = np.zeros((3, 50)), np.array([7, 0, -100])
>>> round(fl.CrossEntropy()(logits, labels, denominator=8), 4)
0.978
""",
    ),
    Task(
        "knowledge distillation",
        "A small model learns a large one's probabilities, softened by a temperature. Add the "
        "cross-entropy of the labels with a tenth to half of the weight.",
        (
            Choice(
                "Distillation",
                "the usual one, from the teacher's logits or probabilities",
                {"temperature": (1.0, 2.0, 4.0), "target_form": ("logits",)},
            ),
            Choice(
                "ReverseKLDivergence",
                "the student keeps to what the teacher finds likely: text generation",
            ),
            Choice(
                "JensenShannon",
                "between the two, and bounded",
                {"beta": (0.1, 0.5, 0.9)},
            ),
            Choice("TotalVariation", "bounded too; its gradient knows only who is above whom"),
            Choice("KLDivergence", "where the logarithms of probabilities are there already"),
            Choice("CrossEntropy", "takes the teacher's probabilities as its target"),
        ),
        example="""\
>>> student, teacher = np.zeros((2, 3)), np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
>>> loss = fl.Distillation(temperature=2.0, target_form="logits")
>>> value, gradient = loss.value_and_grad(student, teacher)
>>> round(value, 4), gradient.shape
(0.2466, (2, 3))
""",
    ),
    Task(
        "a vast number of classes",
        "Words, products, people: too many logits to compute in training. Draw some classes, "
        "compute their logits and the label's, and correct for how likely each was drawn.",
        (
            Choice("SampledSoftmax", "cross-entropy over the label and what was drawn"),
            Choice("NoiseContrastive", "a yes or no for each; zeros as target: word2vec"),
            Choice("LinearCrossEntropy", "over all classes after all, a tile at a time"),
        ),
        example="""\
>>> logits = np.array([[1.0, 0.0, 2.0]])  # the label's, then those of two drawn classes
>>> expected = np.log([[0.1, 0.2, 0.4]])  # how often each is drawn, on average
>>> round(fl.SampledSoftmax()(logits, expected), 4)
0.6225
""",
    ),
    Task(
        "several labels at once",
        "Any subset of K labels: K logits a row, each with a yes or no of its own.",
        (
            Choice(
                "BinaryCrossEntropy",
                "one per label; pos_weight may be an array, one per label",
                {"label_smoothing": (0.0, 0.1)},
            ),
            Choice("Focal", "where most answers are an easy no", {"gamma": (1.0, 2.0)}),
            Choice(
                "MultilabelMargin",
                "puts every label of a row ahead of every other class; rows list their labels",
            ),
        ),
    ),
    Task(
        "ordinal classes",
        "Grades, stars, stages: classes in an order, where two off is worse than one off.",
        (
            Choice("Ordinal", "asks of every step between classes whether it is taken: CORAL"),
            Choice("SquaredError", "on the class's number, where steps are about equal"),
        ),
    ),
    Task(
        "ranking",
        "What counts is the order, not the number.",
        (
            Choice(
                "BinaryCrossEntropy",
                "of the difference of two scores, target 1 if the first is the better: RankNet",
            ),
            Choice(
                "CrossEntropy",
                "of a list's scores, the target its relevances divided by their sum: ListNet",
            ),
        ),
        example="""\
>>> better, worse = np.array([2.0, 0.5]), np.array([1.0, 1.5])
>>> round(fl.BinaryCrossEntropy()(better - worse, np.ones(2)), 4)
0.8133
""",
    ),
    Task(
        "boosting",
        "A custom objective of XGBoost, LightGBM or CatBoost: gradient and Hessian per row, not "
        "divided by anything. A leaf's value is minus the sum of the one over the sum of the "
        "other, so a Hessian of 0, or below, needs another curvature: some losses have a choice "
        "`hessian` for it.",
        (
            Choice("SquaredError", "half=True is the libraries' own", {"half": (True,)}),
            Choice("BinaryCrossEntropy", "on raw scores, as binary:logistic"),
            Choice(
                "Hinge",
                "as binary:hinge, whose Hessian is no second derivative",
                {"hessian": ("xgboost",)},
            ),
            Choice(
                "CrossEntropy",
                "K trees a round and the Hessian's diagonal, or a vector in each leaf and the "
                "whole of it from grad_and_packed_hess",
            ),
            Choice("AbsoluteError", "with the libraries' curvature", {"hessian": ("unit",)}),
            Choice("Huber", "with a curvature that is never 0", {"hessian": ("majorizer",)}),
            Choice("LogCosh", "likewise, without a parameter"),
            Choice("Poisson", "counts; begin at the logarithm of the mean"),
        ),
        example="""\
>>> score, label = np.zeros(3), np.array([0, 1, 1])
>>> fl.BinaryCrossEntropy().grad_and_hess(score, label, reduction="sum")
(array([ 0.5, -0.5, -0.5]), array([0.25, 0.25, 0.25]))
""",
    ),
)


def find(name: str) -> Task:
    """Return a task by its name, or by words of it.

    Raises
    ------
    ValueError
        If there is none, or several; the message lists them.
    """
    wanted = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    plain = {task.name.replace("-", " "): task for task in TASKS}
    if wanted in plain:
        return plain[wanted]
    near = [key for key in plain if wanted and wanted in key]
    if len(near) == 1:
        return plain[near[0]]
    near = near or difflib.get_close_matches(wanted, plain, 3, 0.6) or list(plain)
    listed = ", ".join(repr(plain[key].name) for key in near)
    raise ValueError(f"no task {name!r} in the guide; there are: {listed}")


def tasks_of(loss: str) -> list[str]:
    """Return the names of the tasks for which the guide has a loss."""
    return [task.name for task in TASKS if loss in (choice.loss for choice in task.choices)]
