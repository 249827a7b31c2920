"""Optional packages: imported when a job asks for them, named with their extra when missing."""

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """A package that an optional part needs is not installed."""


def require(module: str, extra: str) -> Any:
    """Import an optional module.

    Parameters
    ----------
    module : str
        Dotted name, such as ``"pyarrow.csv"``.
    extra : str
        The extra of fastloss that installs it.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        With the command that installs it, or what it lacks itself.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        message = f"this needs {top.replace('sklearn', 'scikit-learn')}"
        if (error.name or top).partition(".")[0] == top:
            message += f": pip install 'fastloss[{extra}]' ({error})"
        else:
            message += f", which cannot be imported itself: {error}"
        raise MissingExtraError(message) from error
