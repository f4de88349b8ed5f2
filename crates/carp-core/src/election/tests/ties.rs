//! What decides between two MASTERs, besides the main rule.

use super::*;

#[test]
fn a_slower_master_has_no_claim_however_low_its_address() {
    let slower = peer_at([10, 0, 0, 1], 1, 101);
    let mut subject = Subject::master();
    for heard in [4000, 5000, 6000] {
        subject.effects.clear();
        assert_eq!(subject.hear(heard, slower), State::Master);
        assert_eq!(subject.effects, [Effect::Reassert(slower), Effect::Advertise]);
    }
}

#[test]
fn an_equal_master_that_speaks_ipv6_alone_is_judged_by_it() {
    let v6 = Peer { source: "fe80::1".parse().unwrap(), ..peer(1, 100) };
    let mut subject = Subject::master();
    subject.hear(4000, v6);
    assert_eq!(subject.effects, [Effect::EqualPeer(v6), Effect::Reassert(v6), Effect::Advertise]);
}

#[test]
fn a_node_that_speaks_ipv6_alone_judges_every_equal_master() {
    let own = "fe80::5".parse().unwrap();
    let mut subject = Subject::new(Config { source: own, ..config(false) });
    subject.act(|election, effects| election.link_up(at(0), effects));
    subject.time_out(3391);
    subject.effects.clear();
    let v6 = Peer { source: "fe80::9".parse().unwrap(), ..peer(1, 100) };
    subject.hear(4000, peer(1, 100));
    assert_eq!(subject.effects, [Effect::EqualPeer(peer(1, 100)), Effect::Advertise], "an IPv4 address wins: answer");
    subject.effects.clear();
    subject.hear(4400, v6);
    assert_eq!(subject.effects, [Effect::EqualPeer(v6), Effect::Reassert(v6), Effect::Advertise]);
}

#[test]
fn a_winner_that_cannot_have_heard_us_in_between_is_only_answered() {
    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut subject = Subject::master();
    subject.hear(3400, winner);
    assert_eq!(subject.hear(3500, winner), State::Master, "our answer is due at 3691 only");
    subject.time_out(3691);
    assert_eq!(subject.hear(3700, winner), State::Backup);
}

#[test]
fn who_left_master_to_another_names_it_when_that_one_falls_silent() {
    let better = peer(1, 0);
    let mut yielded = Subject::master();
    yielded.hear(4000, better);
    yielded.time_out(4000 + 3391);
    assert_eq!(yielded.last_reason(), Reason::MasterTimedOut { master: better, waited: OWN.master_down(3) });

    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut lost_a_tie = Subject::master();
    lost_a_tie.hear(4000, winner);
    lost_a_tie.hear(5000, winner);
    lost_a_tie.time_out(5000 + 2136);
    let waited = OWN.duration() * 3 / 2 + Duration::from_millis(50);
    assert_eq!(lost_a_tie.last_reason(), Reason::MasterTimedOut { master: winner, waited });

    let slower = peer(1, 200);
    let mut stalled = Subject::master();
    stalled.hear(20_000, slower);
    stalled.time_out(20_000 + 3391);
    assert_eq!(stalled.last_reason(), Reason::MasterTimedOut { master: slower, waited: OWN.master_down(3) });
}

#[test]
fn who_left_master_without_hearing_anybody_names_nobody_when_it_returns() {
    let mut stalled = Subject::master();
    stalled.time_out(20_000);
    stalled.time_out(20_000 + 3391);
    assert_eq!(stalled.last_reason(), Reason::NoMasterHeard { waited: OWN.master_down(3) });

    let mut handed_over = Subject::leaving(false);
    handed_over.act(|election, effects| election.released(at(5000), effects));
    handed_over.time_out(5000 + 3000 + 3391);
    assert_eq!(handed_over.last_reason(), Reason::NoMasterHeard { waited: HANDOVER_HOLD + OWN.master_down(3) });
}

#[test]
fn a_shutdown_is_not_turned_into_a_handover() {
    let mut subject = Subject::leaving(true);
    subject.act(Election::hand_over);
    assert_eq!(subject.effects, [], "it is leaving already");
    subject.act(|election, effects| election.released(at(5000), effects));
    assert_eq!(subject.last_reason(), Reason::ShutDown);
    assert_eq!(subject.election.state(), State::Init);
}
