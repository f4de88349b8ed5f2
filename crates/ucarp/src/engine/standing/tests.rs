use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn demotions_add_up_and_are_taken_back_by_name() {
    let mut standing = Standing::default();
    assert!(standing.demote("check gateway", 50) && standing.demote("operator", 100));
    assert!(!standing.demote("operator", 100), "nothing new");
    assert_eq!(standing.demotion(), 150);
    assert_eq!(standing.demotions().collect::<Vec<_>>(), [("check gateway", 50), ("operator", 100)]);
    assert!(standing.demote("operator", 0) && !standing.demote("operator", 0));
    assert_eq!(standing.demotion(), 50);
    assert!(standing.demote("a", u16::MAX));
    assert_eq!(standing.demotion(), u16::MAX);
}

#[test]
fn only_so_many_reasons_are_taken() {
    let mut standing = Standing::default();
    for number in 0..10 * MOST_REASONS {
        standing.demote(&number.to_string(), 1);
        standing.set_bar(&number.to_string(), Some(Bar::Held));
    }
    assert_eq!((standing.demotions.len(), standing.bars.len()), (MOST_REASONS, MOST_REASONS));
    assert!(standing.demote("0", 7), "a known one can change");
}

#[test]
fn a_bar_lasts_as_long_as_any_reason_for_one() {
    let mut standing = Standing::default();
    standing.set_bar("check a", Some(Bar::CheckFailed));
    standing.set_bar("check b", Some(Bar::CheckFailed));
    standing.set_bar("operator", Some(Bar::Held));
    assert_eq!(standing.bar(), Some(Bar::Held));
    standing.set_bar("operator", None);
    standing.set_bar("check a", None);
    assert_eq!(standing.bar(), Some(Bar::CheckFailed));
    standing.set_bar("check b", None);
    assert_eq!(standing.bar(), None);
}

#[test]
fn penalties_end_and_grow_when_they_come_again_soon() {
    let (mut standing, first) = (Standing::default(), Duration::from_secs(30));
    assert_eq!(standing.punish(at(0), "send errors", first), first);
    assert_eq!(standing.demotion(), 240);
    assert!(!standing.forgive(at(29)) && standing.forgive(at(30)));
    assert_eq!((standing.demotion(), standing.next_deadline()), (0, Some(at(60))));
    assert_eq!(standing.punish(at(59), "send errors", first), first * 2);
    assert_eq!(standing.next_deadline(), Some(at(119)));
    assert!(standing.forgive(at(119)) && !standing.forgive(at(178)) && !standing.forgive(at(179)));
    assert_eq!(standing.next_deadline(), None, "as much time has passed in peace");
    let lengths: Vec<_> = (0..8).map(|round| standing.punish(at(200 + round), "send errors", first)).collect();
    assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 32, 32].map(|times| first * times));
}
