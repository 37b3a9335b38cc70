//! What a profile and an account's rights mean to each exchange.

use super::config::{Profile, Rights, SimConfig};
use crate::dialect::gateio::{self, GateioConfig};
use crate::dialect::mexc::{self, MarketFlags, MarketStatus, MexcConfig, Permission, PriceBand, TradeSides};
use crate::market::{NOT_FOR_API, PAUSED, SELL_ONLY};
use crate::matching::{Exchange, MarketRules};
use cex_core::Decimal;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// An address that is nobody's (RFC 5737): keys bound to it are bound to somewhere else.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// The rules of MEXC.
pub(super) fn mexc(config: &SimConfig, state: &Exchange) -> MexcConfig {
    let is_strict = config.profile == Profile::Strict;
    // Ten per cent around the last price.
    let band = PriceBand { bid_up: Decimal::new(11, 1), ask_down: Decimal::new(9, 1) };
    let flags = MarketFlags {
        market_orders: config.mexc_market_orders && !is_strict,
        price_band: is_strict.then_some(band),
        ..MarketFlags::default()
    };
    MexcConfig {
        rate_limits: config.rate_limits,
        names_in_trades: config.mexc_names_in_trades,
        markets: state.markets().iter().map(|rules| (rules.symbol, odd(rules, flags))).collect(),
        keys: config.accounts.iter().map(|account| (account.key.clone(), mexc_key(account.rights))).collect(),
        stp_groups: stp_groups(config),
        ..MexcConfig::default()
    }
}

/// What is different about the coins that are there to be different.
fn odd(rules: &MarketRules, flags: MarketFlags) -> MarketFlags {
    match rules.symbol.base.as_str() {
        NOT_FOR_API => MarketFlags { api_tradable: false, ..flags },
        PAUSED => MarketFlags { status: MarketStatus::Paused, ..flags },
        SELL_ONLY => MarketFlags { sides: TradeSides::SellOnly, ..flags },
        _ => flags,
    }
}

fn mexc_key(rights: Rights) -> mexc::KeyRules {
    let denied = match rights {
        Rights::Trade | Rights::Expired | Rights::IpBound => vec![Permission::Withdraw, Permission::Transfer],
        Rights::ReadOnly => vec![Permission::DealWrite, Permission::Withdraw, Permission::Transfer],
        Rights::Withdraw => Vec::new(),
    };
    mexc::KeyRules { is_expired: rights == Rights::Expired, addresses: addresses(rights), denied }
}

/// The rules of Gate.io.
pub(super) fn gateio(config: &SimConfig) -> GateioConfig {
    // Ten per cent around the last price, as at MEXC.
    let band = gateio::PriceBand { up_rate: Decimal::new(1, 1), down_rate: Decimal::new(1, 1) };
    GateioConfig {
        rate_limits: config.rate_limits,
        refuse_duplicate_client_ids: config.profile == Profile::Strict,
        price_band: (config.profile == Profile::Strict).then_some(band),
        keys: config
            .accounts
            .iter()
            .map(|account| (account.key.clone(), gateio_key(account.rights)))
            .collect(),
        stp_groups: stp_groups(config),
    }
}

/// Which keys belong together.
fn stp_groups(config: &SimConfig) -> BTreeMap<String, u32> {
    let of = |account: &super::config::SimAccount| Some((account.key.clone(), account.stp_group?));
    config.accounts.iter().filter_map(of).collect()
}

fn gateio_key(rights: Rights) -> gateio::KeyRules {
    gateio::KeyRules {
        addresses: addresses(rights),
        is_expired: rights == Rights::Expired,
        is_read_only: rights == Rights::ReadOnly,
        has_wallet: rights == Rights::Withdraw,
    }
}

fn addresses(rights: Rights) -> Vec<IpAddr> {
    match rights {
        Rights::IpBound => vec![ELSEWHERE],
        Rights::Trade | Rights::ReadOnly | Rights::Expired | Rights::Withdraw => Vec::new(),
    }
}
