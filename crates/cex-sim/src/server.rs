//! Real HTTP and WebSocket servers on loopback, on the wall clock: simulated exchanges that any client can talk to.
//!
//! One thread owns the market, the exchanges, the dialects and all sockets; calls happen one after the other. A
//! [`SimHandle`] asks it from outside.
//!
//! | module | what |
//! |---|---|
//! | `config`, `error` | what can be chosen, what can go wrong |
//! | `control`, `api` | what a handle can ask for, and what anybody can over HTTP |
//! | `rules` | what a profile and an account's rights mean to each exchange |
//! | `host` | market, exchanges and dialects behind the sockets |
//! | `inject`, `faults` | what goes wrong on request: how it begins and ends, what it does to calls and frames |
//! | `listen`, `socket`, `line`, `body` | HTTP, WebSocket sessions, connections and answers that can be cut |
//! | `tls` | certificates, one good and five bad |
//! | `elapse` | time that passes for what waits |
//! | `ledger`, `truth` | the exact books, to compare with |
//! | `clock` | the only clock of the crate |
//! | [`world`] | the same host in memory, on a virtual clock |
//! | `embedded` | the same servers inside somebody else's runtime, over streams of theirs |

mod api;
mod body;
mod clock;
mod config;
mod control;
mod elapse;
mod embedded;
mod error;
mod faults;
mod host;
mod inject;
mod ledger;
mod line;
mod listen;
mod rules;
mod socket;
mod tls;
mod truth;
pub mod world;

pub use config::{Profile, Rights, SimAccount, SimConfig, SimExchange};
pub use embedded::EmbeddedSim;
pub use error::SimError;
pub use ledger::{AccountLedger, Ledger, LedgerFill, LedgerOrder};
pub use tls::Certificate;
pub use truth::TruthBook;

use clock::Clock;
use host::{Host, Shared};
use listen::Door;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use tls::Identity;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Where an exchange is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Base of REST: `http://127.0.0.1:PORT`, without the API's own prefix.
    pub rest: String,
    /// The WebSocket's address, path included.
    pub ws: String,
}

/// Where the exchanges are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// MEXC.
    pub mexc: Endpoint,
    /// Gate.io.
    pub gateio: Endpoint,
    /// Base of the control interface, `http://127.0.0.1:PORT/sim/v1`; `None` when there is none.
    pub control: Option<String>,
}

/// Starts simulators.
#[derive(Debug)]
pub struct SimServer;

impl SimServer {
    /// Starts a simulator in a thread of its own and waits until it listens.
    ///
    /// # Errors
    ///
    /// When a port is taken, or the system gives no thread.
    pub fn start(config: SimConfig) -> Result<SimHandle, SimError> {
        let (commands, orders) = unbounded_channel();
        let (ready, started) = blocking::sync_channel(1);
        let accounts = config.accounts.clone();
        let spawned =
            std::thread::Builder::new().name("cex-sim".to_owned()).spawn(move || run(config, orders, &ready));
        let thread = Some(spawned.map_err(SimError::Start)?);
        let Started { endpoints, roots_pem } = started.recv().map_err(|_| SimError::Stopped)??;
        Ok(SimHandle { endpoints, roots_pem, accounts, commands, thread })
    }
}

/// A running simulator. Its calls block until the simulator's thread has answered, which takes no longer than what
/// that thread is doing. Dropping the handle stops the simulator.
#[derive(Debug)]
pub struct SimHandle {
    endpoints: Endpoints,
    roots_pem: Option<String>,
    accounts: Vec<SimAccount>,
    commands: UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// What a handle asks of the simulator's thread.
#[derive(Debug)]
enum Command {
    Do(Job),
    Halt(SimExchange, bool, blocking::SyncSender<Result<(), SimError>>),
    Stop,
}

/// Something to do to the host, which answers by itself.
struct Job(Box<dyn FnOnce(&mut Host) + Send>);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl SimHandle {
    /// Where the exchanges are served.
    #[must_use]
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Where an exchange is served.
    #[must_use]
    pub const fn endpoint(&self, exchange: SimExchange) -> &Endpoint {
        match exchange {
            SimExchange::Mexc => &self.endpoints.mexc,
            SimExchange::Gateio => &self.endpoints.gateio,
        }
    }

    /// Whom a client has to trust, as PEM text; `None` without TLS.
    #[must_use]
    pub fn roots_pem(&self) -> Option<&str> {
        self.roots_pem.as_deref()
    }

    /// Who may trade.
    #[must_use]
    pub fn accounts(&self) -> &[SimAccount] {
        &self.accounts
    }

    /// Refuses new connections to an exchange, or accepts them again. Existing ones stay.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped, or somebody took the port meanwhile.
    pub fn halt_accepting(&self, exchange: SimExchange, halt: bool) -> Result<(), SimError> {
        self.ask(|done| Command::Halt(exchange, halt, done))?
    }

    /// Stops the simulator and waits for its thread.
    ///
    /// # Errors
    ///
    /// When the thread had panicked.
    pub fn stop(mut self) -> Result<(), SimError> {
        self.shut_down()
    }

    fn ask<T>(&self, command: impl FnOnce(blocking::SyncSender<T>) -> Command) -> Result<T, SimError> {
        let (done, answer) = blocking::sync_channel(1);
        self.commands.send(command(done)).map_err(|_| SimError::Stopped)?;
        answer.recv().map_err(|_| SimError::Stopped)
    }

    /// Does something to the host and waits for what comes of it.
    fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Host) -> T + Send + 'static,
    ) -> Result<T, SimError> {
        self.ask(|done| Command::Do(Job(Box::new(move |host| answer(&done, job(host))))))
    }

    fn shut_down(&mut self) -> Result<(), SimError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        // A thread that is gone already needs no word.
        let _ = self.commands.send(Command::Stop);
        thread.join().map_err(|_| SimError::Stopped)
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(%error, "the simulator did not stop properly");
        }
    }
}

/// What is known once it listens.
#[derive(Debug)]
struct Started {
    endpoints: Endpoints,
    roots_pem: Option<String>,
}

type Ready = blocking::SyncSender<Result<Started, SimError>>;

/// The simulator's thread.
fn run(config: SimConfig, commands: UnboundedReceiver<Command>, ready: &Ready) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, serve(config, commands, ready)),
        Err(error) => answer(ready, Err(SimError::Start(error))),
    }
}

async fn serve(config: SimConfig, commands: UnboundedReceiver<Command>, ready: &Ready) {
    let identity = match config.tls.map(Identity::new).transpose() {
        Ok(identity) => identity,
        Err(error) => return answer(ready, Err(error)),
    };
    let bound = match bind_all(&config).await {
        Ok(bound) => bound,
        Err(error) => return answer(ready, Err(error)),
    };
    let control = match config.control_port {
        None => None,
        Some(port) => match api::bind(port).await {
            Ok(control) => Some(control),
            Err(error) => return answer(ready, Err(error)),
        },
    };
    let host = Host::new(config, Clock::start());
    if let Err(error) = host.check_planned() {
        return answer(ready, Err(error));
    }
    let host: Shared = Rc::new(RefCell::new(host));
    let control = control.map(|(listener, base)| {
        tokio::task::spawn_local(api::accept(Rc::clone(&host), listener));
        base
    });
    let [mexc, gateio] = bound.map(|(exchange, port, listener)| {
        let (doors, commands) = unbounded_channel();
        let tls = identity.as_ref().map(|identity| identity.acceptor.clone());
        tokio::task::spawn_local(listen::accept(Rc::clone(&host), exchange, port, listener, tls, commands));
        (port, doors)
    });
    let endpoints = endpoints(mexc.0, gateio.0, control, identity.is_some());
    answer(ready, Ok(Started { endpoints, roots_pem: identity.map(|identity| identity.roots_pem) }));
    // The ticker is no task of its own: if it panics the thread ends, and the handle says so.
    tokio::select! {
        () = tick(&host) => {}
        () = obey(&host, commands, &mexc.1, &gateio.1) => {}
    }
}

/// Does what the handle asks until it says stop.
async fn obey(
    host: &Shared,
    mut commands: UnboundedReceiver<Command>,
    mexc: &UnboundedSender<Door>,
    gateio: &UnboundedSender<Door>,
) {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Do(Job(job)) => job(&mut host.borrow_mut()),
            Command::Halt(exchange, halt, done) => {
                let doors = match exchange {
                    SimExchange::Mexc => mexc,
                    SimExchange::Gateio => gateio,
                };
                answer(&done, move_door(doors, !halt).await);
            }
            Command::Stop => return,
        }
    }
}

/// Whoever asked may have stopped waiting; then nobody needs the answer.
fn answer<T>(to: &blocking::SyncSender<T>, answer: T) {
    let _ = to.send(answer);
}

async fn bind_all(config: &SimConfig) -> Result<[(SimExchange, u16, tokio::net::TcpListener); 2], SimError> {
    let [mexc, gateio] = SimExchange::ALL.map(|exchange| bind(config, exchange));
    Ok([mexc.await?, gateio.await?])
}

async fn bind(
    config: &SimConfig,
    exchange: SimExchange,
) -> Result<(SimExchange, u16, tokio::net::TcpListener), SimError> {
    let listener = listen::bind(exchange, config.port(exchange)).await?;
    let port = listener.local_addr().map_err(SimError::Start)?.port();
    Ok((exchange, port, listener))
}

fn endpoints(mexc: u16, gateio: u16, control: Option<String>, has_tls: bool) -> Endpoints {
    let secure = if has_tls { "s" } else { "" };
    let endpoint = |port, path| Endpoint {
        rest: format!("http{secure}://127.0.0.1:{port}"),
        ws: format!("ws{secure}://127.0.0.1:{port}{path}"),
    };
    Endpoints { mexc: endpoint(mexc, "/ws"), gateio: endpoint(gateio, "/ws/v4/"), control }
}

async fn move_door(doors: &UnboundedSender<Door>, is_open: bool) -> Result<(), SimError> {
    let (done, answer) = oneshot::channel();
    doors.send(Door { is_open, done }).map_err(|_| SimError::Stopped)?;
    answer.await.map_err(|_| SimError::Stopped)?
}

/// Wakes the host when something is due, or when a call made something due earlier.
async fn tick(host: &Shared) {
    let alarm = host.borrow().alarm();
    loop {
        let pause = host.borrow_mut().tick();
        if pause.is_zero() {
            // A market that is behind must not keep clients waiting.
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = alarm.notified() => {}
        }
    }
}
