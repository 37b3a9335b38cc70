//! Pauses, deadlines and wakes.

use super::world::*;
use crate::config::LinkConfig;
use cex_core::Timestamp;
use cex_errors::ErrorKind;
use fastwebsockets::OpCode;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// Gaps between attempts to connect.
fn gaps(dials: &[Duration]) -> Vec<Duration> {
    dials.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_cleanly_at_once_is_not_stormed() {
    let mut world = world(quiet(), ordinary, |_| Door::Opens);
    let closing = async {
        loop {
            let mut server = world.server().await;
            server.send(OpCode::Close, &1000_u16.to_be_bytes()).await;
            while server.receive().await.is_some() {}
        }
    };
    assert!(tokio::time::timeout(HOUR, closing).await.is_err());
    let dials = world.dials();
    let gaps = gaps(&dials);
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(250)), "never at once");
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_millis(30_100)), "never gives up");
    assert!((120..400).contains(&dials.len()), "{} attempts in an hour", dials.len());
    assert!(gaps[..3].iter().sum::<Duration>() < Duration::from_secs(4), "quick at first");
}

#[tokio::test(start_paused = true)]
async fn a_door_that_stays_shut_is_tried_for_ever_with_pauses() {
    let world = world(quiet(), ordinary, |_| Door::Refuses(ErrorKind::ServerBusy));
    tokio::time::sleep(HOUR).await;
    let dials = world.dials();
    assert!((120..400).contains(&dials.len()), "{} attempts in an hour", dials.len());
    assert_eq!(world.metrics.connects.value(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_waited_out() {
    let wait = Duration::from_secs(600);
    let world =
        world(quiet(), ordinary, move |_| Door::Refuses(ErrorKind::Banned { retry_after: Some(wait) }));
    tokio::time::sleep(HOUR).await;
    assert!(gaps(&world.dials()).iter().all(|gap| *gap >= wait), "{:?}", world.dials());
    assert!(world.dials().len() >= 5);
}

/// The pauses after twenty connections that each live this long, after a dozen failures made pauses long.
async fn pauses_after(lives: Duration, brings_data: bool) -> Vec<Duration> {
    let mut world = world(quiet(), ordinary, |number| {
        if number < 12 { Door::Refuses(ErrorKind::ServerBusy) } else { Door::Opens }
    });
    let mut pauses = Vec::new();
    let mut server = world.server().await;
    for _ in 0..20 {
        if brings_data {
            server.send(OpCode::Text, b"data").await;
        }
        tokio::time::sleep(lives).await;
        drop(server);
        let lost_at = world.began.elapsed();
        server = world.server().await;
        pauses.push(world.began.elapsed() - lost_at);
    }
    pauses
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lived_and_brought_data_makes_pauses_short_again() {
    let (long, short) = (Duration::from_secs(60), Duration::from_secs(1));
    assert!(pauses_after(long, true).await.iter().all(|pause| *pause <= Duration::from_millis(510)));
    for (lives, brings_data) in [(long, false), (short, true)] {
        let pauses = pauses_after(lives, brings_data).await;
        assert!(pauses.iter().sum::<Duration>() > Duration::from_secs(5 * 20), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up() {
    let world = world(quiet(), ordinary, |number| if number == 0 { Door::Hangs } else { Door::Opens });
    world.until("connected", 1).await;
    let dials = world.dials();
    assert!((10_250..=10_600).contains(&gaps(&dials)[0].as_millis()), "{dials:?}");
    assert_eq!(world.inputs(), ["start", "disconnected", "start", "connected"]);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_never_asks_to_connect_is_started_again() {
    let world = world(quiet(), |_, _| Ok(()), |_| Door::Opens);
    world.until("start", 3).await;
    assert_eq!(world.inputs()[..4], ["start", "disconnected", "start", "disconnected"]);
    assert!(world.began.elapsed() >= Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn silence_is_probed_and_then_ends_the_connection() {
    let mut world = world(LinkConfig::default(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    let connected_at = world.began.elapsed();
    assert_eq!(server.receive().await, Some((9, Vec::new())), "a ping");
    assert_eq!((world.began.elapsed() - connected_at).as_secs(), 10);
    assert_eq!(server.receive().await, None, "no second ping, then the end");
    assert_eq!((world.began.elapsed() - connected_at).as_secs(), 30);
    world.until("start", 2).await;
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_a_quiet_connection_alive_and_reach_the_link() {
    let mut world = world(LinkConfig::default(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    for _ in 0..100 {
        assert_eq!(server.receive().await, Some((9, Vec::new())));
        server.send(OpCode::Pong, b"").await;
    }
    world.until("pong", 100).await;
    assert_eq!(world.metrics.losses.value(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_answered_but_does_not_pass_for_data() {
    let config = LinkConfig { data_idle_max: Some(Duration::from_secs(45)), ..LinkConfig::default() };
    let mut world = world(config, ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    let connected_at = world.began.elapsed();
    loop {
        server.send(OpCode::Ping, b"!").await;
        if server.receive().await.is_none_or(|frame| frame != (10, b"!".to_vec())) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        if world.metrics.losses.value() > 0 {
            break;
        }
    }
    assert_eq!((world.began.elapsed() - connected_at).as_secs(), 45);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_left() {
    let script = |input: cex_interface::Input<'_>, out: &mut cex_interface::Outbox| {
        if let cex_interface::Input::Connected = input {
            out.send_text("x".repeat(100_000));
        }
        ordinary(input, out)
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    let _server = world.server().await;
    let connected_at = world.began.elapsed();
    world.until("disconnected", 1).await;
    assert_eq!((world.began.elapsed() - connected_at).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_woken_when_it_asks_to_be() {
    let world = world(quiet(), ordinary, |_| Door::Opens);
    world.until("connected", 1).await;
    let at = Timestamp::from_millis(1_000_000 + 5_000);
    world.seen.lock().expect("seen").wakeup = Some(at);
    // The driver looks at the wish after the next thing that happens.
    assert!(world.handle.resubscribe(cex_core::SymbolId(1)));
    world.until("wake", 1).await;
    let seen = world.seen.lock().expect("seen");
    let (woken_at, _) = seen.inputs.iter().find(|(_, input)| input == "wake").expect("woken");
    assert!(woken_at.since(at) < Duration::from_millis(2), "{woken_at} for {at}");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_always_wants_to_be_woken_does_not_spin() {
    let world = world(quiet(), ordinary, |_| Door::Opens);
    world.seen.lock().expect("seen").wakeup = Some(Timestamp::EPOCH);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let wakes = world.inputs().iter().filter(|input| *input == "wake").count();
    assert!((90..=110).contains(&wakes), "{wakes} wakes in a second");
}
