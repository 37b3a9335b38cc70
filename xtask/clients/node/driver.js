// Drives a running `arb sim` with public clients for Node: `node driver.js READY`, where READY is the line that
// `arb sim --json` prints first. Tells its plan, one line per check, and its end, as the driver in Python does.

const assert = require("node:assert/strict");
const { performance } = require("node:perf_hooks");

const ready = JSON.parse(process.argv[2]);
const WAIT_MS = 10_000;
const CHECK_MS = 25_000;

const tell = (fields) => process.stdout.write(JSON.stringify(fields) + "\n");

/** The checks of one client against one exchange. */
class Suite {
  constructor(client, exchange) {
    this.client = client;
    this.exchange = exchange;
    this.checks = [];
  }

  check(name, run) {
    this.checks.push({ name, run });
  }

  plan() {
    return this.checks.map(({ name }) => ({ client: this.client, exchange: this.exchange, check: name }));
  }

  async run() {
    for (const { name, run } of this.checks) {
      const began = performance.now();
      let detail = null;
      try {
        await within(Promise.resolve().then(run), CHECK_MS, "the check");
      } catch (error) {
        detail = `${error.name}: ${error.message}`.slice(0, 600);
      }
      const ms = Math.round(performance.now() - began);
      tell({ event: "check", client: this.client, exchange: this.exchange, check: name, ok: detail === null, detail, ms });
    }
  }
}

function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Calls `look` until it answers something. */
async function until(look, what) {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(performance.now() < deadline, `${what}: not within ${WAIT_MS} ms`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

const keys = (name) => ready.accounts.find((account) => account.name === name);

let used = 0;
const clientId = (prefix) => `${prefix}${Date.now() % 1e9}-${++used}`;

module.exports = { Suite, assert, clientId, keys, ready, tell, until, within, WAIT_MS };

if (require.main === module) {
  const suites = [...require("./mexc_sdk.js").suites(), ...require("./ccxt_node.js").suites()];
  (async () => {
    tell({ event: "plan", checks: suites.flatMap((suite) => suite.plan()) });
    for (const suite of suites) {
      await suite.run();
      if (suite.close) await suite.close();
    }
    tell({ event: "end" });
    process.exit(0);
  })();
}
