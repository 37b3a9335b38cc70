"""The calls of hummingbot's connectors, in their order and form, with aiohttp as hummingbot makes them.

hummingbot itself cannot be installed here: it comes whole, compiled, and with packages that want another Python. What its
connectors send and what they read of the answers is described in the references; that is checked here, call by call.
"""

import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp
from ccxt.protobuf.mexc.PushDataV3ApiWrapper_pb2 import PushDataV3ApiWrapper
from harness import WAIT_SECONDS, Suite, decimal, expect, same
from places import client_id

SYMBOL, PAIR = "BTCUSDT", "BTC_USDT"
# Connectors ping a silent socket with a frame; aiohttp does it by itself when told to.
HEARTBEAT_SECONDS = 2


def suites(places):
    return [Mexc(places).suite, Gateio(places).suite]


async def heard(ws, wanted, what):
    """The first of the coming messages for which `wanted` answers something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        left = deadline - time.monotonic()
        expect(left > 0, f"{what}: not within {WAIT_SECONDS} s")
        message = await ws.receive(timeout=left)
        expect(message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), f"{what}: {message}")
        found = wanted(message)
        if found not in (None, False):
            return found


class Connector:
    """What both have in common: one session, calls whose errors are texts."""

    def __init__(self, places, exchange, account="rich"):
        self.rest, self.ws = places.ready[exchange]["rest"], places.ready[exchange]["ws"]
        self.key, self.secret = (places.accounts[account][name] for name in ("key", "secret"))
        self.suite = Suite("hummingbot", exchange)
        self.suite.close = self.close
        self.session = None

    def open(self):
        if self.session is None:
            self.session = aiohttp.ClientSession()
        return self.session

    async def close(self):
        if self.session is not None:
            await self.session.close()

    async def call(self, method, url, **more):
        """The answer as JSON; an error is its text, as the connectors look into it."""
        async with self.open().request(method, url, **more) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise OSError(f"Error executing request {method} {url}. HTTP status is {answer.status}. Error: {text}")
            return json.loads(text)

    async def fails(self, words, awaitable):
        try:
            answer = await awaitable
        except OSError as error:
            for word in words:
                expect(word in str(error), f"no {word!r} in: {error}")
            return
        raise AssertionError(f"no error: {answer}")


class Mexc(Connector):
    """Parameters are signed without recvWindow; a POST has them in its body as form text, under a JSON content type."""

    def __init__(self, places):
        super().__init__(places, "mexc")
        s = self.suite

        @s.check("start: ping, time, markets")
        async def _():
            same(await self.public("ping"), {}, "ping")
            expect(abs((await self.public("time"))["serverTime"] - time.time() * 1000) < 2_000, "apart")
            info = await self.public("exchangeInfo")
            found = {one["symbol"]: one for one in info["symbols"] if self.is_tradable(one)}
            one = found[SYMBOL]
            for name in ("quotePrecision", "baseAssetPrecision"):
                expect(isinstance(one[name], int), f"{name}: {one[name]!r}")
            for name in ("baseSizePrecision", "quoteAmountPrecision"):
                expect(decimal(one[name]) >= 0, f"{name}: {one[name]!r}")
            expect(SYMBOL in (await self.public("defaultSymbols"))["data"], "not tradable over the API")

        @s.check("rates: all tops of book, one last price")
        async def _():
            rows = await self.public("ticker/bookTicker")
            expect(len(rows) >= 10 and all({"symbol", "bidPrice", "askPrice"} <= set(row) for row in rows), rows[:2])
            last = await self.public("ticker/24hr", {"symbol": SYMBOL})
            expect(decimal(last["lastPrice"]) > 0, last)

        @s.check("order book: snapshot of 1000, then two channels on one socket")
        async def _():
            async with self.open().ws_connect(self.ws, heartbeat=HEARTBEAT_SECONDS) as ws:
                for number, channel in enumerate(("deals", "depth"), start=1):
                    name = f"spot@public.aggre.{channel}.v3.api.pb@100ms@{SYMBOL}"
                    await ws.send_json({"method": "SUBSCRIPTION", "params": [name], "id": number})
                ids = set()
                kinds = set()

                def look(message):
                    if message.type == aiohttp.WSMsgType.TEXT:
                        # Whatever has a code is an answer, and passed over.
                        answer = message.json()
                        expect("code" in answer, answer)
                        ids.add(answer["id"])
                        return None
                    frame = PushDataV3ApiWrapper.FromString(message.data)
                    same(frame.symbol, SYMBOL, "whose frame")
                    kinds.add("depth" if "public.aggre.depth" in frame.channel else "trades")
                    if "public.aggre.depth" not in frame.channel:
                        return None
                    return frame if {"depth", "trades"} <= kinds and ids == {1, 2} else None

                frame = await heard(ws, look, "both channels and both answers")
                snapshot = await self.public("depth", {"symbol": SYMBOL, "limit": 1000})
                # Snapshots are ordered by their version, changes by the time they were sent.
                expect(snapshot["lastUpdateId"] < frame.sendTime, "a snapshot would drop all changes")

        @s.check("a silent socket: text ping, ping frame")
        async def _():
            async with self.open().ws_connect(self.ws) as ws:
                await ws.send_json({"method": "PING"})
                answer = await heard(ws, lambda message: message.json(), "pong")
                same((answer["msg"], answer["code"]), ("PONG", 0), "the answer")
                await ws.ping(b"hb")
                await ws.send_json({"method": "PING"})
                same((await heard(ws, lambda message: message.json(), "another"))["msg"], "PONG", "after a ping frame")

        @s.check("balances, fees")
        async def _():
            held = {row["asset"]: row for row in (await self.signed("GET", "account"))["balances"]}
            expect(decimal(held["USDT"]["free"]) > 0 and decimal(held["USDT"]["locked"]) >= 0, held["USDT"])
            fees = (await self.signed("GET", "tradeFee", {"symbol": SYMBOL}))["data"]
            expect(0 <= fees["makerCommission"] <= fees["takerCommission"], fees)

        @s.check("an order's life: form text in the body, timeInForce, the status of a cancel")
        async def _():
            name = self.name()
            price = await self.price("0.9")
            made = await self.signed("POST", "order", self.order(name, "BUY", price))
            expect(isinstance(made["orderId"], str) and made["transactTime"] > 10**12, made)
            found = await self.signed("GET", "order", {"symbol": SYMBOL, "origClientOrderId": name})
            same((found["status"], str(found["orderId"])), ("NEW", made["orderId"]), "the order")
            expect(isinstance(found["updateTime"], int), f"updateTime: {found['updateTime']!r}")
            gone = await self.signed("DELETE", "order", {"symbol": SYMBOL, "origClientOrderId": name})
            same(gone["status"], "NEW", "the only status that counts as cancelled")
            await self.fails(
                ("-2011", "Unknown order sent"),
                self.signed("DELETE", "order", {"symbol": SYMBOL, "origClientOrderId": name}),
            )
            await self.fails(
                ("-2013", "Order does not exist"),
                self.signed("GET", "order", {"symbol": SYMBOL, "origClientOrderId": self.name()}),
            )

        @s.check("a wrong clock is told in words")
        async def _():
            words = ("700003", "Timestamp for this request is outside of the recvWindow")
            await self.fails(words, self.signed("GET", "account", ahead_ms=-60_000))
            await self.fails(words, self.signed("GET", "account", ahead_ms=5_000))

        @s.check("private stream: key, three channels, a filled order")
        async def _():
            key = (await self.signed("POST", "userDataStream"))["listenKey"]
            kept = await self.signed("PUT", "userDataStream", {"listenKey": key})
            expect("code" not in kept, f"it would be taken for a failure: {kept}")
            url = f"{self.ws}?listenKey={key}"
            async with self.open().ws_connect(url, heartbeat=HEARTBEAT_SECONDS) as ws:
                for number, channel in enumerate(("orders", "deals", "account"), start=1):
                    name = f"spot@private.{channel}.v3.api.pb"
                    await ws.send_json({"method": "SUBSCRIPTION", "params": [name], "id": number})
                for _ in range(3):
                    await heard(ws, lambda message: message.type == aiohttp.WSMsgType.TEXT, "an answer")
                name = self.name()
                await self.signed("POST", "order", self.order(name, "BUY", await self.price("1.01")))
                told = {}

                def look(message):
                    frame = PushDataV3ApiWrapper.FromString(message.data)
                    body = frame.WhichOneof("body")
                    told.setdefault(body, []).append(getattr(frame, body))
                    filled = [order for order in told.get("privateOrders", []) if order.status == 2]
                    return bool(filled) and "privateDeals" in told and len(told.get("privateAccount", [])) >= 2

                await heard(ws, look, "the order, its fill, and both balances")
                same({order.clientId for order in told["privateOrders"]}, {name}, "whose order")
                for deal in told["privateDeals"]:
                    same(deal.clientOrderId, name, "whose fill")
                    expect(deal.tradeId and deal.feeCurrency and decimal(deal.feeAmount) >= 0, deal)
                for row in told["privateAccount"]:
                    # An empty text is no number.
                    expect(decimal(row.balanceAmount) >= 0 and decimal(row.frozenAmount) >= 0, row)
                ids = {deal.tradeId for deal in told["privateDeals"]}
                order = {"symbol": SYMBOL, "orderId": told["privateDeals"][0].orderId}
                rows = await self.signed("GET", "myTrades", order)
                expect(ids <= {row["id"] for row in rows}, f"{ids} is not in {rows}")
            await self.signed("DELETE", "userDataStream", {"listenKey": key})

    @staticmethod
    def is_tradable(one):
        return one["status"] == "1" and "SPOT" in one["permissions"] and one["isSpotTradingAllowed"]

    def name(self):
        return client_id("HUMBOT")[:32]

    def order(self, name, side, price):
        order = {"symbol": SYMBOL, "side": side, "quantity": "0.001", "type": "LIMIT", "newClientOrderId": name}
        return {**order, "price": price, "timeInForce": "GTC"}

    async def price(self, factor):
        """So many times the best price, on the market's grid; an order above the other side fills."""
        top = await self.public("ticker/bookTicker", {"symbol": SYMBOL})
        return str((decimal(top["askPrice"]) * decimal(factor)).quantize(decimal("0.01")))

    def public(self, path, params=None):
        return self.call("GET", f"{self.rest}/api/v3/{path}", params=params)

    def signed(self, method, path, params=None, ahead_ms=0):
        params = {**(params or {}), "timestamp": int(time.time() * 1000) + ahead_ms}
        signature = hmac.new(self.secret.encode(), urlencode(params).encode(), hashlib.sha256).hexdigest()
        text = urlencode({**params, "signature": signature})
        headers = {"X-MEXC-APIKEY": self.key, "Content-Type": "application/json"}
        url = f"{self.rest}/api/v3/{path}"
        if method == "POST":
            return self.call(method, url, data=text, headers=headers)
        return self.call(method, f"{url}?{text}", headers=headers)


class Gateio(Connector):
    """A float of a time, JSON with blanks, a broker's header; on the stream neither ids nor frames of compression."""

    def __init__(self, places):
        super().__init__(places, "gateio")
        s = self.suite

        @s.check("start: a coin, time, pairs, one ticker")
        async def _():
            same((await self.public("/spot/currencies/BTC"))["currency"], "BTC", "the coin")
            expect(abs((await self.public("/spot/time"))["server_time"] / 1000 - time.time()) < 2, "apart")
            for one in await self.public("/spot/currency_pairs"):
                expect(isinstance(one["amount_precision"], int) and isinstance(one["precision"], int), one)
                # `Decimal(str(None))` raises: a minimum that is not there must not be null.
                for least in ("min_base_amount", "min_quote_amount"):
                    expect(decimal(one.get(least, "0")) >= 0, one)
            tickers = await self.public("/spot/tickers", {"currency_pair": PAIR})
            expect(decimal(tickers[0]["last"]) > 0, tickers)

        @s.check("order book: ten levels and an id, then two channels on one socket")
        async def _():
            book = await self.public("/spot/order_book", {"currency_pair": PAIR, "with_id": json.dumps(True)})
            same((len(book["bids"]), len(book["asks"])), (10, 10), "levels")
            expect(isinstance(book["id"], int), book["id"])
            async with self.open().ws_connect(self.ws, heartbeat=HEARTBEAT_SECONDS) as ws:
                await self.subscribe(ws, "spot.trades", [PAIR])
                await self.subscribe(ws, "spot.order_book_update", [PAIR, "100ms"])
                told = {}

                def look(message):
                    frame = message.json()
                    # Anything else than null is raised and ends the connection.
                    expect(frame.get("error") is None, frame)
                    if frame["event"] == "update":
                        told[frame["channel"]] = frame["result"]
                    return len(told) == 2

                await heard(ws, look, "both channels")
                change, trade = told["spot.order_book_update"], told["spot.trades"]
                expect({"t", "s", "U", "u", "b", "a"} <= set(change), change)
                expect(all(isinstance(change[name], int) for name in ("t", "U", "u")), change)
                expect(isinstance(trade["create_time"], int) and trade["side"] in ("buy", "sell"), trade)

        @s.check("a silent socket: text ping, ping frame")
        async def _():
            async with self.open().ws_connect(self.ws) as ws:
                await ws.ping(b"hb")
                await ws.send_json({"time": int(time.time()), "channel": "spot.ping"})
                pong = await heard(ws, lambda message: message.json(), "pong")
                same((pong["channel"], pong["event"], pong["error"]), ("spot.pong", "", None), "the answer")

        @s.check("balances, fees")
        async def _():
            held = {row["currency"]: row for row in await self.signed("GET", "/spot/accounts")}
            expect(decimal(held["USDT"]["available"]) > 0 and decimal(held["USDT"]["locked"]) >= 0, held["USDT"])

        @s.check("an order's life: blanks in the body, 201, the status of a cancel")
        async def _():
            name = self.name()
            made = await self.signed("POST", "/spot/orders", body=self.order(name, "buy", await self.price("0.9")))
            same((made["text"], made["status"]), (name, "open"), "the order")
            expect(isinstance(made["create_time_ms"], int), made["create_time_ms"])
            found = await self.signed("GET", f"/spot/orders/{made['id']}", {"currency_pair": PAIR})
            same((found["status"], found["finish_as"]), ("open", "open"), "the order again")
            rows = await self.signed("GET", "/spot/open_orders")
            expect(any(made["id"] == order["id"] for row in rows for order in row["orders"]), rows)
            path = f"/spot/orders/{made['id']}"
            same((await self.signed("DELETE", path, {"currency_pair": PAIR}))["status"], "cancelled", "its end")
            await self.fails(("ORDER_NOT_FOUND",), self.signed("DELETE", path, {"currency_pair": PAIR}))
            rows = await self.signed("GET", "/spot/my_trades", {"currency_pair": PAIR, "order_id": made["id"]})
            same(rows, [], "its fills")

        @s.check("a wrong clock is told in words")
        async def _():
            await self.fails(("REQUEST_EXPIRED",), self.signed("GET", "/spot/accounts", ahead=-120.5))

        @s.check("private stream: three channels, a filled order")
        async def _():
            async with self.open().ws_connect(self.ws, heartbeat=HEARTBEAT_SECONDS) as ws:
                for channel, payload in (("spot.orders", ["!all"]), ("spot.usertrades", ["!all"]), ("spot.balances", None)):
                    await self.subscribe(ws, channel, payload, is_private=True)
                for _ in range(3):
                    await heard(ws, lambda message: message.json()["result"]["status"] == "success", "an answer")
                name = self.name()
                await self.signed("POST", "/spot/orders", body=self.order(name, "buy", await self.price("1.01")))
                told = {}

                def look(message):
                    frame = message.json()
                    expect(frame.get("error") is None, frame)
                    told.setdefault(frame["channel"], []).extend(frame["result"])
                    finished = [row for row in told.get("spot.orders", []) if row["event"] == "finish"]
                    return bool(finished) and {"spot.usertrades", "spot.balances"} <= set(told)

                await heard(ws, look, "the order, its fill, and balances")
                for row in told["spot.orders"]:
                    same((row["text"], int(row["update_time"]) > 0), (name, True), "whose order")
                for row in told["spot.usertrades"]:
                    same((row["text"], type(row["create_time"])), (name, int), "whose fill")
                    expect(decimal(row["fee"]) >= 0 and row["fee_currency"] in ("BTC", "USDT", "GT"), row)
                for row in told["spot.balances"]:
                    same(decimal(row["available"]) + decimal(row["freeze"]), decimal(row["total"]), row["currency"])

    def name(self):
        return client_id("t-HBOT")[:30]

    def order(self, name, side, price):
        order = {"text": name, "currency_pair": PAIR, "side": side, "amount": "0.001", "price": price}
        return {**order, "type": "limit", "time_in_force": "gtc"}

    async def price(self, factor):
        book = await self.public("/spot/order_book", {"currency_pair": PAIR})
        return str((decimal(book["asks"][0][0]) * decimal(factor)).quantize(decimal("0.1")))

    async def subscribe(self, ws, channel, payload, is_private=False):
        now = int(time.time())
        request = {"time": now, "channel": channel, "event": "subscribe", "error": None}
        if payload is not None:
            request["payload"] = payload
        if is_private:
            text = f"channel={channel}&event=subscribe&time={now}"
            request["auth"] = {"method": "api_key", "KEY": self.key, "SIGN": self.hmac(text)}
        await ws.send_json(request)

    def hmac(self, text):
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha512).hexdigest()

    def public(self, path, params=None):
        return self.call("GET", self.rest + path, params=params)

    def signed(self, method, path, params=None, body=None, ahead=0.0):
        timestamp = str(time.time() + ahead)
        text = json.dumps(body) if body is not None else ""
        query = "&".join(f"{name}={value}" for name, value in (params or {}).items())
        digest = hashlib.sha512(text.encode()).hexdigest()
        sign = self.hmac(f"{method}\n/api/v4{path}\n{query}\n{digest}\n{timestamp}")
        headers = {"KEY": self.key, "Timestamp": timestamp, "SIGN": sign, "X-Gate-Channel-Id": "hummingbot"}
        headers["Content-Type"] = "application/json"
        return self.call(method, self.rest + path, params=params, data=text or None, headers=headers)
