//! Budgets: depth frames a second out of one simulator to four connections over loopback, beside what the same bytes cost
//! without a simulator; and the memory of a thousand symbols on two exchanges.

use cex_benches::measure::{Bound, figure, finish};
use cex_sim::server::{SimConfig, SimExchange, SimHandle, SimServer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 4;
const SYMBOLS: usize = 1_000;
/// The market lives so much faster, in per cent, that nearly every book changes in every interval of 20 ms.
const SPEED_PERCENT: u32 = 400;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(6);
/// What the baseline writes at a time, as much as the simulator's own buffer.
const WRITE_BYTES: usize = 64 * 1_024;

fn main() -> ExitCode {
    let sim = SimServer::start(SimConfig {
        symbols: SYMBOLS,
        speed_percent: SPEED_PERCENT,
        queue_frames: 1 << 16,
        ..SimConfig::default()
    })
    .expect("loopback ports");
    let (frames, bytes) = simulated(&sim);
    let memory = resident_mib();
    sim.stop().expect("it stops");
    let raw = raw(frames, bytes);
    println!("depth frames are {:.0} bytes each, {:.0} MB/s altogether", bytes / frames, bytes / 1e6);
    println!("a plain thread writes the same bytes to the same readers {:.0} times as fast\n", raw / frames);
    finish(&[
        figure(
            "depth frames of 1,000 symbols to 4 connections",
            frames,
            "frames/s",
            Bound::AtLeast(200_000.0),
        ),
        figure(
            "resident memory with 1,000 symbols on 2 exchanges, readers included",
            memory,
            "MiB",
            Bound::AtMost(1_024.0),
        ),
    ])
}

/// What the readers count.
#[derive(Debug, Default)]
struct Counted {
    frames: AtomicU64,
    bytes: AtomicU64,
    is_over: AtomicBool,
}

/// Frames and bytes a second.
fn simulated(sim: &SimHandle) -> (f64, f64) {
    let symbols: Vec<String> = symbols(sim);
    let address = sim.endpoint(SimExchange::Gateio).rest.trim_start_matches("http://").to_owned();
    let counted = Arc::new(Counted::default());
    let readers: Vec<JoinHandle<()>> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("it listens");
            subscribe(&mut stream, &symbols);
            read_in_background(stream, &counted)
        })
        .collect();
    std::thread::sleep(WARM_UP);
    let rates = rates(&counted);
    counted.is_over.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().expect("a reader ends"));
    rates
}

fn rates(counted: &Counted) -> (f64, f64) {
    let look = || (counted.frames.load(Ordering::Relaxed), counted.bytes.load(Ordering::Relaxed));
    let (before, started) = (look(), Instant::now());
    std::thread::sleep(MEASURED);
    let (after, seconds) = (look(), started.elapsed().as_secs_f64());
    ((after.0 - before.0) as f64 / seconds, (after.1 - before.1) as f64 / seconds)
}

fn symbols(sim: &SimHandle) -> Vec<String> {
    let address = sim.endpoint(SimExchange::Gateio).rest.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let call = "GET /api/v4/spot/currency_pairs HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(call.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let found = answer.split("\"id\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found: Vec<String> = found.map(str::to_owned).collect();
    assert_eq!(found.len(), SYMBOLS);
    found
}

/// Shakes hands and asks for the depth of every symbol, in both of the channels that come every 20 ms.
fn subscribe(stream: &mut TcpStream, symbols: &[String]) {
    let hello = "GET /ws/v4/ HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(hello.as_bytes()).expect("sent");
    let mut byte = [0];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a handshake");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let update = symbols.iter().map(|symbol| {
        let payload = format!(r#"["{symbol}","20ms"]"#);
        ("spot.order_book_update", payload)
    });
    let whole = symbols.iter().map(|symbol| ("spot.obu", format!(r#"["ob.{symbol}.50"]"#)));
    for (channel, payload) in update.chain(whole) {
        let text = format!(r#"{{"time":1,"channel":"{channel}","event":"subscribe","payload":{payload}}}"#);
        let length = u8::try_from(text.len()).expect("short");
        // A mask of zeros leaves the text as it is.
        let mut frame = if length < 126 { vec![0x81, 0x80 | length] } else { vec![0x81, 0xfe, 0, length] };
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        stream.write_all(&frame).expect("sent");
    }
}

/// Counts the frames of a stream: header by header, payloads passed over.
fn read_in_background(mut stream: TcpStream, counted: &Arc<Counted>) -> JoinHandle<()> {
    let counted = Arc::clone(counted);
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        let (mut filled, mut skip) = (0, 0);
        while !counted.is_over.load(Ordering::Relaxed) {
            let read = match stream.read(&mut buffer[filled..]) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => panic!("{error}"),
            };
            filled += read;
            let (mut at, mut frames) = (0, 0);
            while at < filled {
                let step = skip.min(filled - at);
                (at, skip) = (at + step, skip - step);
                if skip > 0 {
                    break;
                }
                let rest = &buffer[at..filled];
                let Some(size) = frame_bytes(rest) else { break };
                skip = size;
                frames += 1;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
            counted.frames.fetch_add(frames, Ordering::Relaxed);
            counted.bytes.fetch_add(read as u64, Ordering::Relaxed);
        }
    })
}

/// Header and payload of the frame that begins here; `None` while its header is not all there.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(1)? & 0x7f {
        126 => Some(4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some(10 + usize::try_from(u64::from_be_bytes(length)).ok()?)
        }
        short => Some(2 + usize::from(short)),
    }
}

/// Frames a second when a plain thread writes frames of this size to as many of the same readers.
fn raw(frames: f64, bytes: f64) -> f64 {
    let payload = (bytes / frames) as usize - 4;
    let mut frame = vec![0x81, 126];
    frame.extend(u16::try_from(payload).expect("a depth frame is short").to_be_bytes());
    frame.resize(payload + 4, b'x');
    let block = frame.repeat(WRITE_BYTES / frame.len());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let counted = Arc::new(Counted::default());
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        readers.push(read_in_background(TcpStream::connect(address).expect("it listens"), &counted));
        writers.push(listener.accept().expect("a connection").0);
    }
    let over = Arc::clone(&counted);
    let writer = std::thread::spawn(move || {
        while !over.is_over.load(Ordering::Relaxed) {
            for stream in &mut writers {
                if stream.write_all(&block).is_err() {
                    return;
                }
            }
        }
    });
    std::thread::sleep(Duration::from_secs(1));
    let (rate, _) = rates(&counted);
    counted.is_over.store(true, Ordering::Relaxed);
    // Readers go when they see the end, which ends the writer too if it waits for one of them.
    writer.join().expect("the writer ends");
    readers.into_iter().for_each(|reader| reader.join().expect("a reader ends"));
    rate
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB");
    kib / 1024.0
}
