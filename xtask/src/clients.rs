//! `clients`: the simulator, judged by clients that other people wrote.
//!
//! Builds `arb`, starts `arb sim`, drives it with the pinned public clients of `xtask/clients/requirements.txt` and, where
//! there is Node, of `xtask/clients/node/package.json`, runs the examples of docs/simulator.md as written, and prints client
//! by check. What a client stumbles over is a fault of the simulator.
//!
//! | module | what |
//! |---|---|
//! | `python` | the interpreter and its virtual environment |
//! | `node` | Node and the packages beside it |
//! | `sim` | the running simulator |
//! | `table` | what the driver told, and what it comes to |
//! | `examples` | the examples of the documentation |

mod examples;
mod node;
mod python;
mod sim;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::TaskError;
use crate::process;
use python::Environment;
use sim::Sim;
use table::Table;

/// The driver, and everything it needs besides Python.
const DRIVER: &str = "xtask/clients";

/// How long a driver may take altogether.
const DRIVER_MAX: Duration = Duration::from_secs(240);

/// The fewest checks a driver must have: fewer mean that somebody lost some.
const LEAST_CHECKS: usize = 150;
const LEAST_CHECKS_OF_NODE: usize = 30;

/// How the task ended when it did not fail.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Every check of every client passed.
    Passed,
    /// Nothing was checked, and why.
    NotRun(String),
}

/// Runs the task.
///
/// # Errors
/// When a check fails, when the driver does not end, or when the simulator cannot be built or started.
pub(crate) fn run(root: &Path) -> Result<Verdict, TaskError> {
    let environment = match Environment::prepare(root, &target_directory(root))? {
        Ok(environment) => environment,
        Err(why) => return Ok(Verdict::NotRun(why)),
    };
    process::run(process::cargo(root).args(["build", "--locked", "--package", "cex-arb", "--bin", "arb"]))?;
    let program = target_directory(root).join("debug").join(format!("arb{}", std::env::consts::EXE_SUFFIX));
    let sim = Sim::start(&program)?;
    let mut table = drive(root, &environment, &sim)?;
    match node::Environment::prepare(root, &target_directory(root))? {
        Ok(environment) => {
            let line = format!("node {} READY", node::DRIVER);
            table.join(told(&mut environment.driver(root, sim.ready()), &line, LEAST_CHECKS_OF_NODE)?);
        }
        Err(why) => table.note(format!("the clients for Node were not run: {why}")),
    }
    examples::run(root, &environment, &sim, &mut table)?;
    print!("{}", table.show());
    TaskError::unless_empty("clients", table.problems())?;
    Ok(Verdict::Passed)
}

/// Runs every check of every client.
fn drive(root: &Path, environment: &Environment, sim: &Sim) -> Result<Table, TaskError> {
    let mut command = Command::new(&environment.python);
    command.current_dir(root).arg(DRIVER).arg(sim.ready()).stdin(Stdio::null()).stdout(Stdio::piped());
    // Files of compiled Python beside the sources would be litter in the checkout.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    told(&mut command, &format!("python {DRIVER} READY"), LEAST_CHECKS)
}

/// What a driver tells.
fn told(driver: &mut Command, line: &str, least_checks: usize) -> Result<Table, TaskError> {
    println!("$ {line}");
    let began = Instant::now();
    let lines = process::lines_within(driver, line, DRIVER_MAX)?;
    println!("the driver ended after {:.1} s", began.elapsed().as_secs_f64());
    Table::read(&lines, least_checks).map_err(|reason| TaskError::Output { command: line.to_owned(), reason })
}

fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
