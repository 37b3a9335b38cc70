//! Transport against real sockets on loopback, with servers that misbehave on purpose.

mod client;
mod exchange;
mod http_server;
mod placements;
mod reads;
mod streams;
mod tls;
mod ws_server;
