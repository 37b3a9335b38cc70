"""Named checks, run in order, told one JSON line each: what `cargo xtask clients` makes its table of.

A check is a function that raises when something is wrong. Its name is a row of the table; client and exchange are the
column. Nothing sleeps for luck: `until` and `drive` wait for a condition, with a deadline.
"""

import asyncio
import inspect
import json
import time
import traceback
from decimal import Decimal

# How long one check may take.
CHECK_SECONDS = 25
# How long to wait for something that is to come by itself.
WAIT_SECONDS = 10


def tell(**fields):
    print(json.dumps(fields), flush=True)


class Suite:
    """The checks of one client against one exchange."""

    def __init__(self, client, exchange):
        self.client = client
        self.exchange = exchange
        self.checks = []

    def check(self, name):
        def register(function):
            self.checks.append((name, function))
            return function

        return register

    def plan(self):
        return [{"client": self.client, "exchange": self.exchange, "check": name} for name, _ in self.checks]

    async def run(self):
        for name, function in self.checks:
            began = time.monotonic()
            detail = None
            try:
                outcome = function()
                if inspect.isawaitable(outcome):
                    await asyncio.wait_for(outcome, CHECK_SECONDS)
            except Exception as error:  # noqa: BLE001: whatever a client raises is what we want to know
                detail = explain(error)
            tell(
                event="check",
                client=self.client,
                exchange=self.exchange,
                check=name,
                ok=detail is None,
                detail=detail,
                ms=round((time.monotonic() - began) * 1000),
            )


def explain(error):
    """What went wrong, and where in our own files."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "xtask/clients" in frame.filename]
    place = f" ({ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}: {error}"[:600] + place


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def same(found, wanted, what):
    if isinstance(found, list) and isinstance(wanted, list):
        # Of long lists only where they part, or the report would be cut before it.
        for index, (left, right) in enumerate(zip(found, wanted)):
            expect(left == right, f"{what}: {left!r} at {index}, not {right!r}")
    expect(found == wanted, f"{what}: {found!r}, not {wanted!r}")


def raises(kinds, call, *args, **kwargs):
    """The error of one of `kinds`, exactly, that the call ends in."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        answer = call(*args, **kwargs)
    except Exception as error:  # noqa: BLE001
        expect(type(error) in kinds, f"{type(error).__name__} instead of {names(kinds)}: {error}")
        return error
    raise AssertionError(f"no {names(kinds)}: it answered {str(answer)[:200]}")


async def raises_later(kinds, awaitable):
    """As `raises`, for what is awaited."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        answer = await asyncio.wait_for(awaitable, WAIT_SECONDS)
    except Exception as error:  # noqa: BLE001
        expect(type(error) in kinds, f"{type(error).__name__} instead of {names(kinds)}: {error}")
        return error
    raise AssertionError(f"no {names(kinds)}: it answered {str(answer)[:200]}")


def names(kinds):
    return " or ".join(kind.__name__ for kind in kinds)


def until(look, what):
    """What `look` answers once it is neither None nor False."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = look()
        if found not in (None, False):
            return found
        expect(time.monotonic() < deadline, f"{what}: not within {WAIT_SECONDS} s")
        time.sleep(0.05)


async def drive(watch, wanted, what):
    """Calls `watch` until what it delivers satisfies `wanted`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        left = deadline - time.monotonic()
        expect(left > 0, f"{what}: not within {WAIT_SECONDS} s")
        try:
            delivered = await asyncio.wait_for(watch(), left)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: not within {WAIT_SECONDS} s") from None
        found = wanted(delivered)
        if found not in (None, False):
            return found


def decimal(value):
    return Decimal(str(value))
