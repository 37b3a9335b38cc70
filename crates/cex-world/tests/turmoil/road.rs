//! The client's end of every connection.

use cex_sim::server::SimExchange;
use cex_transport::driver::BoxFuture;
use cex_transport::endpoint::Endpoint;
use cex_transport::{ByteStream, Dial};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use turmoil::net::TcpStream;

/// Every exchange listens here, on a host of its own name.
pub(crate) const PORTS: [u16; 2] = [7801, 7802];

/// A slow reader reads once in so long.
const HELPING: Duration = Duration::from_millis(50);

/// Where a connection is torn: after so many bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tear {
    /// So many bytes leave, and nothing after them; the connection is reset.
    Written(usize),
    /// So many bytes arrive, then a reset.
    ReadReset(usize),
    /// So many bytes arrive, then the end of the stream.
    ReadEnd(usize),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Calls,
    Stream,
}

/// Bytes that passed over one connection.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) written: AtomicUsize,
    pub(crate) read: AtomicUsize,
}

/// The way to one exchange.
#[derive(Debug, Default)]
pub(crate) struct Road {
    /// Reads bring at most so many bytes; 0 for as many as there are.
    slice: AtomicUsize,
    /// Reads bring at most so many bytes in each [`HELPING`]; 0 for as many as there are.
    helping: AtomicUsize,
    /// Attempts to connect are refused.
    refuses: AtomicBool,
    /// What befalls the next connections of a purpose.
    armed: Mutex<Vec<(Purpose, Tear)>>,
    /// When each attempt to connect was made, and for what.
    dials: Mutex<Vec<(Instant, Purpose)>>,
    /// Of the newest connection of each purpose.
    newest: Mutex<[Arc<Meter>; 2]>,
}

impl Road {
    pub(crate) fn slice(&self, bytes: usize) {
        self.slice.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn helping(&self, bytes: usize) {
        self.helping.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    /// The next connection of this purpose is torn.
    pub(crate) fn arm(&self, purpose: Purpose, tear: Tear) {
        lock(&self.armed).push((purpose, tear));
    }

    /// Whether a tear still waits for its connection.
    pub(crate) fn is_armed(&self) -> bool {
        !lock(&self.armed).is_empty()
    }

    pub(crate) fn calm(&self) {
        self.slice(0);
        self.helping(0);
        self.refuse(false);
        lock(&self.armed).clear();
    }

    /// The attempts to connect so far.
    pub(crate) fn dials(&self, purpose: Purpose) -> Vec<Instant> {
        lock(&self.dials).iter().filter(|(_, of)| *of == purpose).map(|(at, _)| *at).collect()
    }

    /// Bytes of the newest connection of this purpose: written, read.
    pub(crate) fn passed(&self, purpose: Purpose) -> (usize, usize) {
        let meter = Arc::clone(&lock(&self.newest)[purpose as usize]);
        (meter.written.load(Ordering::Relaxed), meter.read.load(Ordering::Relaxed))
    }

    fn next_tear(&self, purpose: Purpose) -> Option<Tear> {
        let mut armed = lock(&self.armed);
        let at = armed.iter().position(|(of, _)| *of == purpose)?;
        Some(armed.remove(at).1)
    }
}

/// The ways to all exchanges, in the order of [`SimExchange::ALL`].
#[derive(Debug, Default, Clone)]
pub(crate) struct Roads([Arc<Road>; 2]);

impl Roads {
    pub(crate) fn to(&self, exchange: SimExchange) -> &Arc<Road> {
        &self.0[exchange as usize]
    }
}

impl Dial for Roads {
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        let purpose = if endpoint.target().starts_with("/ws") { Purpose::Stream } else { Purpose::Calls };
        let index = PORTS.iter().position(|port| *port == endpoint.port()).expect("an exchange's port");
        let road = Arc::clone(&self.0[index]);
        let host = SimExchange::ALL[index].name();
        lock(&road.dials).push((Instant::now(), purpose));
        Box::pin(async move {
            if road.refuses.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let stream = match TcpStream::connect((host, PORTS[index])).await {
                Ok(stream) => stream,
                // A listener that is always there refuses nobody: the network lost the question, and tells too soon.
                Err(_) => std::future::pending().await,
            };
            let meter = Arc::new(Meter::default());
            lock(&road.newest)[purpose as usize] = Arc::clone(&meter);
            let tear = road.next_tear(purpose);
            let rest = Box::pin(tokio::time::sleep(Duration::ZERO));
            Ok(Box::new(Frayed { stream: Some(stream), road, meter, tear, helping: 0, rest }) as Box<_>)
        })
    }
}

/// A connection that can be torn.
struct Frayed {
    /// `None` once torn.
    stream: Option<TcpStream>,
    road: Arc<Road>,
    meter: Arc<Meter>,
    tear: Option<Tear>,
    /// What is left of this helping.
    helping: usize,
    rest: Pin<Box<Sleep>>,
}

impl Frayed {
    fn written(&self) -> usize {
        self.meter.written.load(Ordering::Relaxed)
    }

    fn read(&self) -> usize {
        self.meter.read.load(Ordering::Relaxed)
    }

    /// Tears it; what the reader is told.
    fn end(&mut self) -> io::Result<()> {
        self.stream = None;
        match self.tear {
            Some(Tear::ReadEnd(_)) => Ok(()),
            Some(Tear::Written(_) | Tear::ReadReset(_)) | None => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// How much a read may bring now.
    fn poll_room(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<usize> {
        let mut room = room;
        let slice = self.road.slice.load(Ordering::Relaxed);
        if slice > 0 {
            room = room.min(slice);
        }
        let helping = self.road.helping.load(Ordering::Relaxed);
        if helping > 0 {
            if self.helping == 0 {
                ready!(self.rest.as_mut().poll(cx));
                self.rest.as_mut().reset(Instant::now() + HELPING);
                self.helping = helping;
            }
            room = room.min(self.helping);
        }
        Poll::Ready(room)
    }
}

impl AsyncRead for Frayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut room = ready!(this.poll_room(cx, buf.remaining()));
        match this.tear {
            Some(Tear::Written(most)) if this.written() >= most => return Poll::Ready(this.end()),
            Some(Tear::ReadReset(most) | Tear::ReadEnd(most)) => {
                room = room.min(most.saturating_sub(this.read()));
                if room == 0 {
                    // It is torn by the first byte too many, so that whoever sent it did send it.
                    let Some(stream) = &mut this.stream else { return Poll::Ready(this.end()) };
                    ready!(Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut [0])))?;
                    return Poll::Ready(this.end());
                }
            }
            Some(Tear::Written(_)) | None => {}
        }
        let Some(stream) = &mut this.stream else { return Poll::Ready(this.end()) };
        let mut bytes = vec![0; room.min(64 << 10)];
        let mut space = ReadBuf::new(&mut bytes);
        ready!(Pin::new(stream).poll_read(cx, &mut space))?;
        let got = space.filled().len();
        buf.put_slice(space.filled());
        this.helping = this.helping.saturating_sub(got);
        this.meter.read.fetch_add(got, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Frayed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut room = buf.len();
        if let Some(Tear::Written(most)) = this.tear {
            room = room.min(most.saturating_sub(this.written()));
            if room == 0 {
                this.stream = None;
            }
        }
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let count = ready!(Pin::new(stream).poll_write(cx, &buf[..room]))?;
        this.meter.written.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_shutdown(cx))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
