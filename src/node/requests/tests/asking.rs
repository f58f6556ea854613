use std::time::Duration;

use super::super::asking::Call;
use super::*;
use crate::link::RESPONSE_WINDOW;

fn ask(node: &Alone, body: Bytes) -> Result<Call, RequestError> {
    Call::begin(&node.link, RequestKind::Question, &"t".parse().unwrap(), body)
}

#[tokio::test]
async fn numbers_rise_from_1_and_sixty_four_are_open_at_most() {
    let node = Alone::new();
    let calls: Vec<_> = (0..64).map(|_| ask(&node, Bytes::new()).unwrap()).collect();
    assert_eq!(ask(&node, Bytes::new()).unwrap_err(), RequestError::Busy(node.link.peer));
    let numbers: Vec<_> = node.sent().iter().map(|frame| frame.request_number().unwrap().get()).collect();
    assert_eq!(numbers, Vec::from_iter(1..=64));
    node.arrives(response(7, true, "seven")).unwrap();
    let mut call = ask(&node, Bytes::new()).unwrap();
    node.link.link_closed();
    assert_eq!(call.next().await, Err(RequestError::Closed(node.link.peer)));
    assert_eq!(ask(&node, Bytes::new()).unwrap_err(), RequestError::Closed(node.link.peer));
    drop(calls);
}

#[tokio::test]
async fn what_is_read_is_granted_anew_and_more_is_an_offence() {
    let node = Alone::new();
    let mut call = ask(&node, Bytes::new()).unwrap();
    node.sent();
    for _ in 0..16 {
        node.arrives(response(1, false, zeros(65_536))).unwrap();
    }
    assert_eq!(call.next().await.unwrap().unwrap().len(), RESPONSE_WINDOW);
    let granted = Frame::Credit(Credit { number: number(1), bytes: RESPONSE_WINDOW as u32 });
    assert_eq!(node.sent(), [granted]);
    for _ in 0..16 {
        node.arrives(response(1, false, zeros(65_536))).unwrap();
    }
    assert_eq!(node.arrives(response(1, true, "x")), Err(Overstep));
    assert_eq!(call.next().await.unwrap().unwrap().len(), RESPONSE_WINDOW, "what came within its leave counts");
    assert_eq!(call.next().await, Err(RequestError::Closed(node.link.peer)));
    // Pieces of nothing.
    let node = Alone::new();
    let _call = ask(&node, Bytes::new()).unwrap();
    assert_eq!(node.arrives(response(1, false, "")), Err(Overstep));
}

#[tokio::test]
async fn answers_nobody_asked_for_change_nothing() {
    let node = Alone::new();
    let mut call = ask(&node, Bytes::new()).unwrap();
    for n in 2..1_000 {
        node.arrives(response(n, n % 2 == 0, zeros(60_000))).unwrap();
        let (number, code, text) = (number(n), RefusedCode::Busy, ShortText::new(""));
        node.arrives(Frame::Refused(Refused { number, code, text })).unwrap();
        node.arrives(Frame::Credit(Credit { number, bytes: u32::MAX })).unwrap();
    }
    assert_eq!(node.link.calls.count(), 1);
    node.arrives(response(1, true, "mine")).unwrap();
    node.arrives(response(1, true, "again")).unwrap();
    assert_eq!(call.next().await, Ok(Some("mine".into())));
    assert_eq!(call.next().await, Ok(None));
    drop(call);
    assert!(node.sent().iter().all(|frame| matches!(frame, Frame::Request(_))), "nothing to cancel");
}

#[tokio::test]
async fn what_is_dropped_is_cancelled_on_the_other_side_if_that_ever_heard_of_it() {
    let node = Alone::new();
    drop(ask(&node, Bytes::new()).unwrap());
    assert_eq!(node.sent(), []);
    let call = ask(&node, zeros(16 << 20)).unwrap();
    let begun = node.sent();
    assert!(!begun.is_empty());
    let number = begun[0].request_number().unwrap();
    drop(call);
    assert_eq!(node.sent(), [cancelled(number.get())], "and no piece after it");
    assert_eq!(node.link.calls.count(), 0);
}

#[tokio::test]
async fn a_refusal_says_why_and_stops_what_is_still_being_sent() {
    let node = Alone::new();
    let mut call = ask(&node, zeros(16 << 20)).unwrap();
    node.sent();
    let refused = Refused { number: number(1), code: RefusedCode::TooLarge, text: ShortText::new("no") };
    node.arrives(Frame::Refused(refused)).unwrap();
    let error = call.next().await.unwrap_err();
    assert_eq!(error, RequestError::Refused { peer: node.link.peer, code: RefusedCode::TooLarge, why: "no".into() });
    assert!(error.to_string().ends_with("refused: no (too large)"), "{error}");
    drop(call);
    assert_eq!(node.sent(), []);
    // "Cancelled" is never about this side's own requests.
    let mut call = ask(&node, Bytes::new()).unwrap();
    node.arrives(cancelled(2)).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1), call.next()).await.is_err());
}
