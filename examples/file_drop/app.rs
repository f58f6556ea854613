//! The application: which offers pass, and what others are given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sealnet::app::{Application, Context, Json};
use sealnet::envelope::{Envelope, Verified};
use sealnet::identity::NodeId;
use sealnet::node::{Asked, Verdict};
use sealnet::wire::RefusedCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::offer::{Digest, Offer};
use super::shelf::Shelf;

/// Offers are broadcasts of this title; a broadcast under another one would have no meaning.
pub(crate) const TITLE: &str = "drop";
/// Which pieces of an offered file a member has: asked with the offer's id, answered with their numbers.
pub(crate) const HAVE: &str = "drop/have";
/// One piece: asked with [`Wanted`], answered with its bytes.
pub(crate) const PIECE: &str = "drop/piece";

/// So many pieces are given at a time, and so many of them to one member.
const AT_ONCE: usize = 32;
const EACH: usize = 4;
/// Whoever takes a piece more slowly loses his place.
const SENDING: Duration = Duration::from_secs(120);

#[derive(Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) offer: Digest,
    pub(crate) piece: u32,
}

/// Gives away what is on the shelf.
pub(crate) struct FileDrop {
    shelf: Shelf,
    places: Arc<Semaphore>,
    /// The places of each member that is given something now.
    members: BTreeMap<NodeId, Arc<Semaphore>>,
}

impl FileDrop {
    pub(crate) fn new(shelf: Shelf) -> Self {
        FileDrop { shelf, places: Arc::new(Semaphore::new(AT_ONCE)), members: BTreeMap::new() }
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    fn has(&self, cx: &Context, asked: Asked) {
        let Ok(offer) = cx.asked_json::<Digest>(&asked) else { return asked.refuse("that is no offer's id") };
        asked.reply(Json(self.shelf.find(&offer).map_or_else(BTreeSet::new, |held| held.pieces())));
    }

    fn give(&mut self, cx: &Context, asked: Asked) {
        let Ok(Wanted { offer, piece }) = cx.asked_json(&asked) else { return asked.refuse("that is no piece") };
        let Some(held) = self.shelf.find(&offer) else { return asked.refuse("that file is not here") };
        self.members.retain(|_, places| places.available_permits() < EACH);
        let own = self.members.entry(asked.from).or_insert_with(|| Arc::new(Semaphore::new(EACH))).clone();
        let (Ok(own), Ok(place)) = (own.try_acquire_owned(), self.places.clone().try_acquire_owned()) else {
            return asked.refuse_as(RefusedCode::Busy, "too many pieces are under way");
        };
        // Not more of them than there are places.
        tokio::spawn(async move {
            let _until_it_is_sent = (own, place);
            let Ok(Ok(Some(bytes))) = tokio::task::spawn_blocking(move || held.read(piece)).await else {
                return asked.refuse("that piece is not here");
            };
            let rest = usize::try_from(asked.offset()).ok().and_then(|offset| bytes.get(offset..));
            let Some(rest) = rest else { return asked.refuse("the piece is not as long") };
            let sending = asked.reply_reader(rest, Some(bytes.len() as u64));
            let _ = tokio::time::timeout(SENDING, sending).await;
        });
    }
}

impl Application for FileDrop {
    /// What is no offer is not passed on to others either.
    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        if message.title() != TITLE {
            return Verdict::Reject("there are only offers".to_owned());
        }
        Offer::read(&message.message()).map_or_else(Verdict::Reject, |_| Verdict::Accept)
    }

    async fn asked(&mut self, cx: &Context, asked: Asked) {
        match asked.title.as_str() {
            _ if asked.body.len() > 256 || !asked.wants_answer() => asked.refuse("that is no question"),
            HAVE => self.has(cx, asked),
            PIECE => self.give(cx, asked),
            _ => asked.refuse("there are only drop/have and drop/piece"),
        }
    }
}
