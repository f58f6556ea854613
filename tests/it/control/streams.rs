//! Streams go on where they broke off, and know the way of messages.

use sealnet::control::{Client, Event, EventStream, Messages, Status};
use serde_json::{Value, json};

use super::Place;
use crate::support::{node, until, within};

async fn next(stream: &mut EventStream) -> Event {
    within("the next event", stream.next()).await.unwrap().expect("the stream goes on")
}

/// The next event of a kind.
async fn next_of(stream: &mut EventStream, kind: &str) -> (Event, Value) {
    loop {
        let event = next(stream).await;
        if event.event == kind {
            let data = serde_json::from_str(&event.data).unwrap();
            return (event, data);
        }
    }
}

async fn say(client: &Client, text: &str) -> Value {
    client.post("/v1/publish", &json!({ "title": "chat", "message": text })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_goes_on_by_its_cursor_over_a_restart() {
    let place = Place::new("control = { listen = \"127.0.0.1:0\" }\n[log]\nfolder = \"log\"");
    let first = place.start().await;
    let client = place.client();
    let mut said = Vec::new();
    for text in ["one", "two", "three"] {
        said.push(say(&client, text).await["id"].as_str().unwrap().to_owned());
    }
    let mut stream = client.stream("/v1/subscribe?title=chat&after=start").await.unwrap();
    for text in ["one", "two"] {
        let (event, message) = next_of(&mut stream, "message").await;
        assert_eq!((message["message"].as_str(), message["cursor"].as_str()), (Some(text), Some(event.id.as_str())));
    }
    let cursor = say(&client, "nobody asked for this one").await["cursor"].as_str().unwrap().to_owned();
    drop(stream);
    let kept: Messages = client.get("/v1/messages?title=chat&limit=2").await.unwrap();
    assert_eq!(kept.messages.len(), 2);
    first.stop().await;

    let second = place.start().await;
    let client = place.client();
    say(&client, "five").await;
    let mut stream = client.stream(&format!("/v1/subscribe?after={}", kept.next)).await.unwrap();
    for text in ["three", "nobody asked for this one", "five"] {
        assert_eq!(next_of(&mut stream, "message").await.1["message"], text);
    }
    let after: Messages = client.get(&format!("/v1/messages?after={cursor}")).await.unwrap();
    assert_eq!(after.messages.len(), 1);
    let newest: Messages = client.get("/v1/messages?title=chat&last=2").await.unwrap();
    let newest: Vec<_> = newest.messages.iter().map(|message| message["message"].as_str().unwrap()).collect();
    assert_eq!(newest, ["nobody asked for this one", "five"]);
    let one: Value = client.get(&format!("/v1/messages/{}", said[0])).await.unwrap();
    assert_eq!((one["message"].as_str(), one["holders"].as_array().map(Vec::len)), (Some("one"), Some(0)));
    // Nothing was said twice: what follows is the next thing.
    say(&client, "six").await;
    assert_eq!(next_of(&mut stream, "message").await.1["message"], "six");
    second.stop().await;
    assert!(within("the end", stream.next()).await.unwrap().is_none(), "the stream ends with the node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_by_their_number_and_those_of_another_run_are_said_to_be_lost() {
    let place = Place::loopback();
    let first = place.start().await;
    let client = place.client();
    let mut stream = client.events(Some(0)).await.unwrap();
    assert_eq!(next_of(&mut stream, "join").await.1["step"], "first");
    let one = say(&client, "one").await["id"].clone();
    let (event, data) = next_of(&mut stream, "message").await;
    assert_eq!((&data["id"], &data["from"], &data["node"]), (&one, &Value::Null, &json!(first.id())));
    drop(stream);
    let two = say(&client, "two").await["id"].clone();
    let mut stream = client.events(Some(event.id.parse().unwrap())).await.unwrap();
    let following = next(&mut stream).await;
    assert_eq!(following.id.parse::<u64>().unwrap(), event.id.parse::<u64>().unwrap() + 1);
    let data: Value = serde_json::from_str(&following.data).unwrap();
    assert_eq!((following.event.as_str(), &data["id"]), ("message", &two));
    first.stop().await;
    next_of(&mut stream, "stopping").await;
    within("the end", async { while stream.next().await.unwrap().is_some() {} }).await;

    let second = place.start().await;
    let mut stream = place.client().events(Some(event.id.parse().unwrap())).await.unwrap();
    let missed = next(&mut stream).await;
    assert_eq!((missed.event.as_str(), missed.data.as_str()), ("missed", r#"{"count":null}"#));
    assert_eq!(next_of(&mut stream, "join").await.1["step"], "first");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_event_names_the_neighbour_that_brought_it_with_a_log_in_memory_and_on_disk() {
    for more in ["", "\n[log]\nfolder = \"log\""] {
        let place = Place::new(&format!("control = {{ listen = \"127.0.0.1:0\" }}{more}"));
        let own = place.start().await;
        let client = place.client();
        let builder = sealnet::node::SecureNode::builder("control".parse().unwrap(), crate::support::identity(2));
        let other = builder
            .overlay(sealnet::overlay::Settings::local())
            .listen("127.0.0.1:0".parse().unwrap())
            .genesis(own.address().unwrap())
            .start()
            .await
            .unwrap();
        let linked = |node: &sealnet::node::Node| node.links().len() == 1 && node.members().len() == 2;
        until("they know each other", &[&own, &other], || linked(&own) && linked(&other)).await;
        let mut events = client.events(None).await.unwrap();
        let receipt = other.broadcast("chat", "hello").await.unwrap();
        let (_, data) = next_of(&mut events, "message").await;
        assert_eq!((&data["id"], &data["from"]), (&json!(receipt.id.to_string()), &json!(other.id())), "{more}");
        let one: Value = client.get(&format!("/v1/messages/{}", receipt.id)).await.unwrap();
        assert_eq!(one["hops"][0]["from"], json!(other.id()));
        let status: Status = client.get("/v1/status").await.unwrap();
        assert_eq!((status.members, status.links, status.genesis), (2, 1, true));

        let barred: Value = client.post("/v1/bar", &json!({ "peer": other.id() })).await.unwrap();
        assert_eq!(barred["done"], true);
        next_of(&mut events, "barred").await;
        next_of(&mut events, "link_closed").await;
        let refused = own.connect(&other.address().unwrap()).await.unwrap_err();
        assert_eq!(refused.reason, sealnet::overlay::Reason::Barred);
        other.stop().await;
        own.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stops_in_order_when_it_is_asked_to_from_several_sides_at_once() {
    let place = Place::loopback();
    let own = place.start().await;
    let other = node(3, &[]).await;
    let client = place.client();
    let stopping: Value = client.post("/v1/stop", &json!({})).await.unwrap();
    assert_eq!(stopping["stopping"], true);
    within("both wait for the one end", async { tokio::join!(own.stop(), own.stop()) }).await;
    assert!(!place.path("node.control").exists());
    assert!(own.broadcast("chat", "too late").await.is_err());
    other.stop().await;
}
