//! The relay of one connection: calls one after the other, until one of them becomes a stream.

use super::message::{Asked, Cause};
use super::{Fault, Shared, locked, socket};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest head or body; a simulated exchange's rules of a thousand symbols are well below.
const MOST_BYTES: usize = 8 << 20;

/// A head, and what follows it up to its length.
#[derive(Debug)]
struct Whole {
    head: String,
    body: Vec<u8>,
}

impl Whole {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }
}

/// Relays calls until either side hangs up.
pub(super) async fn relay(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = shared.connect().await?;
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    loop {
        // Whatever the other side does meanwhile shows when it is read next; an idle connection that the exchange
        // closes must be closed here as well.
        let request = tokio::select! {
            request = read(&mut client, &mut from_client) => request?,
            closed = is_closed(&server) => return closed,
        };
        let Some(request) = request else { return Ok(()) };
        shared.pass().await;
        let asked = asked(&request);
        let fault = shared.fault_of(&asked);
        locked(&shared.asked).push(asked);
        match fault {
            Some(Fault::LoseCall) => return Ok(()),
            Some(Fault::Instead { cause: Cause::Before, status, headers, kind, body }) => {
                client.write_all(&instead(status, headers, kind, body)).await?;
                continue;
            }
            Some(Fault::HoldCall(wait)) => tokio::time::sleep(wait).await,
            _ => {}
        }
        server.write_all(&request.bytes()).await?;
        let Some(answer) = read(&mut server, &mut from_server).await? else { return Ok(()) };
        shared.pass().await;
        if answer.first_line().contains(" 101") {
            client.write_all(&answer.bytes()).await?;
            *locked(&shared.sockets) += 1;
            return socket::relay(client, server, from_client, from_server, shared).await;
        }
        match fault {
            Some(Fault::LoseAnswer) => return Ok(()),
            Some(Fault::HoldAnswer(wait)) => {
                tokio::time::sleep(wait).await;
                client.write_all(&answer.bytes()).await?;
            }
            Some(Fault::Instead { status, headers, kind, body, .. }) => {
                client.write_all(&instead(status, headers, kind, body)).await?;
            }
            Some(Fault::HalfAnswer) => {
                let body = &answer.body[..answer.body.len() / 2];
                let text = String::from_utf8_lossy(body);
                let status = status(&answer);
                client.write_all(&instead(status, "", "application/json", &text)).await?;
            }
            Some(Fault::BreakAnswer) => {
                let bytes = answer.bytes();
                let kept = bytes.len() - answer.body.len().div_ceil(2);
                client.write_all(&bytes[..kept]).await?;
                return client.shutdown().await;
            }
            Some(Fault::OtherStatus(status)) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                client.write_all(&instead(status, "", "application/json", &text)).await?;
            }
            Some(Fault::Mangle(from, to)) => {
                let text = String::from_utf8_lossy(&answer.body).replace(&from, to);
                client.write_all(&instead(status(&answer), "", "application/json", &text)).await?;
            }
            Some(Fault::HoldCall(_) | Fault::LoseCall) | None => client.write_all(&answer.bytes()).await?,
        }
    }
}

async fn is_closed(server: &TcpStream) -> io::Result<()> {
    let mut byte = [0];
    match server.peek(&mut byte).await {
        // It cannot speak before it is asked.
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

fn asked(request: &Whole) -> Asked {
    let mut words = request.first_line().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers = request.head.split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    Asked { method, target, headers, body: request.body.clone() }
}

fn status(answer: &Whole) -> u16 {
    answer.first_line().split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(200)
}

fn instead(status: u16, headers: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Relayed\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// The next whole head and body; nothing when the other side hung up between two.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Whole>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > MOST_BYTES {
            return Err(io::Error::other("a head without an end"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let mut rest = buffer.split_off(end);
    let head = String::from_utf8_lossy(buffer).into_owned();
    *buffer = std::mem::take(&mut rest);
    let mut whole = Whole { head, body: Vec::new() };
    let length = whole.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    if whole.header("transfer-encoding").is_some() || length > MOST_BYTES {
        return Err(io::Error::other("a body without a length"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    rest = buffer.split_off(length);
    whole.body = std::mem::replace(buffer, rest);
    Ok(Some(whole))
}
