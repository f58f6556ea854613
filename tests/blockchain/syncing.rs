//! Catching up, with nodes that answer as they please.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sealnet::identity::NodeId;

use crate::chain::{BlockHash, Header};
use crate::network::{Caught, Shared, Sources, answer, catch_up, title};
use crate::stage::{chain, chain_of, genesis_with, grow, id, try_pay};

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    /// Does not answer requests for blocks after so many.
    Tires(usize),
    /// Its blocks have the right headers and rubbish behind them.
    Spoils,
    /// Its headers have no work.
    Forges,
}

/// Other nodes, without a network, and what they were asked.
#[derive(Default)]
struct Others {
    nodes: Vec<(NodeId, Arc<Shared>, Manner)>,
    asked: Mutex<Vec<(NodeId, &'static str)>>,
}

impl Others {
    fn add(mut self, n: u8, shared: &Arc<Shared>, manner: Manner) -> Self {
        self.nodes.push((id(n), shared.clone(), manner));
        self
    }

    fn ask(&self, peer: NodeId, title: &'static str, hashes: &[BlockHash]) -> Result<Bytes, String> {
        let (_, shared, manner) = self.nodes.iter().find(|(id, ..)| *id == peer).unwrap();
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|(id, what)| (*id, *what) == (peer, title::BLOCKS)).count();
        asked.push((peer, title));
        drop(asked);
        let answer = answer(shared, title, &serde_json::to_vec(hashes).unwrap().into())?;
        match manner {
            Manner::Tires(after) if title == title::BLOCKS && before >= *after => Err("gone".to_owned()),
            Manner::Spoils if title == title::BLOCKS => {
                let mut bytes = answer.to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                Ok(bytes.into())
            }
            Manner::Forges if title == title::HEADERS => {
                let mut headers = Header::read_all(&answer).unwrap();
                for header in &mut headers {
                    while header.hash().leading() <= header.difficulty.target() {
                        header.nonce += 1;
                    }
                }
                Ok(headers.iter().flat_map(Header::encode).collect::<Vec<_>>().into())
            }
            _ => Ok(answer),
        }
    }

    fn count(&self, wanted: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(_, title)| *title == wanted).count()
    }
}

impl Sources for Others {
    fn peers(&self) -> Vec<NodeId> {
        self.nodes.iter().map(|(id, ..)| *id).collect()
    }

    async fn headers(&self, peer: NodeId, locator: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(peer, title::HEADERS, &locator)
    }

    async fn blocks(&self, peer: NodeId, hashes: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(peer, title::BLOCKS, &hashes)
    }
}

fn long(blocks: usize, miner: u8) -> Arc<Shared> {
    let mut chain = chain();
    (0..blocks).for_each(|_| drop(grow(&mut chain, miner)));
    Arc::new(Shared::new(chain))
}

fn is_level(a: &Shared, b: &Shared) -> bool {
    a.chain().tip() == b.chain().tip()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gets_headers_first_and_then_blocks_from_several_nodes() {
    let source = long(2_500, 9);
    let others = Others::default().add(1, &source, Manner::Honest).add(2, &source, Manner::Honest);
    let (others, fresh) = (Arc::new(others.add(3, &source, Manner::Honest)), Arc::new(Shared::new(chain())));
    let caught = catch_up(&fresh, &others).await;
    assert!(is_level(&fresh, &source));
    assert_eq!((caught.headers, caught.blocks, caught.liars.len()), (2_500, 2_500, 0));
    assert_eq!(caught.from.len(), 3, "all of them were asked for blocks");
    let asked = others.asked.lock().unwrap().clone();
    let first = asked.iter().position(|(_, title)| *title == title::BLOCKS).unwrap();
    assert_eq!(first, 2, "2,500 headers are two answers");
    let mut of_each: BTreeMap<NodeId, usize> = BTreeMap::new();
    asked.iter().filter(|(_, title)| *title == title::BLOCKS).for_each(|(id, _)| *of_each.entry(*id).or_default() += 1);
    assert!(of_each.values().all(|count| *count > 5), "{of_each:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_returns_asks_only_for_what_is_missing() {
    let source = long(300, 9);
    let others = Arc::new(Others::default().add(1, &source, Manner::Honest));
    let fresh = Arc::new(Shared::new(chain()));
    catch_up(&fresh, &others).await;
    assert_eq!(catch_up(&fresh, &others).await, Caught::default(), "nothing is missing");
    (0..10).for_each(|_| drop(grow(&mut source.chain(), 9)));
    let before = others.count(title::BLOCKS);
    let caught = catch_up(&fresh, &others).await;
    assert_eq!((caught.headers, caught.blocks, others.count(title::BLOCKS) - before), (10, 10, 1));
    assert!(is_level(&fresh, &source));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_fork_is_crossed_to_the_heavier_side_in_either_direction_of_asking() {
    let (light, heavy) = (long(400, 8), long(405, 9));
    let to_light = Arc::new(Others::default().add(1, &light, Manner::Honest));
    assert_eq!(catch_up(&heavy, &to_light).await.blocks, 0);
    assert_eq!(to_light.count(title::BLOCKS), 0, "less work: not one body is fetched");
    let to_heavy = Arc::new(Others::default().add(1, &heavy, Manner::Honest));
    assert_eq!(catch_up(&light, &to_heavy).await.blocks, 405);
    assert!(is_level(&light, &heavy));
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_headers_cost_the_forger_its_name_and_nobody_any_block() {
    let genesis = genesis_with("difficulty = 50");
    let mut chain = chain_of(&genesis);
    (0..50).for_each(|_| drop(grow(&mut chain, 9)));
    let source = Arc::new(Shared::new(chain));
    let fresh = Arc::new(Shared::new(chain_of(&genesis)));
    let forger = Arc::new(Others::default().add(1, &source, Manner::Forges));
    let caught = catch_up(&fresh, &forger).await;
    assert!(caught.liars.contains(&id(1)) && caught.blocks == 0 && forger.count(title::BLOCKS) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_spoils_blocks_is_found_out_and_the_others_fill_in() {
    let source = long(500, 9);
    let others = Others::default().add(1, &source, Manner::Honest).add(2, &source, Manner::Spoils);
    let (others, fresh) = (Arc::new(others), Arc::new(Shared::new(chain())));
    let caught = catch_up(&fresh, &others).await;
    assert!(is_level(&fresh, &source));
    assert_eq!((caught.liars.into_iter().collect::<Vec<_>>(), caught.blocks), (vec![id(2)], 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_goes_in_the_middle_the_next_one_goes_on() {
    let source = long(500, 9);
    let tired = Arc::new(Others::default().add(1, &source, Manner::Tires(5)));
    let fresh = Arc::new(Shared::new(chain()));
    let first = catch_up(&fresh, &tired).await;
    assert!(first.blocks >= 32 && first.blocks < 500 && first.liars.is_empty(), "{first:?}");
    let others = Arc::new(Others::default().add(2, &source, Manner::Honest));
    let second = catch_up(&fresh, &others).await;
    assert_eq!((first.blocks + second.blocks, is_level(&fresh, &source)), (500, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn full_blocks_come_over_although_one_answer_holds_only_some() {
    let genesis = genesis_with("max_block_bytes = 131_072");
    let mut chain = chain_of(&genesis);
    let mut bytes = 0;
    while bytes < 3 << 19 {
        for sender in 0..3 {
            let next = chain.balance(&id(sender)).1;
            (next..next + 64).for_each(|nonce| try_pay(&mut chain, sender, (sender + 1) % 3, 1, 1, nonce).unwrap());
        }
        // The fees go back to who paid them.
        let miner = (chain.height() % 3) as u8;
        bytes += grow(&mut chain, miner).bytes.len();
    }
    assert!(bytes / chain.height() as usize > 1 << 15, "32 of them are more than an answer");
    let source = Arc::new(Shared::new(chain));
    let fresh = Arc::new(Shared::new(chain_of(&genesis)));
    let others = Arc::new(Others::default().add(1, &source, Manner::Honest));
    let caught = catch_up(&fresh, &others).await;
    assert_eq!((caught.blocks as u64, caught.liars.len()), (source.chain().height(), 0));
    assert!(is_level(&fresh, &source));
}
