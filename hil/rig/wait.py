"""Waiting for something to be so, when there is no event to wait for: asked again and again, to a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
ASK_AGAIN_SECONDS = 0.25


class NeverSoError(AssertionError):
    """It was not so within the time. The message has what was seen last."""


def eventually(what: str, seconds_max: float, look: Callable[[], Found | None],
               may_raise: tuple[type[Exception], ...] = ()) -> Found:  # fmt: skip
    """The first answer of `look` that is true; an exception of `may_raise` counts as not yet."""
    deadline = time.monotonic() + seconds_max
    last: object = None
    while True:
        try:
            last = look()
            if last:
                return last
        except may_raise as error:
            last = error
        if time.monotonic() > deadline:
            raise NeverSoError(f"not within {seconds_max:.0f} s: {what}; last seen: {last!r}")
        time.sleep(ASK_AGAIN_SECONDS)
