//! The names of channels, exactly as clients must spell them.

use super::klines::Interval;
use super::listings::Listings;
use crate::matching::MarketIndex;

/// The channel of all tickers, up to its zone.
const MINI_TICKERS: &str = "spot@public.miniTickers.v3.api.pb@";

/// What can be subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// Public, of one market.
    Public(MarketIndex, Topic),
    /// What happened in a day, of all markets.
    Everything(Zone),
    /// Of the account whose listen key opened the connection.
    Private(Private),
}

/// What a public channel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Changes of the book, gathered.
    Depth(Speed),
    /// Changes of the book one by one, at most five in a frame: the first generation, no longer documented.
    DepthSteps,
    /// Trades, gathered.
    Deals(Speed),
    /// Best bid and ask.
    BookTicker(Speed),
    /// Best bid and ask, in batches of one.
    TickerBatch,
    /// The best 5, 10 or 20 levels.
    LimitDepth(u8),
    /// What happened in a day.
    MiniTicker(Zone),
    /// The current candlestick.
    Kline(Interval),
}

/// How long changes are gathered where the client chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speed {
    /// `10ms`
    Ms10,
    /// `100ms`
    Ms100,
}

/// Whose day a ticker shows. Only the name of the channel depends on it here: the day is always the last 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// `24H`
    Rolling,
    /// `UTC+8` and the like.
    Utc(i8),
}

/// What a private channel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Private {
    /// Balances.
    Account,
    /// Fills.
    Deals,
    /// Orders.
    Orders,
}

impl Private {
    /// The channel's full name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Account => "spot@private.account.v3.api.pb",
            Self::Deals => "spot@private.deals.v3.api.pb",
            Self::Orders => "spot@private.orders.v3.api.pb",
        }
    }
}

impl Topic {
    /// The channel without its symbol, where frames repeat that.
    pub(super) const fn event_type(self) -> &'static str {
        match self {
            Self::Depth(Speed::Ms10) => "spot@public.aggre.depth.v3.api.pb@10ms",
            Self::Depth(Speed::Ms100) => "spot@public.aggre.depth.v3.api.pb@100ms",
            Self::Deals(Speed::Ms10) => "spot@public.aggre.deals.v3.api.pb@10ms",
            Self::Deals(Speed::Ms100) => "spot@public.aggre.deals.v3.api.pb@100ms",
            Self::DepthSteps => "spot@public.increase.depth.batch.v3.api.pb",
            Self::LimitDepth(_) => "spot@public.limit.depth.v3.api.pb",
            Self::BookTicker(_) | Self::TickerBatch | Self::MiniTicker(_) | Self::Kline(_) => "",
        }
    }
}

impl Channel {
    /// The channel with this name; nothing for unknown channels, symbols and speeds, which the exchange calls blocked.
    pub(super) fn parse(listings: &Listings, name: &str) -> Option<Self> {
        for private in [Private::Account, Private::Deals, Private::Orders] {
            if name == private.name() {
                return Some(Self::Private(private));
            }
        }
        if let Some(zone) = name.strip_prefix(MINI_TICKERS) {
            return Zone::parse(zone).map(Self::Everything);
        }
        let (topic, rest) = name.strip_prefix("spot@public.")?.split_once(".v3.api.pb@")?;
        let (first, second) =
            rest.split_once('@').map_or((rest, None), |(first, second)| (first, Some(second)));
        let (symbol, topic) = match (topic, first, second) {
            ("aggre.depth", speed, Some(symbol)) => (symbol, Topic::Depth(Speed::parse(speed)?)),
            ("aggre.deals", speed, Some(symbol)) => (symbol, Topic::Deals(Speed::parse(speed)?)),
            ("aggre.bookTicker", speed, Some(symbol)) => (symbol, Topic::BookTicker(Speed::parse(speed)?)),
            ("bookTicker.batch", symbol, None) => (symbol, Topic::TickerBatch),
            ("increase.depth.batch", symbol, None) => (symbol, Topic::DepthSteps),
            ("limit.depth", symbol, Some("5")) => (symbol, Topic::LimitDepth(5)),
            ("limit.depth", symbol, Some("10")) => (symbol, Topic::LimitDepth(10)),
            ("limit.depth", symbol, Some("20")) => (symbol, Topic::LimitDepth(20)),
            ("miniTicker", symbol, Some(zone)) => (symbol, Topic::MiniTicker(Zone::parse(zone)?)),
            ("kline", symbol, Some(interval)) => (symbol, Topic::Kline(Interval::of_stream(interval)?)),
            _ => return None,
        };
        listings.find(symbol).map(|market| Self::Public(market, topic))
    }
}

impl Speed {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "10ms" => Some(Self::Ms10),
            "100ms" => Some(Self::Ms100),
            _ => None,
        }
    }
}

impl Zone {
    /// One spelling each, so that the zone tells the channel's name.
    fn parse(text: &str) -> Option<Self> {
        if text == "24H" {
            return Some(Self::Rolling);
        }
        let hours: i8 = text.strip_prefix("UTC")?.parse().ok()?;
        ((-12..=14).contains(&hours) && text == format!("UTC{hours:+}")).then_some(Self::Utc(hours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::mexc::MexcConfig;
    use crate::matching::{BuyFee, Exchange, MarketRules};
    use cex_core::{Bps, Decimal, Qty, Scale};

    fn listings() -> Listings {
        let rules = |base| MarketRules {
            symbol: cex_core::Symbol::new(base, "USDT").expect("short"),
            scale: Scale::new(2, 6).expect("in range"),
            min_qty: Qty(1),
            min_notional: Decimal::ONE,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::from_bps(5),
            buy_fee: BuyFee::Quote,
        };
        let exchange = Exchange::new("mexc", vec![rules("BTC"), rules("龙虾")]);
        Listings::new(&MexcConfig::default(), &exchange)
    }

    #[test]
    fn names_lead_to_channels() {
        let listings = listings();
        let check = |name: &str, market, topic| {
            let expected = Channel::Public(MarketIndex(market), topic);
            assert_eq!(Channel::parse(&listings, name), Some(expected), "{name}");
        };
        check("spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT", 0, Topic::Depth(Speed::Ms10));
        check("spot@public.aggre.depth.v3.api.pb@100ms@龙虾USDT", 1, Topic::Depth(Speed::Ms100));
        check("spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT", 0, Topic::Deals(Speed::Ms100));
        check("spot@public.aggre.bookTicker.v3.api.pb@10ms@BTCUSDT", 0, Topic::BookTicker(Speed::Ms10));
        check("spot@public.bookTicker.batch.v3.api.pb@BTCUSDT", 0, Topic::TickerBatch);
        check("spot@public.limit.depth.v3.api.pb@BTCUSDT@20", 0, Topic::LimitDepth(20));
        check("spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8", 0, Topic::MiniTicker(Zone::Utc(8)));
        check("spot@public.miniTicker.v3.api.pb@BTCUSDT@24H", 0, Topic::MiniTicker(Zone::Rolling));
        check("spot@public.kline.v3.api.pb@BTCUSDT@Min1", 0, Topic::Kline(Interval::Seconds(60)));
        let orders = Channel::parse(&listings, "spot@private.orders.v3.api.pb");
        assert_eq!(orders, Some(Channel::Private(Private::Orders)));
    }

    #[test]
    fn everything_else_is_blocked() {
        for name in [
            "",
            "spot@public.aggre.depth.v3.api@10ms@BTCUSDT",
            "spot@public.aggre.depth.v3.api.pb@50ms@BTCUSDT",
            "spot@public.aggre.depth.v3.api.pb@10ms@btcusdt",
            "spot@public.aggre.depth.v3.api.pb@10ms@XXXUSDT",
            "spot@public.aggre.depth.v3.api.pb@10ms",
            "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT@5",
            "spot@public.limit.depth.v3.api.pb@BTCUSDT@7",
            "spot@public.bookTicker.batch.v3.api.pb@BTCUSDT@",
            "spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC8",
            "spot@public.kline.v3.api.pb@BTCUSDT@1m",
            "spot@public.increase.depth.v3.api.pb@BTCUSDT",
            "spot@public.deals.v3.api.pb@BTCUSDT",
            "spot@private.orders.v3.api",
        ] {
            assert_eq!(Channel::parse(&listings(), name), None, "{name}");
        }
    }
}
