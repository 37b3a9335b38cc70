"""ccxt pro: what is watched over WebSocket, on both exchanges; orders over WebSocket on Gate.io."""

import asyncio

import ccxt.pro as pro
from ccxt.base.errors import AuthenticationError, BadSymbol, ExchangeError, InsufficientFunds, OrderNotFound
from harness import WAIT_SECONDS, Suite, decimal, drive, expect, raises_later, same
from places import SYMBOL, client_id

# Levels a side in which a watched book must equal the REST snapshot.
LEVELS = 40

# Levels a side with which MEXC's watched book begins, the most it gives. ccxt asks for its usual 100; what lies deeper stays
# unknown until it changes, so that a market that moves shows holes.
FIRST_LEVELS = 5000


class RecordingMexc(pro.mexc):
    """ccxt's MEXC, remembering its book at the end of every frame: ccxt itself keeps only the first version of one.

    ccxt drops the frame that began before the snapshot and ends after it, where MEXC wants it applied: what changed in it stays
    wrong until it changes again. Here it is applied; without it this would judge ccxt, not the exchange.
    """

    async def fetch_rest_order_book_safe(self, symbol, limit=None, params={}):
        return await super().fetch_rest_order_book_safe(symbol, limit or FIRST_LEVELS, params)

    def get_cache_index(self, orderbook, cache):
        index = super().get_cache_index(orderbook, cache)
        return index - 1 if index > 0 and int(cache[index - 1]["toVersion"]) > orderbook["nonce"] else index

    def handle_book_delta(self, orderbook, delta):
        first, last = int(delta["fromVersion"]), int(delta["toVersion"])
        if last <= orderbook["nonce"]:
            return
        super().handle_book_delta(orderbook, {**delta, "fromVersion": max(first, orderbook["nonce"])})
        remember(self, orderbook, last)


class RecordingGate(pro.gate):
    """ccxt's Gate.io, remembering its book at every version it passed through."""

    def handle_book_delta(self, orderbook, delta):
        super().handle_book_delta(orderbook, delta)
        remember(self, orderbook, int(delta["u"]))


def remember(client, orderbook, version):
    seen = client.options.setdefault("seenBooks", {})
    seen[version] = [[row[:2] for row in orderbook[side][:LEVELS]] for side in ("bids", "asks")]
    while len(seen) > 2000:
        del seen[next(iter(seen))]


def suite(places, exchange):
    s = Suite("ccxt pro", exchange)
    recording = RecordingMexc if exchange == "mexc" else RecordingGate
    public = places.pro_of(exchange, kind=recording)
    rich = places.pro_of(exchange, "rich2")
    # Trades by REST, so that what the other one watches is somebody else's doing.
    hand = places.pro_of(exchange, "rich2")
    s.clients = [public, rich, hand]
    s.tasks = []

    async def far_bid():
        book = await hand.fetch_order_book(SYMBOL, 5)
        return float(hand.price_to_precision(SYMBOL, book["bids"][0][0] * 0.9))

    async def while_trading(watch, wanted, what):
        """Watches, and buys a little again and again until what is wanted came."""

        async def trade():
            while True:
                ask = (await hand.fetch_order_book(SYMBOL, 5))["asks"][0][0]
                await hand.create_order(SYMBOL, "limit", "buy", 0.001, ask * 1.01, {"timeInForce": "IOC"})
                await asyncio.sleep(0.2)

        # What is watched first subscribes; what happens before that is not told.
        task = asyncio.ensure_future(trade())
        try:
            return await drive(watch, wanted, what)
        finally:
            task.cancel()

    @s.check("markets")
    async def _():
        for client in s.clients:
            await client.load_markets()

    @s.check("watch order book")
    async def _():
        def wanted(book):
            return len(book["bids"]) >= 10 and len(book["asks"]) >= 10 and book["bids"][0][0] < book["asks"][0][0]

        await drive(lambda: public.watch_order_book(SYMBOL), wanted, "a book")

    @s.check("watched book equals the REST snapshot at the same version")
    async def _():
        async def watch():
            while True:
                await public.watch_order_book(SYMBOL)

        task = asyncio.ensure_future(watch())
        try:
            deadline = asyncio.get_running_loop().time() + 2 * WAIT_SECONDS
            equal = 0
            while equal < 5:
                expect(asyncio.get_running_loop().time() < deadline, f"{equal} versions met, 5 wanted")
                expect(not task.done(), task)
                rest = await hand.fetch_order_book(SYMBOL, 100)
                await asyncio.sleep(0.15)
                seen = public.options.get("seenBooks", {}).get(rest["nonce"])
                if seen is None:
                    continue
                for side, watched in zip(("bids", "asks"), seen):
                    wanted = [list(row[:2]) for row in rest[side][:LEVELS]]
                    same([list(row) for row in watched[: len(wanted)]], wanted, f"{side} at {rest['nonce']}")
                equal += 1
        finally:
            task.cancel()

    @s.check("watch trades")
    async def _():
        trades = await while_trading(lambda: public.watch_trades(SYMBOL), lambda t: t or None, "trades")
        for trade in trades:
            expect(trade["price"] > 0 and trade["amount"] > 0 and trade["side"] in ("buy", "sell"), trade)

    @s.check("watch ticker")
    async def _():
        ticker = await while_trading(lambda: public.watch_ticker(SYMBOL), lambda t: t, "a ticker")
        expect(ticker["symbol"] == SYMBOL and (ticker["last"] or ticker["bid"]) > 0, ticker)

    # ccxt has none on MEXC's spot streams.
    @s.check("watch tickers") if exchange == "gateio" else (lambda function: function)
    async def _():
        found = await while_trading(
            lambda: public.watch_tickers([SYMBOL, "ETH/USDT"]), lambda t: t or None, "tickers"
        )
        expect(set(found) <= {SYMBOL, "ETH/USDT"}, found.keys())

    @s.check("watch candles")
    async def _():
        rows = await while_trading(lambda: public.watch_ohlcv(SYMBOL, "1m"), lambda r: r or None, "candles")
        for _, first, high, low, last, volume in rows:
            expect(low <= min(first, last) and max(first, last) <= high and volume > 0, rows)

    @s.check("watch orders")
    async def _():
        price = await far_bid()
        name = client_id("t-" if exchange == "gateio" else "x-")
        watched = asyncio.ensure_future(
            drive(
                lambda: rich.watch_orders(SYMBOL),
                lambda orders: next((o for o in orders if o["clientOrderId"] == name), None),
                "the new order",
            )
        )
        await subscribed(rich)
        order = await hand.create_order(SYMBOL, "limit", "buy", 0.001, price, {"clientOrderId": name})
        found = await watched
        same((found["id"], found["status"], found["amount"]), (order["id"], "open", 0.001), "the order pushed")
        ended = asyncio.ensure_future(
            drive(
                lambda: rich.watch_orders(SYMBOL),
                lambda orders: any(o["id"] == order["id"] and o["status"] == "canceled" for o in orders),
                "its end",
            )
        )
        await hand.cancel_order(order["id"], SYMBOL)
        await ended

    async def subscribed(client):
        """Until a private stream is up: the first watch must have been confirmed before anything happens."""
        for _ in range(200):
            await asyncio.sleep(0.05)
            if any(found.connected.done() and found.subscriptions for found in client.clients.values()):
                # The confirmation itself is not told by ccxt; a ping and its answer come after it.
                await asyncio.sleep(0.3)
                return

    @s.check("watch balance equals REST")
    async def _():
        price = await far_bid()
        ids = []

        async def push():
            while True:
                ids.append((await hand.create_order(SYMBOL, "limit", "buy", 0.001, price))["id"])
                await asyncio.sleep(0.3)

        task = asyncio.ensure_future(push())
        try:
            await drive(lambda: rich.watch_balance(), lambda b: b["USDT"]["used"], "a balance")
        finally:
            task.cancel()
        free = asyncio.ensure_future(
            drive(lambda: rich.watch_balance(), lambda b: b["USDT"]["used"] == 0 or None, "all of it free")
        )
        await hand.cancel_all_orders(SYMBOL)
        await free
        pushed, rest = await rich_balance(), await hand.fetch_balance()
        same(pushed, (rest["USDT"]["free"], rest["USDT"]["used"]), "USDT")

    async def rich_balance():
        usdt = rich.balance["spot"]["USDT"] if "spot" in rich.balance else rich.balance["USDT"]
        return usdt["free"], usdt["used"]

    @s.check("watch my trades, same as REST")
    async def _():
        trades = await while_trading(lambda: rich.watch_my_trades(SYMBOL), lambda t: t or None, "a fill")
        pushed = {trade["id"]: trade for trade in trades}
        rest = {trade["id"]: trade for trade in await hand.fetch_my_trades(SYMBOL, limit=100)}
        expect(set(pushed) <= set(rest), f"{set(pushed) - set(rest)} are not known to REST")
        for id, trade in pushed.items():
            for field in ("order", "price", "amount", "side"):
                same(trade[field], rest[id][field], field)
            near = abs(decimal(trade["fee"]["cost"]) - decimal(rest[id]["fee"]["cost"]))
            expect(near < decimal("1e-12"), f"fee {trade['fee']} and {rest[id]['fee']}")
            same(trade["fee"]["currency"], rest[id]["fee"]["currency"], "fee currency")

    @s.check("unwatch")
    async def _():
        await public.un_watch_trades(SYMBOL) if exchange == "mexc" else await public.un_watch_trades_for_symbols([SYMBOL])

    if exchange == "gateio":

        @s.check("watch bids and asks")
        async def _():
            found = await drive(lambda: public.watch_bids_asks([SYMBOL]), lambda t: t or None, "the top")
            expect(found[SYMBOL]["bid"] < found[SYMBOL]["ask"], found)

        @s.check("orders over WebSocket")
        async def _():
            price = await far_bid()
            order = await hand.create_order_ws(SYMBOL, "limit", "buy", 0.001, price, {"text": client_id()})
            found = await hand.fetch_order_ws(order["id"], SYMBOL)
            same((found["id"], found["status"]), (order["id"], "open"), "the order")
            edited = await hand.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.002, price)
            same(edited["amount"], 0.002, "amount")
            gone = await hand.cancel_order_ws(order["id"], SYMBOL)
            same(gone["status"], "canceled", "status")
            await hand.create_order_ws(SYMBOL, "limit", "buy", 0.001, price, {"text": client_id()})
            same(len(await hand.cancel_all_orders_ws(SYMBOL)), 1, "cancelled")

        @s.check("error over WebSocket: funds, unknown order")
        async def _():
            poor = places.pro_of(exchange, "poor")
            s.clients.append(poor)
            await poor.load_markets()
            price = await far_bid()
            params = {"text": client_id()}
            await raises_later(InsufficientFunds, poor.create_order_ws(SYMBOL, "limit", "buy", 0.01, price, params))
            await raises_later(OrderNotFound, poor.cancel_order_ws("999999999999", SYMBOL))

    @s.check("error: bad key on the private stream")
    async def _():
        nobody = places.pro_of(exchange, apiKey="nobody", secret="nothing")
        s.clients.append(nobody)
        wanted = AuthenticationError if exchange == "gateio" else (ExchangeError, AuthenticationError)
        try:
            await nobody.load_markets()
            await raises_later(wanted, nobody.watch_orders(SYMBOL))
        except ExchangeError as error:
            # ccxt asks for the coins with the key it has, before anything is watched.
            expect("10072" in str(error), error)

    @s.check("error: bad listen key") if exchange == "mexc" else (lambda function: function)
    async def _():
        liar = places.pro_of(exchange, "rich")
        s.clients.append(liar)
        await liar.load_markets()
        liar.options["listenKey"] = "0" * 64
        await raises_later(AuthenticationError, liar.watch_orders(SYMBOL))

    async def close():
        for client in s.clients:
            await client.close()

    s.close = close
    return s
