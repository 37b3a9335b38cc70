"""pymexc, a client of MEXC alone: REST as it signs, and its own protobuf over its own WebSocket."""

import queue

import pymexc.base_websocket as base_websocket
from harness import WAIT_SECONDS, Suite, decimal, expect, same, until
from places import client_id
from pymexc import spot
from pymexc.base import MexcAPIError

SYMBOL = "BTCUSDT"


def suite(places):
    s = Suite("pymexc", "mexc")
    rest, ws = places.ready["mexc"]["rest"], places.ready["mexc"]["ws"]

    def http(account=None, **keys):
        found = places.accounts[account] if account else keys
        client = spot.HTTP(api_key=found.get("key"), api_secret=found.get("secret"))
        client.base_url = rest
        return client

    public, rich = http(), http("rich")

    def top():
        book = public.order_book(SYMBOL, 5)
        return decimal(book["bids"][0][0]), decimal(book["asks"][0][0])

    def place(side="BUY", kind="LIMIT", quantity="0.001", price=None, factor="0.9"):
        price = price or str((top()[0] * decimal(factor)).quantize(decimal("0.01")))
        name = client_id("px")
        return rich.order(SYMBOL, side, kind, quantity=quantity, price=price, new_client_order_id=name), name

    def refused(code, call, *args, **kwargs):
        try:
            answer = call(*args, **kwargs)
        except MexcAPIError as error:
            expect(str(error).startswith(f"(code={code})"), f"not {code}: {error}")
            return
        raise AssertionError(f"no {code}: it answered {str(answer)[:200]}")

    def stream(account=None, listen_key=None):
        """A socket of the simulator's: where it connects to is a constant of the library."""
        base_websocket.SPOT = ws
        client = spot.WebSocket(listenKey=listen_key)
        client.endpoint = f"{ws}?listenKey={listen_key}" if listen_key else ws
        return client

    def gather(heard, kinds):
        """One message of each kind."""
        told = {}

        def look():
            try:
                message = heard.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                return None
            told[type(message).__name__] = message
            return kinds <= set(told)

        until(look, f"all of {sorted(kinds)}; what came: {sorted(told)}")
        return told

    @s.check("time")
    def _():
        expect(public.ping() == {} and public.time()["serverTime"] > 0, "no time")

    @s.check("markets")
    def _():
        info = public.exchange_info(SYMBOL)
        same([one["symbol"] for one in info["symbols"]], [SYMBOL], "one symbol")
        both = public.exchange_info(symbols=[SYMBOL, "ETHUSDT"])
        same({one["symbol"] for one in both["symbols"]}, {SYMBOL, "ETHUSDT"}, "two symbols")
        expect(SYMBOL in public.default_symbols()["data"], "not tradable")

    @s.check("order book")
    def _():
        book = public.order_book(SYMBOL, 20)
        same((len(book["bids"]), len(book["asks"])), (20, 20), "levels")
        expect(book["lastUpdateId"] > 0, book)

    @s.check("trades")
    def _():
        until(lambda: public.trades(SYMBOL, 10) or None, "trades")
        expect(public.agg_trades(SYMBOL), "no aggregate trades")

    @s.check("candles")
    def _():
        rows = until(lambda: public.klines(SYMBOL, "1m", limit=5) or None, "candles")
        same({len(row) for row in rows}, {8}, "columns")

    @s.check("tickers")
    def _():
        same(public.ticker_24h(SYMBOL)["symbol"], SYMBOL, "the day's")
        same(len(public.ticker_price(symbols=[SYMBOL, "ETHUSDT"])), 2, "prices")
        one = public.ticker_book_price(SYMBOL)
        expect(decimal(one["bidPrice"]) < decimal(one["askPrice"]), one)

    @s.check("balances")
    def _():
        held = {row["asset"]: row for row in rich.account_information()["balances"]}
        expect(decimal(held["USDT"]["free"]) > 50_000, held["USDT"])

    @s.check("account")
    def _():
        expect(rich.get_uid()["uid"] and rich.get_kyc_status()["status"], "no account")
        expect(any(coin["coin"] == "BTC" for coin in rich.get_currency_info()), "no BTC")

    @s.check("fees")
    def _():
        fees = rich.query_symbol_commission(SYMBOL)["data"]
        expect(0 <= fees["makerCommission"] <= fees["takerCommission"] <= 0.01, fees)

    @s.check("fees in MX")
    def _():
        for wanted in (True, False):
            rich.enable_mx_deduct(str(wanted).lower())
            same(rich.query_mx_deduct_status()["data"]["mxDeductEnable"], wanted, "deduction")

    @s.check("limit order rests, is fetched, is cancelled")
    def _():
        made, name = place()
        found = rich.query_order(SYMBOL, order_id=made["orderId"])
        same((found["clientOrderId"], found["status"]), (name, "NEW"), "the order")
        expect(any(one["orderId"] == made["orderId"] for one in rich.current_open_orders(SYMBOL)), "not open")
        gone = rich.cancel_order(SYMBOL, order_id=made["orderId"])
        same(gone["orderId"], made["orderId"], "what was cancelled")
        same(rich.query_order(SYMBOL, orig_client_order_id=name)["status"], "CANCELED", "its end")

    @s.check("cancel all")
    def _():
        place(), place()
        rich.cancel_all_open_orders(SYMBOL)
        same(rich.current_open_orders(SYMBOL), [], "open orders")

    @s.check("IOC order fills, and its trades are told")
    def _():
        made, _name = place(kind="IMMEDIATE_OR_CANCEL", price=str(top()[1] + 50))
        found = until(
            lambda: (lambda o: o if o["status"] == "FILLED" else None)(rich.query_order(SYMBOL, order_id=made["orderId"])),
            "a fill",
        )
        same(decimal(found["executedQty"]), decimal("0.001"), "what was filled")
        rows = [row for row in rich.account_trade_list(SYMBOL) if row["orderId"] == made["orderId"]]
        same(sum(decimal(row["qty"]) for row in rows), decimal("0.001"), "its trades")
        expect(all(row["clientOrderId"] is None for row in rows), rows)
        expect(any(row["orderId"] == made["orderId"] for row in rich.all_orders(SYMBOL)), "not in the history")

    @s.check("market order by quote")
    def _():
        made = rich.order(SYMBOL, "BUY", "MARKET", quote_order_qty="20")
        until(lambda: rich.query_order(SYMBOL, order_id=made["orderId"])["status"] in ("FILLED", "PARTIALLY_CANCELED"), "an end")

    @s.check("test order")
    def _():
        same(rich.test_order(SYMBOL, "BUY", "LIMIT", quantity="0.001", price="50000"), {}, "the answer")

    @s.check("refusals")
    def _():
        refused(10072, http(key="nobody", secret="x").account_information)
        refused(700002, http(key=places.accounts["rich"]["key"], secret="wrong").account_information)
        refused(-1121, public.order_book, "NOPE")
        refused(30004, rich.order, SYMBOL, "BUY", "LIMIT", quantity="3", price=str(top()[0]))
        refused(30002, rich.order, SYMBOL, "BUY", "LIMIT", quantity="0.000001", price="1000")
        refused(-2013, rich.query_order, SYMBOL, order_id="C02__1")

    @s.check("public streams")
    def _():
        heard = queue.Queue()
        client = stream()
        try:
            client.depth_stream(heard.put, SYMBOL, "10ms")
            client.deals_stream(heard.put, SYMBOL, "100ms")
            client.book_ticker_stream(heard.put, SYMBOL, "10ms")
            # Its limit depth is left out: it asks for `..@5@BTCUSDT`, where MEXC wants `..@BTCUSDT@5`.
            gather(heard, {"PublicAggreDepthsV3Api", "PublicAggreDealsV3Api", "PublicAggreBookTickerV3Api"})
        finally:
            client.exit()

    @s.check("private stream")
    def _():
        heard = queue.Queue()
        client = stream(listen_key=rich.create_listen_key()["listenKey"])
        try:
            client.account_orders(heard.put)
            client.account_deals(heard.put)
            client.account_update(heard.put)
            made, name = place(kind="IMMEDIATE_OR_CANCEL", price=str(top()[1] + 50))
            told = gather(heard, {"PrivateOrdersV3Api", "PrivateDealsV3Api", "PrivateAccountV3Api"})
            same(told["PrivateOrdersV3Api"].clientId, name, "whose order")
        finally:
            client.exit()

    @s.check("listen keys")
    def _():
        key = rich.create_listen_key()["listenKey"]
        expect(key in rich.get_listen_keys()["listenKey"], "not listed")
        same(rich.keep_alive_listen_key(key)["listenKey"], key, "kept alive")
        rich.close_listen_key(key)
        expect(key not in rich.get_listen_keys()["listenKey"], "still listed")

    return s
