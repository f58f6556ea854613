//! Every reason can be reached, and a test reaches it.

use std::fs;
use std::path::Path;

use super::*;

/// The test that shows how something ends with `reason`. Whoever adds a reason names its test here, or nothing compiles.
fn reached_by(reason: Reason) -> &'static str {
    match reason {
        Reason::BadEnvelope => "a_message_altered_by_a_relay_goes_no_further_and_costs_the_relay_its_link",
        Reason::BadSignature => "a_forged_copy_with_the_same_id_neither_hides_the_real_one_nor_makes_it_cost_twice",
        Reason::KnownBad => "the_same_forgery_is_not_verified_twice_within_a_minute",
        Reason::UnknownVersion => "no_published_forgery_is_delivered_or_passed_on_by_a_node",
        Reason::Expired => "times_are_tolerated_two_minutes_both_ways",
        Reason::BeforeFloor => "a_node_without_history_takes_nothing_from_before_its_floor",
        Reason::FromTheFuture => "times_are_tolerated_two_minutes_both_ways",
        Reason::Duplicate => "copies_wait_for_one_verification_and_become_duplicates",
        Reason::Busy => "copies_wait_for_one_verification_and_become_duplicates",
        Reason::Superseded => "a_superseded_presence_is_neither_relayed_nor_verified_again",
        Reason::BadContent => "a_protocol_message_that_makes_no_sense_changes_nothing",
        Reason::SenderOverShare => "a_sender_over_its_share_is_refused_unverified_and_others_are_not",
        Reason::Shed => "a_member_that_floods_through_three_relays_is_throttled_and_the_relays_are_not_blamed",
        Reason::TableFull => "what_a_full_table_has_no_room_for_is_counted_and_relayed_all_the_same",
        Reason::ApplicationIgnored => "what_an_application_refuses_is_neither_kept_nor_relayed",
        Reason::ApplicationRejected => "what_an_application_refuses_is_neither_kept_nor_relayed",
        Reason::ForeignApplication => "half_of_the_nodes_reject_what_the_others_accept_and_nobody_is_barred",
        Reason::NotYet => "what_never_comes_is_waited_for_ten_seconds_and_counted",
        Reason::ApplicationBusy => "an_application_that_never_answers_does_not_stop_relaying_of_others",
        Reason::ApplicationFailed => "a_panic_costs_that_application_only_and_its_titles_are_not_relayed_unjudged",
        Reason::WrongType => "a_message_of_a_wrong_type_is_an_error_with_sender_and_title_and_is_counted",
        Reason::LogFull => "what_the_log_does_not_keep_is_not_relayed_and_may_come_again",
        Reason::AdmissionUnknown => "what_nobody_can_vouch_for_waits_ten_seconds_and_is_then_ignored_until_it_is_known",
        Reason::NotAllowed => "only_who_has_the_right_shuts_the_network_down",
        Reason::NotAdmitted => "who_shows_no_certificate_that_counts_is_sent_away_after_hello",
        Reason::Revoked => "a_revocation_closes_links_takes_contents_and_is_passed_on_at_once",
        Reason::Stopping => "a_node_that_stops_says_so_on_every_link",
        Reason::PeerLeft => "both_ends_tell_of_a_link_and_of_its_end_with_the_reason",
        Reason::DuplicateLink => "of_two_links_with_different_initiators_that_of_the_smaller_stays",
        Reason::Full => "a_full_node_says_so",
        Reason::VisitDone => "a_goodbye_becomes_the_reason_whatever_the_host_sees_first",
        Reason::Requested => "an_application_hears_of_links_and_may_say_a_last_word",
        Reason::ConnectionLost => "what_did_not_change_is_not_announced",
        Reason::Silent => "a_quiet_link_is_pinged_and_a_dead_one_closed",
        Reason::Stuck => "a_peer_that_never_reads_is_closed_and_the_others_do_not_notice",
        Reason::BadFrame => "a_bad_frame_bars_at_once_and_all_links_of_the_node_close",
        Reason::BadRecord => "a_record_replayed_swapped_dropped_or_altered_ends_the_link_and_blames_nobody",
        Reason::Unsupported => "an_unknown_critical_kind_ends_the_link_with_a_word_and_without_blame",
        Reason::Barred => "the_second_bad_envelope_closes_the_link_and_bars_for_an_hour",
        Reason::OwnIdentity => "a_node_does_not_link_with_itself",
        Reason::WrongIdentity => "a_dialler_that_finds_another_identity_closes_before_it_has_said_who_it_is",
        Reason::HandshakeFailed => "every_flipped_bit_of_messages_2_and_3_ends_the_connection_without_a_byte",
        Reason::HandshakeTimeout => "a_handshake_of_a_byte_a_second_is_over_in_time_whichever_part_is_slow",
        Reason::BadHello => "nothing_but_a_sound_hello_may_come_first_and_nobody_is_barred_for_it",
        Reason::Unreachable => "a_genesis_node_without_name_or_ear_is_counted",
        Reason::UnknownHost => "a_genesis_node_without_name_or_ear_is_counted",
        Reason::PeerFull => "a_goodbye_becomes_the_reason_whatever_the_host_sees_first",
        Reason::PeerRefused => "a_goodbye_becomes_the_reason_whatever_the_host_sees_first",
        Reason::Overload => "connections_over_the_limits_are_counted_and_closed_unread",
        Reason::Renewed => "who_opened_a_link_renews_it_and_keeps_it_until_the_newer_one_is_open",
        Reason::NetworkShutDown => "a_goodbye_becomes_the_reason_whatever_the_host_sees_first",
        Reason::ApplicationDeclined => "applications_have_a_say_in_reconnecting",
        Reason::Idle => "a_goodbye_becomes_the_reason_whatever_the_host_sees_first",
    }
}

/// The text of all files with Rust under `folder`.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests/reasons.rs") {
            all.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_reason_has_a_test_that_is_there_and_speaks_of_it() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    for reason in Reason::ALL {
        let name = reached_by(reason);
        let body = files.iter().find_map(|file| {
            let at = file.find(&format!("fn {name}()"))?;
            let (before, after) = file.split_at(at);
            let is_test = before.lines().rev().take(3).any(|line| line.contains("#[") && line.contains("test"));
            // The function ends at the first brace in the column in which it begins.
            let indent = before.rsplit('\n').next()?.chars().take_while(|c| *c == ' ').count();
            let end = after.find(&format!("\n{}}}", " ".repeat(indent)))?;
            is_test.then(|| &after[..end])
        });
        let body = body.unwrap_or_else(|| panic!("the test {name} of {reason:?} is not there"));
        assert!(body.contains(&format!("Reason::{reason:?}")), "{name} says nothing of {reason:?}");
    }
}
