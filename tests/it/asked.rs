//! What applications are asked, what they keep about neighbours, and their say in reconnecting.

use std::time::Duration;

use sealnet::app::{Application, Context, Json};
use sealnet::identity::{NodeAddress, NodeId};
use sealnet::node::{Asked, Builder, Event, Node, RequestError, Secure, SecureNode, Sent};
use sealnet::overlay::{Direction, Reason, Settings};
use sealnet::wire::RefusedCode;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{identity, joined, node, until, within};

/// Adds two numbers; does as it is told otherwise.
struct Adder(UnboundedSender<String>);

fn adder() -> (Adder, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    (Adder(tell), told)
}

impl Application for Adder {
    async fn asked(&mut self, cx: &Context, request: Asked) {
        let _ = self.0.send(format!("{} {}", request.title, request.wants_answer()));
        match request.title.as_str().rsplit('/').next() {
            Some("sum") => match cx.asked_json::<(u64, u64)>(&request) {
                Ok((a, b)) => request.reply(Json(a + b)),
                Err(error) => request.refuse(&error.why),
            },
            Some("panic") => panic!("as it was told"),
            Some("hang") => std::future::pending().await,
            Some("block") => loop {
                std::thread::park();
            },
            Some("relay") => {
                // An application may ask others while it is asked.
                let answer = cx.request_part(&request.from, "sum", Json((20, 3))).await;
                request.reply(answer.map_or_else(|error| error.to_string(), |answer| answer.text().unwrap().into()));
            }
            Some("later") => {
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    request.reply("at last");
                });
            }
            _ => request.refuse("this is an adder"),
        }
    }
}

/// Answers nothing, and has no objections.
struct Quiet;

impl Application for Quiet {}

fn builder(n: u8, genesis: Option<NodeAddress>) -> Builder<Secure> {
    let builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local());
    genesis.into_iter().fold(builder, Builder::genesis)
}

/// A node that is made by `with`, and one without applications that is linked with it.
async fn beside(with: impl FnOnce(Builder<Secure>) -> Builder<Secure>) -> (SecureNode, SecureNode) {
    let with = with(builder(1, None)).start().await.unwrap();
    let without = node(2, &[with.address().unwrap()]).await;
    joined(&[with.clone(), without.clone()]).await;
    (with, without)
}

async fn sum(asker: &Node, peer: &NodeId, title: &str) -> u64 {
    let asking = asker.request(peer, &format!("{title}/sum"), Json((7, 8))).deadline(Duration::from_secs(60));
    asking.await.unwrap().json().unwrap()
}

fn refusal(outcome: Result<sealnet::node::Response, RequestError>) -> (RefusedCode, String) {
    match outcome {
        Err(RequestError::Refused { code, why, .. }) => (code, why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_answers_what_is_asked_under_its_titles_and_nothing_else() {
    let (app, mut told) = adder();
    let (with, without) = beside(|builder| builder.app("add", app).app("quiet", Quiet)).await;
    let peer = with.id();
    assert_eq!(sum(&without, &peer, "add").await, 15);
    assert_eq!(told.recv().await.unwrap(), "add/sum true");
    let other = refusal(without.request(&peer, "add", "").await);
    assert_eq!(other, (RefusedCode::Application, "this is an adder".into()));
    let later = without.request(&peer, "add/later", "").await.unwrap();
    assert_eq!(later.text().unwrap(), "at last");
    // What cannot be read is counted, and said.
    assert_eq!(refusal(without.request(&peer, "add/sum", "no numbers").await).0, RefusedCode::Application);
    assert_eq!(with.status().reasons.get(Reason::WrongType), 1);
    // One that answers nothing says so; messages go to whoever listens, as where there is no application.
    let (code, why) = refusal(without.request(&peer, "quiet/x", "").await);
    assert!(code == RefusedCode::NoSuchTitle && why.contains("answers no requests"), "{why}");
    let unheard = without.send_to(&peer, "quiet", "anybody?").await.unwrap_err();
    assert!(matches!(unheard, RequestError::Refused { code: RefusedCode::NoSuchTitle, .. }), "{unheard}");
    let mut events = with.events();
    assert_eq!(without.send_to(&peer, "quiet", "anybody?").await, Ok(Sent::Directly));
    let direct = async {
        while let Some(event) = events.next().await {
            if let Event::Direct(direct) = event {
                return direct.message;
            }
        }
        panic!("the node is gone");
    };
    assert_eq!(within("the message", direct).await, "anybody?");
    // Its titles are its own; below them others may serve what it does not.
    assert!(with.serve("add").is_err());
    let mut files = with.serve("add/files").unwrap();
    let (answer, ()) =
        tokio::join!(without.request(&peer, "add/files/1", ""), async { files.next().await.unwrap().reply("a file") });
    assert_eq!(answer.unwrap().text().unwrap(), "a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_ask_each_other() {
    let ((here, _here), (there, _there)) = (adder(), adder());
    let first = builder(1, None).app("add", here).start().await.unwrap();
    let second = builder(2, first.address()).app("add", there).start().await.unwrap();
    joined(&[first.clone(), second.clone()]).await;
    // From outside the application, so that the other one finds it free.
    let answer = first.request(&second.id(), "add/relay", "").await.unwrap();
    assert_eq!(answer.text().unwrap(), "23");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_panics_or_hangs_when_it_is_asked_costs_itself_alone() {
    let ((panics, _p), (hangs, mut hung), (sound, _s)) = (adder(), adder(), adder());
    let with = |builder: Builder<Secure>| builder.app("panics", panics).app("hangs", hangs).app("sound", sound);
    let (with, without) = beside(with).await;
    let peer = with.id();
    let mut events = with.events();
    let broke = refusal(without.request(&peer, "panics/panic", "").await);
    assert_eq!(broke, (RefusedCode::Application, "no answer was given".into()));
    let failed = async {
        while let Some(event) = events.next().await {
            if let Event::ApplicationFailed { title } = event {
                return title;
            }
        }
        panic!("the node is gone");
    };
    assert_eq!(within("it is reported", failed).await.as_str(), "panics");
    // Nobody else takes what was meant for it, whoever listens.
    let (code, why) = refusal(without.request(&peer, "panics/sum", "").await);
    assert!(code == RefusedCode::Application && why.contains("broken down"), "{why}");
    let message = without.send_to(&peer, "panics", "x").await.unwrap_err();
    assert!(matches!(message, RequestError::Refused { code: RefusedCode::Application, .. }), "{message}");
    let asker = without.clone();
    let hanging = tokio::spawn(async move { asker.request(&peer, "hangs/hang", "").await });
    assert_eq!(within("it is asked", hung.recv()).await.unwrap(), "hangs/hang true");
    assert_eq!(sum(&without, &peer, "sound").await, 15);
    hanging.abort();
    within("the node stops all the same", with.stop()).await;
}

// One thread for everything: whoever blocks it would stop all.
#[tokio::test]
async fn an_isolated_application_may_block_its_thread_when_it_is_asked() {
    let ((blocks, mut blocked), (sound, _s)) = (adder(), adder());
    let (with, without) = beside(|builder| builder.app_isolated("blocks", blocks).app_isolated("sound", sound)).await;
    let peer = with.id();
    let asker = without.clone();
    let blocking = tokio::spawn(async move { asker.request(&peer, "blocks/block", "").await });
    assert_eq!(within("it is asked", blocked.recv()).await.unwrap(), "blocks/block true");
    assert_eq!(sum(&without, &peer, "sound").await, 15);
    blocking.abort();
    within("the node stops all the same", with.stop()).await;
}

/// Says whether the node may dial again, and tells what it was asked.
struct Judge(bool, UnboundedSender<(NodeId, u32)>);

impl Application for Judge {
    async fn retry(&mut self, _: &Context, lost: NodeId, attempt: u32) -> bool {
        let _ = self.1.send((lost, attempt));
        self.0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_have_a_say_in_reconnecting() {
    for wanted in [false, true] {
        let far = node(2, &[]).await;
        let (tell, mut told) = unbounded_channel();
        // It listens nowhere: nobody but itself can open the link again.
        let near = SecureNode::builder("test".parse().unwrap(), identity(1))
            .overlay(Settings::local())
            .genesis(far.address().unwrap())
            .app("choosy", Judge(wanted, tell));
        let near = near.start().await.unwrap();
        joined(&[far.clone(), near.clone()]).await;
        assert!(told.try_recv().is_err(), "nothing was lost yet");
        let mut events = near.events();
        assert!(far.disconnect(&near.id()));
        let asked = within("the application is asked", told.recv()).await.unwrap();
        assert_eq!(asked, (far.id(), 1));
        if wanted {
            let again = async {
                while let Some(event) = events.next().await {
                    if let Event::LinkOpened { peer, .. } = event {
                        return peer;
                    }
                }
                panic!("the node is gone");
            };
            assert_eq!(within("the link is opened again", again).await, far.id());
        } else {
            let declined = || near.status().reasons.get(Reason::ApplicationDeclined) > 0;
            until("the dial is declined", &[&near], declined).await;
            assert!(near.links().is_empty());
            // It holds for what the node does by itself, not for what it is told to do.
            near.connect(&far.address().unwrap()).await.unwrap();
        }
    }
}

/// Numbers its neighbours.
struct Numbers(u32, UnboundedSender<(Option<u32>, u32)>);

impl Application for Numbers {
    fn version(&self) -> String {
        "genesis-7".into()
    }

    async fn opened(&mut self, cx: &Context, peer: NodeId, _: Direction) {
        let former = cx.link_data::<u32>(&peer).map(|number| *number);
        self.0 += 1;
        assert!(cx.set_link_data(&peer, self.0));
        assert!(cx.link_data::<String>(&peer).is_none(), "of another type");
        let _ = self.1.send((former, *cx.link_data::<u32>(&peer).unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_keeps_about_a_neighbour_goes_with_the_link() {
    let (tell, mut told) = unbounded_channel();
    let (with, without) = beside(|builder| builder.app("numbers", Numbers(0, tell))).await;
    assert_eq!(within("the first link", told.recv()).await.unwrap(), (None, 1));
    assert!(without.disconnect(&with.id()));
    assert_eq!(within("the next link", told.recv()).await.unwrap(), (None, 2));
    let nobody = identity(99).id();
    let title = "numbers".parse().unwrap();
    assert!(!with.set_link_data(&nobody, &title, 1_u32) && with.link_data::<u32>(&nobody, &title).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_knows_who_runs_what_in_which_version() {
    let (tell, _told) = unbounded_channel();
    let first = builder(1, None).app("numbers", Numbers(0, tell.clone())).start().await.unwrap();
    let second =
        builder(2, first.address()).app("numbers", Numbers(0, tell)).app("quiet", Quiet).start().await.unwrap();
    let third = builder(3, first.address()).app("quiet", Quiet).start().await.unwrap();
    let nodes = [first.clone(), second.clone(), third.clone()];
    joined(&nodes).await;
    let running = |node: &Node, title: &str| node.peers_running(title);
    let version = "genesis-7".to_owned();
    assert_eq!(running(&first, "numbers"), [(second.id(), version.clone())]);
    assert_eq!(running(&second, "quiet"), [(third.id(), "1".to_owned())]);
    let mut both = vec![(first.id(), version.clone()), (second.id(), version)];
    both.sort();
    let mut known = running(&third, "numbers");
    known.sort();
    assert_eq!(known, both);
    assert!(running(&first, "nothing").is_empty());
    first.set_nickname(&second.id(), "the second").unwrap();
    assert_eq!(first.nicknamed("the second"), Some(second.id()));
    assert_eq!(second.nickname(&second.id()), None, "nobody is told");
}
