//! What one neighbour asks the other: W7.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::super::Failure;
use super::super::machine;
use super::super::statistics::ratio;
use super::metric::{FETCH, FETCH_CPU, REQUESTS, REQUESTS_CPU};
use super::network::{Network, Plan};
use super::round::{Job, Round};
use super::tally::TITLE;
use crate::node::{Node, RequestError, Requests};

/// How many small requests are under way at a time: as many as may be open on a link.
const AT_ONCE: usize = 64;
/// How often the large thing is fetched; the fastest is no better a figure than the mean of all.
const FETCHES: usize = 10;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two nodes; one fetches something large from the other, then asks it many small questions.
pub(super) async fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let size = job.case.size(job.quick);
    let plan = Plan { nodes: job.nodes, seed: job.round, logs: None, judged: None };
    let network = Network::start(plan, round).await?;
    let [answerer, asker, ..] = network.nodes() else { return Err(Failure::said("there are no two nodes")) };
    let whole: Bytes = (0..size.bytes).map(|n| (n / 251 + n) as u8).collect::<Vec<u8>>().into();
    let answering = tokio::spawn(answer(answerer.serve(TITLE)?, whole.clone()));

    let (start, worked) = (Instant::now(), machine::processor_time());
    for _ in 0..FETCHES {
        tick(round, fetch(asker, answerer).await.map(|got| got == whole));
    }
    let worked = machine::processor_time().saturating_sub(worked);
    round.set(FETCH, ratio(start.elapsed().as_secs_f64() * 1e3, FETCHES as f64));
    round.set(FETCH_CPU, ratio(worked.as_secs_f64() * 1e3, FETCHES as f64));

    let (start, worked) = (Instant::now(), machine::processor_time());
    let mut asking = JoinSet::new();
    for place in 0..AT_ONCE {
        let (asker, peer) = (asker.clone(), answerer.id());
        asking.spawn(async move {
            let mut outcomes = Vec::new();
            for number in (place..size.messages).step_by(AT_ONCE) {
                let number = number.to_string();
                let answer = asker.request(&peer, &format!("{TITLE}/echo"), number.clone()).deadline(PATIENCE).await;
                outcomes.push(answer.map(|answer| answer.bytes() == number.as_bytes()));
            }
            outcomes
        });
    }
    let outcomes = asking.join_all().await;
    let (took, worked) = (start.elapsed(), machine::processor_time().saturating_sub(worked));
    outcomes.into_iter().flatten().for_each(|outcome| tick(round, outcome));
    round.set(REQUESTS, ratio(size.messages as f64, took.as_secs_f64()));
    round.set(REQUESTS_CPU, ratio(worked.as_secs_f64() * 1e6, size.messages as f64));
    answering.abort();
    network.stop().await;
    Ok(())
}

/// Counts an answer: whether it came, and as it was to be.
fn tick(round: &mut Round, outcome: Result<bool, RequestError>) {
    round.counts.expected += 1;
    match outcome {
        Ok(true) => {}
        Ok(false) => round.counts.altered += 1,
        Err(error) => {
            anstream::eprintln!("missing: {error}");
            round.counts.missing += 1;
        }
    }
}

async fn answer(mut requests: Requests, whole: Bytes) {
    while let Some(asked) = requests.next().await {
        let body = if asked.title.as_str() == TITLE { whole.clone() } else { asked.body.clone() };
        asked.reply(body);
    }
}

async fn fetch(asker: &Node, answerer: &Node) -> Result<Vec<u8>, RequestError> {
    let mut download = asker.fetch(&answerer.id(), TITLE, "").patience(PATIENCE).await?;
    let mut got = Vec::new();
    while let Some(bytes) = download.next().await? {
        got.extend_from_slice(&bytes);
    }
    Ok(got)
}
