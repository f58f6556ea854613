//! The example `kv`, which must come out as its README section says.

#[path = "../../examples/kv/kv.rs"]
#[expect(clippy::module_inception, reason = "it is the example's")]
mod kv;
#[path = "../../examples/kv/story.rs"]
mod story;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_later_write_stands_and_what_was_removed_stays_removed_over_restarts_and_cuts() {
    let outcome = story::tell(false).await.unwrap();
    assert!(outcome.is_as_it_must_be(), "{}", serde_json::to_string(&outcome).unwrap());
}
