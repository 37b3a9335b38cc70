//! `cargo xtask fixtures --dir DIR`: decodes every recorded payload below a directory with the adapters. A file that
//! nobody can read fails.
#![forbid(unsafe_code)]

use cex_benches::fixtures::{Verdict, read_all};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [flag, dir] = args.as_slice() else { return usage() };
    if flag != "--dir" {
        return usage();
    }
    let verdicts = match read_all(Path::new(dir)) {
        Ok(verdicts) if verdicts.is_empty() => {
            eprintln!(
                "error: {dir} holds no payload\n  fix: give the directory that holds gateio/ and mexc/"
            );
            return ExitCode::from(3);
        }
        Ok(verdicts) => verdicts,
        Err(error) => {
            eprintln!("error: {dir}: {error}\n  fix: give the directory that holds gateio/ and mexc/");
            return ExitCode::from(3);
        }
    };
    for Verdict { file, result } in &verdicts {
        match result {
            Ok(what) => println!("ok      {file:<56} {what}"),
            Err(why) => println!("FAILED  {file:<56} {why}"),
        }
    }
    let failed = verdicts.iter().filter(|verdict| verdict.result.is_err()).count();
    println!("{} files read, {failed} failed", verdicts.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: fixtures --dir DIR");
    ExitCode::from(2)
}
