//! A book kept from a stream, as whoever trades keeps it.

use crate::behaviour::{Failure, Verdict, ensure};
use crate::stage::{PATIENCE, Stage, now_or_never};
use cex_core::{BookSide, BookUpdate, Level, LinkEvent, MarketEvent, StreamKind, SymbolId, SyncRule};
use cex_interface::{EventSource, PublicExchange, Subscription};
use cex_orderbook::{BookConfig, BookSync, StaleReason, SyncLimits, SyncOutcome, SyncState};
use cex_transport::client::Stream;
use std::time::{Duration, Instant};

/// How long an event is waited for before timers are looked at.
const TICK: Duration = Duration::from_millis(20);

/// Levels kept a side.
const DEPTH: usize = 1_000;

/// A subscription to one book and what was made of it.
pub struct Follow {
    /// The book.
    pub sync: BookSync,
    /// News of the connection so far.
    pub news: Vec<LinkEvent>,
    /// The newest update.
    pub last: Option<BookUpdate>,
    /// Whether every snapshot fails, without being asked for.
    pub without_snapshots: bool,
    /// How often the book wanted its subscription anew.
    pub wished_anew: usize,
    /// Updates of other symbols on the same stream.
    pub others: usize,
    stream: Stream,
    symbol: SymbolId,
    snapshot_depth: u32,
}

impl Follow {
    /// Subscribes to a book of the stage's exchange.
    ///
    /// # Errors
    /// When the exchange refuses, or claims no book stream.
    pub async fn open(stage: &Stage, index: usize) -> Result<Self, Failure> {
        let limits = SyncLimits::for_rule(&rule_of(stage)?, DEPTH);
        // Failing snapshots are given up as soon as makes no difference to what follows.
        Self::open_among(stage, &[index], SyncLimits { snapshot_attempts: 4, ..limits }).await
    }

    /// Subscribes to the books of these symbols on one stream, and keeps the first within these bounds.
    ///
    /// # Errors
    /// When the exchange refuses, or claims no book stream.
    pub async fn open_among(stage: &Stage, symbols: &[usize], limits: SyncLimits) -> Result<Self, Failure> {
        let market = stage.market(symbols.first().copied().unwrap_or(0))?;
        let rule = rule_of(stage)?;
        let mut wanted = Vec::new();
        for index in symbols {
            wanted.push(Subscription { symbol: stage.market(*index)?.id, stream: StreamKind::Book });
        }
        let stream = stage.exchange.subscribe(&wanted).await?;
        let sync = BookSync::with_limits(market.id, rule, BookConfig::new(market.tick, DEPTH), limits);
        Ok(Self {
            sync,
            news: Vec::new(),
            last: None,
            without_snapshots: false,
            wished_anew: 0,
            others: 0,
            stream,
            symbol: market.id,
            snapshot_depth: rule.snapshot_depth(),
        })
    }

    /// Asks for the subscription to be begun anew.
    pub fn resubscribe(&self) {
        for link in self.stream.links() {
            // One that is busy is asked again when the book asks again.
            let _ = link.resubscribe(self.symbol);
        }
    }

    /// How often the subscription was confirmed.
    #[must_use]
    pub fn confirmed(&self) -> usize {
        self.news.iter().filter(|event| matches!(event, LinkEvent::Subscribed { .. })).count()
    }

    /// Takes what comes next, or lets a moment pass.
    ///
    /// # Errors
    /// When the stream has ended.
    pub async fn step(&mut self, stage: &Stage) -> Verdict {
        self.hear(stage).await?;
        let waited = tokio::time::timeout(TICK, self.stream.next_market()).await;
        self.hear(stage).await?;
        let outcome = match waited {
            Ok(Some((MarketEvent::Book(update), levels))) if update.symbol == self.symbol => {
                self.last = Some(update);
                self.sync.on_update(stage.now(), &update, &levels)
            }
            Ok(Some(_)) => {
                self.others += 1;
                self.sync.on_wake(stage.now())
            }
            Ok(None) => return Err(Failure::new("a stream that goes on", "its end")),
            Err(_) => self.sync.on_wake(stage.now()),
        };
        self.obey(stage, outcome).await
    }

    async fn hear(&mut self, stage: &Stage) -> Verdict {
        while let Some(Some(event)) = now_or_never(self.stream.next_link()) {
            self.news.push(event);
            match event {
                LinkEvent::Down => self.sync.on_disconnect(stage.now()),
                LinkEvent::Subscribed { symbol, stream: StreamKind::Book } if symbol == Some(self.symbol) => {
                    self.sync.on_subscribed(stage.now());
                }
                LinkEvent::Undecodable { symbol } if symbol.is_none_or(|symbol| symbol == self.symbol) => {
                    let outcome = self.sync.invalidate(stage.now(), StaleReason::Undecodable);
                    self.obey(stage, outcome).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn obey(&mut self, stage: &Stage, outcome: SyncOutcome) -> Verdict {
        let mut outcome = outcome;
        loop {
            match outcome {
                SyncOutcome::NeedSnapshot if self.without_snapshots => {
                    outcome = self.sync.on_snapshot_failed(stage.now());
                }
                SyncOutcome::NeedSnapshot => {
                    outcome = match stage.exchange.book(self.symbol, self.snapshot_depth).await {
                        Ok(book) => self.sync.on_snapshot(
                            stage.now(),
                            book.seq,
                            book.exchange_ts,
                            &book.bids,
                            &book.asks,
                        ),
                        Err(_) => self.sync.on_snapshot_failed(stage.now()),
                    };
                }
                SyncOutcome::NeedResubscribe => {
                    self.wished_anew += 1;
                    self.resubscribe();
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// Goes on until a condition holds.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn until(
        &mut self,
        stage: &Stage,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            ensure!(
                Instant::now() < deadline,
                format_args!("{what} within {} s", PATIENCE.as_secs()),
                format_args!("{} after {:?}", self.state(), self.news),
            );
            self.step(stage).await?;
        }
        Ok(())
    }

    /// Goes on until the book is live.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn until_live(&mut self, stage: &Stage) -> Verdict {
        self.until(stage, "a live book", |follow| follow.sync.usable().is_some()).await
    }

    /// Goes on for so many updates of a live book.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn updates(&mut self, stage: &Stage, count: u64) -> Verdict {
        let target = self.sync.counters().updates + count;
        self.until(stage, "updates of the book", |follow| follow.sync.counters().updates >= target).await
    }

    /// Where the book stands, for people.
    #[must_use]
    pub fn state(&self) -> String {
        let state = match self.sync.state() {
            SyncState::Live(live) => format!("live at {}", live.last_seq),
            other => format!("{other:?}"),
        };
        format!("{state}, {:?}", self.sync.counters())
    }

    /// Compares the book with the exchange's own at the same version, as deep as both go; tries until versions meet.
    ///
    /// # Errors
    /// Where they differ.
    pub async fn equals_snapshot(&mut self, stage: &Stage) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        loop {
            ensure!(Instant::now() < deadline, "a snapshot at a version of the stream", self.state());
            let book = stage.exchange.book(self.symbol, 20).await?;
            while self.sync.live().is_some_and(|live| live.last_seq < book.seq) && Instant::now() < deadline {
                self.step(stage).await?;
            }
            let (Some(live), Some(own)) = (self.sync.live(), self.sync.usable()) else {
                self.step(stage).await?;
                continue;
            };
            if live.last_seq != book.seq {
                continue;
            }
            for (side, theirs) in [(BookSide::Bid, &book.bids), (BookSide::Ask, &book.asks)] {
                let ours: Vec<Level> = own.levels(side).take(theirs.len()).collect();
                let place = format!("{side:?} levels of version {}", book.seq);
                // A stream of the best levels only holds no more than those.
                let both = ours.len().min(theirs.len());
                ensure!(both > 0, place, "none");
                if let Some(at) = (0..both).find(|at| ours[*at] != theirs[*at]) {
                    return Err(Failure::new(
                        format_args!("{place}: {:?} at place {at}", theirs[at]),
                        format_args!("{:?}", ours[at]),
                    ));
                }
            }
            return Ok(());
        }
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.state())
    }
}

/// How the stream in use is kept.
pub(crate) fn rule_of(stage: &Stage) -> Result<SyncRule, Failure> {
    let book = stage.claims().books.first();
    book.map(|book| book.sync).ok_or_else(|| Failure::new("a book stream among the capabilities", "none"))
}
