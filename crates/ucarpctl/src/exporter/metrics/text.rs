//! The two formats that Prometheus reads: its own text, version 0.0.4, and OpenMetrics 1.0.

use std::fmt::Write as _;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text 0.0.4: what is sent to whoever does not ask for something else.
    Prometheus,
    /// OpenMetrics 1.0.0: counters are declared without `_total`, and the end is marked.
    OpenMetrics,
}

impl Format {
    /// What the client of this `Accept` wants. Prometheus names OpenMetrics there when it is able to read it.
    pub(crate) fn accepted(accept: Option<&str>) -> Self {
        let wants = accept.is_some_and(|accept| {
            accept.split(',').any(|range| {
                let mut parts = range.split(';').map(str::trim);
                parts.next() == Some("application/openmetrics-text")
                    && parts
                        .all(|part| !part.starts_with("version=") || part == "version=1.0.0" || part == "version=0.0.1")
            })
        });
        if wants { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric family counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up; its samples end in `_total`.
    Counter,
}

/// Metrics on their way to text.
#[derive(Debug)]
pub(crate) struct Text {
    format: Format,
    text: String,
}

impl Text {
    /// Nothing yet.
    pub(crate) fn new(format: Format) -> Self {
        Text { format, text: String::with_capacity(16 * 1024) }
    }

    /// Begins a family and returns the writer of its samples. `name` is without `_total`; a family without samples
    /// leaves no trace.
    pub(crate) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &'a str) -> Family<'a> {
        Family { text: self, name, kind, help, begun: false }
    }

    /// The whole text.
    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// A metric family: all its samples come one after the other, as both formats demand.
pub(crate) struct Family<'a> {
    text: &'a mut Text,
    name: &'a str,
    kind: Kind,
    help: &'a str,
    begun: bool,
}

impl Family<'_> {
    /// One sample.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.begin();
        let text = &mut self.text.text;
        text.push_str(self.name);
        text.push_str(if self.kind == Kind::Counter { "_total" } else { "" });
        for (position, (name, value)) in labels.iter().enumerate() {
            text.push(if position == 0 { '{' } else { ',' });
            let _ = write!(text, "{name}=\"");
            escape(text, value, true);
            text.push('"');
        }
        text.push_str(if labels.is_empty() { "" } else { "}" });
        // Rust writes what both formats read: no exponent, "." as the point.
        let _ = writeln!(text, " {value}");
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let suffix = match (self.kind, self.text.format) {
            (Kind::Counter, Format::Prometheus) => "_total",
            _ => "",
        };
        let kind = match self.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let name = self.name;
        let text = &mut self.text.text;
        let _ = write!(text, "# HELP {name}{suffix} ");
        escape(text, self.help, self.text.format == Format::OpenMetrics);
        let _ = writeln!(text, "\n# TYPE {name}{suffix} {kind}");
        let unit = ["seconds"].into_iter().find(|unit| name.ends_with(unit));
        if let (Some(unit), Format::OpenMetrics) = (unit, self.text.format) {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
    }
}

/// Text 0.0.4 escapes quotes in values only, OpenMetrics also in help.
fn escape(text: &mut String, value: &str, quotes: bool) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            _ => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(format: Format) -> String {
        let mut text = Text::new(format);
        let mut family = text.family("some_things", Kind::Counter, "What \"is\"\ncounted.");
        family.sample(&[("name", "a\"b\\c\nd"), ("vhid", "1")], 3.0);
        family.sample(&[], 0.5);
        text.family("nothing", Kind::Gauge, "Has no sample.");
        text.family("silence_seconds", Kind::Gauge, "A time.").sample(&[], 12.0);
        text.finish()
    }

    #[test]
    fn text_0_0_4_is_as_prometheus_reads_it() {
        assert_eq!(
            sample(Format::Prometheus),
            "# HELP some_things_total What \"is\"\\ncounted.\n# TYPE some_things_total counter\n\
             some_things_total{name=\"a\\\"b\\\\c\\nd\",vhid=\"1\"} 3\nsome_things_total 0.5\n\
             # HELP silence_seconds A time.\n# TYPE silence_seconds gauge\nsilence_seconds 12\n"
        );
    }

    #[test]
    fn openmetrics_declares_counters_without_total_and_marks_the_end() {
        assert_eq!(
            sample(Format::OpenMetrics),
            "# HELP some_things What \\\"is\\\"\\ncounted.\n# TYPE some_things counter\n\
             some_things_total{name=\"a\\\"b\\\\c\\nd\",vhid=\"1\"} 3\nsome_things_total 0.5\n\
             # HELP silence_seconds A time.\n# TYPE silence_seconds gauge\n\
             # UNIT silence_seconds seconds\nsilence_seconds 12\n# EOF\n"
        );
    }

    #[test]
    fn openmetrics_is_for_whom_asks_for_a_version_of_it_that_we_write() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
        assert_eq!(Format::accepted(Some("application/openmetrics-text; version=0.0.1")), Format::OpenMetrics);
        for other in [None, Some("*/*"), Some("text/plain"), Some("application/openmetrics-text; version=2.0.0")] {
            assert_eq!(Format::accepted(other), Format::Prometheus, "{other:?}");
        }
    }
}
