//! Whole networks in virtual time.

use std::time::Duration;

use sealnet::overlay::{self, Reason};
use sealnet::sim::{SchemeKind, Settings, Simulation};

#[test]
fn explore() {
    for (name, overlay) in
        [("local", overlay::Settings::local()), ("lan", overlay::Settings::lan()), ("wan", overlay::Settings::wan())]
    {
        for nodes in [2, 9, 12, 40, 100] {
            let mut sim = Simulation::new(Settings { nodes, overlay: overlay.clone(), ..Settings::default() });
            let started = std::time::Instant::now();
            let ok = sim.run_until(|sim| sim.all_know_all(), Duration::from_secs(120));
            let t = sim.elapsed();
            let report = |sim: &Simulation, what: &str| {
                let links: Vec<usize> = (0..nodes).map(|n| sim.links(n).len()).collect();
                let open: u64 = (0..nodes).map(|n| sim.link_openings(n)).sum();
                let pres: u64 = (0..nodes).map(|n| sim.presences(n)).sum();
                let ticks: u64 = (0..nodes).map(|n| sim.ticks(n)).max().unwrap();
                println!(
                    "{name} {nodes} {what}: at {:?} links {}/{}/{} genesis {} connected {} openings {open} presences {pres} max ticks {ticks} traffic {:?}",
                    sim.elapsed(),
                    links.iter().min().unwrap(),
                    links.iter().sum::<usize>() as f64 / nodes as f64,
                    links.iter().max().unwrap(),
                    links[0],
                    sim.is_connected(),
                    sim.traffic()
                );
            };
            println!("{name} {nodes}: all know all {ok} at {t:?}, real {:?}", started.elapsed());
            report(&sim, "joined");
            sim.run_for(Duration::from_secs(30));
            report(&sim, "+30");
            sim.run_for(Duration::from_secs(60));
            report(&sim, "+90");
            sim.run_for(Duration::from_secs(60));
            report(&sim, "+150");
            println!("real {:?}", started.elapsed());
            let _ = (Reason::Busy, SchemeKind::Open);
        }
    }
}
