//! Sockets: TCP set up for latency, with TLS on top where the address says so.

use crate::config::TransportConfig;
use crate::driver::BoxFuture;
use crate::endpoint::Endpoint;
use crate::tls::{ExtraRoots, RootError, client_config};
use hyper::service::Service;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

type Tcp = TokioIo<TcpStream>;

/// After this long without an acknowledgement the kernel gives a connection up: a half-open one would swallow orders.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);

/// Makes streams in place of sockets: a network that is simulated, or a way around that only its owner knows.
pub trait Dial: fmt::Debug + Send + Sync {
    /// Connects to a plain-text address, which [`Endpoint`] has found to be this machine's. The caller bounds the time.
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<io::Result<Box<dyn ByteStream>>>;
}

/// A connected stream of bytes.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Sockets(TowerToHyperService<HttpsConnector<HttpConnector>>),
    Dialer(Arc<dyn Dial>),
}

impl Connector {
    /// As the configuration says.
    ///
    /// # Errors
    /// An extra root that is not a certificate.
    pub fn of(config: &TransportConfig) -> Result<Self, RootError> {
        match &config.dialer {
            Some(dialer) => Ok(Self { way: Way::Dialer(Arc::clone(dialer)) }),
            None => Self::new(&config.extra_roots, config.rest.connect_timeout),
        }
    }

    /// Trusts the public roots and `extra`; gives a TCP connection `timeout` to be made.
    ///
    /// # Errors
    /// An extra root that is not a certificate.
    pub fn new(extra: &ExtraRoots, timeout: Duration) -> Result<Self, RootError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        let service = HttpsConnector::from((tcp, client_config(extra)?));
        Ok(Self { way: Way::Sockets(TowerToHyperService::new(service)) })
    }

    /// Connects, with TLS when the address says so. The caller bounds the time of it all.
    ///
    /// # Errors
    /// Name resolution, refusal, or a certificate that does not hold.
    pub async fn connect(&self, endpoint: &Endpoint) -> io::Result<NetStream> {
        let service = match &self.way {
            Way::Sockets(service) => service,
            // TLS would have to be put on top of it; nobody needs that yet, and without it nothing may leave.
            Way::Dialer(_) if endpoint.is_secure() => {
                return Err(io::Error::other(
                    "a dialer of one's own carries no TLS: use an address of this machine",
                ));
            }
            Way::Dialer(dialer) => return Ok(NetStream::Dialed(dialer.dial(endpoint).await?)),
        };
        let uri = endpoint.connect_uri().map_err(io::Error::other)?;
        match service.call(uri).await.map_err(io::Error::other)? {
            MaybeHttpsStream::Http(tcp) => Ok(NetStream::Plain(tcp.into_inner())),
            MaybeHttpsStream::Https(tls) => Ok(NetStream::Tls(Box::new(tls.into_inner()))),
        }
    }
}

/// What is at the bottom of it, such as `Connection refused (os error 111)`: what lies above only says that it failed.
pub(crate) fn cause(error: &io::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// A connected byte stream.
pub enum NetStream {
    /// Plain TCP, to this machine only.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TokioIo<Tcp>>>),
    /// What a [`Dial`] made.
    Dialed(Box<dyn ByteStream>),
}

impl NetStream {
    /// Tells the kernel not to acknowledge inside of every read, which costs a receiver some two microseconds a message.
    /// A hint: the kernel may go back to it, and where it cannot be set nothing is lost.
    pub(crate) fn delay_acknowledgements(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let tcp = match self {
                Self::Plain(tcp) => tcp,
                Self::Tls(tls) => tls.get_ref().0.inner().inner(),
                Self::Dialed(_) => return,
            };
            if let Err(error) = tcp.set_quickack(false) {
                tracing::debug!(%error, "acknowledgements could not be delayed");
            }
        }
    }
}

impl fmt::Debug for NetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "plain TCP stream",
            Self::Tls(_) => "TLS stream",
            Self::Dialed(_) => "dialed stream",
        })
    }
}

impl AsyncRead for NetStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
            Self::Dialed(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
            Self::Dialed(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
            Self::Dialed(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Dialed(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Dialed(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Dialed(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
