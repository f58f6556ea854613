//! How members behave in the demonstration: not all of them well.

use sealnet::app::{Application, Context};
use sealnet::envelope::{Envelope, Verified};
use sealnet::node::{Asked, Verdict};
use sealnet::wire::RefusedCode;
use tokio::sync::watch;

use super::app::{FileDrop, PIECE, Wanted};

pub(crate) enum Manners {
    /// Gives what it has.
    Honest,
    /// Says that it has all of it, and gives something else.
    Lies,
    /// Gives so many pieces, and has whoever asks for another wait for it in vain.
    Stalls(watch::Sender<usize>),
    /// Gives so many pieces, and is busy then.
    Tires(watch::Sender<usize>),
}

/// A member's application, with its manners.
pub(crate) struct Actor {
    pub(crate) app: FileDrop,
    pub(crate) manners: Manners,
    pub(crate) in_vain: Vec<Asked>,
}

/// Takes one of what is left; says whether there was any.
fn take(left: &watch::Sender<usize>) -> bool {
    left.send_if_modified(|left| {
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    })
}

/// A piece, but for one bit of it.
fn altered(app: &FileDrop, asked: &Asked) -> Option<Vec<u8>> {
    let Wanted { offer, piece } = asked.json().ok()?;
    let mut bytes = app.shelf().find(&offer)?.read(piece).ok()??;
    *bytes.last_mut()? ^= 1;
    Some(bytes)
}

impl Application for Actor {
    async fn check(&mut self, cx: &Context, message: &Verified<Envelope>) -> Verdict {
        self.app.check(cx, message).await
    }

    async fn asked(&mut self, cx: &Context, asked: Asked) {
        if asked.title.as_str() != PIECE {
            return self.app.asked(cx, asked).await;
        }
        match &self.manners {
            Manners::Lies => match altered(&self.app, &asked) {
                Some(bytes) => asked.reply(bytes),
                None => asked.refuse("that piece is not here"),
            },
            Manners::Stalls(left) if !take(left) => {
                self.in_vain.retain(|asked| !asked.is_cancelled());
                self.in_vain.push(asked);
            }
            Manners::Tires(left) if !take(left) => asked.refuse_as(RefusedCode::Busy, "not now"),
            _ => self.app.asked(cx, asked).await,
        }
    }
}
