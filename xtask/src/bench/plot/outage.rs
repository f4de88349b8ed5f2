//! Outages by event and program: the median, and a line from the least to the most.

use super::super::document::Records;
use super::super::group::Timers;
use super::super::outage::{self, OUTAGE, PROGRAMS};
use super::super::record::Key;
use super::super::statistics::{least, median, most};
use super::canvas::{Anchor, Canvas, Logarithmic, class};

const LEFT: f64 = 190.0;
const PANEL: f64 = 350.0;
const GUTTER: f64 = 30.0;
const TOP: f64 = 70.0;
const ROW: f64 = 12.0;
const PAD: f64 = 10.0;
/// Milliseconds between two probes: what is shorter cannot be told from none.
const NONE: f64 = 2.0;

/// Draws all events with both settings of timers.
pub(super) fn draw(all: &Records) -> String {
    let events = outage::events();
    let band = ROW * number(PROGRAMS.len()) + PAD;
    let bottom = TOP + band * number(events.len());
    let mut canvas = Canvas::new(
        LEFT + 2.0 * PANEL + 2.0 * GUTTER,
        bottom + 55.0,
        "Outage seen by a client, by event and program, with timers of 1 s and with the fastest ones",
    );
    canvas.title((10.0, 24.0), "Outage seen by a client: median, from least to most");
    canvas.legend((LEFT + 240.0, 24.0), &PROGRAMS);
    for (place, event) in events.iter().enumerate() {
        let top = TOP + band * number(place);
        canvas.line("faint", (10.0, top), (LEFT + 2.0 * PANEL + GUTTER, top));
        canvas.text((LEFT - 12.0, top + band / 2.0 + 4.0), Anchor::End, event);
    }
    for (panel, timers) in [Timers::Default, Timers::Fastest].into_iter().enumerate() {
        let left = LEFT + (PANEL + GUTTER) * number(panel);
        let axis = Logarithmic { figures: (NONE, 20_000.0), places: (left, left + PANEL) };
        canvas.title((left, TOP - 14.0), outage::name(timers));
        draw_axis(&mut canvas, &axis, bottom);
        for (place, event) in events.iter().enumerate() {
            draw_event(&mut canvas, all, timers, event, &axis, TOP + band * number(place) + PAD / 2.0);
        }
    }
    canvas.finish()
}

fn draw_axis(canvas: &mut Canvas, axis: &Logarithmic, bottom: f64) {
    for value in std::iter::once(NONE).chain(axis.decades()) {
        let x = axis.place(value);
        canvas.line("faint", (x, TOP), (x, bottom));
        let label = match value {
            NONE => "< 2 ms".to_owned(),
            value if value < 1000.0 => format!("{value:.0} ms"),
            value => format!("{:.0} s", value / 1000.0),
        };
        canvas.text((x, bottom + 18.0), Anchor::Middle, &label);
    }
    canvas.line("ink", (axis.places.0, bottom), (axis.places.1, bottom));
    let middle = f64::midpoint(axis.places.0, axis.places.1);
    canvas.text((middle, bottom + 40.0), Anchor::Middle, "outage (logarithmic)");
}

fn draw_event(canvas: &mut Canvas, all: &Records, timers: Timers, event: &str, axis: &Logarithmic, top: f64) {
    for (place, program) in PROGRAMS.into_iter().enumerate() {
        let key = Key { setting: outage::name(timers), case: event, program: program.name() };
        let values = all.get("outage").values(key, OUTAGE);
        if let (Some(least), Some(middle), Some(most)) = (least(values), median(values), most(values)) {
            let y = top + ROW * (number(place) + 0.5);
            canvas.line(class(program), (axis.place(least), y), (axis.place(most), y));
            let title = format!("{event}, {}: {middle:.1} ms ({least:.1} to {most:.1})", program.name());
            canvas.mark(program, (axis.place(middle), y), &title);
        }
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::super::record::Record;
    use super::*;

    #[test]
    fn each_median_has_a_mark_with_its_figures() {
        let mut record = Record::unkept("outage");
        for value in [3.0, 4.5, 6.0] {
            record.add(Key { setting: "1 s timers", case: "planned stop", program: "ours" }, OUTAGE, value);
        }
        record.add(Key { setting: "1 s timers", case: "planned stop", program: "ucarp" }, OUTAGE, 3067.0);
        let svg = draw(&Records::of(vec![record]));
        assert!(svg.contains("<title>planned stop, ours: 4.5 ms (3.0 to 6.0)</title>"), "{svg}");
        assert!(svg.contains("<title>planned stop, ucarp: 3067.0 ms"));
        assert_eq!(svg.matches("planned stop, ").count(), 2);
        assert!(svg.contains(">&lt; 2 ms<") && svg.contains(">100 ms<") && svg.contains(">10 s<"));
    }
}
