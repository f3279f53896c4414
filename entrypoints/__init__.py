"""Composition roots: the command line and the worker. They wire everything else."""

import sys

if "rich" not in sys.modules:
    # structlog imports Rich if it can, to write a log in colours. Ours is JSON, and Rich would take
    # 4 MB of each process.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog  # noqa: F401

    del sys.modules["rich"]
