// ccxt for Node: another language and other libraries beneath (undici, ws, protobufjs) than ccxt in Python.

const { Suite, assert, clientId, keys, ready, until, within, WAIT_MS } = require("./driver.js");
const ccxt = require("ccxt");

const SYMBOL = "BTC/USDT";

function exchange(name, account) {
  const { key: apiKey, secret } = account ? keys(account) : {};
  const { rest, ws } = ready[name];
  const usual = { apiKey, secret, enableRateLimit: false };
  if (name === "mexc") {
    const x = new ccxt.pro.mexc({ ...usual, options: { defaultType: "spot" } });
    x.urls.api.spot = { public: rest, private: rest };
    x.urls.api.contract = { public: `${rest}/api/v1/contract`, private: `${rest}/api/v1/private` };
    x.urls.api.ws = { spot: ws, swap: ws };
    return x;
  }
  // Nothing is told of markets here: the client asks for futures and options too, and finds none.
  const x = new ccxt.pro.gate(usual);
  for (const side of ["public", "private"]) {
    for (const part of Object.keys(x.urls.api[side])) x.urls.api[side][part] = rest;
  }
  x.urls.api.spot = x.urls.api.ws = ws;
  return x;
}

exports.suites = () => ["mexc", "gateio"].map(suite);

function suite(name) {
  const s = new Suite("ccxt-node", name);
  const open = exchange(name);
  const rich = exchange(name, "rich");
  s.close = () => Promise.all([open.close(), rich.close()]);

  const watched = async (watch, wanted, what) => {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const delivered = await within(watch(), Math.max(deadline - Date.now(), 1), what);
      const found = wanted(delivered);
      if (found) return found;
    }
  };
  const price = async (factor) => {
    const book = await open.fetchOrderBook(SYMBOL, 5);
    return Number(open.priceToPrecision(SYMBOL, book.asks[0][0] * factor));
  };

  s.check("markets", async () => {
    // Without it there is no `ws://` without TLS.
    for (const one of [open, rich]) {
      await one.loadHttpProxyAgent();
      await one.loadMarkets();
    }
    assert.ok(open.symbols.length >= 10 && open.market(SYMBOL).spot);
  });
  s.check("order book", async () => {
    const book = await open.fetchOrderBook(SYMBOL, 20);
    assert.ok(book.bids.length === 20 && book.bids[0][0] < book.asks[0][0] && book.nonce > 0);
  });
  s.check("trades", () => until(async () => (await open.fetchTrades(SYMBOL)).length > 0, "trades"));
  s.check("balances", async () => assert.ok((await rich.fetchBalance()).USDT.free > 10_000));
  s.check("limit order rests, is fetched, is cancelled", async () => {
    const made = await rich.createOrder(SYMBOL, "limit", "buy", 0.001, await price(0.9));
    assert.equal((await rich.fetchOrder(made.id, SYMBOL)).status, "open");
    await rich.cancelOrder(made.id, SYMBOL);
    assert.equal((await rich.fetchOrder(made.id, SYMBOL)).status, "canceled");
  });
  s.check("limit that takes", async () => {
    const made = await rich.createOrder(SYMBOL, "limit", "buy", 0.001, await price(1.01), { clientOrderId: clientId("t-") });
    const order = await until(async () => {
      const found = await rich.fetchOrder(made.id, SYMBOL);
      return found.filled === 0.001 && found;
    }, "a fill");
    assert.equal(order.status, "closed");
  });
  s.check("error: bad symbol", () => assert.rejects(open.fetchTicker("NO/PAIR"), ccxt.BadSymbol));
  s.check("error: insufficient funds", async () => {
    await assert.rejects(rich.createOrder(SYMBOL, "limit", "buy", 5, await price(0.9)), ccxt.InsufficientFunds);
  });
  s.check("watch order book", () =>
    watched(() => open.watchOrderBook(SYMBOL), (book) => book.bids.length > 0 && book.bids[0][0] < book.asks[0][0], "a book"));
  s.check("watch trades", () => watched(() => open.watchTrades(SYMBOL), (trades) => trades.length > 0, "a trade"));
  s.check("watch orders", async () => {
    const mine = [];
    let seen = false;
    const coming = watched(() => rich.watchOrders(SYMBOL), (orders) => orders.some((order) => mine.includes(order.clientOrderId)), "the order")
      .then(() => { seen = true; });
    // The stream has no snapshot, and nobody tells when it stands: orders are placed until one is seen.
    await until(async () => {
      mine.push(clientId("t-"));
      await rich.createOrder(SYMBOL, "limit", "buy", 0.001, await price(0.9), { clientOrderId: mine.at(-1) });
      return seen;
    }, "an order on the stream");
    await coming;
    await rich.cancelAllOrders(SYMBOL);
  });
  return s;
}
