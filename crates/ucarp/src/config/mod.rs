//! Configuration files: from TOML to [`Settings`], with all that is wrong told at once.
//!
//! ```text
//! files ──► document ──► merged ──► host ──► conflict ──► Settings
//! read      tables and    one host   its      between      or Problems
//!           values        of layers  settings hosts
//! ```
//!
//! One [`table`](KEYS) of keys feeds the parser, the suggestions, [`show`] and the checks of manual page and guide. A
//! [`Problem`] has its place, and never a secret: the text of passwords is wiped when it has been read.

mod censor;
mod check;
mod command;
mod conflict;
mod document;
mod effect;
mod files;
mod host;
mod merged;
mod nearest;
mod outside;
mod problem;
mod secret;
mod show;
mod syntax;
mod table;
mod text;
mod value;

use std::path::{Path, PathBuf};

pub use command::{check, print_effective};
pub use problem::{Problem, Problems, Severity};
pub use secret::Secret;
pub use show::show;
pub use table::{CHECK_KEYS, CheckKey, KEYS, KINDS, KeyId, KeySpec, Kind, LEASE_SECONDS, Place};

use crate::settings::{HostSettings, Settings};
use document::{Document, Layer, Tree};
use files::FileText;
use merged::Merged;
use outside::Outside;
use problem::{Findings, Source};
use syntax::Syntax;

/// The file that is read unless another one is named.
pub const DEFAULT_PATH: &str =
    if cfg!(target_os = "freebsd") { "/usr/local/etc/ucarp/ucarp.toml" } else { "/etc/ucarp/ucarp.toml" };

/// What a configuration is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run it: a password that cannot be read is an error.
    Run,
    /// To look at it, perhaps without the privileges to read passwords: then that is a warning, and the settings have a
    /// key of zeros, with which they must not be run.
    Check,
}

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What to run, the virtual hosts in the order of the files.
    pub settings: Settings,
    /// Where the key of each virtual host came from, in the same order.
    pub secrets: Vec<Secret>,
    /// What is probably not as it was meant.
    pub warnings: Problems,
    /// The files that were read, the main one first.
    pub files: Vec<PathBuf>,
}

/// Loads `file` and, if there is a directory `conf.d` beside it, that directory's files `*.toml` in the order of their
/// names.
///
/// # Errors
///
/// All that is wrong, and the warnings too.
pub fn load(file: &Path, purpose: Purpose) -> Result<Loaded, Problems> {
    let (paths, list_error) = files::list(file);
    let mut unread = Vec::new();
    let mut texts: Vec<(PathBuf, FileText)> = Vec::new();
    for path in paths {
        match files::read(&path) {
            Ok(text) => texts.push((path, text)),
            Err(error) => unread.push((path, error)),
        }
    }
    unread.extend(list_error);
    let texts_of: Vec<(&Path, &str)> = texts.iter().map(|(path, file)| (path.as_path(), file.text.as_str())).collect();
    let modes: Vec<u32> = texts.iter().map(|(_, file)| file.mode).collect();
    understand(&texts_of, Outside::new(Some(purpose), modes.clone()), |findings| {
        for (path, error) in &unread {
            findings.file_problem(Severity::Error, path, error.to_string());
        }
        for ((path, _), mode) in texts_of.iter().zip(&modes) {
            outside::check_mode(path, *mode, findings);
        }
    })
}

/// Understands a text as the only file of a configuration, and looks at nothing outside of it: virtual hosts with a
/// password file have a key of zeros. For tests and fuzzing.
///
/// # Errors
///
/// All that is wrong, and the warnings too.
pub fn parse(text: &str) -> Result<Loaded, Problems> {
    understand(&[(Path::new("ucarp.toml"), text)], Outside::new(None, Vec::new()), |_| ())
}

/// From texts to settings. `begin` tells what is known already.
fn understand(
    texts: &[(&Path, &str)],
    mut outside: Outside,
    begin: impl FnOnce(&mut Findings<'_>),
) -> Result<Loaded, Problems> {
    let syntax: Vec<Syntax> = texts.iter().map(|(_, text)| Syntax::check(text)).collect();
    let trees: Vec<Tree<'_>> = texts.iter().zip(&syntax).map(|((_, text), syntax)| Tree::parse(text, syntax)).collect();
    let sources: Vec<Source<'_>> =
        texts.iter().zip(&trees).map(|((path, text), tree)| Source::new(path, text, tree.secrets())).collect();
    let mut findings = Findings::new(&sources);
    begin(&mut findings);
    let documents: Vec<Document> =
        trees.iter().enumerate().map(|(source, tree)| document::read(tree, source, &mut findings)).collect();
    let (mut hosts, secrets) = hosts(&documents, &mut outside, &mut findings);
    let checks = check::build(&documents, &mut hosts, &mut outside, &mut findings);
    conflict::check(&hosts, &mut findings);
    if let Some((path, _)) = texts.first().filter(|_| hosts.is_empty() && !findings.has_errors()) {
        findings.file_problem(Severity::Error, path, "no virtual host: write [virtual-host.NAME] and its keys");
    }
    let none = Layer::new();
    let top = documents.first().map_or(&none, |document| &document.top);
    let (grace, process, control) = (merged::grace(top), merged::process(top), merged::control(top));
    let hosts = hosts.into_iter().map(|(_, settings)| settings).collect();
    let settings = Settings { hosts, grace, checks, process, control };
    let files = texts.iter().map(|(path, _)| path.to_path_buf()).collect();
    if findings.has_errors() {
        return Err(findings.finish());
    }
    Ok(Loaded { settings, secrets, warnings: findings.finish(), files })
}

/// The virtual hosts of all files.
fn hosts<'d>(
    documents: &'d [Document],
    outside: &mut Outside,
    findings: &mut Findings<'_>,
) -> (Vec<(Merged<'d>, HostSettings)>, Vec<Secret>) {
    let (mut hosts, mut secrets) = (Vec::new(), Vec::new());
    let main = documents.first();
    for (source, document) in documents.iter().enumerate() {
        for host in &document.hosts {
            let mut layers = vec![&host.keys, &document.defaults];
            layers.extend(main.filter(|_| source > 0).map(|main| &main.defaults));
            let broken = document.broken || main.is_some_and(|main| main.broken);
            let merged = Merged { name: &host.name, site: &host.site, layers, broken };
            let (settings, secret) = host::build(&merged, outside, findings);
            hosts.push((merged, settings));
            secrets.push(secret);
        }
    }
    (hosts, secrets)
}

#[cfg(test)]
mod tests;
