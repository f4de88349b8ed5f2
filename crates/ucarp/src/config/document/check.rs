//! The tables of checks.

use toml::de::{DeTable, DeValue};

use super::{Layer, Name, NamedLayer, Walk, key_name, sorted};
use crate::config::nearest::nearest;
use crate::config::table::{CHECK_KEYS, CheckKey, find_check};
use crate::config::{table, text};
use crate::settings;

impl Walk<'_, '_> {
    pub(super) fn checks(&mut self, table: &DeTable<'_>) -> Vec<NamedLayer> {
        let mut checks = Vec::new();
        for (key, value) in sorted(table) {
            let site = self.site(key.span());
            let name = key.get_ref();
            let DeValue::Table(keys) = value.get_ref() else {
                let draft = self.findings.error(&site, format!("`{}` is no check", key_name(name)));
                draft.help("write [check.NAME] above the keys of each check").tell();
                continue;
            };
            if !text::is_host_name(name) {
                let message = "the name of a check must be 1 to 64 letters, digits, `.`, `_` and `-`";
                self.findings.error(&site, message).tell();
            }
            checks.push(NamedLayer { name: name.to_string(), site, keys: self.check_layer(keys, |_| true) });
        }
        checks
    }

    pub(super) fn isolation(&mut self, key: &Name<'_>, table: &DeTable<'_>) -> NamedLayer {
        let keys = self.check_layer(table, CheckKey::is_of_isolation);
        NamedLayer { name: settings::ISOLATION.into(), site: self.site(key.span()), keys }
    }

    fn check_layer(&mut self, table: &DeTable<'_>, is_here: fn(CheckKey) -> bool) -> Layer {
        let mut layer = Layer::new();
        for (key, value) in sorted(table) {
            let name = key.get_ref();
            match find_check(name) {
                Some((id, spec)) if is_here(id) => self.entry(spec, key, value, &mut layer),
                Some((_, spec)) => {
                    let site = self.site(key.span());
                    self.belongs_elsewhere(spec, &site);
                }
                None => {
                    let site = self.site(key.span());
                    if let Some(spec) = table::find(name) {
                        self.belongs_elsewhere(spec, &site);
                        continue;
                    }
                    let names = CHECK_KEYS.iter().map(|spec| spec.name);
                    let found = nearest(name, names).map(|known| format!("did you mean `{known}`?"));
                    let help = found.unwrap_or_else(|| "ucarp.toml(5) has all keys of checks".into());
                    self.findings.error(&site, format!("unknown key `{}`", key_name(name))).help(help).tell();
                }
            }
        }
        layer
    }
}
