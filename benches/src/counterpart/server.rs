//! Sockets that are asked over and over and never waited for: a counterpart that sleeps would add its own waking up, some
//! tens of microseconds, to everything that is measured.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Connections that never brought an order are looked at in one turn out of so many: each look is a system call.
const COLD_EVERY: u32 = 32;
/// Enough for any request and any message of ours.
const READ_AT_ONCE: usize = 16 * 1024;

/// Number of a connection.
pub(super) type ConnId = usize;

/// A whole HTTP request.
pub(super) struct Call {
    pub(super) conn: ConnId,
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) body: Vec<u8>,
    /// When the last byte of it was there.
    pub(super) at: Instant,
    upgrade_key: Option<String>,
}

/// What a connection brought.
pub(super) enum Heard {
    /// An HTTP request.
    Call(Call),
    /// A text message on a stream.
    Text(ConnId, String),
}

struct Conn {
    socket: TcpStream,
    inbox: Vec<u8>,
    is_stream: bool,
    is_hot: bool,
}

/// A server on a port of loopback.
pub(super) struct Server {
    listener: TcpListener,
    conns: Vec<Option<Conn>>,
    turn: u32,
    buffer: Vec<u8>,
}

impl Server {
    pub(super) fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, conns: Vec::new(), turn: 0, buffer: vec![0; READ_AT_ONCE] })
    }

    pub(super) fn port(&self) -> u16 {
        self.listener.local_addr().expect("a bound listener has an address").port()
    }

    /// One look at the connections whose turn it is; the first thing found.
    pub(super) fn poll(&mut self) -> Option<Heard> {
        self.turn = self.turn.wrapping_add(1);
        let all = self.turn.is_multiple_of(COLD_EVERY);
        if all && let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true).expect("a connected socket");
            socket.set_nodelay(true).expect("a connected socket");
            self.conns.push(Some(Conn { socket, inbox: Vec::new(), is_stream: false, is_hot: false }));
        }
        for id in 0..self.conns.len() {
            let Some(conn) = self.conns[id].as_mut().filter(|conn| all || conn.is_hot) else { continue };
            match conn.socket.read(&mut self.buffer) {
                Ok(0) => self.conns[id] = None,
                Ok(count) => conn.inbox.extend_from_slice(&self.buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.conns[id] = None,
            }
            if let Some(heard) = self.conns[id].as_mut().and_then(|conn| conn.take(id)) {
                return Some(heard);
            }
        }
        None
    }

    /// Has a connection looked at in every turn.
    pub(super) fn watch(&mut self, id: ConnId) {
        if let Some(conn) = self.conns[id].as_mut() {
            conn.is_hot = true;
        }
    }

    /// Answers a request with JSON.
    pub(super) fn answer(&mut self, id: ConnId, body: &str) {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.write(id, (head + body).as_bytes());
    }

    /// Answers a request for a WebSocket, which a connection is from now on.
    pub(super) fn upgrade(&mut self, call: &Call) {
        let key = call.upgrade_key.as_deref().expect("a request for a stream has a key");
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.write(call.conn, answer.as_bytes());
        if let Some(conn) = self.conns[call.conn].as_mut() {
            conn.is_stream = true;
        }
    }

    /// Writes a message that [`framed`] made, in one piece.
    pub(super) fn write(&mut self, id: ConnId, mut bytes: &[u8]) {
        while let Some(conn) = self.conns[id].as_mut().filter(|_| !bytes.is_empty()) {
            match conn.socket.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.conns[id] = None,
            }
        }
    }
}

impl Conn {
    fn take(&mut self, id: ConnId) -> Option<Heard> {
        if self.is_stream {
            return take_text(&mut self.inbox).map(|text| Heard::Text(id, text));
        }
        take_call(&mut self.inbox, id).map(Heard::Call)
    }
}

/// A message as a WebSocket frame of a server: whole, not masked (RFC 6455 §5.2).
pub(super) fn framed(is_text: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![if is_text { 0x81 } else { 0x82 }];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(short.to_be_bytes()[1]),
        Ok(long) => {
            frame.push(126);
            frame.extend(long.to_be_bytes());
        }
        Err(_) => panic!("no message of ours is this long"),
    }
    frame.extend_from_slice(payload);
    frame
}

fn take_call(inbox: &mut Vec<u8>, conn: ConnId) -> Option<Call> {
    let end = inbox.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&inbox[..end]).expect("a request head is text");
    let header = |wanted: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let length = header("content-length").map_or(0, |text| text.parse().expect("a length"));
    if inbox.len() < end + length {
        return None;
    }
    let at = Instant::now();
    let mut first = head.split(' ');
    let call = Call {
        conn,
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        body: inbox[end..end + length].to_vec(),
        at,
        upgrade_key: header("sec-websocket-key").map(str::to_owned),
    };
    inbox.drain(..end + length);
    Some(call)
}

/// The next text message of a client. Others (pings, pongs, close) need no answer here and are dropped.
fn take_text(inbox: &mut Vec<u8>) -> Option<String> {
    loop {
        let (first, second) = (*inbox.first()?, *inbox.get(1)?);
        let (length, at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([*inbox.get(2)?, *inbox.get(3)?])), 4),
            127 => panic!("no message to us is this long"),
            short => (usize::from(short), 2),
        };
        let end = at + 4 + length;
        if inbox.len() < end {
            return None;
        }
        let (mask, payload) = inbox[at..end].split_at(4);
        let text: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        inbox.drain(..end);
        if first & 0x0f == 1 {
            return String::from_utf8(text).ok();
        }
    }
}
