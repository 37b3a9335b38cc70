//! Which symbols are traded: what the operator wants, what all exchanges list, and what is the same coin on each (D14).

use super::venue::Rules;
use crate::config::Symbols;
use crate::config::pattern::matches;
use crate::exit::{Exit, Failure};
use cex_core::{Asset, AssetInfo, Decimal, NetworkInfo, Symbol, SymbolInfo, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Leaves of an exchange's rules those that the operator wants, that have opened and do not end soon, and against which the
/// exchange does not warn itself.
pub fn wanted(rules: Rules, symbols: &Symbols, now: Timestamp, delist_guard: Duration) -> Rules {
    let ends = |info: &SymbolInfo| info.delists_at.is_some_and(|at| at <= now + delist_guard);
    let open = |info: &SymbolInfo| info.opens_at.is_none_or(|at| at <= now);
    let good = |info: &SymbolInfo| open(info) && !ends(info) && !info.risk_flagged;
    named(rules, symbols).into_iter().filter(good).collect()
}

/// Marks what this account may not trade over an exchange's interface, by the names that it `may`. An empty list is none: it would
/// forbid everything.
pub fn narrow(rules: &mut Rules, may: &[String]) {
    let may: BTreeSet<&str> = may.iter().map(String::as_str).collect();
    for info in rules.iter_mut().filter(|info| !may.is_empty() && !may.contains(info.native.as_str())) {
        info.api_tradable = false;
    }
}

/// Leaves of an exchange's rules those that the operator wants: an earlier run may have traded one that ends soon by now, or
/// against which the exchange warns.
pub fn named(rules: Rules, symbols: &Symbols) -> Rules {
    let wants = |info: &SymbolInfo| {
        let name = info.symbol.to_string();
        let included = symbols.include.is_empty() || symbols.include.contains(&name);
        included
            && info.symbol.quote.as_str() == symbols.quote
            && !symbols.exclude.iter().any(|pattern| matches(pattern, &name))
    };
    rules.into_iter().filter(wants).collect()
}

/// Symbols that the operator excluded by name and that no exchange lists: hardly what was meant.
#[must_use]
pub fn never_listed<'a>(symbols: &'a Symbols, listed: &BTreeSet<String>) -> Vec<&'a str> {
    let named = symbols.exclude.iter().filter(|pattern| !pattern.contains('*') && !listed.contains(*pattern));
    named.map(String::as_str).collect()
}

/// The so many symbols of which most is turned over in a day where least is turned over: an arbitrage is as large as the thinner
/// market lets it be. Which of two alike goes first is the same in every run.
#[must_use]
pub fn most_traded(turnover: &[BTreeMap<Symbol, Decimal>], top: usize) -> BTreeSet<Symbol> {
    let Some((first, others)) = turnover.split_first() else { return BTreeSet::new() };
    let thinnest = |(symbol, here): (&Symbol, &Decimal)| {
        let mut there = others.iter().map(|venue| venue.get(symbol).copied());
        let least = there.try_fold(*here, |least, there| there.map(|there| least.min(there)));
        least.map(|least| (std::cmp::Reverse(least), *symbol))
    };
    let mut ranked: Vec<_> = first.iter().filter_map(thinnest).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(top).map(|(_, symbol)| symbol).collect()
}

/// What the operator named and no exchange lists, or not all of them.
pub fn missing(symbols: &Symbols, rules: &[Rules]) -> Result<(), Failure> {
    for name in &symbols.include {
        let listed = |rules: &Rules| rules.iter().any(|info| info.symbol.to_string() == *name);
        if !rules.iter().all(listed) {
            let what = format!(
                "symbols.include names {name}, which not every exchange lists, or which one warns against or delists soon"
            );
            return Err(Failure::new(
                Exit::BadConfig,
                what,
                "take it out, or check its spelling: BASE/QUOTE",
            ));
        }
    }
    Ok(())
}

/// Chains whose own coin is not called as they are.
const OWN_COINS: [(&str, &str); 2] = [("BSC", "BNB"), ("AVAXC", "AVAX")];

/// Why a coin is not traded on two exchanges, or not proven to be the same there; `None` when it is: the same contract, or the same
/// chain's own coin, which has none. A token whose contract neither tells may be two.
#[must_use]
pub fn difference(left: Option<&AssetInfo>, right: Option<&AssetInfo>) -> Option<&'static str> {
    let (Some(left), Some(right)) = (left, right) else { return Some("its chains are not told") };
    if !left.trade_enabled || !right.trade_enabled {
        return Some("an exchange does not let its coin be traded");
    }
    let ways = |info: &AssetInfo| info.networks.iter().map(Way::of).collect::<Vec<_>>();
    let (ours, theirs) = (ways(left), ways(right));
    let any =
        |same: fn(&Way, &Way) -> bool| ours.iter().any(|way| theirs.iter().any(|other| same(way, other)));
    let own_coin = ours.iter().any(|way| way.is_own_coin(left.asset) && theirs.contains(way));
    let same_contract = any(|way, other| way.contract.is_some() && way.contract == other.contract);
    if own_coin || any(|way, other| way.contract.is_some() && way == other) {
        return None;
    }
    // It is the same coin, and nobody knows whether its wallets are open for the same chain (R3).
    if same_contract {
        return Some("its chain is named differently");
    }
    Some(if any(|way, other| way == other) {
        "its contract is not told"
    } else if any(|way, other| way.chain == other.chain) {
        "its contracts differ"
    } else {
        "its chains differ"
    })
}

/// What a coin is moved over: a chain, and its contract there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    chain: String,
    /// None for a chain's own coin, and where the exchange does not say.
    contract: Option<String>,
}

impl Way {
    /// The one of this network.
    #[must_use]
    pub fn of(network: &NetworkInfo) -> Self {
        let contract = network.contract.as_deref().map(|contract| contract.trim().to_ascii_lowercase());
        Self { chain: chain(&network.network), contract: contract.filter(|contract| !contract.is_empty()) }
    }

    /// Whether this coin is the one the chain itself is paid in.
    fn is_own_coin(&self, asset: Asset) -> bool {
        let named = (self.chain.as_str(), asset.as_str());
        self.contract.is_none() && (named.0 == named.1 || OWN_COINS.contains(&named))
    }
}

/// A chain's name without what exchanges write differently: `Bitcoin(BTC)` and `BTC` are one.
fn chain(name: &str) -> String {
    let short = name.rsplit_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    let plain: String =
        short.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    match plain.as_str() {
        "ERC20" => "ETH".to_owned(),
        "TRC20" => "TRX".to_owned(),
        "BEP20" | "BEP20BSC" => "BSC".to_owned(),
        "ARBEVM" => "ARB".to_owned(),
        "BASEEVM" => "BASE".to_owned(),
        "OPETH" => "OP".to_owned(),
        // Not the chain that is called as its coin is: that is another one of the same network.
        "AVAXCCHAIN" => "AVAXC".to_owned(),
        _ => plain,
    }
}

/// Coins by ticker.
#[must_use]
pub fn by_asset(infos: &[AssetInfo]) -> BTreeMap<Asset, &AssetInfo> {
    infos.iter().map(|info| (info.asset, info)).collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A coin with these chains and contracts, all open.
    pub(in crate::run) fn coin(networks: &[(&str, Option<&str>)]) -> AssetInfo {
        let network = |(name, contract): &(&str, Option<&str>)| NetworkInfo {
            network: (*name).to_owned(),
            contract: contract.map(str::to_owned),
            deposit_enabled: true,
            withdraw_enabled: true,
            withdraw_fee: None,
            withdraw_min: None,
            withdraw_max: None,
            min_confirmations: None,
            needs_memo: None,
            deposit_note: None,
            withdraw_note: None,
        };
        AssetInfo {
            asset: "A".parse().expect("short"),
            name: String::new(),
            trade_enabled: true,
            networks: networks.iter().map(network).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::coin;
    use super::*;

    #[test]
    fn patterns_stand_for_any_letters() {
        for (pattern, name, like) in [
            ("*3L/USDT", "BTC3L/USDT", true),
            ("*3L/USDT", "3L/USDT", true),
            ("*3L/USDT", "BTC3S/USDT", false),
            ("BTC/*", "BTC/USDT", true),
            ("BTC/USDT", "WBTC/USDT", false),
            ("*B*", "ABC", true),
            ("*B*", "AC", false),
        ] {
            assert_eq!(matches(pattern, name), like, "{pattern} {name}");
        }
    }

    #[test]
    fn the_most_traded_are_those_whose_thinner_market_turns_over_most() {
        let symbol = |name: &str| name.parse::<Symbol>().expect("a symbol");
        let venue = |rows: &[(&str, i64)]| {
            rows.iter().map(|(name, turned)| (symbol(name), Decimal::from(*turned))).collect()
        };
        let turnover: Vec<BTreeMap<Symbol, Decimal>> = vec![
            venue(&[("A/USDT", 1_000), ("B/USDT", 500), ("C/USDT", 400), ("D/USDT", 400), ("E/USDT", 9_000)]),
            venue(&[("A/USDT", 10), ("B/USDT", 700), ("C/USDT", 400), ("D/USDT", 400)]),
        ];
        let names = |top| most_traded(&turnover, top).iter().map(Symbol::to_string).collect::<Vec<_>>();
        assert_eq!(names(1), ["B/USDT"]);
        assert_eq!(names(2), ["B/USDT", "C/USDT"], "of two alike the first by name");
        assert_eq!(names(9), ["A/USDT", "B/USDT", "C/USDT", "D/USDT"], "E is not traded on both");
    }

    #[test]
    fn what_an_account_may_not_trade_is_not_tradable() {
        let venue = cex_core::VenueId::new(0, "a").expect("short");
        let info = |native: &str| SymbolInfo {
            native: cex_core::Text::new(native).expect("short"),
            ..crate::run::recover::stage::market(venue).info
        };
        let tradable = |may: &[&str]| {
            let mut rules = vec![info("BTCUSDT"), info("ETHUSDT")];
            narrow(&mut rules, &may.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            rules.iter().map(SymbolInfo::is_tradable).collect::<Vec<_>>()
        };
        assert_eq!(tradable(&["ETHUSDT", "XRPUSDT"]), [false, true]);
        assert_eq!(tradable(&["ETHUSDT", "BTCUSDT"]), [true, true]);
        assert_eq!(tradable(&[]), [true, true], "that is no list");
    }

    /// What a start asks for is what an earlier run may have traded; what this one trades is less.
    #[test]
    fn what_ends_soon_opens_later_or_is_warned_against_is_named_and_not_wanted() {
        let now = Timestamp::from_secs(1_000);
        let venue = cex_core::VenueId::new(0, "a").expect("short");
        let info = |symbol: &str, risk_flagged: bool, delists_at: Option<Timestamp>| SymbolInfo {
            opens_at: (symbol == "NEW/USDT").then_some(now + Duration::from_millis(1)),
            symbol: symbol.parse().expect("a symbol"),
            risk_flagged,
            delists_at,
            ..crate::run::recover::stage::market(venue).info
        };
        let hour = Duration::from_secs(3_600);
        let rules = vec![
            info("BTC/USDT", false, None),
            info("ETH/USDT", true, None),
            info("SOL/USDT", false, Some(now + hour)),
            info("XRP/USDT", false, Some(now + hour * 48)),
            info("NEW/USDT", false, None),
            info("BTC/USDC", false, None),
            info("BTC3L/USDT", false, None),
        ];
        let symbols = Symbols {
            quote: "USDT".to_owned(),
            include: Vec::new(),
            exclude: vec!["*3L/USDT".to_owned()],
            top: 0,
        };
        let names = |rules: Rules| rules.iter().map(|info| info.symbol.to_string()).collect::<Vec<_>>();
        let all = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "NEW/USDT"];
        assert_eq!(names(named(rules.clone(), &symbols)), all);
        let listed = rules.iter().map(|info| info.symbol.to_string()).collect();
        let exclude = ["*4L/USDT", "LUNA/USDT", "SOL/USDT"].map(str::to_owned).to_vec();
        let misspelt = Symbols { exclude, ..symbols.clone() };
        assert_eq!(never_listed(&misspelt, &listed), ["LUNA/USDT"]);
        assert_eq!(names(wanted(rules.clone(), &symbols, now, hour * 24)), ["BTC/USDT", "XRP/USDT"]);
        let later = now + Duration::from_millis(1);
        assert_eq!(names(wanted(rules, &symbols, later, hour * 24)), ["BTC/USDT", "XRP/USDT", "NEW/USDT"]);
    }

    #[test]
    fn one_ticker_is_one_coin_only_with_the_same_contract_or_chain() {
        let token = coin(&[("ERC20", Some("0xAB")), ("BSC", Some("0xcd"))]);
        let own = |ticker: &str, chain: &str| AssetInfo {
            asset: ticker.parse().expect("short"),
            ..coin(&[(chain, None)])
        };
        for (left, right, why) in [
            (&token, coin(&[("ETH", Some("0xab "))]), None),
            (&token, coin(&[("ETH", Some("0xef"))]), Some("its contracts differ")),
            (&own("BTC", "Bitcoin(BTC)"), own("BTC", "BTC"), None),
            (&own("BTC", "BTC"), own("BTC", "BCH"), Some("its chains differ")),
            (&own("ETH", "Ethereum(ERC20)"), own("ETH", "ETH"), None),
            (&own("BNB", "BEP20(BSC)"), own("BNB", "BSC"), None),
            (&own("AVAX", "AVAX_C"), own("AVAX", "AVAX_CCHAIN"), None),
            (&own("AVAX", "AVAX_C"), own("AVAX", "AVAX"), Some("its chains differ")),
            (&own("USDX", "Ethereum(ERC20)"), own("USDX", "ETH"), Some("its contract is not told")),
            (&coin(&[("ERC20", None)]), coin(&[("ETH", Some("0xab"))]), Some("its contracts differ")),
            (&token, coin(&[("ETH", Some("0xef")), ("BSC", Some("0xcd"))]), None),
            (&token, coin(&[("a new name of it", Some("0xcd"))]), Some("its chain is named differently")),
            (&coin(&[("BASEEVM", Some("0xab"))]), coin(&[("BASE", Some("0xAB"))]), None),
            (&coin(&[("AVAX_C", Some("0xab"))]), coin(&[("AVAX_CCHAIN", Some("0xab"))]), None),
            (&token, coin(&[("SOL", Some("9x"))]), Some("its chains differ")),
        ] {
            assert_eq!(difference(Some(left), Some(&right)), why, "{left:?} {right:?}");
        }
        assert_eq!(difference(Some(&token), None), Some("its chains are not told"));
        let stopped = AssetInfo { trade_enabled: false, ..token.clone() };
        for (left, right) in [(&token, &stopped), (&stopped, &token)] {
            let why = Some("an exchange does not let its coin be traded");
            assert_eq!(difference(Some(left), Some(right)), why);
        }
    }
}
