//! Where the key of a virtual host comes from.

use std::path::PathBuf;

use carp_core::auth::{KEY_LEN, Key};

use super::merged::Merged;
use super::outside::Outside;
use super::problem::Findings;
use super::table::KeyId;
use super::value::Value;

/// Where a key came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The file of `password-file`.
    File {
        /// The file.
        path: PathBuf,
        /// `allow-readable-password-file`: other users may read or change it.
        readable: bool,
    },
    /// `password` or `key` in the configuration itself.
    Inline,
}

/// The three ways to give a key.
const WAYS: [KeyId; 3] = [KeyId::Password, KeyId::PasswordFile, KeyId::Key];

/// The key of a virtual host, one of zeros if there is none; that has been told then.
pub(super) fn find(host: &Merged<'_>, outside: &mut Outside, findings: &mut Findings<'_>) -> (Key, Secret) {
    // The virtual host's own way before the defaults', whichever these are.
    let given = host.layers.iter().map(|layer| WAYS.iter().filter_map(|id| layer.get(id)).collect::<Vec<_>>());
    let Some(given) = given.into_iter().find(|entries| !entries.is_empty()) else {
        if !host.broken {
            let draft = findings.error(host.site, format!("the virtual host `{}` has no password", host.name));
            draft.help("give `password-file`, `password` or `key`, here or in [defaults]").tell();
        }
        return (no_key(), Secret::Inline);
    };
    if let [first, second, ..] = given[..] {
        let draft = findings.error(&second.key, "only one of `password`, `password-file` and `key` can be given");
        draft.also(&first.key, "given here").tell();
    }
    let entry = given[0];
    match &entry.value {
        Some(Value::Key(key)) => {
            outside.secret_in_file(&entry.key, findings);
            (key.clone(), Secret::Inline)
        }
        Some(Value::File(path)) => {
            let readable = host.flag(KeyId::AllowReadablePasswordFile);
            let key = outside.password(path, readable, &entry.site, findings);
            (key.unwrap_or_else(no_key), Secret::File { path: path.clone(), readable })
        }
        _ => (no_key(), Secret::Inline),
    }
}

fn no_key() -> Key {
    Key::from_bytes([0; KEY_LEN])
}
