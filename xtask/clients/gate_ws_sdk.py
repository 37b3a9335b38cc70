"""gate-ws, Gate.io's own WebSocket client in Python: streams, and orders over them."""

import asyncio
import json

import gate_api
from gate_ws import Configuration, Connection
from gate_ws import spot
from harness import WAIT_SECONDS, Suite, decimal, expect, same
from places import client_id

PAIR = "BTC_USDT"


class Heard:
    """What came on a connection, by channel, as long as it is open."""

    def __init__(self, places, account=None, secret=None):
        found = places.accounts[account] if account else {"key": "", "secret": ""}
        self.coming = asyncio.Queue()
        self.conn = Connection(
            Configuration(
                host=places.ready["gateio"]["ws"],
                api_key=found["key"],
                api_secret=secret or found["secret"],
                event_loop=asyncio.get_running_loop(),
                default_callback=self.take,
                ping_interval=1,
                max_retry=1,
            )
        )

    async def take(self, _, response):
        await self.coming.put(response)

    async def __aenter__(self):
        self.running = asyncio.ensure_future(self.conn.run())
        return self

    async def __aexit__(self, *_):
        self.conn.close()
        await asyncio.wait([self.running], timeout=WAIT_SECONDS)

    async def until(self, wanted, what):
        """The first response for which `wanted` answers something. A connection that is gone never gives one."""
        async def look():
            while True:
                response = await self.coming.get()
                found = wanted(response)
                if found not in (None, False):
                    return found

        try:
            return await asyncio.wait_for(look(), WAIT_SECONDS)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: not within {WAIT_SECONDS} s") from None

    def update(self, channel):
        return self.until(lambda r: r.result if r.channel == channel and r.event == "update" else None, channel)

    async def subscribed(self, channel):
        response = await self.until(
            lambda r: r if r.channel == channel and r.event == "subscribe" else None, f"answer of {channel}"
        )
        expect(response.error is None, response)
        same(response.result, {"status": "success"}, "the answer")

    async def answer(self, name):
        """The last answer to a request of the trading interface: neither its login's nor an acknowledgement."""
        def look(response):
            message = json.loads(response.body)
            is_it = message.get("request_id") == name and not message.get("ack")
            return message if is_it and message["header"]["channel"] != "spot.login" else None

        return await self.until(look, f"the answer to {name}")


def suite(places):
    s = Suite("gate-ws", "gateio")
    public = gate_api.SpotApi(gate_api.ApiClient(gate_api.Configuration(host=places.ready["gateio"]["rest"])))

    def top():
        book = public.list_order_book(PAIR, limit=5)
        return decimal(book.bids[0][0]), decimal(book.asks[0][0])

    def order(price):
        price = str(decimal(price).quantize(decimal("0.1")))
        return {"text": client_id(), "currency_pair": PAIR, "side": "buy", "amount": "0.001", "price": price}

    @s.check("time")
    async def _():
        async with Heard(places) as heard:
            # The client pings by itself; every frame must name its channel, or it drops the connection.
            await heard.until(lambda r: r.channel == "spot.pong", "pong")

    streams = (
        ("watch ticker", spot.SpotTickerChannel, [PAIR], {"last", "lowest_ask", "highest_bid"}),
        ("watch trades", spot.SpotPublicTradeChannel, [PAIR], {"id", "create_time_ms", "side", "amount", "price", "range"}),
        ("watch candles", spot.SpotCandlesticksChannel, ["1m", PAIR], {"t", "v", "c", "h", "l", "o", "n", "a", "w"}),
        ("watch bids and asks", spot.SpotBookTickerChannel, [PAIR], {"t", "u", "s", "b", "B", "a", "A"}),
        ("watch limited book", spot.SpotOrderBookChannel, [PAIR, "5", "100ms"], {"t", "lastUpdateId", "s", "l", "bids", "asks"}),
    )
    for name, channel, payload, keys in streams:

        @s.check(name)
        async def _(channel=channel, payload=payload, keys=keys):
            async with Heard(places) as heard:
                channel(heard.conn).subscribe(payload)
                await heard.subscribed(channel.name)
                result = await heard.update(channel.name)
                expect(keys <= set(result), f"{keys - set(result)} missing in {result}")

    @s.check("watch order book")
    async def _():
        async with Heard(places) as heard:
            spot.SpotOrderBookUpdateChannel(heard.conn).subscribe([PAIR, "20ms"])
            await heard.subscribed("spot.order_book_update")
            last = None
            for _ in range(20):
                change = await heard.update("spot.order_book_update")
                expect(last is None or change["U"] == last + 1, f"a gap behind {last}: {change['U']}")
                last = change["u"]

    @s.check("unwatch")
    async def _():
        async with Heard(places) as heard:
            channel = spot.SpotBookTickerChannel(heard.conn)
            channel.subscribe([PAIR])
            await heard.update(channel.name)
            channel.unsubscribe([PAIR])
            await heard.until(lambda r: r.event == "unsubscribe", "the answer")
            await heard.until(lambda r: r.channel == "spot.pong", "pong")
            last = await heard.until(lambda r: r.channel, "whatever comes next")
            expect(last != channel.name, "it still comes")

    @s.check("orders over WebSocket")
    async def _():
        async with Heard(places, "rich") as heard:
            for private in (spot.SpotOrderChannel, spot.SpotUserTradesChannel):
                private(heard.conn).subscribe([PAIR])
                await heard.subscribed(private.name)
            spot.SpotBalanceChannel(heard.conn).subscribe([])
            await heard.subscribed("spot.balances")

            async def ask(channel, payload):
                name = client_id("q")
                channel(heard.conn).api_request(payload, header="gate-ws", req_id=name)
                return await heard.answer(name)

            wanted = order(top()[0] * decimal("0.9"))
            made = (await ask(spot.SpotOrderPlaceChannel, wanted))["data"]["result"]
            same((made["status"], made["text"]), ("open", wanted["text"]), "the order")
            one = {"order_id": made["id"], "currency_pair": PAIR}
            price = str(decimal(wanted["price"]) - 1)
            changed = (await ask(spot.SpotOrderAmendChannel, {**one, "price": price}))["data"]["result"]
            same(decimal(changed["price"]), decimal(price), "its new price")
            found = (await ask(spot.SpotOrderStatusChannel, one))["data"]["result"]
            same((found["id"], found["status"]), (made["id"], "open"), "the order again")
            gone = (await ask(spot.SpotOrderCancelChannel, one))["data"]["result"]
            same(gone["status"], "cancelled", "its end")
            refused = await ask(spot.SpotOrderCancelChannel, one)
            same((refused["header"]["status"], refused["data"]["errs"]["label"]), ("404", "ORDER_NOT_FOUND"), "twice")
            ids = [(await ask(spot.SpotOrderPlaceChannel, order(top()[0] * decimal("0.9"))))["data"]["result"]["id"] for _ in range(2)]
            rows = (await ask(spot.SpotOrderCancelIdsChannel, [{"currency_pair": PAIR, "id": ids[0]}]))["data"]["result"]
            same([(row["id"], row["succeeded"]) for row in rows], [(ids[0], True)], "by ids")
            rows = (await ask(spot.SpotOrderCancelCpChannel, {"currency_pair": PAIR, "side": "buy"}))["data"]["result"]
            expect(ids[1] in {row["id"] for row in rows}, f"all of a pair: {rows}")

    @s.check("watch orders, my trades, balance")
    async def _():
        async with Heard(places, "rich2") as heard:
            for private, payload in ((spot.SpotOrderChannel, [PAIR]), (spot.SpotUserTradesChannel, [PAIR]), (spot.SpotBalanceChannel, [])):
                private(heard.conn).subscribe(payload)
                await heard.subscribed(private.name)
            wanted = order(top()[1] + 100)
            spot.SpotOrderPlaceChannel(heard.conn).api_request(wanted, header="gate-ws", req_id="fill")
            told = {}

            def look(response):
                if response.event == "update":
                    told.setdefault(response.channel, []).extend(response.result)
                return len(told) == 3 and any(row["event"] == "finish" for row in told["spot.orders"])

            await heard.until(look, "the order, its fill, and balances")
            same({row["text"] for row in told["spot.orders"]}, {wanted["text"]}, "whose order")
            same(sum(decimal(row["amount"]) for row in told["spot.usertrades"]), decimal("0.001"), "its fills")

    @s.check("error: bad key on the private stream")
    async def _():
        async with Heard(places, "rich", secret="wrong") as heard:
            spot.SpotBalanceChannel(heard.conn).subscribe([])
            response = await heard.until(lambda r: r if r.error else None, "an error")
            same(response.error.code, 4, "its code")
            expect("INVALID_SIGNATURE" in response.error.message, response.error.message)

    @s.check("error: bad symbol")
    async def _():
        async with Heard(places) as heard:
            spot.SpotTickerChannel(heard.conn).subscribe(["NO_PAIR"])
            response = await heard.until(lambda r: r if r.error else None, "an error")
            same(response.error.code, 2, "its code")

    return s


def suites(places):
    return [suite(places)]
