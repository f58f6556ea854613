//! What a node holds that has nothing to do.

use std::error::Error;
use std::time::Duration;

use crate::{ALONE, start};

const NODES: usize = 16;
/// Beside its log, as promised.
const MOST_KIB: usize = 150;

#[tokio::test]
async fn an_idle_node_among_sixteen_holds_no_more_than_150_kib() -> Result<(), Box<dyn Error>> {
    let _alone = ALONE.lock().await;
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get().curr_bytes;
    let held = || dhat::HeapStats::get().curr_bytes.saturating_sub(before) / NODES / 1024;

    let mut nodes = vec![start(1, None).await?];
    for seed in 2..=NODES {
        nodes.push(start(u8::try_from(seed)?, nodes[0].address()).await?);
    }
    // What joining needed goes when it is over. No event says so: looked at until it is so.
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let at_rest = async {
        while nodes.iter().any(|node| node.status().members < NODES) || held() > MOST_KIB {
            looks.tick().await;
        }
    };
    let rested = tokio::time::timeout(Duration::from_secs(60), at_rest).await;
    println!("{} KiB", held());
    assert!(rested.is_ok(), "a node holds {} KiB", held());
    for node in nodes {
        node.stop().await;
    }
    Ok(())
}
