"""The Keras adapter: the tests of keras_cases.py, in a process for each of Keras's backends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import framework

framework("keras")
HERE = Path(__file__).parent


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_backend(backend: str) -> None:
    framework(f"fastloss.{backend}")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "keras_cases.py"]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_another_backend_is_an_error() -> None:
    framework("jax")  # which Keras's NumPy backend imports
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    command = [sys.executable, "-c", "import fastloss.keras"]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    assert "needs the backend torch, tensorflow or jax, not numpy" in done.stderr
