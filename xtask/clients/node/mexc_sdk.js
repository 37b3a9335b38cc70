// mexc-api-sdk, MEXC's own client: everything in the query, the key's header on public calls too, no recvWindow.

const { Suite, assert, clientId, keys, ready, until } = require("./driver.js");
const { Spot } = require("mexc-api-sdk");

const SYMBOL = "BTCUSDT";

function client(account) {
  const spot = new Spot(account.key, account.secret);
  spot.config.baseURL = `${ready.mexc.rest}/api/v3`;
  return spot;
}

exports.suites = () => {
  const s = new Suite("mexc-sdk", "mexc");
  const open = client({ key: "", secret: "" });
  const rich = client(keys("rich"));
  const price = (factor) => (open.bookTicker(SYMBOL).askPrice * factor).toFixed(2);

  const place = (factor, type = "LIMIT") => {
    const newClientOrderId = clientId("sdk");
    const made = rich.newOrder(SYMBOL, "BUY", type, { quantity: "0.001", price: price(factor), newClientOrderId });
    return { ...made, newClientOrderId };
  };

  const refused = (status, code, call) => {
    assert.throws(call, (error) => {
      assert.equal(error.statusCode, status);
      assert.equal(JSON.parse(error.body).code, code);
      return true;
    });
  };

  s.check("time", () => {
    assert.deepEqual(open.ping(), {});
    assert.ok(Math.abs(open.time().serverTime - Date.now()) < 2000);
  });
  s.check("markets", () => {
    const info = open.exchangeInfo({ symbol: SYMBOL });
    assert.deepEqual(info.symbols.map((one) => one.symbol), [SYMBOL]);
    assert.equal(open.exchangeInfo({ symbols: `${SYMBOL},ETHUSDT` }).symbols.length, 2);
  });
  s.check("order book", () => {
    const book = open.depth(SYMBOL, { limit: 20 });
    assert.equal(book.bids.length, 20);
    assert.ok(Number(book.bids[0][0]) < Number(book.asks[0][0]) && book.lastUpdateId > 0);
  });
  s.check("trades", async () => {
    const rows = await until(() => open.trades(SYMBOL, { limit: 10 }), "trades");
    assert.ok(rows.length > 0 && open.historicalTrades(SYMBOL, { limit: 5 }).length > 0);
    assert.ok(open.aggTrades(SYMBOL, { limit: 5 }).every((row) => Number(row.p) > 0));
  });
  s.check("candles", () => {
    for (const interval of ["1m", "60m", "1d"]) {
      assert.ok(open.klines(SYMBOL, interval, { limit: 5 }).every((row) => row.length === 8));
    }
  });
  s.check("tickers", () => {
    assert.equal(open.ticker24hr(SYMBOL).symbol, SYMBOL);
    assert.ok(Number(open.tickerPrice(SYMBOL).price) > 0 && Number(open.avgPrice(SYMBOL).price) > 0);
    assert.ok(open.bookTicker().length >= 10);
  });
  s.check("balances", () => {
    const held = rich.accountInfo().balances.find((row) => row.asset === "USDT");
    assert.ok(Number(held.free) > 50_000);
  });
  s.check("test order", () => {
    assert.deepEqual(rich.newOrderTest(SYMBOL, "BUY", "LIMIT", { quantity: "0.001", price: price(0.9) }), {});
  });
  s.check("limit order rests, is fetched, is cancelled", () => {
    const made = place(0.9);
    assert.equal(rich.queryOrder(SYMBOL, { orderId: made.orderId }).status, "NEW");
    assert.ok(rich.openOrders(SYMBOL).some((order) => order.orderId === made.orderId));
    const gone = rich.cancelOrder(SYMBOL, { origClientOrderId: made.newClientOrderId });
    assert.equal(gone.orderId, made.orderId);
    assert.equal(rich.queryOrder(SYMBOL, { orderId: made.orderId }).status, "CANCELED");
  });
  s.check("cancel all", () => {
    const ids = [place(0.9).orderId, place(0.9).orderId];
    const gone = rich.cancelOpenOrders(SYMBOL).map((order) => order.orderId);
    assert.ok(ids.every((id) => gone.includes(id)));
    assert.deepEqual(rich.openOrders(SYMBOL), []);
  });
  s.check("IOC order fills, and its trades are told", async () => {
    const made = place(1.01, "IMMEDIATE_OR_CANCEL");
    const order = rich.queryOrder(SYMBOL, { orderId: made.orderId });
    assert.equal(order.status, "FILLED");
    const rows = rich.accountTradeList(SYMBOL, { orderId: made.orderId });
    assert.equal(rows.reduce((sum, row) => sum + Number(row.qty), 0), 0.001);
    assert.ok(rich.allOrders(SYMBOL).some((one) => one.orderId === made.orderId));
  });
  s.check("refusals", () => {
    refused(400, 10072, () => client({ key: "nobody", secret: "x" }).accountInfo());
    refused(400, 700002, () => client({ key: keys("rich").key, secret: "wrong" }).accountInfo());
    refused(400, -1121, () => open.depth("NOPE"));
    refused(400, -2013, () => rich.queryOrder(SYMBOL, { orderId: "C02__1" }));
    refused(400, 30004, () => rich.newOrder(SYMBOL, "BUY", "LIMIT", { quantity: "3", price: price(1) }));
    refused(400, 30002, () => rich.newOrder(SYMBOL, "BUY", "LIMIT", { quantity: "0.000001", price: "1000" }));
  });
  return [s];
};
