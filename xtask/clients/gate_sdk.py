"""gate-api, Gate.io's own client in Python: it validates every enumeration of what it is answered."""

import gate_api
from gate_api.exceptions import GateApiException
from harness import Suite, decimal, expect, same, until
from places import client_id

PAIR = "BTC_USDT"


def suite(places):
    s = Suite("gate-api", "gateio")

    def api_client(account=None, **keys):
        found = places.accounts[account] if account else keys
        host = places.ready["gateio"]["rest"]
        return gate_api.ApiClient(gate_api.Configuration(host=host, key=found.get("key"), secret=found.get("secret")))

    def spot(account=None, **keys):
        return gate_api.SpotApi(api_client(account, **keys))

    public, rich = spot(), spot("rich")

    def top():
        book = public.list_order_book(PAIR, limit=5)
        return decimal(book.bids[0][0]), decimal(book.asks[0][0])

    def order(side="buy", amount="0.001", price=None, factor="0.9", **more):
        price = price or str((top()[0] * decimal(factor)).quantize(decimal("0.1")))
        return gate_api.Order(
            text=client_id(), currency_pair=PAIR, side=side, amount=amount, price=price, type="limit", **more
        )

    def refused(label, status, call, *args, **kwargs):
        try:
            answer = call(*args, **kwargs)
        except GateApiException as error:
            same((error.label, error.status), (label, status), f"refusal ({error.message})")
            return
        raise AssertionError(f"no {label}: it answered {str(answer)[:200]}")

    @s.check("markets")
    def _():
        pairs = public.list_currency_pairs()
        expect(len(pairs) >= 10, f"{len(pairs)} pairs")
        one = public.get_currency_pair(PAIR)
        same((one.id, one.trade_status), (PAIR, "tradable"), "the pair")
        expect(isinstance(one.precision, int) and isinstance(one.amount_precision, int), one)

    @s.check("time")
    def _():
        expect(abs(public.get_system_time().server_time / 1000 - places_time()) < 2, "apart")

    @s.check("currencies")
    def _():
        expect(any(c.currency == "BTC" for c in public.list_currencies()), "no BTC")
        expect(public.get_currency("USDT").chains, "USDT has no chains")

    @s.check("order book")
    def _():
        book = public.list_order_book(PAIR, limit=20, with_id=True)
        same((len(book.bids), len(book.asks)), (20, 20), "levels")
        expect(book.id > 0 and book.current >= book.update, book)

    @s.check("trades")
    def _():
        trades = until(lambda: public.list_trades(PAIR, limit=50) or None, "trades")
        ids = [int(trade.id) for trade in trades]
        expect(ids == sorted(ids, reverse=True), "not newest first")

    @s.check("candles")
    def _():
        for interval in ("10s", "1m", "1h", "1d"):
            rows = until(lambda: public.list_candlesticks(PAIR, interval=interval, limit=5) or None, interval)
            same({len(row) for row in rows}, {8}, "columns")

    @s.check("tickers")
    def _():
        expect(len(public.list_tickers()) >= 10, "few tickers")
        one = public.list_tickers(currency_pair=PAIR, timezone="utc0")
        same(len(one), 1, "tickers of one pair")
        expect(decimal(one[0].highest_bid) < decimal(one[0].lowest_ask), one)

    @s.check("balances")
    def _():
        accounts = {row.currency: row for row in rich.list_spot_accounts()}
        expect(decimal(accounts["USDT"].available) > 50_000, accounts["USDT"])
        same([row.currency for row in rich.list_spot_accounts(currency="BTC")], ["BTC"], "one coin")

    @s.check("fees")
    def _():
        fee = rich.get_fee(currency_pair=PAIR)
        expect(0 <= decimal(fee.maker_fee) <= decimal("0.01"), fee)
        both = rich.get_batch_spot_fee("BTC_USDT,ETH_USDT")
        same(set(both), {"BTC_USDT", "ETH_USDT"}, "pairs")
        def wallet(account):
            return gate_api.WalletApi(api_client(account))

        # Of the account as a whole a key must reach wallets to read it.
        refused("FORBIDDEN", 403, wallet("rich").get_trade_fee, currency_pair=PAIR)
        same(wallet("can-withdraw").get_trade_fee(currency_pair=PAIR).taker_fee, fee.taker_fee, "taker fee")

    @s.check("account")
    def _():
        detail = gate_api.AccountApi(api_client("rich")).get_account_detail()
        same(detail.key.mode, 1, "mode")
        expect(gate_api.AccountApi(api_client("rich")).get_account_rate_limit(), "no limits")

    @s.check("account book")
    def _():
        made = rich.create_order(order("buy", price=str(top()[1] + 100), time_in_force="ioc"))
        rows = until(lambda: rich.list_spot_account_book(currency="BTC", limit=10) or None, "rows")
        expect(any(decimal(row.change) > 0 for row in rows), f"{made.id}: nothing came in: {rows}")

    @s.check("limit order rests, is fetched, is cancelled")
    def _():
        wanted = order()
        made = rich.create_order(wanted)
        same((made.status, made.finish_as, made.text), ("open", "open", wanted.text), "the order")
        for name in (made.id, wanted.text):
            found = rich.get_order(name, PAIR)
            same((found.id, found.left), (made.id, made.amount), "the order again")
        gone = rich.cancel_order(made.id, PAIR)
        same((gone.status, gone.finish_as), ("cancelled", "cancelled"), "its end")

    @s.check("client order id")
    def _():
        wanted = order()
        rich.create_order(wanted)
        same(rich.cancel_order(wanted.text, PAIR).text, wanted.text, "text")

    @s.check("cancel all")
    def _():
        made = {rich.create_order(order()).id for _ in range(3)}
        gone = rich.cancel_orders(currency_pair=PAIR)
        expect(made <= {row.id for row in gone}, "not all of them")
        same(rich.list_orders(PAIR, "open"), [], "open orders")

    @s.check("market buy by cost")
    def _():
        wanted = gate_api.Order(
            text=client_id(), currency_pair=PAIR, side="buy", amount="30", type="market", time_in_force="ioc"
        )
        made = rich.create_order(wanted)
        same((made.status, made.finish_as), ("closed", "filled"), "the order")
        same(decimal(made.left) + decimal(made.filled_total), decimal(30), "left and filled")

    @s.check("market sell")
    def _():
        wanted = gate_api.Order(
            text=client_id(), currency_pair=PAIR, side="sell", amount="0.001", type="market", time_in_force="ioc"
        )
        made = rich.create_order(wanted)
        same((made.status, decimal(made.filled_amount)), ("closed", decimal("0.001")), "the order")

    @s.check("IOC that takes, IOC that does not")
    def _():
        made = rich.create_order(order(price=str(top()[1] + 100), time_in_force="ioc"))
        same((made.status, made.finish_as), ("closed", "filled"), "the order")
        made = rich.create_order(order(time_in_force="ioc"))
        same((made.status, made.finish_as), ("cancelled", "ioc"), "the order far from the market")

    @s.check("FOK")
    def _():
        made = rich.create_order(order(price=str(top()[1] + 100), time_in_force="fok"))
        same(made.finish_as, "filled", "the order")
        refused("FOK_NOT_FILL", 400, rich.create_order, order(time_in_force="fok"))

    @s.check("post-only rests")
    def _():
        made = rich.create_order(order(time_in_force="poc"))
        same((made.status, made.time_in_force), ("open", "poc"), "the order")
        rich.cancel_order(made.id, PAIR)

    @s.check("post-only that would take does not")
    def _():
        wanted = order(price=str(top()[1] + 100), time_in_force="poc")
        refused("POC_FILL_IMMEDIATELY", 400, rich.create_order, wanted)

    @s.check("amend")
    def _():
        made = rich.create_order(order())
        found = rich.amend_order(made.id, gate_api.OrderPatch(amount="0.002"), currency_pair=PAIR)
        same((found.id, decimal(found.amount)), (made.id, decimal("0.002")), "the order")
        rich.cancel_order(made.id, PAIR)

    @s.check("batch of orders")
    def _():
        good = [gate_api.BatchOrder(**fields(order())) for _ in range(2)]
        bad = gate_api.BatchOrder(**fields(order(amount="0.0000001")))
        rows = rich.create_batch_orders([good[0], bad, good[1]])
        same([row.succeeded for row in rows], [True, False, True], "succeeded")
        gone = rich.cancel_batch_orders(
            [gate_api.CancelBatchOrder(currency_pair=PAIR, id=rows[index].id) for index in (0, 2)]
        )
        same([row.succeeded for row in gone], [True, True], "cancelled")

    def fields(made):
        return {key: getattr(made, key) for key in ("text", "currency_pair", "side", "amount", "price", "type")}

    @s.check("open orders")
    def _():
        made = rich.create_order(order())
        pairs = {row.currency_pair: row for row in rich.list_all_open_orders()}
        expect(any(row.id == made.id for row in pairs[PAIR].orders), "not among them")
        same(pairs[PAIR].total, len(pairs[PAIR].orders), "total")
        rich.cancel_order(made.id, PAIR)

    @s.check("closed orders")
    def _():
        rows = rich.list_orders(PAIR, "finished", limit=100)
        expect(len(rows) >= 5 and all(row.status != "open" for row in rows), rows[:2])

    @s.check("my trades of one order")
    def _():
        made = rich.create_order(order(price=str(top()[1] + 100), time_in_force="ioc"))
        rows = rich.list_my_trades(currency_pair=PAIR, order_id=made.id)
        same(sum(decimal(row.amount) for row in rows), decimal(made.filled_amount), "filled")
        same(sum(decimal(row.fee) for row in rows), decimal(made.fee), "fee")
        same({row.role for row in rows}, {"taker"}, "role")

    @s.check("countdown")
    def _():
        armed = rich.countdown_cancel_all_spot(gate_api.CountdownCancelAllSpotTask(timeout=30, currency_pair=PAIR))
        expect(int(armed.trigger_time) > 0, armed)
        rich.countdown_cancel_all_spot(gate_api.CountdownCancelAllSpotTask(timeout=0, currency_pair=PAIR))

    @s.check("price-triggered orders")
    def _():
        trigger = gate_api.SpotPriceTrigger(price=str((top()[0] / 2).quantize(decimal("0.1"))), rule="<=", expiration=3600)
        put = gate_api.SpotPricePutOrder(
            type="limit", side="buy", price="20000", amount="0.001", account="normal", time_in_force="gtc"
        )
        wanted = gate_api.SpotPriceTriggeredOrder(trigger=trigger, put=put, market=PAIR)
        made = rich.create_spot_price_triggered_order(wanted)
        found = rich.get_spot_price_triggered_order(made.id)
        same((found.market, found.status), (PAIR, "open"), "the order")
        expect(any(row.id == made.id for row in rich.list_spot_price_triggered_orders("open")), "not open")
        gone = rich.cancel_spot_price_triggered_order(made.id)
        same(gone.status, "cancelled", "status")

    @s.check("error: bad key")
    def _():
        refused("INVALID_KEY", 401, spot(key="nobody", secret="x").list_spot_accounts)

    @s.check("error: bad signature")
    def _():
        wrong = {"key": places.accounts["rich"]["key"], "secret": "wrong"}
        refused("INVALID_SIGNATURE", 401, spot(**wrong).list_spot_accounts)

    @s.check("error: bad symbol")
    def _():
        refused("INVALID_CURRENCY_PAIR", 400, public.list_order_book, "NO_SUCH")
        refused("INVALID_CURRENCY", 400, public.get_currency, "NOSUCH")

    @s.check("error: insufficient funds")
    def _():
        refused("BALANCE_NOT_ENOUGH", 400, spot("poor").create_order, order(amount="0.01"))

    @s.check("error: order not found")
    def _():
        refused("ORDER_NOT_FOUND", 404, rich.get_order, "999999999999", PAIR)
        refused("ORDER_NOT_FOUND", 404, rich.cancel_order, "999999999999", PAIR)

    @s.check("error: below minimum")
    def _():
        refused("INVALID_PARAM_VALUE", 400, rich.create_order, order(amount="0.00001"))

    @s.check("error: too many decimals")
    def _():
        refused("INVALID_PRECISION", 400, rich.create_order, order(price="50000.123456789"))

    @s.check("error: read-only key")
    def _():
        refused("READ_ONLY", 403, spot("read-only").create_order, order())

    return s


def places_time():
    import time

    return time.time()
