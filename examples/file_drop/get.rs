//! Getting a file by its hash: finding who offers it, fetching it, and putting it where it is to be.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealnet::envelope::TitleError;
use sealnet::node::{Item, Node, Subscription};
use tokio::sync::watch;
use tokio::time::Instant;

use super::app::TITLE;
use super::fetch::{Progress, fetch};
use super::offer::{Digest, Offer};
use super::plan::Plan;
use super::shelf::{Held, Shelf};

/// So many different offers of one hash are looked at: each but one is a lie.
const MOST_OFFERS: usize = 64;
/// While others wait, an offer that brings nothing for so long gives way to them.
const TURN: Duration = Duration::from_secs(5);

/// Which file is wanted, in which folder, and how long it may take until something comes.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) hash: Digest,
    pub(crate) into: PathBuf,
    pub(crate) patience: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum GetError {
    #[error("nobody offered {0} within {1:?}; check the hash, and that whoever has the file offers it")]
    NotOffered(Digest, Duration),
    #[error("nothing came for {0:?}; what is here is kept: get it again when a member that has the rest is there")]
    NothingCame(Duration),
    #[error("{} is there already, and is another file; get this one into another folder", .0.display())]
    Exists(PathBuf),
    #[error("the node has stopped; what is here is kept")]
    Stopped,
    #[error("{}: {why}", .path.display())]
    Disk { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Title(#[from] TitleError),
}

/// Gets a file, and says where it is. What comes is kept in a `.part` file, from which the next attempt goes on; meanwhile,
/// and afterwards, it is on the shelf for others. Dropped, it ends.
pub(crate) async fn get(
    node: &Node,
    shelf: &Shelf,
    order: &Order,
    progress: &watch::Sender<Progress>,
) -> Result<PathBuf, GetError> {
    let mut offers = node.subscribe(TITLE)?.from_start();
    let (mut known, mut waiting) = (BTreeSet::new(), VecDeque::new());
    let mut changes = progress.subscribe();
    let (mut came, mut last) = (0, Instant::now());
    loop {
        let Some((offer, plan)) = waiting.pop_front() else {
            let next = tokio::time::timeout_at(last + order.patience, next_offer(&mut offers, &order.hash)).await;
            let offer = next.map_err(|_| GetError::NotOffered(order.hash, order.patience))?.ok_or(GetError::Stopped)?;
            if known.len() < MOST_OFFERS && known.insert(offer.id()) {
                waiting.push_back((offer, Arc::default()));
            }
            continue;
        };
        let getting = get_offered(node, shelf, order, &offer, &plan, progress);
        tokio::pin!(getting);
        let mut began = Instant::now();
        let outcome = loop {
            let quiet = if waiting.is_empty() { order.patience } else { TURN.min(order.patience) };
            tokio::select! {
                outcome = &mut getting => break outcome?,
                _ = changes.changed() => {
                    let now = changes.borrow_and_update().came();
                    if now > came {
                        (came, began, last) = (now, Instant::now(), Instant::now());
                    }
                }
                another = next_offer(&mut offers, &order.hash) => {
                    let another = another.ok_or(GetError::Stopped)?;
                    if known.len() < MOST_OFFERS && known.insert(another.id()) {
                        waiting.push_back((another, Arc::default()));
                    }
                }
                () = tokio::time::sleep_until(began + quiet) => {
                    if last.elapsed() >= order.patience {
                        return Err(GetError::NothingCame(order.patience));
                    }
                    waiting.push_back((offer.clone(), plan.clone()));
                    break None;
                }
            }
        };
        if let Some(path) = outcome {
            for (lie, _) in waiting {
                shelf.take_off(&lie.id());
                let _ = fs::remove_file(part_of(order, &lie));
            }
            return Ok(path);
        }
    }
}

/// The next offer of a file with this hash; none when the node has stopped.
async fn next_offer(offers: &mut Subscription, hash: &Digest) -> Option<Offer> {
    loop {
        if let Item::Broadcast(broadcast) = offers.next().await?
            && let Ok(offer) = Offer::read(&broadcast.message())
            && offer.sha256() == *hash
        {
            return Some(offer);
        }
    }
}

/// Gets what is offered here; `None` if all its pieces together are not what they are to be.
async fn get_offered(
    node: &Node,
    shelf: &Shelf,
    order: &Order,
    offer: &Offer,
    plan: &Arc<Mutex<Plan>>,
    progress: &watch::Sender<Progress>,
) -> Result<Option<PathBuf>, GetError> {
    let (target, part) = (order.into.join(offer.name()), part_of(order, offer));
    if target.exists() {
        let held = on_disk(&target, Held::whole).await?;
        if held.offer().sha256() != order.hash {
            return Err(GetError::Exists(target));
        }
        shelf.hold(Arc::new(held));
        return Ok(Some(target));
    }
    let resumed = offer.clone();
    let held = Arc::new(on_disk(&part, |path| Held::resume(path, resumed)).await?);
    shelf.hold(held.clone());
    let disk = |why| GetError::Disk { path: part.clone(), why };
    fetch(node, held.clone(), plan.clone(), progress).await.map_err(disk)?;
    let whole = held.clone();
    if !on_disk(&part, move |_| whole.is_right()).await? {
        shelf.take_off(&offer.id());
        return on_disk(&part, |part| fs::remove_file(part)).await.map(|()| None);
    }
    let named = target.clone();
    on_disk(&part, move |part| put_at(part, &named)).await.map_err(|error| match error {
        GetError::Disk { why, .. } if why.kind() == io::ErrorKind::AlreadyExists => GetError::Exists(target.clone()),
        other => other,
    })?;
    Ok(Some(target))
}

/// Where the pieces of an offer are kept. It goes by the offer's id, not by its name: two files of one name do not meet in
/// it, and neither do the right pieces of a file and the wrong ones.
fn part_of(order: &Order, offer: &Offer) -> PathBuf {
    order.into.join(format!("{}.part", offer.id()))
}

/// Gives the file its name, unless there is one of that name.
fn put_at(part: &Path, target: &Path) -> io::Result<()> {
    // The empty file is this program's own, and may be replaced.
    File::create_new(target)?;
    fs::rename(part, target)
}

/// Does what waits for the disk where it delays nobody.
async fn on_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, GetError> {
    let own = path.to_owned();
    let done =
        tokio::task::spawn_blocking(move || work(&own)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|why| GetError::Disk { path: path.to_owned(), why })
}
