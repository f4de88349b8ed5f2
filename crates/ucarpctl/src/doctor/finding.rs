//! What was found.

use std::io::{self, Write};

use serde::Serialize;

use crate::look::{Look, Tone, clean};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Fine,
    /// Something to know.
    Note,
    /// Something may not work.
    Warning,
    /// Something does not work.
    Error,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about: `eth0`, `firewall`, a virtual host.
    pub(super) about: String,
    /// What was found, and what comes of it.
    pub(super) text: String,
    /// The command that mends it, if there is one.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn new(level: Level, about: &str, text: impl Into<String>) -> Self {
        Finding { level, about: about.to_owned(), text: text.into(), mend: None }
    }

    /// With the command that mends it.
    pub(super) fn mended_by(self, command: impl Into<String>) -> Self {
        Finding { mend: Some(command.into()), ..self }
    }

    pub(super) fn write(&self, out: &mut dyn Write, look: &Look) -> io::Result<()> {
        let (word, tone) = match self.level {
            Level::Fine => ("ok", Tone::Good),
            Level::Note => ("note", Tone::Calm),
            Level::Warning => ("warning", Tone::Careful),
            Level::Error => ("error", Tone::Bad),
        };
        let word = look.paint(tone, &format!("{word:<7}"));
        writeln!(out, "{word}  {}: {}", clean(&self.about), clean(&self.text))?;
        if let Some(mend) = &self.mend {
            writeln!(out, "         {}", look.paint(Tone::Strong, &clean(mend)))?;
        }
        Ok(())
    }
}

/// What was found, of which everything that is wrong has to have a command.
#[cfg(test)]
pub(super) fn with_commands(findings: Vec<Finding>) -> Vec<Finding> {
    for finding in findings.iter().filter(|finding| finding.level >= Level::Warning) {
        assert!(finding.mend.is_some(), "{finding:?}");
    }
    findings
}
