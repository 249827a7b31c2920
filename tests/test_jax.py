"""Losses as functions of JAX: the numbers of a direct call, under every transformation."""

import base64
import gc
import inspect
import os
import pickle
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import REDUCTIONS, Array, Case, default_cases, sample, sample_weight
from conftest import framework, table_of_missing
from test_examples import run_page

jax = framework("jax")
import jax.numpy as jnp  # noqa: E402
from jax.test_util import check_grads  # noqa: E402

import fastloss.jax  # noqa: E402

CASES = default_cases()
every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def value_and_vjp(function: Any, prediction: Any, *rest: Any) -> tuple[Any, Any]:
    """The value, and the gradient of its sum."""
    value, pull = jax.vjp(lambda p: function(p, *rest), prediction)
    return value, pull(jnp.ones_like(value))[0]


def direct(loss: Any, *data: Any) -> tuple[Array, Array]:
    value, gradient = loss.value_and_grad(*data)
    return np.asarray(value, gradient.dtype), gradient


def assert_same(found: Any, expected: Any) -> None:
    """Equal, but for subnormal numbers: XLA's threads take them for 0."""
    tiny = float(jnp.finfo(expected.dtype).tiny)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tiny)


@pytest.mark.parametrize(
    ("reduction", "weighted", "dtype"),
    [("mean", True, np.float32), ("sum", True, np.float64), ("none", False, np.float32)],
)
@every_loss
def test_the_numbers_of_a_direct_call(
    case: Case, reduction: str, weighted: bool, dtype: Any
) -> None:
    loss = case.loss(reduction=reduction)
    function = fastloss.jax.loss(loss)
    data: tuple[Array, ...] = sample(case, dtype, 50)
    if weighted:
        data = (*data, sample_weight(50, dtype))
    expected = direct(loss, *data)
    found = function(*data)
    assert found.dtype == dtype
    assert_same(found, expected[0])
    value, gradient = jax.jit(value_and_vjp, static_argnums=0)(function, *data)
    assert value.dtype == gradient.dtype == dtype
    assert_same(value, expected[0])
    assert_same(gradient, expected[1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@every_loss
def test_half_precision(case: Case, dtype: str) -> None:
    prediction, target = sample(case, np.float32, 40)
    prediction = prediction.astype(jnp.dtype(dtype))
    loss = case.loss()
    value, gradient = jax.value_and_grad(fastloss.jax.loss(loss))(prediction, target)
    expected = direct(loss, prediction, target)
    assert value.dtype == gradient.dtype == dtype
    assert_same(value, expected[0])
    assert_same(gradient, expected[1])


@every_loss
def test_derivatives(case: Case) -> None:
    """The first, forwards and backwards, against differences."""
    prediction, target = sample(case, np.float64, 6)
    function = fastloss.jax.loss(case.loss(reduction="none"))
    weight = sample_weight(6, np.float64)
    check_grads(
        jax.jit(lambda p: function(p, target, weight)),
        (prediction,),
        order=1,
        atol=1e-4,
        rtol=1e-4,
    )


@every_loss
def test_second_derivatives(case: Case) -> None:
    prediction, target = sample(case, np.float64, 20)
    weight = sample_weight(20, np.float64)
    v = np.random.default_rng(3).normal(size=prediction.shape)
    expected = case.loss().hvp(prediction, target, v, weight)
    gradient = jax.grad(fastloss.jax.loss(case.loss()))

    def forward(p: Any) -> Any:
        return jax.jvp(lambda p: gradient(p, target, weight), (p,), (v,))[1]

    def backward(p: Any) -> Any:
        return jax.grad(lambda p: jnp.vdot(gradient(p, target, weight), v))(p)

    np.testing.assert_array_equal(forward(prediction), expected)
    np.testing.assert_array_equal(jax.jit(backward)(prediction), expected)


AXES = [("mean", (0, 0)), ("mean", (0, 0, 0)), ("sum", (0, None, 0)), ("none", (0, 0, None))]


# Compiling takes a second: the losses share out what does not depend on them.
@pytest.mark.parametrize(
    ("case", "reduction", "axes"),
    [(case, *AXES[i % len(AXES)]) for i, case in enumerate(CASES)],
    ids=[case.id for case in CASES],
)
def test_vmap(case: Case, reduction: str, axes: tuple[int | None, ...]) -> None:
    """Together as one by one: values, gradients and second derivatives."""
    n, batch = 7, 3
    prediction, target = (
        x.reshape(batch, n, *x.shape[1:]) for x in sample(case, np.float64, n * batch)
    )
    weight = sample_weight(n * batch, np.float64).reshape(batch, n)
    v = np.random.default_rng(3).normal(size=prediction.shape)
    data = [
        array if axis == 0 else array[0]
        for array, axis in zip((prediction, target, weight), axes, strict=False)
    ]
    loss = case.loss(reduction=reduction)
    function = fastloss.jax.loss(loss)

    def all_of(v: Any, p: Any, *rest: Any) -> Any:
        value, gradient = value_and_vjp(function, p, *rest)
        return value, gradient, jax.jvp(lambda p: value_and_vjp(function, p, *rest)[1], (p,), (v,))

    value, gradient, (same, product) = jax.vmap(all_of, in_axes=(0, *axes))(v, *data)
    for i in range(batch):
        p, t, *w = (x[i] if axis == 0 else x for x, axis in zip(data, axes, strict=True))
        expected = (*direct(loss, p, t, *w), loss.hvp(p, t, v[i], *w))
        for a, b in zip((value, gradient, product), expected, strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(same, gradient)


@every_loss
def test_vmap_of_vmap_and_of_large_parts(case: Case) -> None:
    prediction, target = sample(case, np.float32, 12_000)
    shape = (2, 3, 2000)
    prediction, target = (x.reshape(*shape, *x.shape[1:]) for x in (prediction, target))
    function = fastloss.jax.loss(case.loss())
    found = jax.vmap(jax.vmap(jax.value_and_grad(function)))(prediction, target)
    for at in np.ndindex(2, 3):
        value, gradient = direct(case.loss(), prediction[at], target[at])
        assert_same(found[0][at], value)
        assert_same(found[1][at], gradient)
    each = jax.vmap(jax.vmap(jax.vmap(jax.grad(function))))(prediction, target)
    summed = case.loss().grad(*(x[0, 0, :50] for x in (prediction, target)), reduction="none")
    ones = [case.loss().grad(prediction[0, 0, i : i + 1], target[0, 0, i : i + 1])
            for i in range(50)]  # fmt: skip
    assert each.shape == prediction.shape
    np.testing.assert_allclose(
        each[0, 0, :50], np.concatenate(ones), rtol=1e-6, atol=1e-6 * abs(summed).max()
    )


def test_examples_that_count_for_nothing_in_a_batch() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    labels = np.array([[0, 1, 2, -100], [-100, -100, -100, -100], [3, -100, 0, 1]])
    for weighted in ((), (np.array([[1, 2, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]], np.float32),)):
        for empty in ("nan", "zero"):
            loss = fl.CrossEntropy(empty=empty, class_weight=[1, 2, 0, 4, 5])
            function = jax.value_and_grad(fastloss.jax.loss(loss))
            value, gradient = jax.vmap(function)(logits, labels, *weighted)
            for i in range(3):
                expected = direct(loss, logits[i], labels[i], *(w[i] for w in weighted))
                np.testing.assert_allclose(value[i], expected[0], rtol=1e-6)
                np.testing.assert_allclose(gradient[i], expected[1], rtol=1e-5, atol=1e-8)


def test_images() -> None:
    """Classes on axis 1, whatever stands in front and behind, and one weight for each image."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 3, 4, 5, 6))
    labels, weight = random.integers(0, 4, (2, 3, 5, 6)), random.random((2, 3))
    for reduction in REDUCTIONS:
        loss = fl.CrossEntropy(reduction=reduction)
        function = fastloss.jax.loss(loss)
        found = jax.vmap(lambda *data, f=function: value_and_vjp(f, *data))(logits, labels, weight)
        for i in range(2):
            value, gradient = direct(loss, logits[i], labels[i], weight[i])
            np.testing.assert_allclose(found[0][i], value, rtol=1e-13)
            np.testing.assert_allclose(found[1][i], gradient, rtol=1e-13)


def test_one_number_and_none() -> None:
    function = fastloss.jax.loss(fl.Huber())
    assert function(3.0, 1.0) == 1.5
    assert jax.grad(function)(3.0, 1.0) == 1.0
    assert jax.hessian(function)(1.25, 1.0) == 1.0
    assert np.isnan(function(np.zeros(0), np.zeros(0)))
    assert jax.grad(function)(jnp.zeros((0, 3)), jnp.zeros((0, 3))).shape == (0, 3)
    assert fastloss.jax.loss("huber", reduction="sum")(jnp.array([3, 1]), jnp.array([1, 1])) == 1.5


def test_transformations_of_programs() -> None:
    """Loops, branches, recomputation and maps over devices."""
    random = np.random.default_rng(0)
    prediction, target = random.normal(size=(4, 8)), random.normal(size=(4, 8))
    loss = fl.LogCosh()
    function = fastloss.jax.loss(loss)
    expected = loss.grad(prediction[0], target[0])

    def looped(p: Any) -> Any:
        return jax.lax.scan(lambda s, t: (s + function(p, t), None), 0.0, target)[0]

    total = sum(loss.grad(prediction[0], t) for t in target)
    np.testing.assert_allclose(jax.jit(jax.grad(looped))(prediction[0]), total, rtol=1e-13)

    def branched(p: Any) -> Any:
        return jax.lax.cond(p.sum() > 1e9, lambda p: 0.0, lambda p: function(p, target[0]), p)

    np.testing.assert_array_equal(jax.grad(branched)(prediction[0]), expected)
    remembered = jax.checkpoint(lambda p: function(p, target[0]))
    np.testing.assert_array_equal(jax.jit(jax.grad(remembered))(prediction[0]), expected)
    hessian = jax.hessian(function)(prediction[0], target[0])
    diagonal = loss.grad_and_hess(prediction[0], target[0])[1]
    np.testing.assert_allclose(hessian, np.diag(diagonal), rtol=1e-14)


def test_a_training_loop() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 3))
    target = (x @ [1.0, -2.0, 0.5] > 0).astype(np.int8)
    function = fastloss.jax.loss(fl.BinaryCrossEntropy())

    @jax.jit
    def step(w: Any) -> Any:
        value, gradient = jax.value_and_grad(lambda w: function(x @ w, target))(w)
        return w - 0.5 * gradient, value

    w, values = jnp.zeros(3), []
    for _ in range(100):
        w, value = step(w)
        values.append(float(value))
    assert values[0] == pytest.approx(np.log(2))
    assert values[-1] < 0.2


def test_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    value = fl.Fair.value

    def spy(self: Any, *arrays: Any) -> Any:
        seen.append(tuple(a.ctypes.data for a in arrays))
        return value(self, *arrays)

    monkeypatch.setattr(fl.Fair, "value", spy)
    prediction, target = jnp.linspace(0.0, 1.0, 1000), jnp.ones(1000)
    fastloss.jax.loss(fl.Fair(c=0.37))(prediction, target).block_until_ready()
    places = tuple(array.unsafe_buffer_pointer() for array in (prediction, target))
    assert seen == [places]


def test_equal_losses_are_one_function() -> None:
    assert fastloss.jax.loss("huber", delta=2) is fastloss.jax.loss(fl.Huber(delta=2.0))
    assert fastloss.jax.loss(fl.Huber()).__name__ == "huber"


def test_errors() -> None:
    function = fastloss.jax.loss(fl.CrossEntropy())
    logits, labels = jnp.zeros((2, 3)), jnp.zeros(2, int)
    with pytest.raises(ValueError, match=r"target must have shape \(2,\)"):
        jax.jit(function)(logits, jnp.zeros(3, int))
    with pytest.raises(ValueError, match=r"weight must have shape \(2,\)"):
        function(logits, labels, jnp.ones(3))
    with pytest.raises(ValueError, match="axis, got a scalar"):
        function(jnp.zeros(()), labels)
    with pytest.raises(TypeError, match="target must be an array, got NoneType"):
        function(logits, None)
    with pytest.raises(TypeError, match="prediction must hold real numbers"):
        function(logits * 1j, labels)
    for bad in (3, -1):
        with pytest.raises(jax.errors.JaxRuntimeError, match=f"target holds the label {bad} at"):
            function(logits, labels + bad).block_until_ready()
    assert function(logits, labels) == np.log(3)  # and everything goes on
    square = fastloss.jax.loss(fl.SquaredError())
    x = jnp.ones(3)
    with pytest.raises(TypeError, match="no derivatives with respect to target"):
        jax.grad(square, argnums=1)(x, x)
    with pytest.raises(TypeError, match="no derivatives with respect to weight"):
        jax.jit(jax.grad(square, argnums=2))(x, x, x)
    with pytest.raises(NotImplementedError, match="no third"):
        jax.grad(jax.grad(jax.grad(square)))(1.0, 2.0)
    with pytest.raises(TypeError, match="loss must be a loss of fastloss"):
        fastloss.jax.loss(square)
    with pytest.raises(TypeError, match="delta is for a loss given by its name"):
        fastloss.jax.loss(fl.Huber(), delta=2)


def test_another_device() -> None:
    x = jnp.ones(3)
    traced = jax.jit(fastloss.jax.loss(fl.Huber())).trace(x, x)
    with pytest.raises(NotImplementedError, match=r"on the CPU: move its arguments"):
        traced.lower(lowering_platforms=("cuda",))


PEERS = [name for name in fastloss.jax.__all__ if name != "loss"]


MISSING = {
    "`binary_dice_loss`, `dice_loss`, `multiclass_generalized_dice_loss`": (
        "quotients of sums over whole images: no sum of losses"
    ),
    "`cosine_distance`, `cosine_similarity`, `triplet_margin_loss`": (
        "of two or three vectors, which no loss here is"
    ),
    "`ctc_loss`, `ctc_loss_with_forward_probs`": "sums over alignments of sequences",
    "`convex_kl_divergence`, `generalized_kl_divergence`": (
        "`kl_divergence` plus a sum that XLA computes as well"
    ),
    "`make_fenchel_young_loss`, `smooth_labels`": "no losses",
    "`ntxent`": "compares all pairs of a batch",
}


def test_which_functions_are_missing() -> None:
    optax = framework("optax")
    theirs = {n for n in dir(optax.losses) if inspect.isfunction(getattr(optax.losses, n))}
    assert theirs <= {*PEERS, *re.findall(r"`(\w+)`", str(MISSING))}
    page = (Path(fl.__file__).parent.parent / "docs" / "jax.md").read_text()
    assert table_of_missing("`optax.losses`", MISSING) in page
    assert all(f"`{name}`" in page for name in PEERS)


@pytest.mark.parametrize("name", PEERS)
def test_the_functions_of_optax(name: str) -> None:
    theirs = getattr(framework("optax").losses, name)
    ours = getattr(fastloss.jax, name)
    assert [(p.name, p.default) for p in inspect.signature(ours).parameters.values()] == [
        (p.name, p.default) for p in inspect.signature(theirs).parameters.values()
    ]
    random = np.random.default_rng(0)
    prediction = jnp.asarray(random.normal(size=(6, 4)))
    labels, shares = random.integers(0, 4, 6), random.dirichlet(np.ones(4), 6)
    names = list(inspect.signature(ours).parameters)
    target = random.integers(0, 2, (6, 4))
    if "multiclass" in name or "integer" in name:
        target = labels
    elif "log_predictions" in names:
        prediction = jax.nn.log_softmax(prediction)
        target = np.log(shares) if "log_targets" in names else shares
    elif "softmax" in name or "poly" in name:
        target = shares
    elif "predictor_outputs" in names:
        target = 2 * target - 1
    elif "predictions" in names:
        target = random.normal(size=(6, 4))
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((prediction, target), {})]
    if "axis" in names:
        moved = target.T if target.ndim == 2 else target
        calls.append(((prediction.T, moved), {"axis": 0}))
    if "targets" in names and inspect.signature(ours).parameters["targets"].default is None:
        calls.append(((prediction,), {}))
    if "alpha" in names:
        calls.append(((prediction, target), {"alpha": 0.25, "gamma": 1.5}))
    if "weights" in names:
        more = {"weights": random.uniform(size=(6, 4)), "reduce_fn": None}
        calls.append(((prediction, 3 * target), more))
    if "epsilon" in names:
        calls.append(((prediction, target), {"epsilon": -0.5}))
    for (p, *rest), options in calls:
        found = value_and_vjp(lambda p, *rest: ours(p, *rest, **options), p, *rest)  # noqa: B023
        expected = value_and_vjp(
            lambda p, *rest: theirs(p, *map(jnp.asarray, rest), **options),  # noqa: B023
            p,
            *rest,
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    if "where" in names:
        with pytest.raises(NotImplementedError, match="where"):
            ours(prediction, target, where=target)


def test_the_page() -> None:
    jax.config.update("jax_enable_x64", False)
    try:
        run_page("docs/jax.md")
    finally:
        jax.config.update("jax_enable_x64", True)


# ---- Processes -----------------------------------------------------------------------------------


def run(program: str, *arguments: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(fl.__file__).parent.parent), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


MANY_CALLS = """
import threading
import numpy as np
{imports}
from fastloss import kernels
random = np.random.default_rng(0)
prediction, target = (random.normal(size=300_000).astype(np.float32) for _ in range(2))
small = prediction[:32], target[:32]
loss = fl.LogCosh()
function = jax.jit(jax.value_and_grad(fastloss.jax.loss(loss)))
product = lambda p, t: jax.numpy.outer(p, t) @ p
both = jax.jit(lambda p, t: (function(p, t), function(t, p), product(p[:500], t[:500])))
expected = loss.value_and_grad(prediction, target)
wrong = []

def work():
    for turn in range(40):
        (value, gradient), other, _ = both(prediction, target)
        function(*small)
        if turn % 5 == 0:
            same = loss.grad(prediction, target)
            if not (np.array_equal(gradient, expected[1]) and np.array_equal(same, expected[1])):
                wrong.append(turn)

with kernels.force_threads(True):
    work()
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
assert not wrong
for _ in range(20):
    last = both(prediction, target)  # and out, while XLA is at work
print("done")
"""


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(
    "imports",
    [
        "import jax; jax.numpy.ones(9).sum(); import fastloss as fl, fastloss.jax",
        "import fastloss as fl; fl.Huber()(np.ones(10**6), np.ones(10**6)); import jax; "
        "import fastloss.jax",
    ],
    ids=["jax first", "fastloss first"],
)
def test_many_calls(imports: str, threads: str) -> None:
    """Nothing hangs, whichever runtime starts first and however many threads call."""
    program = MANY_CALLS.replace("{imports}", imports)
    assert run(program, OMP_NUM_THREADS=threads) == "done\n"


CACHED = """
import sys
import jax, jax.numpy as jnp
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
import fastloss as fl, fastloss.jax
for delta in map(float, sys.argv[2:]):
    print(jax.jit(fastloss.jax.loss(fl.Huber(delta=delta)))(jnp.zeros(3), jnp.full(3, 4.0)))
"""


def test_a_cache_of_programs(tmp_path: Path) -> None:
    """A program in a cache is of its own loss, in whatever order another process makes them."""
    assert run(CACHED, str(tmp_path), "1", "2").split() == ["3.5", "6.0"]
    assert list(tmp_path.iterdir())
    assert run(CACHED, str(tmp_path), "2", "3", "1").split() == ["6.0", "7.5", "3.5"]


def test_a_call_says_all_of_itself() -> None:
    for loss in (fl.CrossEntropy(class_weight=[1, 2]), fl.OneVersusAll(binary=fl.Focal(gamma=3.0))):
        call = fastloss.jax._Call(loss, "hvp", True, 1)
        text = fastloss.jax._text(call)
        assert not fastloss.jax._calls
        assert pickle.loads(base64.b64decode(text)) == call


def test_many_losses_leave_nothing_behind() -> None:
    """Nothing that is kept of a loss is kept of all losses that there ever were."""
    x, programs = jnp.ones(3), []
    for delta in range(1, 140):
        function = fastloss.jax.loss(fl.Huber(delta=float(delta)))
        if delta == 1:
            assert jax.grad(function)(x, x).shape == (3,)
            programs.append(weakref.ref(function))
            fastloss.jax._text(fastloss.jax._Call(fl.Huber(delta=1e6), "value", False))
        del function
    gc.collect()
    assert programs[0]() is None
    assert not fastloss.jax._texts
    caches = (fastloss.jax._function, fastloss.jax._runner, fastloss.jax._compiled)
    assert all(cache.cache_info().maxsize for cache in caches)


def test_a_scaled_loss_keeps_the_gradients_of_float16() -> None:
    logits, labels = jnp.zeros((2000, 2000), np.float16), jnp.zeros(2000, int)
    function = fastloss.jax.loss(fl.CrossEntropy())
    gradient = jax.grad(lambda x: function(x, labels) * np.float16(2**12))(logits)
    assert gradient.dtype == np.float16
    np.testing.assert_allclose(gradient[:, 1:], 2**12 / 2000**2, rtol=1e-3)


def test_without_compilation() -> None:
    x, function = jnp.arange(3.0), fastloss.jax.loss(fl.SquaredError())
    with jax.disable_jit():
        value, gradient = jax.value_and_grad(function)(x, x + 1)
    assert value == 1
    np.testing.assert_allclose(gradient, np.full(3, -2 / 3))


SEVERAL_DEVICES = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
import fastloss as fl, fastloss.jax
function = fastloss.jax.loss(fl.Huber())
prediction, target = jnp.arange(8.0), jnp.ones(8)
mesh = Mesh(np.array(jax.devices()), ("device",))
halves = PartitionSpec("device")
parts = [jax.device_put(x, NamedSharding(mesh, halves)) for x in (prediction, target)]
print(jax.jit(function)(*parts), function(prediction, target))
each = jax.shard_map(
    lambda p, t: jax.lax.psum(function(p, t), "device"),
    mesh=mesh, in_specs=(halves, halves), out_specs=PartitionSpec())
print(*jax.jit(jax.value_and_grad(each))(prediction, target))
mesh = Mesh(np.array(jax.devices()), ("device",), axis_types=(AxisType.Explicit,))
parts = [jax.device_put(x, NamedSharding(mesh, halves)) for x in (prediction, target)]
with jax.set_mesh(mesh):
    value, gradient = jax.value_and_grad(function)(*parts)
    print(value, gradient, jax.typeof(gradient).sharding.spec)
    print(*jax.jit(jax.vmap(jax.grad(function)))(*parts))
"""


def test_several_devices() -> None:
    """Arrays in parts: gathered by XLA, or each part on its own device with shard_map."""
    found = run(SEVERAL_DEVICES).splitlines()
    assert found == [
        "2.3125 2.3125",
        "4.625 [-0.25  0.    0.25  0.25  0.25  0.25  0.25  0.25]",
        "2.3125 [-0.125  0.     0.125  0.125  0.125  0.125  0.125  0.125] P('device',)",
        "-1.0 0.0 1.0 1.0 1.0 1.0 1.0 1.0",
    ]
