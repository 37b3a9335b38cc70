//! Just enough of both exchanges for benches, on one port of loopback: what the published pages say of their wire, written
//! apart from the adapters. Whoever holds it decides when frames are sent and orders filled; everything else is answered at
//! once.
//!
//! | module | what |
//! |---|---|
//! | `server` | sockets, HTTP and WebSocket |
//! | [`mexc`], [`gateio`] | answers and messages as each exchange words them |
//! | `books` | books, their frames, and levels that cross |

mod books;
pub mod gateio;
pub mod mexc;
mod server;

use crate::mix::MEXC;
use books::{Book, crossing, is_wide};
use cex_core::VenueId;
use server::{Call, ConnId, Heard, Server, framed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// An order as it came, answered already.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Index of the exchange.
    pub venue: usize,
    /// Rank of the symbol.
    pub symbol: usize,
    /// Whether it is a buy order.
    pub buys: bool,
    /// The client's identifier.
    pub client_id: String,
    /// The exchange's.
    pub order_id: u64,
    /// Limit, as sent.
    pub price: String,
    /// Quantity, as sent.
    pub qty: String,
    /// When its last byte was there.
    pub at: Instant,
}

/// A message ready to be written.
pub struct Ready {
    conn: ConnId,
    bytes: Vec<u8>,
}

/// Both exchanges. One client at a time.
pub struct Counterpart {
    server: Server,
    books: [Vec<Book>; 2],
    /// Connection that carries each symbol's book, by exchange and rank of the symbol.
    carriers: [Vec<Option<ConnId>>; 2],
    /// Connection of each exchange that carries fills; `None` before the client has subscribed.
    accounts: [Option<ConnId>; 2],
    last_id: u64,
}

impl Counterpart {
    /// An exchange pair that lists this many symbols.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn bind(symbols: usize) -> std::io::Result<Self> {
        let venues = [(0, "mexc"), (1, "gateio")].map(|(index, name)| VenueId::new(index, name));
        let venues = venues.map(|venue| venue.expect("a short name"));
        Ok(Self {
            server: Server::bind()?,
            books: venues.map(|venue| (0..symbols).map(|symbol| Book::new(venue, symbol)).collect()),
            carriers: [vec![None; symbols], vec![None; symbols]],
            accounts: [None; 2],
            last_id: 1_000_000,
        })
    }

    /// Base address of the request interfaces.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Address of an exchange's streams.
    #[must_use]
    pub fn ws_url(&self, venue: usize) -> String {
        let path = if venue == MEXC { "/ws" } else { "/ws/v4/" };
        format!("ws://127.0.0.1:{}{path}", self.server.port())
    }

    /// How many symbols are listed.
    #[must_use]
    pub const fn symbols(&self) -> usize {
        self.books[0].len()
    }

    /// One look at the sockets. Whatever is asked is answered here; only orders are told.
    pub fn poll(&mut self) -> Option<Placement> {
        match self.server.poll()? {
            Heard::Call(call) => self.call(&call),
            Heard::Text(conn, text) => {
                self.message(conn, &text);
                None
            }
        }
    }

    /// The next frame of a book; `None` while nobody subscribes to it.
    pub fn frame(&mut self, venue: usize, symbol: usize) -> Option<Ready> {
        self.ready(venue, symbol, None)
    }

    /// A frame that crosses the other exchange's book, or ends that: with `sell_here` by a bid at the exchange whose book is
    /// wide, else by an ask there. Which exchange it comes from is the symbol's matter.
    pub fn crossing(&mut self, symbol: usize, sell_here: bool, stands: bool) -> Option<Ready> {
        self.ready(1 - self.tight(symbol), symbol, Some(crossing(sell_here, stands)))
    }

    /// Where a symbol's book is the tight one.
    #[must_use]
    pub const fn tight(&self, symbol: usize) -> usize {
        if is_wide(0, symbol) { 1 } else { 0 }
    }

    /// Writes a message; when the first byte was handed over.
    pub fn send(&mut self, ready: &Ready) -> Instant {
        let at = Instant::now();
        self.server.write(ready.conn, &ready.bytes);
        at
    }

    /// Tells that an order was filled whole at its limit.
    ///
    /// # Panics
    /// When the client has not subscribed to its fills.
    pub fn fill(&mut self, order: &Placement) {
        let native = self.books[order.venue][order.symbol].market.native();
        let bytes = if order.venue == MEXC {
            framed(false, &mexc::fill(native, order))
        } else {
            framed(true, gateio::fill(native, order).as_bytes())
        };
        let conn = self.accounts[order.venue].expect("a client hears of its fills");
        self.server.write(conn, &bytes);
    }

    fn ready(
        &mut self,
        venue: usize,
        symbol: usize,
        extra: Option<(bool, cex_core::Level)>,
    ) -> Option<Ready> {
        let conn = self.carriers[venue][symbol]?;
        let frame = self.books[venue][symbol].next_frame(extra);
        Some(Ready { conn, bytes: framed(venue != MEXC, &frame) })
    }

    fn call(&mut self, call: &Call) -> Option<Placement> {
        if call.target.starts_with("/ws") {
            self.server.upgrade(call);
            return None;
        }
        let is_mexc = call.target.starts_with("/api/v3/");
        let books = &self.books[usize::from(!is_mexc)];
        let answered = if is_mexc {
            mexc::answer(books, &call.method, &call.target)
        } else {
            gateio::answer(books, &call.target)
        };
        if let Some(body) = answered {
            self.server.answer(call.conn, &body);
            return None;
        }
        self.last_id += 1;
        let placed = if is_mexc { mexc::placement(&call.target) } else { gateio::placement(&call.body) };
        let mut order =
            placed.unwrap_or_else(|| panic!("not a call we know: {} {}", call.method, call.target));
        (order.order_id, order.at) = (self.last_id, call.at);
        let native = books[order.symbol].market.native();
        let body = if is_mexc { mexc::placed(native, &order) } else { gateio::placed(native, &order) };
        self.server.answer(call.conn, &body);
        self.server.watch(call.conn);
        Some(order)
    }

    fn message(&mut self, conn: ConnId, text: &str) {
        // A subscription names what it is to: fills, or books by the exchange's spelling of the symbol.
        // Only Gate.io's messages have a channel beside their payload.
        let is_mexc = !text.contains("\"channel\":");
        let venue = usize::from(!is_mexc);
        if text.contains("spot@private.deals") || text.contains("spot.usertrades") {
            self.accounts[venue] = Some(conn);
        } else if text.contains("aggre.depth") || text.contains("order_book_update") {
            for (book, carrier) in self.books[venue].iter().zip(&mut self.carriers[venue]) {
                if text.contains(book.market.native()) {
                    *carrier = Some(conn);
                }
            }
        }
        let answer = if is_mexc { mexc::stream_answer(text) } else { gateio::stream_answer(text) };
        if let Some(answer) = answer {
            self.server.write(conn, &framed(true, answer.as_bytes()));
        }
    }
}

/// The rank in a symbol of ours: `C0012USDT`, `C0012_USDT`.
fn rank(native: &str) -> Option<usize> {
    native.get(1..5)?.parse().ok()
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
