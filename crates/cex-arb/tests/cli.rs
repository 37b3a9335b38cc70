//! The program as a user runs it: the binary itself, its output and its exit codes.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::path::PathBuf;
use std::process::{Command, Output};

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

/// Every line of the output as JSON.
fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| sonic_rs::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

fn number(value: &Value, path: &[&str]) -> u64 {
    let found = path.iter().try_fold(value, |value, key| value.get(*key));
    found.and_then(JsonValueTrait::as_u64).unwrap_or_else(|| panic!("{path:?} in {value}"))
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(|found| found.as_str()).unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn help_and_version_succeed_and_nonsense_is_usage() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["demo", "--help"],
        &["replay", "--help"],
        &["sim", "--help"],
        &["journal", "--help"],
        &["config", "--help"],
        &["config", "example"],
    ] {
        assert!(arb(args).status.success(), "{args:?}");
    }
    let said = text(&arb(&["--version"]).stdout);
    assert_eq!(said, format!("arb {} ({})\n", env!("CARGO_PKG_VERSION"), cex_arb::BUILD));
    for args in [
        &[][..],
        &["trade"],
        &["demo", "--seed", "x"],
        &["demo", "--symbols", "0"],
        &["replay"],
        &["sim", "--speed", "0"],
        &["journal"],
        &["journal", "verify"],
        &["config", "show", "--origins"],
    ] {
        assert_eq!(arb(args).status.code(), Some(2), "{args:?}");
    }
}

/// A recording of two frames and a snapshot between them, as an exchange would have sent them.
fn recording(name: &str, spoil: impl Fn(&mut [(&str, String)])) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).expect("a directory for the recording");
    let frame = |at: f64, first: u64, last: u64, bids: &str, asks: &str| {
        let text = format!(
            r#"{{"time":1700000000,"channel":"spot.order_book_update","event":"update","result":{{"t":1700000000123,"e":"depthUpdate","E":1700000000,"s":"AB_USDT","U":{first},"u":{last},"b":{bids},"a":{asks}}}}}"#
        );
        format!("{}\n", sonic_rs::json!({ "at": at, "direction": "from_server", "text": text }))
    };
    let body = r#"{"id":102,"current":1700000000200,"update":1700000000190,"asks":[["1.50","10"],["1.60","5.25"]],"bids":[["1.40","8"],["1.3000","0.00896999"]]}"#;
    let url = "https://api.gateio.ws/api/v4/spot/order_book?currency_pair=AB_USDT&limit=100&with_id=true";
    let mut files = [
        (
            "currency_pairs.json",
            r#"[{"id":"AB_USDT","base":"AB","quote":"USDT","fee":"0.2","min_quote_amount":"1","amount_precision":3,"precision":2,"trade_status":"tradable","sell_start":0,"buy_start":0}]"#.to_owned(),
        ),
        (
            "rest_order_book.jsonl",
            format!("{}\n", sonic_rs::json!({ "received_at": 1700000000.2, "url": url, "body": body })),
        ),
        (
            "ws_frames.jsonl",
            frame(1700000000.05, 99, 100, r#"[["1.2","7"]]"#, "[]")
                + &frame(1700000000.1, 101, 103, "[]", r#"[["1.50","0"]]"#)
                + &frame(1700000000.3, 104, 104, r#"[["1.45","2"]]"#, r#"[["1.600","6"]]"#),
        ),
    ];
    spoil(&mut files);
    for (name, content) in files {
        std::fs::write(dir.join(name), content).expect("writing the recording");
    }
    dir
}

#[test]
fn replay_joins_the_snapshot_and_tells_what_became_of_the_frames() {
    let dir = recording("replay_good", |_| {});
    let output = arb(&["replay", "--json", "--dir", dir.to_str().expect("a plain path")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows = lines(&output);
    let [row] = rows.as_slice() else { panic!("one symbol, not {rows:?}") };
    assert_eq!(word(row, "symbol"), "AB/USDT");
    let counted =
        ["frames", "applied", "skipped", "gaps", "last_seq", "bids", "asks"].map(|key| number(row, &[key]));
    assert_eq!(counted, [3, 2, 1, 0, 104, 3, 1]);
    let top = ["bid", "bid_qty", "ask", "ask_qty"].map(|key| word(row, key));
    assert_eq!(top, ["1.45", "2", "1.6", "6"]);
}

#[test]
fn a_missing_frame_is_a_gap_and_leaves_no_book() {
    let dir = recording("replay_gap", |files| {
        files[2].1 = files[2].1.replace("\\\"U\\\":104,\\\"u\\\":104", "\\\"U\\\":105,\\\"u\\\":105");
    });
    let output = arb(&["replay", "--json", "--dir", dir.to_str().expect("a plain path")]);
    let rows = lines(&output);
    assert_eq!((number(&rows[0], &["gaps"]), number(&rows[0], &["bids"])), (1, 0));
    assert!(rows[0].get("bid").is_some_and(JsonValueTrait::is_null));
}

#[test]
fn a_damaged_recording_is_named_by_file_and_line() {
    let output = arb(&["replay", "--dir", "/nowhere/at/all"]);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("currency_pairs.json"), "{}", text(&output.stderr));
    let dir = recording("replay_cut", |files| {
        files[2].1.push_str("{\"at\": 1700000001.0, \"direction\":");
    });
    let output = arb(&["replay", "--dir", dir.to_str().expect("a plain path")]);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("ws_frames.jsonl:4"), "{}", text(&output.stderr));
}

#[test]
fn a_recording_that_says_nothing_is_refused_with_the_file() {
    let refused = |dir: PathBuf| {
        let output = arb(&["replay", "--dir", dir.to_str().expect("a plain path")]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{told}");
        assert!(told.contains("fix: the recording is damaged"), "{told}");
        assert_eq!(text(&output.stdout), "");
        told
    };
    let told = refused(recording("replay_no_pair", |files| {
        files.iter_mut().for_each(|file| file.1.clear());
        files[0].1.push_str("[]");
    }));
    assert!(told.contains("currency_pairs.json: lists no pair"), "{told}");
    let told = refused(recording("replay_no_frame", |files| {
        files[1..].iter_mut().for_each(|file| file.1.clear());
    }));
    assert!(told.contains("ws_frames.jsonl: there is no frame of a book in it"), "{told}");
}

#[test]
fn frames_that_cannot_be_decoded_are_counted() {
    let line = |text: &str| {
        format!("{}\n", sonic_rs::json!({ "at": 1700000000.35, "direction": "from_server", "text": text }))
    };
    let dir = recording("replay_unreadable", |files| {
        files[2].1 = files[2].1.replace(r#"[[\"1.45\",\"2\"]]"#, r#"[[\"1.45\"]]"#) + &line("no JSON");
    });
    let output = arb(&["replay", "--json", "--dir", dir.to_str().expect("a plain path")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows = lines(&output);
    let counted = |row: &Value| (word(row, "symbol").to_owned(), number(row, &["unreadable"]));
    let expected = [("AB/USDT".to_owned(), 1), ("?".to_owned(), 1)];
    assert_eq!(rows.iter().map(counted).collect::<Vec<_>>(), expected, "{rows:?}");
    assert_eq!(number(&rows[0], &["frames"]), 2, "the others");
}

fn demo(args: &[&str]) -> (Output, Vec<Value>, Value) {
    let output = arb(&[&["demo", "--json"], args].concat());
    let all = lines(&output);
    let summary = all.last().cloned().unwrap_or_else(|| panic!("no output: {}", text(&output.stderr)));
    assert_eq!(word(&summary, "event"), "summary", "the last line is the summary");
    (output, all, summary)
}

#[test]
fn demo_trades_both_legs_and_its_books_equal_the_exchanges_ledgers() {
    let (output, all, summary) = demo(&["--seconds", "10", "--symbols", "8", "--seed", "7"]);
    assert!(output.status.success(), "{}\n{summary}", text(&output.stderr));
    for exchange in ["mexc", "gateio"] {
        assert!(number(&summary, &["exchanges", exchange, "book_updates"]) > 100, "{summary}");
        assert_eq!(number(&summary, &["exchanges", exchange, "gaps"]), 0, "{summary}");
        assert_eq!(number(&summary, &["exchanges", exchange, "books_live"]), 8, "{summary}");
    }
    assert!(number(&summary, &["arbitrages", "both_filled"]) > 0, "{summary}");
    assert_eq!(word(&summary, "pnl_difference"), "0");
    assert_eq!(word(&summary, "pnl_realised"), word(&summary, "pnl_ledger"));
    assert!(
        summary
            .get("ledger_mismatches")
            .and_then(|rows| rows.as_array())
            .is_some_and(sonic_rs::Array::is_empty)
    );
    for latency in [
        "frame_to_decision",
        "frame_to_leg_signed",
        "frame_to_legs_signed",
        "frame_to_order_written",
        "order_round_trip",
    ] {
        assert!(number(&summary, &["latency_ns", latency, "p99.9"]) > 0, "{summary}");
    }
    let verdicts: u64 = all.iter().filter(|line| word(line, "event") == "opportunity").count() as u64;
    let counted: u64 = summary
        .get("opportunities")
        .and_then(|counts| counts.as_object())
        .map(|counts| counts.iter().filter_map(|(_, count)| count.as_u64()).sum())
        .unwrap_or_default();
    assert_eq!(verdicts, counted, "every opportunity is told once, with its verdict");
}

#[test]
fn a_demo_that_ends_before_its_accounts_were_read_differs_from_nothing() {
    let (output, _, summary) = demo(&["--seconds", "1", "--symbols", "3", "--quiet"]);
    assert!(output.status.success(), "{}\n{summary}", text(&output.stderr));
    let differing = summary.get("ledger_mismatches").and_then(|rows| rows.as_array());
    assert!(differing.is_some_and(sonic_rs::Array::is_empty), "{summary}");
    assert_eq!(word(&summary, "pnl_difference"), "0");
}

#[test]
fn pulling_the_plug_ends_in_reconnect_and_resync_not_in_a_wrong_book() {
    let (output, all, summary) =
        demo(&["--seconds", "12", "--symbols", "6", "--seed", "3", "--cut-after", "4"]);
    assert!(output.status.success(), "{}\n{summary}", text(&output.stderr));
    for exchange in ["mexc", "gateio"] {
        assert!(number(&summary, &["exchanges", exchange, "reconnects"]) >= 2, "{summary}");
        assert_eq!(number(&summary, &["exchanges", exchange, "books_live"]), 6, "{summary}");
    }
    let lost = all.iter().filter(|line| word(line, "event") == "book_lost").count();
    assert!(lost >= 12, "every book was out of use while its connection was gone, not {lost}");
    assert_eq!(word(&summary, "pnl_difference"), "0");
    assert_eq!(number(&summary, &["arbitrages", "unknown"]), 0);
}

#[test]
fn connections_are_replaced_without_a_gap_a_resync_or_a_lost_book() {
    let (output, all, summary) =
        demo(&["--seconds", "14", "--symbols", "6", "--seed", "5", "--rotate-after", "4"]);
    assert!(output.status.success(), "{}\n{summary}", text(&output.stderr));
    for exchange in ["mexc", "gateio"] {
        // Two links each, replaced after 4 s and a takeover of 3 s.
        assert!(number(&summary, &["exchanges", exchange, "rotations"]) >= 2, "{summary}");
        for nothing in ["gaps", "resyncs", "reconnects"] {
            assert_eq!(number(&summary, &["exchanges", exchange, nothing]), 0, "{nothing}: {summary}");
        }
        assert_eq!(number(&summary, &["exchanges", exchange, "books_live"]), 6, "{summary}");
    }
    assert_eq!(all.iter().filter(|line| word(line, "event") == "book_lost").count(), 0);
    assert_eq!(word(&summary, "pnl_difference"), "0");
}

/// Reads what `arb sim` says first, ends it as Ctrl-C would, and answers its lines and its exit code.
fn simulate(args: &[&str]) -> (Vec<Value>, Option<i32>) {
    use std::io::BufRead as _;
    let ports =
        ["sim", "--json", "--mexc-port", "0", "--gateio-port", "0", "--control-port", "0", "--symbols", "2"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
    let mut child =
        command.args(ports).args(args).stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || sonic_rs::from_str(&output.next().expect("a line").expect("text")).expect("JSON");
    let lines = vec![next(), next()];
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    (lines, child.wait().expect("it ends").code())
}

#[test]
fn sim_says_where_everything_is_and_ends_with_130() {
    let (lines, code) = simulate(&[]);
    let ready = &lines[0];
    assert_eq!((word(ready, "event"), word(&lines[1], "event"), code), ("ready", "control", Some(130)));
    let address = |venue: &str, kind: &str| word(&ready[venue], kind).to_owned();
    assert!(
        address("mexc", "rest").starts_with("http://127.0.0.1:") && address("mexc", "ws").ends_with("/ws")
    );
    assert!(address("gateio", "rest").ends_with("/api/v4") && address("gateio", "ws").ends_with("/ws/v4/"));
    let accounts = ready["accounts"].as_array().expect("accounts");
    let names: Vec<&str> = accounts.iter().map(|account| word(account, "name")).collect();
    assert_eq!(names, ["rich", "rich2", "poor", "read-only", "expired", "ip-bound", "can-withdraw"]);
    assert!(
        accounts
            .iter()
            .all(|account| !word(account, "key").is_empty() && !word(account, "secret").is_empty())
    );
}

#[test]
fn sim_over_tls_tells_whom_to_trust() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("roots.pem");
    let file = path.to_str().expect("a plain path");
    let (lines, _) = simulate(&["--tls", "good", "--tls-roots", file]);
    assert!(word(&lines[0]["mexc"], "rest").starts_with("https://127.0.0.1:"), "{lines:?}");
    assert!(word(&lines[0]["gateio"], "ws").starts_with("wss://127.0.0.1:"), "{lines:?}");
    let roots = std::fs::read_to_string(&path).expect("written before it is ready");
    assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 2, "{roots}");
    std::fs::remove_file(&path).expect("written");
    let output = arb(&["sim", "--tls-roots", file]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--tls-roots: nothing is served over TLS") && !path.exists(), "{output:?}");
    assert_eq!(output.status.code(), Some(3));
    let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sim-tls.toml");
    std::fs::write(&config, "tls = \"good\"\n").expect("written");
    let config = config.to_str().expect("a plain path");
    simulate(&["--config", config, "--tls-roots", file]);
    assert!(path.exists(), "whoever says that it is served over TLS");
    let output = arb(&["sim", "--tls", "best"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("use one of good, expired"), "{output:?}");
}

#[test]
fn sim_takes_a_file_and_names_its_mistakes() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sim.toml");
    let file = path.to_str().expect("a plain path");
    std::fs::write(&path, "[[accounts]]\nname = \"me\"\n").expect("written");
    let (lines, _) = simulate(&["--config", file]);
    assert_eq!(word(&lines[0]["accounts"][0], "name"), "me");
    for (text_of_file, told) in [
        ("sede = 1\n", "sim.toml:1:1: unknown key `sede`\n    | sede = 1\n  fix: did you mean `seed`?"),
        (
            "[[faults]]\nexchange = \"mexc\"\nkind = \"venue\"\neffect = \"halt\"\n",
            "sim.toml:1:1: this fault: venue.halt needs `symbol`",
        ),
        (
            "symbols = 2\n[[faults]]\nstart_ms = 9000\nexchange = \"mexc\"\nkind = \"venue\"\neffect = \"halt\"\nsymbol = \"NO/USDT\"\n",
            "mexc: NO/USDT does not trade here",
        ),
    ] {
        std::fs::write(&path, text_of_file).expect("written");
        let output = arb(&["sim", "--config", file]);
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
    for (option, place) in [("--config", "/nowhere/sim.toml"), ("--playback", "/nowhere/recording")] {
        let missing = arb(&["sim", option, place]);
        assert_eq!(missing.status.code(), Some(3), "{option}");
        assert!(text(&missing.stderr).contains(place), "{}", text(&missing.stderr));
    }
}

#[test]
fn sim_names_the_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    for option in ["--mexc-port", "--gateio-port", "--control-port"] {
        let others =
            ["--mexc-port", "--gateio-port", "--control-port"].into_iter().filter(|other| *other != option);
        let mut args = vec!["sim", option, &port];
        args.extend(others.flat_map(|other| [other, "0"]));
        let output = arb(&args);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert!(text(&output.stderr).contains(&port), "{}", text(&output.stderr));
    }
}

/// What must stop a run must not stop the halting of one.
#[test]
fn a_kill_halts_whatever_a_run_would_refuse() {
    for (lines, name, value) in [
        ("", "ARB_SYMBOLS", "x"),
        ("[risk]\nmin_edge_bps = 0.08\n", "ARB_TEST_NOTHING", ""),
        ("[risk]\nmax_leg_usdt = 500\n", "ARB_TEST_NOTHING", ""),
        ("[risk]\nmax_leg = 20\n", "ARB__VERSION", "2"),
    ] {
        let place = tempfile::tempdir().expect("a directory");
        let (config, state) = (place.path().join("arb.toml"), place.path().join("state"));
        had_a_run(&state);
        let file = format!(
            "version = 1\n[venues.mexc]\n[venues.gateio]\n[storage]\ndir = \"{}\"\n{lines}",
            state.display()
        );
        std::fs::write(&config, file).expect("our own file");
        let say = |verb: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
            command.args([verb, "--config"]).arg(&config).env(name, value);
            command.output().expect("the program starts")
        };
        let told = |output: &Output| text(&output.stderr);
        // No engine runs, which is no configuration's fault; a run is refused for its configuration.
        for (verb, code, word) in [
            ("run", 3, "error: "),
            ("status", 6, "warning: "),
            ("stop", 6, "warning: "),
            ("kill", 0, "warning: "),
        ] {
            let output = say(verb);
            assert_eq!(output.status.code(), Some(code), "{verb}: {}", told(&output));
            assert!(told(&output).starts_with(word), "{verb}: {}", told(&output));
            assert_eq!(state.join("HALT").exists(), verb == "kill", "{verb}");
        }
        let output = say("resume");
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        assert!(!state.join("HALT").exists());
    }
}

/// What `arb kill` says and does in this place, of exchanges that nobody reaches.
fn kill(place: &std::path::Path, lines: &str, vars: &[(&str, &str)], args: &[&str]) -> Output {
    let config = place.join("arb.toml");
    let nowhere =
        "key = \"env:K\"\nsecret = \"env:K\"\nrest = \"http://127.0.0.1:9\"\nws = \"ws://127.0.0.1:9\"\n";
    let file = format!(
        "version = 1\n{lines}[venues.mexc]\n{nowhere}[venues.gateio]\n{nowhere}[storage]\ndir = \"{}\"\n",
        place.join("state").display()
    );
    std::fs::write(&config, file).expect("our own file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
    command.args(["kill", "--config"]).arg(&config).args(args).env_remove("K").envs(vars.iter().copied());
    command.output().expect("the program starts")
}

#[test]
fn an_exchange_that_is_not_there_is_told_with_address_and_cause() {
    let place = tempfile::tempdir().expect("a directory");
    let said = text(&kill(place.path(), "", &[("K", "k")], &[]).stdout);
    for venue in ["mexc", "gateio"] {
        let expected = "no connection (http://127.0.0.1:9: Connection refused";
        let row = said.lines().find(|line| line.starts_with(venue)).unwrap_or_default();
        assert!(row.contains(expected), "{said}");
    }
}

#[test]
fn a_kill_needs_no_key_to_halt() {
    let place = tempfile::tempdir().expect("a directory");
    let output = kill(place.path(), "", &[], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{said}{}", text(&output.stderr));
    for venue in ["mexc", "gateio"] {
        assert!(said.contains(&format!("{venue}: NOT PROVEN FLAT: venues.{venue}.key: env:K")), "{said}");
    }
    assert!(place.path().join("state/HALT").exists());
}

#[test]
fn a_kill_goes_on_where_the_halt_cannot_be_written() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(place.path().join("state/HALT")).expect("a directory in its way");
    let output = kill(place.path(), "", &[("K", "k")], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{said}{}", text(&output.stderr));
    assert!(said.contains("mexc: NOT PROVEN FLAT") && said.contains("NOT HALTED OVER RESTARTS"), "{said}");
}

#[test]
fn a_kill_that_does_not_outlast_a_restart_does_not_say_killed() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(place.path().join("state/paper/HALT")).expect("a directory in its way");
    let output = kill(place.path(), "mode = \"paper\"\n", &[("K", "k")], &["--json"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{told}");
    assert!(told.contains("state/paper/HALT: ") && told.contains("fix: start nothing before"), "{told}");
    let rows = lines(&output);
    let [row] = rows.as_slice() else { panic!("no account on paper: {rows:?}") };
    assert_eq!((word(row, "event"), row["halt_file"].as_bool()), ("not_halted", Some(false)));
    assert!(word(row, "error").contains("state/paper/HALT: "), "{row}");
}

/// What a run leaves where it was.
fn had_a_run(directory: &std::path::Path) {
    std::fs::create_dir_all(directory).expect("a directory");
    std::fs::write(directory.join("run.lock"), "").expect("our own file");
}

#[test]
fn a_kill_goes_on_where_its_directory_cannot_be_made() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join("state"), "a file in its way").expect("our own file");
    let output = kill(place.path(), "", &[("K", "k")], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{said}{}", text(&output.stderr));
    for line in ["mexc: NOT PROVEN FLAT", "gateio: NOT PROVEN FLAT", "NOT HALTED OVER RESTARTS"] {
        assert!(said.contains(line), "{said}");
    }
    let output = kill(place.path(), "mode = \"paper\"\n", &[("K", "k")], &[]);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
}

/// Another user's home, another file: whoever halts there has halted nothing.
#[test]
fn a_kill_where_no_run_ever_was_does_not_say_that_none_runs() {
    let place = tempfile::tempdir().expect("a directory");
    let output = kill(place.path(), "mode = \"paper\"\n", &[("K", "k")], &[]);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(6), "{said}{told}");
    assert!(place.path().join("state/paper/HALT").exists(), "it holds what is started there all the same");
    assert!(said.contains("no run was ever in") && !said.contains("no engine runs"), "{said}");
    assert!(told.contains("state/paper: is it the user and the directory of the run?"), "{told}");
    let rows = lines(&kill(place.path(), "mode = \"paper\"\n", &[("K", "k")], &["--json"]));
    assert_eq!(rows[0]["never_run"].as_bool(), Some(true), "{rows:?}");
    let output = kill(place.path(), "", &[("K", "k")], &[]);
    assert_eq!(output.status.code(), Some(9), "what is not proven comes first: {}", text(&output.stderr));
}

#[test]
fn a_kill_needs_nobody_who_reads_its_warnings() {
    let place = tempfile::tempdir().expect("a directory");
    let (config, state) = (place.path().join("arb.toml"), place.path().join("state"));
    had_a_run(&state);
    let file =
        format!("venus = 1\n[venues.mexc]\n[venues.gateio]\n[storage]\ndir = \"{}\"\n", state.display());
    std::fs::write(&config, file).expect("our own file");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
    let status = command.args(["kill", "--config"]).arg(&config).stderr(writer).status();
    assert_eq!(status.expect("the program starts").code(), Some(0));
    assert!(state.join("HALT").exists());
}

#[test]
fn a_kill_on_paper_touches_no_account() {
    let place = tempfile::tempdir().expect("a directory");
    had_a_run(&place.path().join("state/paper"));
    let output = kill(place.path(), "mode = \"paper\"\n", &[("K", "k")], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(!said.contains("mexc") && place.path().join("state/paper/HALT").exists(), "{said}");
}
