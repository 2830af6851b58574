"""Where the steps of a run are run: on this machine, or on those of a Dask cluster."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def executor_options(executor: Any) -> Dict[str, Any]:
    """What the extension module wants to know about an executor.

    Args:
        executor: ``None`` for this machine; ``dask://host:port``, or the address as Dask writes it; or a client or
            cluster of `distributed`.

    Raises:
        ValueError: If it is none of these.
    """
    import sys

    if executor is None:
        return {"executor": None, "executor_python": None}
    address = executor
    if not isinstance(executor, str):
        scheduler = getattr(executor, "scheduler", None)
        address = getattr(executor, "scheduler_address", None) or getattr(scheduler, "address", None)
    if not isinstance(address, str):
        from .errors import InvalidInputError

        raise InvalidInputError(
            "`executor` is an address or a client of Dask, and not of type `{}`".format(type(executor).__name__),
            "invalid-executor",
        )
    return {"executor": address, "executor_python": sys.executable or None}
