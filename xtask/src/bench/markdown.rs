//! Tables that read well on a terminal and in Markdown.

use std::fmt::Write as _;

/// A table whose first row is its heading. The first `left` columns are aligned to the left, the others to the right.
pub(super) fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    // Markdown wants three dashes.
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| length(row, column)).max().unwrap_or(0).max(3)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        line(&mut text, row, &widths, left);
        if number == 0 {
            let dashes = widths.iter().enumerate().map(|(column, &width)| {
                if column < left { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
            });
            writeln!(text, "| {} |", dashes.collect::<Vec<_>>().join(" | ")).expect("a string takes any text");
        }
    }
    text
}

fn line(text: &mut String, row: &[String], widths: &[usize], left: usize) {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, &width))| {
        if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    });
    writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | ")).expect("a string takes any text");
}

/// A figure with as many digits as are worth reading, and commas between thousands.
pub(super) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if value.fract() == 0.0 || magnitude >= 99.95 {
        return thousands(&format!("{value:.0}"));
    }
    if magnitude >= 9.995 { format!("{value:.1}") } else { format!("{value:.2}") }
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["event", "n", "ours"]), row(["host crash", "5", "2,525"])], 1);
        assert_eq!(text, "| event      |   n |  ours |\n| ---------- | --: | ----: |\n| host crash |   5 | 2,525 |\n");
    }

    #[test]
    fn figures_have_three_digits_and_commas() {
        let cases = [
            (0.0, "0"),
            (5.0, "5"),
            (0.123, "0.12"),
            (9.99, "9.99"),
            (12.34, "12.3"),
            (123.4, "123"),
            (7_065_432.1, "7,065,432"),
            (-1234.5, "-1,234"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }
}
