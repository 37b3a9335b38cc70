//! One connection takes over from another, and who listens does not notice.

use super::world::*;
use crate::driver::{Rotation, drive_rotating};
use cex_core::{LinkEvent, StreamKind, SymbolId};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{CloseReason, Effect, Input, Outbox, Subscription};
use fastwebsockets::OpCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3_600);
const CLOSE: u8 = 8;

const BOOKS: &[Subscription] = &[
    Subscription { symbol: SymbolId(1), stream: StreamKind::Book },
    Subscription { symbol: SymbolId(2), stream: StreamKind::Book },
];

const fn taken(symbol: u32) -> LinkEvent {
    LinkEvent::Subscribed { symbol: Some(SymbolId(symbol)), stream: StreamKind::Book }
}

const fn refused(symbol: u32) -> LinkEvent {
    LinkEvent::Refused { symbol: Some(SymbolId(symbol)), stream: StreamKind::Book }
}

/// As an ordinary link, and says so when the exchange announces the end or answers a subscription.
fn script(input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
    match input {
        Input::Text(b"upgrade") => out.effects.push(Effect::Reconnect(CloseReason::Announced)),
        Input::Text(b"book 1") => out.link.push(taken(1)),
        Input::Text(b"book 2") => out.link.push(taken(2)),
        Input::Text(b"no book 2") => out.link.push(refused(2)),
        other => return ordinary(other, out),
    }
    Ok(())
}

fn rotating(doors: impl Fn(usize) -> Door + Send + Sync + 'static) -> World {
    rotating_of(&[], doors)
}

fn rotating_of(
    wanted: &'static [Subscription],
    doors: impl Fn(usize) -> Door + Send + Sync + 'static,
) -> World {
    let Parts { network, context, seen, servers, handle, .. } = parts(quiet(), script, doors);
    let metrics = Arc::clone(&context.metrics);
    let link = ScriptedLink::subscribing(&seen, wanted, script);
    let of_successors = Arc::clone(&seen);
    let make = Box::new(move || Ok(ScriptedLink::subscribing(&of_successors, wanted, script)));
    let rotation = Rotation { after: Some(HOUR), make };
    let task = tokio::spawn(drive_rotating(link, Recorder(Arc::clone(&seen)), network, context, rotation));
    World { seen, servers, handle, metrics, task, began: Instant::now() }
}

/// What the listener was told of connections, in order.
fn told(world: &World) -> Vec<LinkEvent> {
    let seen = world.seen.lock().expect("seen");
    seen.delivered.iter().flat_map(|(_, events)| events.clone()).collect()
}

async fn opened(world: &mut World) -> Server {
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    server
}

#[tokio::test(start_paused = true)]
async fn the_successor_is_heard_before_the_old_one_is_left() {
    let mut world = rotating(|_| Door::Opens);
    let mut current = opened(&mut world).await;
    current.send(OpCode::Text, b"ready").await;
    for rotation in 1..=3 {
        let mut successor = opened(&mut world).await;
        assert_eq!(world.dials().len(), rotation + 1);
        assert!(world.metrics.is_up());
        successor.send(OpCode::Text, b"ready").await;
        assert_eq!(current.receive().await.map(|(opcode, _)| opcode), Some(CLOSE), "left in good order");
        assert_eq!(world.metrics.rotations.value(), rotation as u64);
        assert!(world.metrics.is_up());
        current = successor;
    }
    assert_eq!(told(&world), [LinkEvent::Up, LinkEvent::AccountReady], "nobody noticed");
    let spacing: Vec<_> = world.dials().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        spacing.iter().all(|span| *span >= HOUR && *span < HOUR + Duration::from_secs(10)),
        "{spacing:?}"
    );
    current.send(OpCode::Text, b"still heard").await;
    world.until("text still heard", 1).await;
    assert_eq!(told(&world).len(), 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_never_gets_ready_is_given_up_and_tried_again() {
    let mut world = rotating(|_| Door::Opens);
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"ready").await;
    let mut mute = opened(&mut world).await;
    assert_eq!(mute.receive().await.map(|(opcode, _)| opcode), Some(CLOSE), "given up");
    let mut successor = opened(&mut world).await;
    let dials = world.dials();
    assert!(dials.len() == 3 && dials[2] - dials[1] >= Duration::from_secs(360), "{dials:?}");
    first.send(OpCode::Text, b"unharmed").await;
    world.until("text unharmed", 1).await;
    successor.send(OpCode::Text, b"ready").await;
    assert_eq!(first.receive().await.map(|(opcode, _)| opcode), Some(CLOSE));
    assert_eq!(world.metrics.rotations.value(), 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_ready_successor_takes_over_at_once_when_the_old_one_is_lost() {
    let mut world =
        rotating(|number| if number > 1 { Door::Refuses(ErrorKind::ServerBusy) } else { Door::Opens });
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"ready").await;
    let mut successor = opened(&mut world).await;
    successor.send(OpCode::Text, b"ready").await;
    world.until("text ready", 2).await;
    drop(first);
    world.until("disconnected", 1).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    use LinkEvent::{AccountReady, Down, Up};
    assert_eq!(
        told(&world),
        [Up, AccountReady, Down, Up, AccountReady],
        "a loss, mended without a new connection"
    );
    successor.send(OpCode::Text, b"heard").await;
    world.until("text heard", 1).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(told(&world).len(), 6, "the attempts of the old one to come back are not heard");
    world.end().await;
}

/// Both are read in one turn of the driver.
#[tokio::test(start_paused = true)]
async fn a_successor_that_is_complete_in_the_moment_of_the_loss_says_that_all_is_up_again() {
    let mut world =
        rotating(|number| if number > 1 { Door::Refuses(ErrorKind::ServerBusy) } else { Door::Opens });
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"ready").await;
    let mut successor = opened(&mut world).await;
    successor.send(OpCode::Text, b"ready").await;
    drop(first);
    world.until("disconnected", 1).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    use LinkEvent::{AccountReady, Down, Up};
    assert_eq!(told(&world), [Up, AccountReady, Down, Up, AccountReady]);
    assert_eq!(world.metrics.rotations.value(), 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_successor_was_promised_on_a_connection_it_lost_does_not_count() {
    let mut world = rotating_of(BOOKS, |_| Door::Opens);
    let mut first = opened(&mut world).await;
    let mut lost = opened(&mut world).await;
    lost.send(OpCode::Text, b"book 1").await;
    world.until("text book 1", 1).await;
    drop(lost);
    let mut successor = opened(&mut world).await;
    successor.send(OpCode::Text, b"book 2").await;
    world.until("text book 2", 1).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(world.metrics.rotations.value(), 0, "nobody carries the first book");
    successor.send(OpCode::Text, b"book 1").await;
    assert_eq!(first.receive().await.map(|(opcode, _)| opcode), Some(CLOSE));
    assert_eq!(told(&world), [LinkEvent::Up], "nobody noticed");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_to_the_successor_is_told_when_it_takes_over() {
    let mut world = rotating_of(BOOKS, |_| Door::Opens);
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"book 1").await;
    first.send(OpCode::Text, b"book 2").await;
    let mut successor = opened(&mut world).await;
    successor.send(OpCode::Text, b"no book 2").await;
    successor.send(OpCode::Text, b"book 1").await;
    world.until("text no book 2", 1).await;
    assert_eq!(told(&world), [LinkEvent::Up, taken(1), taken(2)], "the old one still carries it");
    assert_eq!(first.receive().await.map(|(opcode, _)| opcode), Some(CLOSE));
    assert_eq!(told(&world), [LinkEvent::Up, taken(1), taken(2), refused(2)]);
    world.end().await;

    // Refused first and taken when asked again: nothing is missing.
    let mut world = rotating_of(BOOKS, |_| Door::Opens);
    let mut first = opened(&mut world).await;
    let mut successor = opened(&mut world).await;
    for answer in [b"no book 2".as_slice(), b"book 2", b"book 1"] {
        successor.send(OpCode::Text, answer).await;
    }
    assert_eq!(first.receive().await.map(|(opcode, _)| opcode), Some(CLOSE));
    assert_eq!(told(&world), [LinkEvent::Up]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_announced_end_is_not_waited_for() {
    let mut world = rotating(|_| Door::Opens);
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"ready").await;
    first.send(OpCode::Text, b"upgrade").await;
    let mut successor = opened(&mut world).await;
    assert!(world.dials()[1] < Duration::from_secs(1));
    first.send(OpCode::Text, b"serves").await;
    world.until("text serves", 1).await;
    successor.send(OpCode::Text, b"ready").await;
    assert_eq!(first.receive().await.map(|(opcode, _)| opcode), Some(CLOSE));
    assert!(!told(&world).contains(&LinkEvent::Down));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_stopped_while_two_overlap_ends() {
    let mut world = rotating(|_| Door::Opens);
    let mut first = opened(&mut world).await;
    first.send(OpCode::Text, b"ready").await;
    let _successor = opened(&mut world).await;
    let inputs = world.end().await;
    assert_eq!(inputs.iter().filter(|input| *input == "stop").count(), 1);
}
