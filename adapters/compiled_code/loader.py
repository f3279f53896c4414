"""Loading what runs compiled code in the background, once it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from adapters.compiled_code.program import NotCompiled

Made = TypeVar("Made")

_log = structlog.get_logger(__name__)


class Loader(Generic[Made]):
    """Holds what `make` returns, once that has been called: by a thread, when first asked for.

    `make` imports what it needs, NumPy too, and may raise NotCompiled. `task` names, for the log,
    what is done in a slower way until then, or for good if there is no compiled code.
    """

    def __init__(self, task: str, make: Callable[[], Made]) -> None:
        self._task = task
        self._make = make
        self.made: Made | None = None
        self.thread: threading.Thread | None = None

    def get(self) -> Made | None:
        """Return what was made, None as long as nothing was. The first call starts the thread."""
        if self.made is None and self.thread is None:
            self.thread = threading.Thread(target=self.load, name=f"load {self._task}")
            self.thread.start()
        return self.made

    def load(self) -> None:
        """Make it now, unless there is no compiled code here.

        Takes a tenth of a second, or some ten seconds if nothing is compiled yet.
        """
        try:
            self.made = self._make()
        except NotCompiled as error:
            _log.warning("no compiled code", task=self._task, reason=str(error))
        else:
            _log.info("compiled code loaded", task=self._task)
