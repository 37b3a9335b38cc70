//! News on their way to the engine.

use super::{Bug, Planted};
use cex_core::{AccountEvent, Asset, Decimal, Fill, LinkEvent, MarketEvent, OrderStatus, Rounding, TradeId};
use cex_interface::Outbox;

impl Planted {
    /// What becomes of news on their way to the engine.
    pub(crate) fn spoil_news(&mut self, out: &mut Outbox) {
        match self.bug {
            Bug::LossUntold => out.link.retain(|event| *event != LinkEvent::Down),
            Bug::UndecodableUntold => {
                out.link.retain(|event| !matches!(event, LinkEvent::Undecodable { .. }));
                self.paper_over(out);
            }
            _other => {
                self.spoil_fills(out);
                self.spoil_orders(out);
                self.spoil_books(out);
            }
        }
    }

    fn spoil_fills(&mut self, out: &mut Outbox) {
        let (bug, mut more) = (self.bug, Vec::new());
        for event in &mut out.account {
            let AccountEvent::Fill(fill) = event else { continue };
            match bug {
                Bug::TradeIdsCut => {
                    let cut = fill
                        .trade_id
                        .as_str()
                        .chars()
                        .last()
                        .and_then(|last| TradeId::new(&last.to_string()).ok());
                    fill.trade_id = cut.unwrap_or(fill.trade_id);
                }
                Bug::FeeRounded => {
                    fill.fee = fill.fee.rounded(2, Rounding::Down).unwrap_or(fill.fee);
                }
                Bug::FillTwice if self.now_and_then(5) => {
                    let trade_id = TradeId::new("again").unwrap_or(fill.trade_id);
                    more.push(AccountEvent::Fill(Fill { trade_id, ..*fill }));
                }
                Bug::FeeForgotten if self.now_and_then(5) => fill.fee = Decimal::ZERO,
                Bug::FeeInAnotherCoin if self.now_and_then(5) => {
                    fill.fee_asset = Asset::new("MX").unwrap_or(fill.fee_asset);
                }
                Bug::PriceOff if self.now_and_then(5) => {
                    fill.price = fill.price.checked_add(Decimal::new(1, 2)).unwrap_or(fill.price);
                }
                Bug::SideSwapped if self.now_and_then(5) => fill.side = fill.side.opposite(),
                _other => {}
            }
        }
        out.account.extend(more);
    }

    fn spoil_orders(&mut self, out: &mut Outbox) {
        for event in &mut out.account {
            let AccountEvent::Order(order) = event else { continue };
            match self.bug {
                Bug::CanceledIsFilled if order.status == OrderStatus::Canceled => {
                    order.status = OrderStatus::Filled;
                    order.filled_qty = order.qty.unwrap_or(order.filled_qty);
                }
                Bug::FilledQtyLost if order.status.is_terminal() => order.filled_qty = Decimal::ZERO,
                _other => {}
            }
        }
    }

    fn spoil_books(&mut self, out: &mut Outbox) {
        let bug = self.bug;
        match bug {
            Bug::GapSkipped => self.paper_over(out),
            Bug::RemovalIgnored => out.levels.iter_mut().for_each(|level| level.qty.0 = level.qty.0.max(1)),
            Bug::LevelLost | Bug::LevelPriceOff | Bug::LevelQtyOff
                if !out.levels.is_empty() && self.now_and_then(50) =>
            {
                let Some(level) = out.levels.first_mut() else { return };
                match bug {
                    Bug::LevelPriceOff => level.price.0 += 1,
                    Bug::LevelQtyOff => level.qty.0 *= 10,
                    _other => level.qty.0 = 0,
                }
            }
            _other => {}
        }
    }

    /// Makes every delta continue the one before.
    fn paper_over(&mut self, out: &mut Outbox) {
        for event in &mut out.market {
            let MarketEvent::Book(update) = event else { continue };
            let told = self.told.insert(update.symbol, update.last_seq);
            if let Some(told) = told.filter(|told| *told < update.first_seq) {
                update.first_seq = told + 1;
            }
        }
    }
}
