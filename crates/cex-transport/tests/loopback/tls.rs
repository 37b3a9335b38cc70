//! TLS: a certificate that holds is used, every other is refused.

use super::exchange::{MadeUp, config, venue};
use super::ws_server::{send_binary, serve};
use cex_errors::{ErrorKind, Outcome, Phase};
use cex_interface::Request;
use cex_transport::driver::Network;
use cex_transport::ws::Message;
use cex_transport::{Clock, Connector, ExtraRoots, LinkConfig, Rest, VenueNetwork};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ROOT: &[u8] = include_bytes!("certs/root.der");
const GOOD: &[u8] = include_bytes!("certs/good.der");
const BAD: [(&str, &[u8]); 4] = [
    ("expired", include_bytes!("certs/expired.der")),
    ("another host's", include_bytes!("certs/wrong_host.der")),
    ("of an unknown root", include_bytes!("certs/unknown_root.der")),
    ("self-signed", include_bytes!("certs/self_signed.der")),
];

fn acceptor(certificate: &'static [u8]) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(include_bytes!("certs/leaf_key.der").as_slice());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key.into())
        .expect("key and certificate belong together");
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A client that trusts the tests' own root, if `trusting`.
fn connector(trusting: bool) -> Connector {
    let mut roots = ExtraRoots::default();
    if trusting {
        roots.add_der(ROOT.to_vec());
    }
    Connector::new(&roots, Duration::from_secs(5)).expect("usable roots")
}

fn rest(port: u16, connector: &Connector) -> Arc<Rest> {
    let protocol = Arc::new(MadeUp::new(&format!("https://localhost:{port}")));
    Rest::new(protocol, connector.clone(), Clock::new(), config(), 1).expect("an address")
}

/// Answers `pong` to one request on every connection that gets through the handshake.
async fn start(certificate: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = acceptor(certificate);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let mut buffer = [0; 1_024];
                if tls.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    // The client's own checks are what is tested.
                    let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong").await;
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_that_holds_is_used() {
    let port = start(GOOD).await;
    let rest = rest(port, &connector(true));
    rest.call(&Request::Ping).await.expect("answered over TLS");
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_before_anything_is_said() {
    let mut cases = BAD.map(|(name, certificate)| (name, certificate, true)).to_vec();
    cases.push(("good, of a root nobody trusts", GOOD, false));
    for (name, certificate, trusting) in cases {
        let port = start(certificate).await;
        let connector = connector(trusting);
        let rest = rest(port, &connector);
        let cost_free = rest.call_stamped(&Request::Ping, cex_transport::Urgency::Normal).await;
        let error = cost_free.result.expect_err(name);
        assert_eq!(error.kind, ErrorKind::Connection(Phase::BeforeSend), "{name}");
        assert_eq!(error.outcome(), Outcome::NotSent, "{name}");
        let network = VenueNetwork::new(rest, connector, &LinkConfig::default());
        let dialed = network.dial(&format!("wss://localhost:{port}/ws")).await;
        assert_eq!(
            dialed.map(|_| ()).expect_err(name).kind,
            ErrorKind::Connection(Phase::BeforeSend),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_stream_over_tls_gives_its_messages() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = acceptor(GOOD);
    let server = async {
        let (tcp, _) = listener.accept().await.expect("a client");
        let tls = acceptor.accept(tcp).await.expect("a handshake");
        serve(tls, Arc::default(), |mut socket| async move {
            for number in 0..100_u8 {
                send_binary(&mut socket, &[number; 700]).await;
            }
        })
        .await;
    };
    let client = async {
        let connector = connector(true);
        let network = VenueNetwork::new(rest(port, &connector), connector, &LinkConfig::default());
        let mut conn = network.dial(&format!("wss://localhost:{port}/ws")).await.expect("upgraded");
        let mut next = 0;
        while next < 100 {
            while let Some(message) = conn.next_message().expect("valid") {
                assert_eq!(message, Message::Binary(&[next; 700]));
                next += 1;
            }
            if next < 100 {
                poll_fn(|cx| conn.poll_read(cx)).await.expect("bytes");
            }
        }
    };
    let both = async { tokio::join!(server, client) };
    assert!(tokio::time::timeout(Duration::from_secs(10), both).await.is_ok(), "{}", venue());
}
