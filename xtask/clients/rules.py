"""What all clients rely on without saying so: read-your-writes, exact money, one counter for books, one set of trades, and a
server that survives whatever it is sent. Checked with aiohttp, through the calls of `hummingbot_form`."""

import asyncio
import time
from contextlib import AsyncExitStack

import aiohttp
from ccxt.protobuf.mexc.PushDataV3ApiWrapper_pb2 import PushDataV3ApiWrapper
from harness import Suite, decimal, expect, same
from hummingbot_form import PAIR, SYMBOL, Gateio, Mexc, heard

# What no client means to send.
GARBAGE = ["", "{", "[]", "null", "{}", "\x00", '"' * 100, "[" * 64, "9" * 400, "x" * 65_536, '{"method":7,"params":7}', '{"time":"now","channel":[],"event":{}}']
# A burst of calls that a test suite makes without a pause.
BURST = 100


class MexcRules(Mexc):
    """MEXC's side of each rule."""

    def __init__(self, places):
        super().__init__(places)
        self.suite = rules(self, places, "mexc")

    async def held(self):
        rows = (await self.signed("GET", "account"))["balances"]
        return {row["asset"]: (decimal(row["free"]), decimal(row["locked"])) for row in rows}

    async def place(self, side, price, quantity, kind="LIMIT"):
        order = {**self.order(self.name(), side, price), "quantity": quantity, "type": kind}
        return (await self.signed("POST", "order", order))["orderId"]

    async def cancel(self, order):
        await self.signed("DELETE", "order", {"symbol": SYMBOL, "orderId": order})

    async def filled(self, order):
        found = await self.signed("GET", "order", {"symbol": SYMBOL, "orderId": order})
        return decimal(found["executedQty"]), decimal(found["cummulativeQuoteQty"])

    async def open_ids(self):
        return {row["orderId"] for row in await self.signed("GET", "openOrders", {"symbol": SYMBOL})}

    async def fills(self, order):
        rows = await self.signed("GET", "myTrades", {"symbol": SYMBOL, "orderId": order})
        return [(decimal(r["qty"]), decimal(r["quoteQty"]), decimal(r["commission"]), r["commissionAsset"]) for r in rows]

    async def book(self):
        book = await self.public("depth", {"symbol": SYMBOL, "limit": 1000})
        return {decimal(price): decimal(qty) for price, qty in book["bids"]}

    async def trades(self):
        rows = await self.public("trades", {"symbol": SYMBOL, "limit": 1000})
        return {(decimal(row["price"]), decimal(row["qty"]), int(row["time"])) for row in rows}

    async def listen(self, ws):
        """Subscribes to trades; answers how to read them from a message."""
        channel = f"spot@public.aggre.deals.v3.api.pb@10ms@{SYMBOL}"
        await ws.send_json({"method": "SUBSCRIPTION", "params": [channel]})

        def read(message):
            if message.type != aiohttp.WSMsgType.BINARY:
                return []
            deals = PushDataV3ApiWrapper.FromString(message.data).publicAggreDeals.deals
            return [(decimal(deal.price), decimal(deal.quantity), deal.time) for deal in deals]

        return read

    async def private(self, stack):
        """Two streams of the account on one key; answers how to read states of orders from a message."""
        key = (await self.signed("POST", "userDataStream"))["listenKey"]
        sockets = [await stack.enter_async_context(self.open().ws_connect(f"{self.ws}?listenKey={key}")) for _ in range(2)]
        for ws in sockets:
            await ws.send_json({"method": "SUBSCRIPTION", "params": ["spot@private.orders.v3.api.pb"]})
            await heard(ws, lambda message: message.type == aiohttp.WSMsgType.TEXT, "an answer")

        def read(message):
            order = PushDataV3ApiWrapper.FromString(message.data).privateOrders
            return [(order.id, decimal(order.cumulativeQuantity), order.status in (2, 4, 5))]

        return sockets, read

    def alive(self):
        return self.public("time")

    paths = ["/api/v3/order", "/api/v3/depth", "/api/v3/nothing", "/", "/ws"]


class GateioRules(Gateio):
    """Gate.io's side of each rule."""

    def __init__(self, places):
        super().__init__(places)
        self.suite = rules(self, places, "gateio")

    async def held(self):
        rows = await self.signed("GET", "/spot/accounts")
        return {row["currency"]: (decimal(row["available"]), decimal(row["locked"])) for row in rows}

    async def place(self, side, price, quantity, kind="LIMIT"):
        tif = "ioc" if kind == "IMMEDIATE_OR_CANCEL" else "gtc"
        order = {**self.order(self.name(), side.lower(), price), "amount": quantity, "time_in_force": tif}
        return (await self.signed("POST", "/spot/orders", body=order))["id"]

    async def cancel(self, order):
        await self.signed("DELETE", f"/spot/orders/{order}", {"currency_pair": PAIR})

    async def filled(self, order):
        found = await self.signed("GET", f"/spot/orders/{order}", {"currency_pair": PAIR})
        return decimal(found["filled_amount"]), decimal(found["filled_total"])

    async def open_ids(self):
        rows = await self.signed("GET", "/spot/orders", {"currency_pair": PAIR, "status": "open"})
        return {row["id"] for row in rows}

    async def fills(self, order):
        rows = await self.signed("GET", "/spot/my_trades", {"currency_pair": PAIR, "order_id": order})
        return [(decimal(r["amount"]), decimal(r["amount"]) * decimal(r["price"]), decimal(r["fee"]), r["fee_currency"]) for r in rows]

    async def book(self):
        book = await self.public("/spot/order_book", {"currency_pair": PAIR, "limit": 1000})
        return {decimal(price): decimal(qty) for price, qty in book["bids"]}

    async def trades(self):
        rows = await self.public("/spot/trades", {"currency_pair": PAIR, "limit": 1000})
        return {(decimal(row["price"]), decimal(row["amount"]), int(row["id"])) for row in rows}

    async def listen(self, ws):
        await self.subscribe(ws, "spot.trades", [PAIR])

        def read(message):
            frame = message.json()
            if frame["event"] != "update":
                return []
            trade = frame["result"]
            return [(decimal(trade["price"]), decimal(trade["amount"]), trade["id"])]

        return read

    async def private(self, stack):
        sockets = [await stack.enter_async_context(self.open().ws_connect(self.ws)) for _ in range(2)]
        for ws in sockets:
            await self.subscribe(ws, "spot.orders", [PAIR], is_private=True)
            await heard(ws, lambda message: message.json()["result"]["status"] == "success", "an answer")

        def read(message):
            rows = message.json()["result"]
            return [(row["id"], decimal(row["filled_amount"]), row["event"] == "finish") for row in rows]

        return sockets, read

    def alive(self):
        return self.public("/spot/time")

    paths = ["/api/v4/spot/orders", "/api/v4/spot/order_book", "/api/v4/nothing", "/", "/ws/v4/"]


def suites(places):
    return [MexcRules(places).suite, GateioRules(places).suite]


def rules(venue, places, exchange):
    s = Suite("rules", exchange)
    s.close = venue.close

    @s.check("what was placed is seen at once, and locks price times quantity")
    async def _():
        before, price = await venue.held(), await venue.price("0.8")
        order = await venue.place("BUY", price, "0.0013")
        free, locked = (await venue.held())["USDT"]
        cost = decimal(price) * decimal("0.0013")
        same((free, locked), (before["USDT"][0] - cost, before["USDT"][1] + cost), "what is free and locked")
        expect(order in await venue.open_ids(), "it is not among the open orders")
        same((await venue.book()).get(decimal(price)), decimal("0.0013"), "the book at its price")
        await venue.cancel(order)
        same((await venue.held())["USDT"], before["USDT"], "after its cancel")
        expect(order not in await venue.open_ids() and decimal(price) not in await venue.book(), "it is still there")

    @s.check("fills, fees and balances add up to the last digit")
    async def _():
        before = await venue.held()
        order = await venue.place("BUY", await venue.price("1.02"), "0.0123", "IMMEDIATE_OR_CANCEL")
        fills, (base, quote) = await venue.fills(order), await venue.filled(order)
        same((base, sum(fill[0] for fill in fills)), (decimal("0.0123"),) * 2, "what was filled")
        same(sum(fill[1] for fill in fills), quote, "what was turned over")
        after = await venue.held()
        for asset, moved in (("BTC", base), ("USDT", -quote)):
            fees = sum(fill[2] for fill in fills if fill[3] == asset)
            same(sum(after[asset]) - sum(before[asset]), moved - fees, f"the change of {asset}")

    @s.check("the stream's trades are those of the call")
    async def _():
        async with venue.open().ws_connect(venue.ws) as ws:
            read = await venue.listen(ws)
            streamed = []
            while len(streamed) < 8:
                streamed += await heard(ws, lambda message: read(message) or None, "trades")
            expect(set(streamed) <= await venue.trades(), "some are not among the recent ones")

    @s.check("two streams of one key tell the same, and filled never goes back")
    async def _():
        async with AsyncExitStack() as stack:
            sockets, read = await venue.private(stack)
            resting = await venue.place("BUY", await venue.price("0.8"), "0.001")
            taking = await venue.place("BUY", await venue.price("1.02"), "0.02", "IMMEDIATE_OR_CANCEL")
            await venue.cancel(resting)
            told = []
            for ws in sockets:
                states = []
                while {order for order, _, is_over in states if is_over} != {resting, taking}:
                    states += await heard(ws, read, "both orders' ends")
                for order in (resting, taking):
                    filled = [state[1] for state in states if state[0] == order]
                    same(filled, sorted(filled), "what is filled")
                    same([state[2] for state in states if state[0] == order].index(True), len(filled) - 1, "the end comes last")
                told.append(states)
            same(told[0], told[1], "the other stream")

    @s.check("garbage on the stream harms nobody")
    async def _():
        async with venue.open().ws_connect(venue.ws) as witness:
            read = await venue.listen(witness)
            for text in GARBAGE:
                async with venue.open().ws_connect(venue.ws) as ws:
                    await ws.send_str(text)
                    await ws.send_bytes(text.encode())
                    # It is answered, or the connection is closed: both are fine.
                    await ws.receive(timeout=5)
            await heard(witness, lambda message: read(message) or None, "trades, all the same")
        await venue.alive()

    @s.check("garbage in calls is refused with JSON, never with a 5xx")
    async def _():
        base = venue.rest.removesuffix("/api/v4")
        for path in venue.paths:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                for body in GARBAGE[:8] + ["x" * 65_536]:
                    headers = {"Content-Type": "application/json"}
                    async with venue.open().request(method, base + path, data=body, headers=headers) as answer:
                        expect(400 <= answer.status < 500, f"{method} {path} {body[:20]!r}: {answer.status}")
                        expect(isinstance(await answer.json(), dict), f"{method} {path}: no object")
        await venue.alive()

    @s.check("a burst of calls is answered")
    async def _():
        began = time.monotonic()
        await asyncio.gather(*(venue.held() if number % 2 else venue.book() for number in range(BURST)))
        expect(time.monotonic() - began < 10, "it takes long")

    return s
