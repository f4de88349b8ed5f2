//! The stamp: a counter that tells when its advertisement was sent, and a seal over what the digest leaves out.
//!
//! ```text
//!  63                                                      24 23                                0
//! +----------------------------------------------------------+----------------------------------+
//! | group time, 40 bits: 1/256 s since 1970                   | seal, 24 bits                    |
//! +----------------------------------------------------------+----------------------------------+
//!
//! seal     = lowest 24 bits of SipHash-2-4(seal key, time | vhid | advbase | advskew | demotion | source address)
//! seal key = first 16 bytes of HMAC-SHA1(group key, "ucarp-rs: seal of a stamp, 2")
//! ```
//!
//! SipHash is made for short messages that are authenticated with few bits, and costs a tenth of what HMAC-SHA1 does.
//!
//! The counter is free-form and covered by the digest, so a receiver that knows nothing of stamps sees one more odd
//! counter. Who replays an advertisement cannot give it another counter, and who changes a field that the digest does
//! not cover has to hope that the old seal fits by chance: one in 16.7 million for each try.
//!
//! The source is the IP address that the copy is sent from: it names the sender whose times must increase, and it
//! decides ties. Copies over IPv4 and IPv6 thus have the same time and different seals. The destination is left out:
//! all copies say the same thing to whoever gets them.
//!
//! Messages of the advertisement's HMAC begin with 2 and 1 and the label does not, so that no digest on the wire is
//! the seal key.

use core::net::IpAddr;
use core::time::Duration;

use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

use super::Key;
use super::keyed::Keyed;
use crate::time::Instant;
use crate::wire::advertisement::Repr;

const LABEL: &[u8] = b"ucarp-rs: seal of a stamp, 2";

/// Bits of the counter that hold the seal.
const SEAL_BITS: u32 = 24;

/// Octets of group time, of what is sealed with it before the source, and of all.
const TICK_LEN: usize = 5;
const SOURCE: usize = TICK_LEN + 4;
const LONGEST_MESSAGE: usize = SOURCE + 16;

/// Octets of SipHash's key.
const SEAL_KEY_LEN: usize = 16;

const SEAL_MASK: u64 = (1 << SEAL_BITS) - 1;

/// A point in group time, in 1/256 s since 1970: the unit of advskew, and no advertisement is sent more often. 40 bits
/// last until 2106.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

impl Tick {
    /// The earliest one: no counter may be 0, which OpenBSD drops.
    pub const FIRST: Self = Self(1);

    /// The end of group time, in February 2106.
    pub const LAST: Self = Self((1 << (64 - SEAL_BITS)) - 1);

    const PER_SECOND: i64 = 256;

    /// `ticks` since 1970, or the nearest tick that there is.
    #[must_use]
    pub fn nearest(ticks: i64) -> Self {
        Self(u64::try_from(ticks).unwrap_or(0)).clamp(Self::FIRST, Self::LAST)
    }

    /// What the counter says if it is a stamp.
    #[must_use]
    pub const fn of_counter(counter: u64) -> Self {
        Self(counter >> SEAL_BITS)
    }

    /// Ticks since 1970.
    #[must_use]
    pub fn since_1970(self) -> i64 {
        i64::try_from(self.0).expect("40 bits fit 63")
    }

    /// The tick so many ticks later, at most the last one.
    #[must_use]
    pub fn later(self, ticks: u64) -> Self {
        Self(self.0.saturating_add(ticks)).min(Self::LAST)
    }

    /// Time from `earlier` to `self`; zero if `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let ticks = self.0.saturating_sub(earlier.0);
        Duration::from_secs(ticks / 256) + Duration::from_nanos(ticks % 256 * 1_000_000_000 / 256)
    }

    /// Whole ticks in a duration; far more than group time lasts if it is very long.
    #[must_use]
    pub fn in_duration(duration: Duration) -> i64 {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX).min(1 << 40);
        seconds * Self::PER_SECOND + i64::from(duration.subsec_nanos()) * Self::PER_SECOND / 1_000_000_000
    }

    /// Whole ticks on a clock of the driver's.
    pub(crate) fn on_clock(now: Instant) -> i64 {
        Self::in_duration(now.since(Instant::default()))
    }
}

/// Makes and checks the stamps of a group.
#[derive(Clone)]
pub struct Sealer {
    key: Zeroizing<[u8; SEAL_KEY_LEN]>,
}

impl Sealer {
    /// The sealer of a group with this key.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        let derived = Zeroizing::new(Keyed::new(&key.0).finish(LABEL));
        let (key, _) = derived.split_first_chunk().expect("an HMAC is longer than the key");
        Self { key: Zeroizing::new(*key) }
    }

    /// The counter that stamps an advertisement from `source`, whose own counter and digest do not matter.
    #[must_use]
    pub fn counter(&self, tick: Tick, source: IpAddr, advertisement: &Repr) -> u64 {
        tick.0 << SEAL_BITS | self.seal(tick, source, advertisement)
    }

    /// When the advertisement from `source` was sent, if its counter is a stamp and what the seal covers is as it was.
    #[must_use]
    pub fn tick(&self, source: IpAddr, advertisement: &Repr) -> Option<Tick> {
        let tick = Tick::of_counter(advertisement.counter);
        // One comparison of integers: how much of a wrong seal fits cannot be seen.
        (self.seal(tick, source, advertisement) == advertisement.counter & SEAL_MASK).then_some(tick)
    }

    fn seal(&self, tick: Tick, source: IpAddr, advertisement: &Repr) -> u64 {
        let Repr { vhid, advbase, advskew, demotion, .. } = *advertisement;
        let mut message = [0; LONGEST_MESSAGE];
        message[..TICK_LEN].copy_from_slice(&tick.0.to_be_bytes()[8 - TICK_LEN..]);
        message[TICK_LEN..SOURCE].copy_from_slice(&[vhid, advbase, advskew, demotion]);
        let length = match source {
            IpAddr::V4(source) => put_source(&mut message, &source.octets()),
            IpAddr::V6(source) => put_source(&mut message, &source.octets()),
        };
        SipHasher24::new_with_key(&self.key).hash(&message[..length]) & SEAL_MASK
    }
}

/// Writes the source behind the rest. Returns the length of the message.
fn put_source<const N: usize>(message: &mut [u8; LONGEST_MESSAGE], source: &[u8; N]) -> usize {
    message[SOURCE..SOURCE + N].copy_from_slice(source);
    SOURCE + N
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1));

    fn sealer(password: &[u8]) -> Sealer {
        Sealer::new(&Key::from_password(password).unwrap())
    }

    fn advertisement() -> Repr {
        Repr { vhid: 7, advbase: 1, advskew: 100, demotion: 0, counter: 0, digest: [0; 20] }
    }

    fn stamped(tick: Tick) -> Repr {
        Repr { counter: sealer(b"secret").counter(tick, SOURCE, &advertisement()), ..advertisement() }
    }

    /// Calculated with other implementations of HMAC-SHA1 and SipHash, from the formula at the head of this file.
    #[test]
    fn a_stamp_is_as_the_formula_says() {
        let tick = Tick::nearest(1_700_000_000 * 256 + 17);
        assert_eq!(stamped(tick).counter, 0x6553_f100_1199_587b);
    }

    #[test]
    fn a_stamp_tells_its_time_to_who_has_the_key() {
        for tick in [Tick::FIRST, Tick::nearest(1 << 38), Tick::LAST] {
            assert_eq!(sealer(b"secret").tick(SOURCE, &stamped(tick)), Some(tick));
            assert_eq!(sealer(b"secres").tick(SOURCE, &stamped(tick)), None);
            assert_ne!(stamped(tick).counter, 0);
        }
    }

    #[test]
    fn the_seal_covers_every_field_and_the_source() {
        let genuine = stamped(Tick::nearest(1 << 38));
        let counter = genuine.counter;
        for changed in [
            Repr { vhid: 8, ..genuine },
            Repr { advbase: 0, ..genuine },
            Repr { advskew: 99, ..genuine },
            Repr { demotion: 1, ..genuine },
            Repr { counter: counter + (1 << SEAL_BITS), ..genuine },
            Repr { counter: counter ^ 1, ..genuine },
        ] {
            assert_eq!(sealer(b"secret").tick(SOURCE, &changed), None, "{changed:?}");
        }
        for source in ["10.0.0.2", "::ffff:10.0.0.1", "fe80::1"] {
            assert_eq!(sealer(b"secret").tick(source.parse().unwrap(), &genuine), None, "{source}");
        }
    }

    #[test]
    fn ticks_stay_within_group_time() {
        assert_eq!(Tick::nearest(-5), Tick::FIRST);
        assert_eq!(Tick::nearest(i64::MAX), Tick::LAST);
        assert_eq!(Tick::LAST.later(1), Tick::LAST);
        assert_eq!(Tick::nearest(640).since(Tick::nearest(256)), Duration::from_millis(1500));
        assert_eq!(Tick::FIRST.since(Tick::LAST), Duration::ZERO);
        assert_eq!(Tick::in_duration(Duration::from_millis(1500)), 384);
        assert_eq!(Tick::nearest(Tick::in_duration(Duration::MAX)), Tick::LAST);
        assert_eq!(Tick::on_clock(Instant::from_nanos(2_000_000_000)), 512);
    }
}
