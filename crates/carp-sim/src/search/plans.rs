//! The searches of this project, with their committed results.
//!
//! Ticks are a quarter of a second (a tenth in the searches that take longer), and advskew 128, half a second, stands
//! for the worse node: all intervals are then whole numbers of ticks, and the number of worlds stays small.

use std::time::Duration;

use carp_core::election::TieRule;
use carp_core::timing::Interval;

use super::foreign::Kind;
use super::plan::{Expected, Families, Fault, Node, Plan, Who};

use Fault::{Commands, Duplication, Healing, Links, Loss, Stalls};

const KERNEL: Who = Who::Foreign(Kind::Kernel { bow_out: true });
const UCARP: Who = Who::Foreign(Kind::Ucarp);
const FIRST_DRAFT: Who = Who::Foreign(Kind::FirstDraft);
const OURS: Who = Who::Ours(TieRule::UcarpLittleEndian);

/// UCARP may read a frame a second late (libpcap's timeout); the others at once, from a network of a fifth of a second.
fn node(who: Who, advbase: u8, advskew: u8, address: u16) -> Node {
    let latency = Duration::from_millis(if who == UCARP { 1000 } else { 200 });
    Node { who, interval: Interval { advbase, advskew }, address, preempt: false, latency }
}

fn preempting(node: Node) -> Node {
    Node { preempt: true, ..node }
}

fn plan(name: &'static str, nodes: &[Node], frames: usize, faults: &[Fault], expected: Expected) -> Plan {
    let tick = Duration::from_millis(250);
    let (nodes, faults, families) = (nodes.to_vec(), faults.to_vec(), Families::One);
    Plan { name, nodes, tick, frames, ordered: false, families, faults, expected }
}

/// A network that delivers every frame, in order, before anything else happens.
fn calm(plan: Plan) -> Plan {
    Plan { frames: 0, ordered: true, ..plan }
}

/// Advertisements over both families.
fn over(families: Families, plan: Plan) -> Plan {
    Plan { families, ..plan }
}

fn fine(plan: Plan) -> Plan {
    Plan { tick: Duration::from_millis(100), ..plan }
}

const fn expect(worlds: usize, [several, none, gap, settled]: [u64; 4]) -> Expected {
    Expected { worlds, several: Some(several), none: Some(none), gap: Some(gap), settled: Some(settled) }
}

/// A group in which some order of events goes on for ever.
const fn expect_unsettled(worlds: usize, [several, none, gap]: [u64; 3]) -> Expected {
    Expected { worlds, several: Some(several), none: Some(none), gap: Some(gap), settled: None }
}

/// What every test run searches: some seconds.
#[must_use]
pub fn quick() -> Vec<Plan> {
    [ours(), dual_stack(), pairs(), groups()].concat()
}

fn dual_stack() -> Vec<Plan> {
    let (low, high, worse) = (node(OURS, 1, 0, 5), node(OURS, 1, 0, 9), node(OURS, 1, 128, 9));
    let (equal, ranked) = ([low, high], [low, worse]);
    let three = [low, node(OURS, 1, 0, 7), high];
    let broken = &[Loss, Duplication, Links][..];
    let both = |plan| over(Families::Both, plan);
    let contrary = |plan| over(Families::Contrary, plan);
    let filtered = |plan| over(Families::Filtered, plan);
    vec![
        contrary(plan("dual, equal: start", &equal, 4, &[], expect(3_514, [1250, 3000, 0, 4250]))),
        contrary(plan("dual, equal: healing", &equal, 4, &[Healing], expect(6_833, [2250, 3000, 0, 4250]))),
        both(plan("dual, equal: loss", &equal, 4, &[Loss], expect(20_318, [2250, 3000, 0, 4250]))),
        // The one loses by IPv4 and the other by IPv6, when two frames over IPv4 are lost or late.
        contrary(plan("dual, equal, contrary: loss", &equal, 4, &[Loss], expect(72_681, [2250, 3250, 3250, 5500]))),
        // As over one family, to the world.
        filtered(plan("dual, equal, no IPv4: broken links", &equal, 3, broken, expect(6_654, [2250, 3250, 0, 4500]))),
        both(plan("dual, skew 0/128: broken links", &ranked, 4, broken, expect(17_662, [1250, 3750, 0, 3750]))),
        both(plan(
            "dual, skew 0/128: commands",
            &ranked,
            2,
            &[Loss, Commands],
            expect(151_738, [1250, 6500, 6500, 6750]),
        )),
        both(plan("dual, skew 0/128: stalls", &ranked, 2, &[Loss, Stalls], expect(580_716, [1250, 3750, 3500, 3750]))),
        both(plan("dual, equal: broken links", &equal, 3, broken, expect(88_046, [2250, 3250, 0, 4750]))),
        contrary(plan("three dual, equal: start", &three, 2, &[], expect(202_321, [1250, 3000, 0, 4250]))),
        contrary(calm(plan(
            "three dual, equal: calm healing",
            &three,
            0,
            &[Healing],
            expect(79_081, [2000, 3000, 0, 3000]),
        ))),
    ]
}

fn ours() -> Vec<Plan> {
    let (low, high) = (node(OURS, 1, 0, 5), node(OURS, 1, 0, 9));
    let (worse, slow) = (node(OURS, 1, 128, 9), node(OURS, 3, 0, 9));
    let [p_low, p_worse, p_slow] = [low, worse, slow].map(preempting);
    let broken = &[Loss, Duplication, Links][..];
    let commanded = &[Loss, Duplication, Links, Commands][..];
    let stalled = &[Loss, Duplication, Stalls][..];
    let same = [low, node(OURS, 1, 0, 5)];
    vec![
        plan("ours, equal: start in a clean network", &[low, high], 3, &[], expect(462, [1250, 3000, 0, 4250])),
        plan("ours, equal: healing", &[low, high], 3, &[Healing], expect(1_710, [2250, 3000, 0, 4250])),
        plan("ours, equal: broken links", &[low, high], 3, broken, expect(6_654, [2250, 3250, 0, 4500])),
        plan(
            "ours, equal, preempt: broken links",
            &[p_low, preempting(high)],
            3,
            broken,
            expect(6_654, [2250, 3250, 0, 4500]),
        ),
        plan("ours, equal: commands", &[low, high], 3, commanded, expect(1_052_829, [2250, 6000, 6000, 7250])),
        plan("ours, equal: stalls", &[low, high], 3, stalled, expect(1_491_420, [2250, 3250, 3000, 4250])),
        plan("ours, one address twice: broken links", &same, 3, broken, expect(11_555, [1750, 3250, 1250, 5500])),
        plan("ours, skew 0/128: commands", &[low, worse], 3, commanded, expect(692_780, [1250, 6500, 6500, 6750])),
        plan("ours, skew 0/128: stalls", &[low, worse], 3, stalled, expect(1_043_409, [1250, 3750, 3500, 3750])),
        plan(
            "ours, skew 0/128, preempt: commands",
            &[p_low, p_worse],
            3,
            commanded,
            expect(737_978, [1250, 6500, 6500, 6750]),
        ),
        plan(
            "ours, skew 0/128, preempt: stalls",
            &[p_low, p_worse],
            3,
            stalled,
            expect(990_202, [1250, 3750, 3500, 3750]),
        ),
        plan("ours, base 1/3: commands", &[low, slow], 3, commanded, expect(751_186, [1250, 12000, 12000, 12250])),
        plan(
            "ours, base 1/3, preempt: commands",
            &[p_low, p_slow],
            3,
            commanded,
            expect(751_186, [1250, 12000, 12000, 12250]),
        ),
    ]
}

fn pairs() -> Vec<Plan> {
    let (low, high) = (node(OURS, 1, 0, 5), node(OURS, 1, 0, 9));
    let (better, worse) = (preempting(low), node(OURS, 1, 128, 9));
    let [k_low, k_high, u_low, u_high] =
        [(KERNEL, 5), (KERNEL, 9), (UCARP, 5), (UCARP, 9)].map(|(who, address)| node(who, 1, 0, address));
    let [k_worse, u_worse] = [KERNEL, UCARP].map(|who| node(who, 1, 128, 5));
    let all = &[Loss, Duplication, Links, Commands][..];
    vec![
        plan("kernel, equal, we win: all", &[low, k_high], 3, all, expect(128_005, [1250, 6000, 6000, 6250])),
        plan("kernel, equal, we lose: all", &[high, k_low], 3, all, expect(190_482, [1250, 6000, 6000, 6250])),
        plan("kernel, worse, we preempt: all", &[better, k_worse], 3, all, expect(118_205, [1250, 6000, 6000, 6250])),
        plan("kernel, better: all", &[worse, k_low], 3, all, expect(130_305, [1250, 6500, 6500, 6750])),
        plan(
            "kernel, better, preempts: all",
            &[worse, preempting(k_low)],
            3,
            all,
            expect(147_113, [1250, 6500, 6500, 6750]),
        ),
        plan("ucarp, equal, we win: all", &[low, u_high], 3, all, expect(57_362, [2000, 6000, 6000, 6250])),
        plan("ucarp, equal, we lose: all", &[high, u_low], 3, all, expect(57_242, [2250, 6000, 6000, 6250])),
        plan("ucarp, worse, we preempt: all", &[better, u_worse], 3, all, expect(569_298, [2000, 6000, 6000, 6750])),
        plan("ucarp, better: all", &[worse, u_low], 3, all, expect(26_648, [1250, 6500, 6500, 6750])),
        plan(
            "ucarp, better, preempts: all",
            &[worse, preempting(u_low)],
            3,
            all,
            expect(32_833, [1250, 6500, 6500, 6750]),
        ),
    ]
}

fn groups() -> Vec<Plan> {
    let [low, middle, high] = [5, 7, 9].map(|address| node(OURS, 1, 0, address));
    let (ucarp, kernel) = (node(UCARP, 1, 0, 7), node(KERNEL, 1, 0, 5));
    let worse = node(OURS, 1, 128, 9);
    let mixed = [high, ucarp, kernel];
    let ranked = [preempting(low), node(UCARP, 1, 128, 7), node(KERNEL, 1, 128, 9)];
    vec![
        plan("three of ours, equal: start", &[low, middle, high], 2, &[], expect(46_928, [1500, 3000, 0, 4250])),
        plan(
            "three of ours, equal: healing",
            &[low, middle, high],
            2,
            &[Healing],
            expect(175_625, [2500, 3000, 0, 4250]),
        ),
        plan(
            "three of ours, two equal: loss",
            &[low, middle, worse],
            2,
            &[Loss],
            expect(271_403, [2500, 3500, 0, 4250]),
        ),
        calm(plan(
            "ours, ucarp, kernel, equal: staggered healing",
            &mixed,
            0,
            &[Healing],
            expect(62_974, [2000, 3000, 0, 4000]),
        )),
        // UCARP and a kernel step down for each other for ever, if every collision is an unlucky one: with us or without.
        plan("ours, ucarp, kernel, equal: start", &mixed, 2, &[], expect_unsettled(25_956, [1250, 3250, 3250])),
        // One node of another rank, and it is over.
        plan("ours better, ucarp, kernel: healing", &ranked, 2, &[Healing], expect(159_378, [2750, 4500, 0, 4750])),
    ]
}

/// What takes minutes and gigabytes.
#[must_use]
pub fn thorough() -> Vec<Plan> {
    let [low, middle, high] = [5, 7, 9].map(|address| node(OURS, 1, 0, address));
    let worse = node(OURS, 1, 128, 9);
    let (k_low, u_low) = (node(KERNEL, 1, 0, 5), node(UCARP, 1, 0, 5));
    let broken = &[Loss, Duplication, Links][..];
    vec![
        plan("three of ours, equal: loss", &[low, middle, high], 2, &[Loss], expect(4_723_628, [2500, 3000, 0, 4250])),
        over(
            Families::Contrary,
            plan(
                "dual, equal: commands",
                &[low, high],
                2,
                &[Loss, Commands],
                expect(2_985_550, [2250, 6000, 6000, 7250]),
            ),
        ),
        fine(plan("fine: ours, equal: broken links", &[low, high], 3, broken, expect(25_937, [1800, 3200, 0, 4000]))),
        fine(plan(
            "fine: ours, skew 0/128: broken links",
            &[low, worse],
            3,
            broken,
            expect(11_364, [1200, 3700, 0, 3700]),
        )),
        fine(plan(
            "fine: ours, equal: loss and stalls",
            &[low, high],
            2,
            &[Loss, Stalls],
            expect(3_091_370, [1800, 3200, 3000, 3800]),
        )),
        fine(plan(
            "fine: ours, equal: commands",
            &[low, high],
            2,
            &[Loss, Commands],
            expect(640_031, [1800, 6000, 6000, 6800]),
        )),
        fine(plan(
            "fine: kernel, equal, we lose: broken links",
            &[high, k_low],
            3,
            broken,
            expect(10_323, [1200, 3200, 1600, 3600]),
        )),
        fine(plan(
            "fine: ucarp, equal, we lose: broken links",
            &[high, u_low],
            3,
            broken,
            expect(74_832, [2200, 4000, 0, 5200]),
        )),
    ]
}

/// Two that must fail, to show that the questions are good ones: nodes that all yield to an equal one, and the first
/// draft of the tie rule in the place of ours.
#[must_use]
pub fn wrong() -> [Plan; 2] {
    let yielding = [5, 9].map(|address| node(Who::Ours(TieRule::Kernel), 1, 0, address));
    let draft = [node(FIRST_DRAFT, 1, 0, 9), node(UCARP, 1, 0, 7), node(KERNEL, 1, 0, 5)];
    [
        plan("wrong: the kernels' tie rule on both sides", &yielding, 3, &[], expect_unsettled(334, [250, 3000, 3000])),
        calm(plan(
            "wrong: the first draft of our tie rule",
            &draft,
            0,
            &[Healing],
            expect(59_370, [2000, 3000, 3000, 4000]),
        )),
    ]
}
