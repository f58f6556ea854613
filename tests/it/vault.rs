//! The example `vault`, which must come out as its README section says.

#[path = "../../examples/vault/story.rs"]
mod story;
#[path = "../../examples/vault/vault.rs"]
#[expect(clippy::module_inception, reason = "it is the example's")]
mod vault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_read_their_records_while_they_may_and_a_stranger_never_does() {
    let outcome = story::tell(false).await.unwrap();
    assert!(outcome.is_as_it_must_be(), "{}", serde_json::to_string(&outcome).unwrap());
}
