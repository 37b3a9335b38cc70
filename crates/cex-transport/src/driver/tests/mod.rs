//! A driver against a scripted link and a network made of pipes, on paused time: hours pass in milliseconds.

mod life;
mod patience;
mod rotation;
mod world;
