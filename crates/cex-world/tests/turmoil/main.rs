//! The real transport over a simulated network: hyper, the WebSocket reader, connects, pauses, resubscriptions and the
//! request interface of the program, both adapters and the engine on one host; both simulated exchanges, HTTP and
//! WebSocket framing included, on two others; between them a network that loses, delays, cuts and tears.
//!
//! | module | what |
//! |---|---|
//! | `road` | the client's end of every connection: where it is torn, how fast it reads |
//! | `stage` | the hosts, and the trader as `arb` wires it |
//! | `check` | what must hold: books, placements, money |
//! | `storms` | many seeds of everything at once |
//! | `half_open` | partitions, both ways and one way |
//! | `placements` | an order cut at every byte of its request and of its answer |
//! | `frames` | a stream cut at every byte |
//! | `pressure` | slow readers, storms of reconnects |
//! | `slow_disk` | a disk that takes its time |
//! | `outsiders` | what exchanges do that nobody here asked for |

mod check;
mod frames;
mod half_open;
mod outsiders;
mod placements;
mod pressure;
mod road;
mod slow_disk;
mod stage;
mod storms;
