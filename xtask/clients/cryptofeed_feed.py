"""cryptofeed, a recorder of market data: it insists on contiguous changes, and starts all over behind a gap."""

import asyncio
import logging

from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import CANDLES, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Gateio
from harness import WAIT_SECONDS, Suite, expect, same

SYMBOLS = ["BTC-USDT", "ETH-USDT"]
# Between connections, and while it waits for one to end, it sleeps; it is given this long to stop.
STOP_SECONDS = 5


class Plain(str):
    """An address without TLS, which the library refuses by its first letters."""

    def startswith(self, *_):
        return True


class Local(Gateio):
    """The feed, pointed at the simulator the way its users would: by its class."""

    resets = 0

    def _reset(self):
        Local.resets += 1
        super()._reset()


def suite(places):
    s = Suite("cryptofeed", "gateio")
    base = places.ready["gateio"]["rest"].removesuffix("/api/v4")
    book = "/api/v4/spot/order_book?currency_pair={}&limit=100&with_id=true"
    Local.websocket_endpoints = [WebsocketEndpoint(Plain(places.ready["gateio"]["ws"]), options={"compression": None})]
    Local.rest_endpoints = [RestEndpoint(base, routes=Routes("/api/v4/spot/currency_pairs", l2book=book))]

    async def gather(channels, wanted):
        """What the feed delivers, by channel, once `wanted` is content with it."""
        told = {channel: [] for channel in channels}
        done = asyncio.Event()

        def heard(channel):
            async def take(item, _):
                told[channel].append(item)
                if wanted(told):
                    done.set()

            return take

        feed = Local(symbols=SYMBOLS, channels=channels, callbacks={channel: heard(channel) for channel in channels})
        feed.start(asyncio.get_running_loop())
        try:
            await asyncio.wait_for(done.wait(), WAIT_SECONDS)
        except asyncio.TimeoutError:
            counts = {channel: len(items) for channel, items in told.items()}
            raise AssertionError(f"not within {WAIT_SECONDS} s: {counts}") from None
        finally:
            feed.stop()
            await asyncio.wait_for(feed.shutdown(), STOP_SECONDS)
        return told

    @s.check("markets")
    def _():
        expect(set(SYMBOLS) <= set(Local.symbols()), "not listed")

    @s.check("watch order book")
    async def _():
        Local.resets = 0
        books = (await gather([L2_BOOK], lambda told: len(told[L2_BOOK]) >= 60))[L2_BOOK]
        same({book.symbol for book in books}, set(SYMBOLS), "whose books")
        for book in books:
            bids, asks = book.book.bids, book.book.asks
            expect(bids.index(0)[0] < asks.index(0)[0], f"crossed: {book}")
        # Once when it begins; a gap would make it begin again.
        expect(Local.resets <= 2, f"it began {Local.resets} times")

    @s.check("watch trades")
    async def _():
        trades = (await gather([TRADES], lambda told: len(told[TRADES]) >= 5))[TRADES]
        expect(all(trade.side in ("buy", "sell") and trade.amount > 0 for trade in trades), trades)

    @s.check("watch ticker")
    async def _():
        tickers = (await gather([TICKER], lambda told: len(told[TICKER]) >= 2))[TICKER]
        expect(all(ticker.bid < ticker.ask for ticker in tickers), tickers)

    @s.check("watch candles")
    async def _():
        candles = (await gather([CANDLES], lambda told: bool(told[CANDLES])))[CANDLES]
        expect(all(candle.low <= candle.close <= candle.high for candle in candles), candles)

    return s


def suites(places):
    logging.getLogger("feedhandler").setLevel(logging.ERROR)
    return [suite(places)]
