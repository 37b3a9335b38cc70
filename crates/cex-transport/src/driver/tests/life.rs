//! What a link lives through, in order.

use super::world::*;
use crate::config::LinkConfig;
use crate::driver::drive;
use cex_core::{LinkEvent, SymbolId};
use cex_errors::ErrorKind;
use cex_interface::{CloseReason, Effect, Input, Request};
use fastwebsockets::OpCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn a_link_asks_connects_subscribes_loses_and_begins_again() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| match input {
        Input::Start => {
            out.effects.push(Effect::Request { tag: 7, request: Request::CreateListenKey });
            Ok(())
        }
        Input::Reply { .. } => ordinary(Input::Start, out),
        other => ordinary(other, out),
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    for epoch in 1..=3 {
        let mut server = world.server().await;
        server.expect_text("subscribe").await;
        server.send(OpCode::Text, b"data").await;
        world.until("text data", epoch).await;
        assert!(world.metrics.is_up());
        drop(server);
        world.until("disconnected", epoch).await;
        assert!(!world.metrics.is_up());
    }
    let one_life = ["start", "reply 7 ok", "connected", "text data", "disconnected"];
    assert_eq!(world.inputs()[..15], one_life.repeat(3));
    let seen = world.seen.clone();
    world.end().await;
    let seen = seen.lock().expect("seen");
    assert_eq!(seen.calls[..3], [const { Request::CreateListenKey }; 3]);
    let delivered: Vec<_> =
        seen.delivered.iter().map(|(received, events)| (received.epoch, events[0])).collect();
    let lives: Vec<_> = (1..=3)
        .flat_map(|epoch| {
            [LinkEvent::Up, LinkEvent::AccountReady, LinkEvent::Down].map(|event| (epoch, event))
        })
        .collect();
    assert_eq!(delivered[..9], lives);
}

#[tokio::test(start_paused = true)]
async fn all_frames_of_one_read_carry_its_time_and_are_settled_once() {
    let mut world = world(quiet(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    let settled = world.seen.lock().expect("seen").settled;
    let wire = [frame(OpCode::Text, b"1"), frame(OpCode::Binary, b"22"), frame(OpCode::Text, b"3")].concat();
    server.0.write_all(&wire).await.expect("the driver reads");
    world.until("text 3", 1).await;
    let seen = world.seen.lock().expect("seen");
    let times: Vec<_> = seen.inputs[2..].iter().map(|(at, _)| *at).collect();
    assert_eq!(times.len(), 3);
    assert!(times.iter().all(|at| *at == times[0]));
    assert_eq!(seen.settled - settled, 1);
    assert!(seen.delivered.iter().all(|(received, _)| received.epoch == 1));
    assert_eq!(world.metrics.frames.value(), 3);
}

#[tokio::test(start_paused = true)]
async fn frames_cut_anywhere_mean_the_same() {
    let mut world = world(quiet(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    for byte in frame(OpCode::Text, b"slowly") {
        server.0.write_all(&[byte]).await.expect("the driver reads");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.until("text slowly", 1).await;
    assert_eq!(world.metrics.losses.value(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_useless_frame_is_counted_and_the_link_goes_on() {
    let mut world = world(quiet(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    for _ in 0..50 {
        server.send(OpCode::Text, b"bad").await;
    }
    server.send(OpCode::Text, b"good").await;
    world.until("text good", 1).await;
    assert_eq!((world.metrics.errors.value(), world.metrics.losses.value()), (50, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_protocol_is_left() {
    let mut world = world(quiet(), ordinary, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    server.0.write_all(&[0xff, 0xff, 0xff]).await.expect("the driver reads");
    assert_eq!(server.receive().await, Some((8, 1002_u16.to_be_bytes().to_vec())));
    assert_eq!(server.receive().await, None);
    world.until("start", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_links_own_wish_for_a_new_connection_is_granted() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| {
        if let Input::Text(b"moving") = input {
            out.effects.push(Effect::Reconnect(CloseReason::Announced));
            out.send_text("never sent on the next connection");
        }
        ordinary(input, out)
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    let mut server = world.server().await;
    server.send(OpCode::Text, b"moving").await;
    let mut next = world.server().await;
    next.expect_text("subscribe").await;
    next.send(OpCode::Text, b"here").await;
    world.until("text here", 1).await;
    let expected = ["start", "connected", "text moving", "disconnected", "start", "connected", "text here"];
    assert_eq!(world.inputs(), expected);
    assert_eq!(world.metrics.misuses.value(), 0);
}

#[tokio::test(start_paused = true)]
async fn wishes_of_others_reach_an_open_link_only() {
    let mut world = world(quiet(), ordinary, |number| if number == 0 { Door::Hangs } else { Door::Opens });
    assert!(world.handle.resubscribe(SymbolId(1)));
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    assert!(world.handle.resubscribe(SymbolId(2)));
    world.until("resubscribe 2", 1).await;
    assert!(world.handle.reconnect());
    assert_eq!(server.receive().await, Some((8, 1000_u16.to_be_bytes().to_vec())));
    assert_eq!(server.receive().await, None);
    world.server().await.expect_text("subscribe").await;
    let expected = [
        "start",
        "disconnected",
        "start",
        "connected",
        "resubscribe 2",
        "disconnected",
        "start",
        "connected",
    ];
    assert_eq!(world.inputs(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_of_wishes_says_so() {
    let config = LinkConfig { commands_max: 2, ..quiet() };
    let parts = parts(config, ordinary, |_| Door::Hangs);
    let asked: Vec<_> = (0..3).map(|symbol| parts.handle.resubscribe(SymbolId(symbol))).collect();
    assert_eq!(asked, [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn answers_to_calls_of_an_earlier_life_are_not_delivered() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| {
        if let Input::Text(b"ask") = input {
            out.effects.push(Effect::Request { tag: 1, request: Request::KeepListenKey("k".to_owned()) });
        }
        ordinary(input, out)
    };
    // The answer takes 100 ms; the next life begins a quarter of a second after the loss at the earliest.
    let config = LinkConfig {
        backoff_base: Duration::from_millis(1),
        backoff_cap: Duration::from_millis(2),
        ..quiet()
    };
    let mut world = world(config, script, |_| Door::Opens);
    let mut server = world.server().await;
    server.send(OpCode::Text, b"ask").await;
    world.until("text ask", 1).await;
    drop(server);
    let mut next = world.server().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!world.inputs().iter().any(|input| input.starts_with("reply")), "{:?}", world.inputs());
    next.send(OpCode::Text, b"ask").await;
    world.until("reply 1 ok", 1).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_calls_are_refused_not_piled_up() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| {
        if let Input::Connected = input {
            for tag in 0..5 {
                out.effects.push(Effect::Request { tag, request: Request::Ping });
            }
        }
        ordinary(input, out)
    };
    let world = world(LinkConfig { calls_max: 3, ..quiet() }, script, |_| Door::Opens);
    for (tag, end) in [(3, "error"), (4, "error"), (0, "ok"), (1, "ok"), (2, "ok")] {
        world.until(&format!("reply {tag} {end}"), 1).await;
    }
    assert_eq!(world.metrics.misuses.value(), 2);
}

#[tokio::test(start_paused = true)]
async fn senseless_wishes_of_a_link_are_counted_and_survived() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| match input {
        Input::Start => {
            out.send_text("nobody is there");
            ordinary(input, out)
        }
        Input::Connected => {
            out.effects.push(Effect::Connect("wss://fake/again".to_owned()));
            ordinary(input, out)
        }
        other => ordinary(other, out),
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    world.server().await.expect_text("subscribe").await;
    assert_eq!(world.metrics.misuses.value(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_waits_for_the_goodbye() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| {
        if let Input::Stop = input {
            out.send_text("bye");
            out.effects.push(Effect::Request { tag: 9, request: Request::DeleteListenKey("k".to_owned()) });
        }
        ordinary(input, out)
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    let mut server = world.server().await;
    server.expect_text("subscribe").await;
    let inputs = world.end().await;
    assert_eq!(inputs, ["start", "connected", "stop", "reply 9 ok", "disconnected"]);
    server.expect_text("bye").await;
    assert_eq!(server.receive().await, Some((8, 1000_u16.to_be_bytes().to_vec())));
    assert_eq!(server.receive().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_ever() {
    let script = |input: Input<'_>, out: &mut cex_interface::Outbox| {
        if let Input::Stop | Input::Reply { .. } = input {
            out.effects.push(Effect::Request { tag: 1, request: Request::Ping });
        }
        ordinary(input, out)
    };
    let mut world = world(quiet(), script, |_| Door::Opens);
    let _server = world.server().await;
    let began = world.began;
    world.end().await;
    assert!(began.elapsed() <= Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_link_ends_in_every_phase_and_when_nobody_holds_it() {
    for doors in [Door::Hangs, Door::Refuses(ErrorKind::ServerBusy), Door::Opens] {
        let world = world(quiet(), ordinary, move |_| doors.clone());
        world.until("start", 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let World { handle, task, .. } = world;
        drop(handle);
        let ended = tokio::time::timeout(Duration::from_secs(10), task).await;
        assert!(ended.is_ok_and(|joined| joined.is_ok()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_of_this_thread_only_is_fine() {
    let heard = Rc::new(RefCell::new(0));
    let local = tokio::task::LocalSet::new();
    let Parts { link, network, context, mut servers, handle, .. } = parts(quiet(), ordinary, |_| Door::Opens);
    let counted = Rc::clone(&heard);
    let sink = move |_now, _received: &crate::driver::Received, _out: &mut cex_interface::Outbox| {
        *counted.borrow_mut() += 1;
    };
    local
        .run_until(async move {
            let task = tokio::task::spawn_local(drive(link, sink, network, context));
            let mut server = Server(servers.recv().await.expect("dialed"));
            server.expect_text("subscribe").await;
            handle.stop();
            let _sink = task.await.expect("no panic");
        })
        .await;
    assert_eq!(*heard.borrow(), 2, "up and down");
}
