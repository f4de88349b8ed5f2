//! A failover as packets on a line of time.

use super::super::document::Records;
use super::super::outage::timeline::{ADVERTISEMENT, ANNOUNCEMENT, GOODBYE, PROGRAMS, SHOWN, SILENCE, SPAN};
use super::super::record::Key;
use super::super::workshop::Program;
use super::canvas::{Anchor, Canvas, class};

const LEFT: f64 = 190.0;
const WIDTH: f64 = 720.0;
const TOP: f64 = 90.0;
const ROW: f64 = 20.0;
/// A program has three rows: its master, its peer, the client.
const PROGRAM: f64 = ROW * 3.0 + 14.0;
const PANEL_GAP: f64 = 85.0;

/// Draws the events, each with all programs.
pub(super) fn draw(all: &Records) -> String {
    let panel = PROGRAM * f64::from(u32::try_from(PROGRAMS.len()).unwrap_or(0)) + PANEL_GAP;
    let height = TOP + panel * f64::from(u32::try_from(SHOWN.len()).unwrap_or(0)) - 10.0;
    let mut canvas =
        Canvas::new(LEFT + WIDTH + 30.0, height, "Packets of two hosts and the answers to a client around a failover");
    canvas.title((10.0, 24.0), "A failover as packets, with timers of 1 s");
    draw_legend(&mut canvas);
    let mut top = TOP;
    for event in SHOWN {
        canvas.title((10.0, top - 10.0), event.name());
        let bottom = top + panel - PANEL_GAP;
        draw_axis(&mut canvas, top, bottom);
        for (place, program) in (0_u8..).zip(PROGRAMS) {
            draw_program(&mut canvas, all, event.name(), program, top + PROGRAM * f64::from(place));
        }
        top += panel;
    }
    canvas.finish()
}

fn draw_legend(canvas: &mut Canvas) {
    let y = 48.0;
    tick(canvas, "ink", 200.0, y - 4.0);
    canvas.text((208.0, y), Anchor::Start, ADVERTISEMENT);
    canvas.shape(Program::Keepalived, "dot", (330.0, y - 4.0), GOODBYE);
    canvas.text((340.0, y), Anchor::Start, GOODBYE);
    canvas.shape(Program::Ours, "dot", (430.0, y - 4.0), ANNOUNCEMENT);
    canvas.text((440.0, y), Anchor::Start, ANNOUNCEMENT);
    canvas.bar("gap", (570.0, y - 10.0), (30.0, 12.0), SILENCE);
    canvas.text((608.0, y), Anchor::Start, "no answer to the client");
}

fn draw_axis(canvas: &mut Canvas, top: f64, bottom: f64) {
    for second in -1_i16..=4 {
        let x = place(f64::from(second) * 1000.0);
        canvas.line(if second == 0 { "ink" } else { "faint" }, (x, top), (x, bottom));
        canvas.text((x, bottom + 18.0), Anchor::Middle, &format!("{second} s"));
    }
    canvas.line("ink", (LEFT, bottom), (LEFT + WIDTH, bottom));
    canvas.text((LEFT + WIDTH / 2.0, bottom + 38.0), Anchor::Middle, "time since the event");
}

fn draw_program(canvas: &mut Canvas, all: &Records, event: &str, program: Program, top: f64) {
    let record = all.get("timeline");
    canvas.text((10.0, top + ROW * 2.0), Anchor::Start, program.name());
    for (row, who) in (0_u8..).zip(["master", "peer", "client"]) {
        let y = top + ROW * (f64::from(row) + 0.8);
        canvas.text((LEFT - 12.0, y + 4.0), Anchor::End, who);
        let case = if who == "client" { event.to_owned() } else { format!("{event}: {who}") };
        let moments = |figure| record.values(Key { setting: "", case: &case, program: program.name() }, figure);
        canvas.line("faint", (LEFT, y), (LEFT + WIDTH, y));
        moments(ADVERTISEMENT).iter().for_each(|at| tick(canvas, class(program), place(*at), y));
        for (figure, shape) in [(ANNOUNCEMENT, Program::Ours), (GOODBYE, Program::Keepalived)] {
            for at in moments(figure) {
                canvas.shape(shape, class(program), (place(*at), y), &format!("{figure} at {at:.1} ms"));
            }
        }
        if let [from, to] = moments(SILENCE) {
            let wide = (place(*to) - place(*from)).max(2.0);
            canvas.bar(
                "gap",
                (place(*from), y - 6.0),
                (wide, 12.0),
                &format!("no answer from {from:.1} to {to:.1} ms"),
            );
            canvas.text((place(*to) + 8.0, y + 4.0), Anchor::Start, &format!("{:.0} ms", to - from));
        }
    }
}

fn tick(canvas: &mut Canvas, class: &str, x: f64, y: f64) {
    canvas.line(class, (x, y - 9.0), (x, y + 9.0));
}

fn place(at: f64) -> f64 {
    let (begin, end) = (*SPAN.start(), *SPAN.end());
    LEFT + WIDTH * (at.clamp(begin, end) - begin) / (end - begin)
}

#[cfg(test)]
mod tests {
    use super::super::super::record::Record;
    use super::*;

    #[test]
    fn packets_and_silence_are_where_they_were() {
        let mut record = Record::unkept("timeline");
        let key = |case| Key { setting: "", case, program: "ours" };
        record.add(key("planned stop: master"), ADVERTISEMENT, -400.0);
        record.add(key("planned stop: master"), GOODBYE, 1.5);
        record.add(key("planned stop: peer"), ANNOUNCEMENT, 2.0);
        for moment in [0.5, 5.0] {
            record.add(key("planned stop"), SILENCE, moment);
        }
        let svg = draw(&Records::of(vec![record]));
        assert!(
            svg.contains("<title>goodbye at 1.5 ms</title>") && svg.contains("<title>gratuitous ARP at 2.0 ms</title>")
        );
        assert!(svg.contains("<title>no answer from 0.5 to 5.0 ms</title>") && svg.contains(">4 ms</text>"), "{svg}");
        assert!((place(0.0) - LEFT - WIDTH * 1200.0 / 5400.0).abs() < 1e-9);
    }
}
