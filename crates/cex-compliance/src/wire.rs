//! What lies between adapter and simulator: a relay that understands just enough HTTP and WebSocket to lose, cut, hold
//! or replace what passes, whatever the exchange's own language is.
//!
//! It is also the witness of what was sent: a placement that arrives twice shows in [`Wire::asked`], even when the
//! exchange refused the second one.

mod http;
mod message;
mod socket;

pub use message::{Asked, Cause, Match};

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is done to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not reach the exchange, and the connection breaks.
    LoseCall,
    /// The exchange acts on it, but its answer is lost and the connection breaks.
    LoseAnswer,
    /// The exchange acts on it and answers late.
    HoldAnswer(Duration),
    /// It reaches the exchange late.
    HoldCall(Duration),
    /// Something else answers: before it reaches the exchange, or after the exchange acted on it.
    Instead {
        /// Whether the exchange acts on the call first.
        cause: Cause,
        /// Status code of the answer.
        status: u16,
        /// Headers of the answer beyond type and length.
        headers: &'static str,
        /// Content type of the answer.
        kind: &'static str,
        /// Body of the answer.
        body: &'static str,
    },
    /// The exchange acts on it; only the first half of the answer's body arrives, as if that were all.
    HalfAnswer,
    /// The exchange acts on it; the connection breaks in the middle of the answer.
    BreakAnswer,
    /// The exchange acts on it; the answer's status is changed.
    OtherStatus(u16),
    /// The exchange acts on it; wherever the answer says the first, it says the second instead.
    Mangle(String, &'static str),
}

/// What is done to a message of a stream on its way to the adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamFault {
    /// It is lost.
    Drop,
    /// It comes twice.
    Twice,
    /// Its second half is missing.
    Half,
    /// Something else comes in its place, as a text message.
    Text(&'static str),
    /// Something else comes in its place, as a binary message.
    Binary(&'static [u8]),
    /// The connection breaks in the middle of it.
    BreakWithin,
    /// It comes with a mask, which servers must not send.
    Masked,
    /// It comes after so many milliseconds, and holds up what follows.
    Hold(Duration),
}

/// A fault and what it waits for.
#[derive(Debug, Clone)]
struct Armed<F> {
    on: Match,
    fault: F,
    /// How many more times the fault happens.
    left: usize,
    /// How many that match pass before.
    skip: usize,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    calls: Mutex<Vec<Armed<Fault>>>,
    messages: Mutex<Vec<Armed<StreamFault>>>,
    asked: Mutex<Vec<Asked>>,
    /// Messages the adapter sent over streams.
    said: Mutex<Vec<Vec<u8>>>,
    fired: Mutex<usize>,
    /// Nothing passes, and nothing breaks.
    frozen: watch::Sender<bool>,
    sockets: Mutex<usize>,
}

#[derive(Debug)]
struct Upstream {
    host: String,
}

/// A relay in front of one exchange of a simulator.
#[derive(Debug)]
pub struct Wire {
    /// Base of REST.
    pub rest: String,
    /// The stream's address.
    pub ws: String,
    shared: Arc<Shared>,
}

impl Wire {
    /// A relay to these addresses, on a port of its own, run by the current runtime.
    ///
    /// # Errors
    /// When loopback has no port left.
    pub async fn start(rest: &str, ws: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let host = rest.trim_start_matches("http://").to_owned();
        let path = ws.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let shared = Arc::new(Shared {
            upstream: Upstream { host },
            calls: Mutex::default(),
            messages: Mutex::default(),
            asked: Mutex::default(),
            said: Mutex::default(),
            fired: Mutex::default(),
            frozen: watch::Sender::new(false),
            sockets: Mutex::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            rest: format!("http://127.0.0.1:{port}"),
            ws: format!("ws://127.0.0.1:{port}/{path}"),
            shared,
        })
    }

    /// Does this to the next call that matches.
    pub fn on_call(&self, on: Match, fault: Fault) {
        self.on_calls(on, fault, 1);
    }

    /// Does this to so many calls that match.
    pub fn on_calls(&self, on: Match, fault: Fault, times: usize) {
        locked(&self.shared.calls).push(Armed { on, fault, left: times, skip: 0 });
    }

    /// Does this to the next message that matches.
    pub fn on_message(&self, on: Match, fault: StreamFault) {
        self.on_messages(on, fault, 1);
    }

    /// Does this to so many messages that match.
    pub fn on_messages(&self, on: Match, fault: StreamFault, times: usize) {
        locked(&self.shared.messages).push(Armed { on, fault, left: times, skip: 0 });
    }

    /// Does this to every message that matches, but for the first.
    pub fn after_first_message(&self, on: Match, fault: StreamFault) {
        locked(&self.shared.messages).push(Armed { on, fault, left: usize::MAX, skip: 1 });
    }

    /// Forgets all faults that have not happened.
    pub fn clear(&self) {
        locked(&self.shared.calls).clear();
        locked(&self.shared.messages).clear();
    }

    /// How many faults happened.
    #[must_use]
    pub fn fired(&self) -> usize {
        *locked(&self.shared.fired)
    }

    /// Lets nothing pass any more, or everything again; connections stand meanwhile.
    pub fn freeze(&self, frozen: bool) {
        self.shared.frozen.send_replace(frozen);
    }

    /// The calls seen so far that match, oldest first.
    #[must_use]
    pub fn asked(&self, on: &Match) -> Vec<Asked> {
        locked(&self.shared.asked).iter().filter(|asked| on.fits_call(asked)).cloned().collect()
    }

    /// How many messages the adapter has sent over streams that match. They are counted before they are held up.
    #[must_use]
    pub fn said(&self, on: &Match) -> usize {
        locked(&self.shared.said).iter().filter(|said| on.fits_bytes(said)).count()
    }

    /// How many streams were opened so far.
    #[must_use]
    pub fn sockets(&self) -> usize {
        *locked(&self.shared.sockets)
    }
}

impl Shared {
    /// The fault for this call, if one waits for it.
    fn fault_of(&self, asked: &Asked) -> Option<Fault> {
        let taken = take(&mut locked(&self.calls), |on| on.fits_call(asked));
        self.count(taken.is_some());
        taken
    }

    fn fault_of_message(&self, payload: &[u8]) -> Option<StreamFault> {
        let taken = take(&mut locked(&self.messages), |on| on.fits_bytes(payload));
        self.count(taken.is_some());
        taken
    }

    fn count(&self, one: bool) {
        *locked(&self.fired) += usize::from(one);
    }

    /// Waits while nothing may pass.
    async fn pass(&self) {
        let mut frozen = self.frozen.subscribe();
        // The sender lives as long as this, so the wait can only end by a thaw.
        let _ = frozen.wait_for(|frozen| !frozen).await;
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.upstream.host).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn take<F: Clone>(armed: &mut Vec<Armed<F>>, fits: impl Fn(&Match) -> bool) -> Option<F> {
    let index = armed.iter().position(|one| fits(&one.on))?;
    let one = &mut armed[index];
    if one.skip > 0 {
        one.skip -= 1;
        return None;
    }
    let fault = one.fault.clone();
    one.left = one.left.saturating_sub(1);
    if one.left == 0 {
        armed.remove(index);
    }
    Some(fault)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // How a relayed connection ended is the adapter's business; it saw the same.
            let _ = http::relay(client, &shared).await;
        });
    }
}
