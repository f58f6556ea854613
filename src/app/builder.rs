//! Giving applications to a node.

use crate::envelope::Title;
use crate::node::{Attached, Builder, Event, LaunchError, Node, Subscription};

use super::{Application, StartAt, callback, runner};

impl<Kind> Builder<Kind> {
    /// Runs an application on this node: it has the broadcasts of `title` and of all titles under it. Several may run on one
    /// node, each with titles of its own.
    ///
    /// An `async` wait in it stops nobody else; code that blocks its thread does, and belongs into
    /// [`app_isolated`](Self::app_isolated).
    pub fn app(self, title: &str, app: impl Application) -> Self {
        let version = app.version();
        let own = title.to_owned();
        self.announce_app(title, &version).launch(move |node| {
            let (attached, messages) = attach(node, &own, app.start_at())?;
            runner::spawn(app, attached, messages, node);
            Ok(())
        })
    }

    /// The same on a thread of its own, for code that blocks: whatever it does, it delays only itself.
    pub fn app_isolated(self, title: &str, app: impl Application) -> Self {
        let version = app.version();
        let own = title.to_owned();
        self.announce_app(title, &version).launch(move |node| {
            let (attached, messages) = attach(node, &own, app.start_at())?;
            runner::spawn_isolated(app, attached, messages, node)
        })
    }

    /// Calls `callback` for everything that happens at the node: links, members, broadcasts (as [`Event::Message`], each that
    /// is kept once), messages to this node alone. One call at a time.
    pub fn on_event(self, callback: impl FnMut(&Node, Event) + Send + 'static) -> Self {
        self.launch(move |node| {
            callback::spawn(callback, node);
            Ok(())
        })
    }
}

/// Takes a title for an application, and opens what it reads.
fn attach(node: &Node, title: &str, start: StartAt) -> Result<(Attached, Subscription), LaunchError> {
    let bad_title = |error| LaunchError::Title { title: title.to_owned(), error };
    let own = Title::for_application(title).map_err(bad_title)?;
    let messages = node.subscribe_under(title).map_err(bad_title)?;
    let messages = match start {
        StartAt::ThisRun => messages.after(node.began()),
        StartAt::OldestKept => Ok(messages.from_start()),
        StartAt::After(cursor) => messages.after(cursor),
    };
    let messages = messages.map_err(|error| LaunchError::Cursor { title: own.clone(), error })?;
    let attached = node.attach(&own).ok_or(LaunchError::TitleTaken(own))?;
    Ok((attached, messages))
}
