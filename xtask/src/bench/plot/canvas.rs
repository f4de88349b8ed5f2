//! What plots are drawn on and with.

use std::fmt::{Arguments, Write as _};

use super::super::workshop::Program;

/// Ink, background and one colour for each program, which a dark page has others of.
const STYLE: &str = "\
<style>
text { font: 13px sans-serif; fill: #1f2328; }
.paper { fill: #ffffff; }
.title { font-weight: bold; }
.faint { stroke: #d1d9e0; fill: none; }
.ink { stroke: #1f2328; fill: none; }
.dot { fill: #1f2328; }
.gap { fill: #d1242f; opacity: 0.75; }
.ours { stroke: #0969da; fill: #0969da; }
.scripts { stroke: #1a7f37; fill: #1a7f37; }
.ucarp { stroke: #9a6700; fill: #9a6700; }
.keepalived { stroke: #a40e9b; fill: #a40e9b; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.paper { fill: #0d1117; }
.faint { stroke: #3d444d; }
.ink { stroke: #e6edf3; }
.dot { fill: #e6edf3; }
.gap { fill: #ff7b72; }
.ours { stroke: #58a6ff; fill: #58a6ff; }
.scripts { stroke: #56d364; fill: #56d364; }
.ucarp { stroke: #e3b341; fill: #e3b341; }
.keepalived { stroke: #f778ba; fill: #f778ba; }
}
</style>
";

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows.
#[derive(Debug)]
pub(super) struct Canvas {
    svg: String,
}

impl Canvas {
    /// An empty picture, with a text for those who do not see it.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Canvas {
        let mut canvas = Canvas { svg: String::new() };
        canvas.push(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\">\n<title>{}</title>",
            escape(title)
        ));
        canvas.svg.push_str(STYLE);
        canvas.push(format_args!("<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>"));
        canvas
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(format_args!("<polyline class=\"{class} line\" points=\"{}\"/>", points.join(" ")));
    }

    pub(super) fn bar(&mut self, class: &str, from: (f64, f64), size: (f64, f64), title: &str) {
        let ((x, y), (width, height)) = (from, size);
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            escape(title)
        ));
    }

    /// The mark of a program: a colour and a shape, for who cannot tell the colours.
    pub(super) fn mark(&mut self, program: Program, at: (f64, f64), title: &str) {
        self.shape(program, class(program), at, title);
    }

    /// The shape of a program's mark in any colour.
    pub(super) fn shape(&mut self, program: Program, class: &str, at: (f64, f64), title: &str) {
        let (x, y) = at;
        let (element, geometry) = match program {
            Program::Ours => ("circle", format!("cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"")),
            Program::Scripts => {
                ("circle", format!("cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill-opacity=\"0\" stroke-width=\"2\""))
            }
            Program::Ucarp => ("rect", format!("x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"", x - 3.5, y - 3.5)),
            Program::Keepalived => {
                let (left, right, top, bottom) = (x - 4.5, x + 4.5, y - 4.0, y + 4.0);
                ("path", format!("d=\"M{x:.1} {top:.1}L{right:.1} {bottom:.1}L{left:.1} {bottom:.1}Z\""))
            }
        };
        let title = escape(title);
        self.push(format_args!("<{element} class=\"{class}\" {geometry}><title>{title}</title></{element}>"));
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, words: &str) {
        self.styled_text(at, anchor, "", words);
    }

    pub(super) fn title(&mut self, at: (f64, f64), words: &str) {
        self.styled_text(at, Anchor::Start, " class=\"title\"", words);
    }

    /// The programs and their marks, in a row.
    pub(super) fn legend(&mut self, from: (f64, f64), programs: &[Program]) {
        let (mut x, y) = from;
        for program in programs {
            self.mark(*program, (x, y - 4.5), program.name());
            self.text((x + 10.0, y), Anchor::Start, program.name());
            x += 120.0;
        }
    }

    /// The whole picture.
    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    fn styled_text(&mut self, at: (f64, f64), anchor: Anchor, style: &str, words: &str) {
        let (x, y) = at;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{style}>{}</text>",
            escape(words)
        ));
    }

    fn push(&mut self, words: Arguments<'_>) {
        writeln!(self.svg, "{words}").expect("a string takes any text");
    }
}

/// The class that has the colour of a program.
pub(super) fn class(program: Program) -> &'static str {
    match program {
        Program::Ours => "ours",
        Program::Scripts => "scripts",
        Program::Ucarp => "ucarp",
        Program::Keepalived => "keepalived",
    }
}

/// A logarithmic axis between two figures, drawn between two places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logarithmic {
    pub(super) figures: (f64, f64),
    pub(super) places: (f64, f64),
}

impl Logarithmic {
    /// Where a figure is. What is beyond the ends is at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let (least, most) = self.figures;
        let part = (value.clamp(least, most) / least).ln() / (most / least).ln();
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// The powers of ten on it.
    pub(super) fn decades(&self) -> impl Iterator<Item = f64> {
        let (least, most) = self.figures;
        (-3..=9).map(|power| 10_f64.powi(power)).filter(move |value| *value >= least * 0.999 && *value <= most * 1.001)
    }
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_has_equal_steps_for_each_decade() {
        let axis = Logarithmic { figures: (1.0, 10_000.0), places: (100.0, 500.0) };
        let places: Vec<f64> = axis.decades().map(|value| axis.place(value).round()).collect();
        assert_eq!(places, [100.0, 200.0, 300.0, 400.0, 500.0]);
        assert!((axis.place(0.0) - 100.0).abs() < 1e-9 && (axis.place(1e9) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn a_picture_is_well_formed_and_dark_on_a_dark_page() {
        let mut canvas = Canvas::new(100.0, 50.0, "a < b");
        for program in [Program::Ours, Program::Scripts, Program::Ucarp, Program::Keepalived] {
            canvas.mark(program, (10.0, 10.0), "1 & 2");
        }
        canvas.bar("gap", (1.0, 2.0), (3.0, 4.0), "x");
        canvas.text((5.0, 5.0), Anchor::Middle, "<5 ms>");
        let svg = canvas.finish();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(
            svg.contains("<title>a &lt; b</title>")
                && svg.contains(">&lt;5 ms&gt;</text>")
                && svg.contains("1 &amp; 2")
        );
        assert!(svg.contains("prefers-color-scheme: dark"));
        for tag in ["circle", "rect", "path", "text", "title"] {
            let closed = svg.matches(&format!("</{tag}>")).count();
            let open = svg.matches(&format!("<{tag}")).count()
                - svg.matches("<rect class=\"paper\"").count() * usize::from(tag == "rect");
            assert_eq!(open, closed, "{tag}");
        }
    }
}
