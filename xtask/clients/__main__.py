"""Drives a running `arb sim` with public clients: `python xtask/clients READY`.

READY is the line that `arb sim --json` prints first. Tells its plan, one line per check, and its end; the table is
made by `cargo xtask clients`.
"""

import asyncio
import json
import sys

import ccxt_pro
import ccxt_rest
import cryptofeed_feed
import gate_sdk
import gate_ws_sdk
import hummingbot_form
import pymexc_sdk
import rules
from harness import tell
from places import Places


async def main():
    places = Places(json.loads(sys.argv[1]))
    suites = [ccxt_rest.suite(places, exchange) for exchange in ("mexc", "gateio")]
    suites += [gate_sdk.suite(places), pymexc_sdk.suite(places)]
    suites += gate_ws_sdk.suites(places) + cryptofeed_feed.suites(places) + hummingbot_form.suites(places)
    suites += rules.suites(places)
    suites += [ccxt_pro.suite(places, exchange) for exchange in ("mexc", "gateio")]
    tell(event="plan", checks=[row for suite in suites for row in suite.plan()])
    for suite in suites:
        await suite.run()
        if hasattr(suite, "close"):
            await suite.close()
    tell(event="end")


asyncio.run(main())
