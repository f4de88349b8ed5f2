//! Costs against the number of virtual hosts.

use super::super::document::Records;
use super::super::record::Key;
use super::super::scale::{self, BACKUP_CPU, BACKUP_MEMORY, HOSTS, MASTER_CPU, MASTER_MEMORY};
use super::super::statistics::median;
use super::super::workshop::Program;
use super::canvas::{Anchor, Canvas, Logarithmic, class};

const PROGRAMS: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];
/// A figure and its place: column, row.
const PANELS: [(&str, f64, f64); 4] =
    [(MASTER_CPU, 0.0, 0.0), (BACKUP_CPU, 1.0, 0.0), (MASTER_MEMORY, 0.0, 1.0), (BACKUP_MEMORY, 1.0, 1.0)];
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 75.0;
const TOP: f64 = 75.0;
const GUTTER: (f64, f64) = (95.0, 85.0);

/// Draws processor time and memory, of masters and of backups.
pub(super) fn draw(all: &Records) -> String {
    let (width, height) = (LEFT + 2.0 * WIDTH + GUTTER.0 + 25.0, TOP + 2.0 * HEIGHT + GUTTER.1 + 60.0);
    let mut canvas = Canvas::new(width, height, "Processor time and memory against the number of virtual hosts");
    canvas.title((10.0, 24.0), "What virtual hosts cost: medians");
    canvas.legend((330.0, 24.0), &PROGRAMS);
    for (figure, column, row) in PANELS {
        let (left, top) = (LEFT + column * (WIDTH + GUTTER.0), TOP + row * (HEIGHT + GUTTER.1));
        draw_panel(&mut canvas, all, figure, (left, top));
    }
    canvas.finish()
}

fn draw_panel(canvas: &mut Canvas, all: &Records, figure: &str, corner: (f64, f64)) {
    let (left, top) = corner;
    let bottom = top + HEIGHT;
    let ends = if figure.contains("PSS") { (1.0, 1000.0) } else { (1.0, 10_000.0) };
    let across = Logarithmic { figures: (1.0, 4080.0), places: (left + 10.0, left + WIDTH - 10.0) };
    let up = Logarithmic { figures: ends, places: (bottom - 5.0, top) };
    canvas.title((left, top - 14.0), figure);
    for value in up.decades() {
        let y = up.place(value);
        canvas.line("faint", (left, y), (left + WIDTH, y));
        canvas.text((left - 8.0, y + 4.0), Anchor::End, &format!("{value:.0}"));
    }
    for hosts in HOSTS {
        let x = across.place(f64::from(hosts));
        canvas.line("faint", (x, top), (x, bottom));
        canvas.text((x, bottom + 18.0), Anchor::Middle, &hosts.to_string());
    }
    canvas.line("ink", (left, bottom), (left + WIDTH, bottom));
    canvas.text((left + WIDTH / 2.0, bottom + 38.0), Anchor::Middle, "virtual hosts (both axes are logarithmic)");
    for program in PROGRAMS {
        let points: Vec<(u16, f64)> =
            HOSTS.into_iter().filter_map(|hosts| Some((hosts, cost(all, program, figure, hosts)?))).collect();
        let places: Vec<(f64, f64)> =
            points.iter().map(|(hosts, cost)| (across.place(f64::from(*hosts)), up.place(*cost))).collect();
        canvas.polyline(class(program), &places);
        for ((hosts, cost), place) in points.iter().zip(places) {
            canvas.mark(program, place, &format!("{}, {hosts} virtual hosts: {cost:.1}", program.name()));
        }
    }
}

fn cost(all: &Records, program: Program, figure: &str, hosts: u16) -> Option<f64> {
    let case = scale::name(hosts)?;
    median(all.get("scale").values(Key { setting: "", case: &case, program: program.name() }, figure))
}

#[cfg(test)]
mod tests {
    use super::super::super::record::Record;
    use super::*;

    #[test]
    fn each_program_has_a_line_and_its_marks_have_figures() {
        let mut record = Record::unkept("scale");
        for (case, value) in [("1 virtual host", 10.0), ("255 virtual hosts", 100.0)] {
            record.add(Key { setting: "", case, program: "ours" }, MASTER_CPU, value);
        }
        let svg = draw(&Records::of(vec![record]));
        assert!(
            svg.contains("<title>ours, 1 virtual hosts: 10.0</title>")
                && svg.contains("<title>ours, 255 virtual hosts: 100.0</title>")
        );
        assert_eq!(svg.matches("virtual hosts: ").count(), 2);
        for label in [MASTER_CPU, BACKUP_CPU, MASTER_MEMORY, BACKUP_MEMORY, "4080", "10000"] {
            assert!(svg.contains(&format!(">{label}</text>")), "{label}");
        }
    }
}
