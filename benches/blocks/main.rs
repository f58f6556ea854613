//! What a node is built of, one by one: a handshake, records, envelopes, a step of the core, the log, repair.
//!
//!     cargo bench --bench blocks                        times, by Criterion, against the last run
//!     cargo bench --bench blocks -- --count NAME N      does it N times, for counting instructions
//!
//! `benches/blocks/count.py` counts the instructions of each and compares them with those on record
//! (`benches/blocks/counts.txt`): they are the same on every run, whatever else the machine does.

mod core_step;
mod envelopes;
mod handshake;
mod logs;
mod records;
mod repair;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;

type Failure = Box<dyn std::error::Error>;

/// Does one thing once.
type Step = Box<dyn FnMut()>;

/// A building block, and how to make it ready.
struct Block {
    name: &'static str,
    ready: fn() -> Result<Step, Failure>,
}

const BLOCKS: [Block; 13] = [
    Block { name: "handshake", ready: handshake::both_sides },
    Block { name: "record_64", ready: || records::sealed_and_opened(64) },
    Block { name: "record_1k", ready: || records::sealed_and_opened(1 << 10) },
    Block { name: "record_64k", ready: || records::sealed_and_opened(64 << 10) },
    Block { name: "envelope_publish", ready: envelopes::published },
    Block { name: "envelope_parse", ready: envelopes::parsed },
    Block { name: "envelope_verify", ready: envelopes::verified },
    Block { name: "envelope_verify_frequent", ready: envelopes::verified_of_a_frequent_sender },
    Block { name: "core_step", ready: || core_step::received_and_published(1_000) },
    Block { name: "core_step_of_a_million", ready: || core_step::received_and_published(1_000_000) },
    Block { name: "log_append", ready: logs::appended },
    Block { name: "log_read_256", ready: logs::read },
    Block { name: "repair_100_of_1000", ready: repair::fetched },
];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--count", name, times] => count(name, times.parse()?),
        ["--list"] => {
            BLOCKS.iter().for_each(|block| println!("{}", block.name));
            Ok(())
        }
        _ => time(),
    }
}

fn time() -> Result<(), Failure> {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for block in &BLOCKS {
        let mut step = (block.ready)()?;
        criterion.bench_function(block.name, |bencher| bencher.iter(&mut step));
    }
    criterion.final_summary();
    Ok(())
}

fn count(name: &str, times: u32) -> Result<(), Failure> {
    let block = BLOCKS.iter().find(|block| block.name == name).ok_or("there is no such block; --list names them")?;
    let mut step = (block.ready)()?;
    // What is done but once is not counted.
    step();
    for _ in 0..times {
        measured(&mut step);
    }
    Ok(())
}

/// The name by which callgrind knows what to count.
#[inline(never)]
fn measured(step: &mut Step) {
    black_box(step)();
}
