//! Two simulated nodes, of which one comes back without 100 of 1,000 messages: found and fetched, both sides.

use std::time::Duration;

use sealnet::sim::{Settings, Simulation};

use super::{Failure, Step};

const KNOWN: usize = 900;
const MISSING: usize = 100;
/// In virtual time.
const LIMIT: Duration = Duration::from_secs(60);
const REPAIRED_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn fetched() -> Result<Step, Failure> {
    let title = "bench".parse::<sealnet::envelope::Title>()?;
    let mut sim = Simulation::new(Settings { nodes: 2, ..Settings::default() });
    if !sim.run_until(|sim| (0..2).all(|node| sim.member_count(node) == 2), LIMIT) {
        return Err("the two do not find each other".into());
    }
    let mut said = 0;
    let mut say = move |sim: &mut Simulation, count: usize| {
        for _ in 0..count {
            said += 1;
            sim.broadcast(0, title.clone(), vec![7; 256]);
        }
        said
    };
    say(&mut sim, KNOWN);
    sim.run_for(REPAIRED_WITHIN);
    Ok(Box::new(move || {
        sim.kill(1);
        let all = say(&mut sim, MISSING);
        sim.restart_with_log(1);
        sim.run_for(REPAIRED_WITHIN);
        assert_eq!(sim.delivered(1).len(), all, "not repaired");
    }))
}
