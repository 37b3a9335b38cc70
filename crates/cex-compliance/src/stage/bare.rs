//! A call made by hand, for what a client would never send.

use super::Stage;
use crate::behaviour::Failure;
use cex_interface::HttpRequest;
use std::fmt::Write as _;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a call as it is; answers status and body.
///
/// # Errors
/// When the exchange does not answer.
pub async fn bare_call(stage: &Stage, call: &HttpRequest) -> Result<(u16, Vec<u8>), Failure> {
    let host = stage.wire()?.rest.trim_start_matches("http://").to_owned();
    let answer = send(&host, call).await.map_err(|error| Failure::new("an answer", error))?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| Failure::new("a head", "none"))?;
    let status = String::from_utf8_lossy(&answer[..end]).split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.unwrap_or(0), answer[end + 4..].to_vec()))
}

async fn send(host: &str, call: &HttpRequest) -> io::Result<Vec<u8>> {
    let mut head =
        format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", call.method.as_str(), call.target);
    for (name, value) in call.headers.iter() {
        // Writing to a text cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", call.body.len());
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&call.body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
