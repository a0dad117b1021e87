"""Things that are done in the order in which they were asked for, though some have to wait."""

from collections import deque
from collections.abc import Callable

Action = Callable[[], None]


class InOrder:
    """Does an action at once, unless an earlier one still waits; then it is held until that has been done."""

    def __init__(self) -> None:
        self._held: deque[tuple[Action, Callable[[], bool]]] = deque()

    def __call__(self, action: Action, is_ready: Callable[[], bool] = lambda: True) -> None:
        """Do ``action`` when it is ready and its turn; the same one twice in a row is held once."""
        if not self._held and is_ready():
            action()
        elif not self._held or self._held[-1][0] != action:
            self._held.append((action, is_ready))

    def settle(self, *, wait: bool = True) -> None:
        """Do what is held: all of it, also what is not ready and blocks, or only what does not ``wait``."""
        while self._held and (wait or self._held[0][1]()):
            self._held.popleft()[0]()
