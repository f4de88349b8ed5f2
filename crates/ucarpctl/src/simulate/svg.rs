//! The timeline as a picture.

use std::fmt::Write as _;
use std::time::Duration;

use carp_sim::stage::Standing;

use super::report::Span;

const LEFT: f64 = 140.0;
const WIDTH: f64 = 800.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;

/// A group of the picture: its title, its hosts and what they were.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) names: Vec<String>,
    pub(super) spans: Vec<Vec<Span>>,
}

/// The picture of all groups, below each other.
pub(super) fn draw(panels: &[Panel], length: Duration) -> String {
    let rows: f64 = panels.iter().map(|panel| ROW * (count(panel.names.len()) + 2.5)).sum();
    let (width, height) = (LEFT + WIDTH + 40.0, rows + ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let mut top = ROW;
    for panel in panels {
        text(&mut svg, 10.0, top, "font-weight=\"bold\"", &panel.title);
        top += ROW / 2.0;
        for (name, spans) in panel.names.iter().zip(&panel.spans) {
            text(&mut svg, 10.0, top + BAR * 0.75, "", name);
            spans.iter().for_each(|span| bar(&mut svg, span, top, length));
            top += ROW;
        }
        axis(&mut svg, top, length);
        top += ROW * 2.0;
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, span: &Span, top: f64, length: Duration) {
    let (colour, word) = match span.standing {
        Standing::Off => ("#d33", "away"),
        Standing::Init => ("#eee", "not in the group"),
        Standing::Backup => ("#bcd", "BACKUP"),
        Standing::Master => ("#294", "MASTER"),
    };
    let (from, to) = (x(span.from, length), x(span.to, length));
    let (begin, end) = (span.from.as_secs_f64(), span.to.as_secs_f64());
    let wide = (to - from).max(0.5);
    push(
        svg,
        format_args!(
            "<rect x=\"{from:.2}\" y=\"{top:.1}\" width=\"{wide:.2}\" height=\"{BAR}\" fill=\"{colour}\"><title>{word} from \
             {begin:.3} s to {end:.3} s</title></rect>"
        ),
    );
}

/// Ten marks, at whole parts of the time.
fn axis(svg: &mut String, top: f64, length: Duration) {
    for part in 0..=10_u32 {
        let at = length * part / 10;
        let place = x(at, length);
        push(
            svg,
            format_args!(
                "<line x1=\"{place:.2}\" y1=\"{top:.1}\" x2=\"{place:.2}\" y2=\"{:.1}\" stroke=\"#666\"/>",
                top + 5.0
            ),
        );
        text(svg, place, top + 20.0, "text-anchor=\"middle\" fill=\"#666\"", &format!("{:.1} s", at.as_secs_f64()));
    }
}

fn x(at: Duration, length: Duration) -> f64 {
    LEFT + WIDTH * at.as_secs_f64() / length.as_secs_f64()
}

fn text(svg: &mut String, x: f64, y: f64, attributes: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    push(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{words}</text>"));
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn push(svg: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(svg, "{words}").expect("a string takes everything");
}
