"""Where the simulator is, and clients pointed at it the way their users would."""

import time

import ccxt
import ccxt.pro as pro

# What every check trades.
SYMBOL = "BTC/USDT"


class Places:
    """Addresses and keys out of the line `arb sim --json` prints when it is ready."""

    def __init__(self, ready):
        self.ready = ready
        self.accounts = {account["name"]: account for account in ready["accounts"]}

    def keys(self, account):
        found = self.accounts[account]
        return {"apiKey": found["key"], "secret": found["secret"]}

    def mexc(self, kind=ccxt.mexc, account=None, **config):
        rest, ws = self.ready["mexc"]["rest"], self.ready["mexc"]["ws"]
        keys = self.keys(account) if account else {}
        client = kind({**keys, "enableRateLimit": False, "options": {"defaultType": "spot"}, **config})
        client.urls["api"]["spot"] = {"public": rest, "private": rest}
        client.urls["api"]["contract"] = {
            "public": rest + "/api/v1/contract",
            "private": rest + "/api/v1/private",
        }
        client.urls["api"]["ws"] = {"spot": ws, "swap": ws}
        return client

    def gate(self, kind=ccxt.gate, account=None, **config):
        rest, ws = self.ready["gateio"]["rest"], self.ready["gateio"]["ws"]
        keys = self.keys(account) if account else {}
        options = {"fetchMarkets": {"types": ["spot"]}}
        client = kind({**keys, "enableRateLimit": False, "options": options, **config})
        for side in ("public", "private"):
            for name in client.urls["api"][side]:
                client.urls["api"][side][name] = rest
        client.urls["api"]["spot"] = client.urls["api"]["ws"] = ws
        return client

    def of(self, exchange, account=None, **config):
        return (self.mexc if exchange == "mexc" else self.gate)(account=account, **config)

    def pro_of(self, exchange, account=None, kind=None, **config):
        make, usual = (self.mexc, pro.mexc) if exchange == "mexc" else (self.gate, pro.gate)
        return make(kind=kind or usual, account=account, **config)


_used = 0


def client_id(prefix="t-"):
    """A client order id that was never used."""
    global _used
    _used += 1
    return f"{prefix}{int(time.time() * 1000) % 10**9}-{_used}"
