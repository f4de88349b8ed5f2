use std::string::ToString;

use super::*;

fn peer() -> Peer {
    let interval = Interval { advbase: 1, advskew: 100 };
    Peer { source: [10, 0, 0, 9].into(), mac: MacAddr([0, 0, 0x5e, 0, 0, 1]), interval, demotion: 0 }
}

#[test]
fn every_reason_has_its_words_in_the_log() {
    let (master, waited) = (peer(), Duration::from_nanos(3_390_625_000));
    let goodbye = Peer { interval: Interval::BOW_OUT, ..master };
    for (reason, words) in [
        (Reason::ShutDown, "told to stop"),
        (Reason::HandedOver, "told to hand over"),
        (Reason::LinkUp, "the link is up"),
        (Reason::LinkDown, "the interface was set down"),
        (Reason::CarrierLost, "the interface lost its carrier"),
        (Reason::LinkGone, "the interface is gone"),
        (Reason::NoSourceAddress, "the interface has no address to advertise from"),
        (Reason::NoMasterHeard { waited }, "no master was heard for 3.391s"),
        (Reason::MasterTimedOut { master, waited }, "10.0.0.9 (advbase 1 advskew 100) was silent for 3.391s"),
        (Reason::MasterSaidGoodbye { master: goodbye }, "10.0.0.9 said goodbye"),
        (Reason::Preempted { master }, "preempting 10.0.0.9 (advbase 1 advskew 100), which is slower"),
        (
            Reason::MasterBoundToTimeOut { master },
            "10.0.0.9 (advbase 1 advskew 100) advertises more rarely than our dead time allows",
        ),
        (Reason::BetterMaster { master }, "10.0.0.9 (advbase 1 advskew 100) is faster"),
        (Reason::TieLost { master }, "10.0.0.9 (advbase 1 advskew 100) is as fast and wins by its address"),
        (
            Reason::Stalled { silent: waited, master: Some(master) },
            "this host was silent for 3.391s and 10.0.0.9 (advbase 1 advskew 100) advertised meanwhile",
        ),
        (Reason::Stalled { silent: waited, master: None }, "this host was silent for 3.391s, longer than peers wait"),
    ] {
        assert_eq!(reason.to_string(), words);
    }
}

#[test]
fn a_peer_is_shown_with_its_address_and_rank() {
    assert_eq!(peer().to_string(), "10.0.0.9 (advbase 1 advskew 100)");
    assert_eq!(Peer { interval: Interval::BOW_OUT, ..peer() }.to_string(), "10.0.0.9 (goodbye)");
}
