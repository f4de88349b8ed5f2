//! The addresses of an instance.

use ucarp::config::KeyId;

use super::syntax::Node;
use crate::convert::draft::{Draft, Host, Value};
use crate::convert::ifconfig::address;

/// Reads the addresses, those that VRRP does not advertise too.
pub(super) fn read(instance: &Node, host: &mut Host, draft: &mut Draft) {
    for line in instance.items("virtual_ipaddress") {
        one(line, host, draft);
    }
    for line in instance.items("virtual_ipaddress_excluded") {
        let text = "an excluded address: CARP signs all addresses, so all hosts need the same list";
        draft.differs(&line.place, text);
        one(line, host, draft);
    }
}

/// A line: an address and how to add it.
fn one(line: &Node, host: &mut Host, draft: &mut Draft) {
    let place = &line.place;
    if address(line.key()).is_none() {
        return draft.fault(place, format!("{:?} is no address such as 192.0.2.254/24: correct it", line.key()));
    }
    host.add(KeyId::Addresses, line.key(), place.says(line.words.join(" ")));
    let mut words = line.words[1..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "dev" => {
                let device = words.next().unwrap_or_default();
                let is_own = host.text_of(KeyId::Interface).is_none_or(|own| own == device);
                if !is_own {
                    let text = format!(
                        "dev {device}: the addresses are on the interface of the virtual host; `hold = \"scripts\"` \
                                        can put them elsewhere"
                    );
                    draft.lost(place, text);
                }
            }
            "brd" | "broadcast" => {
                words.next();
            }
            "label" => label(words.next().unwrap_or_default(), line, host, draft),
            "scope" => match words.next() {
                Some(scope @ ("global" | "link" | "host")) => {
                    host.text(KeyId::Scope, scope, place.says(format!("scope {scope}")));
                }
                other => draft.lost(place, format!("scope {}", other.unwrap_or_default())),
            },
            "noprefixroute" => host.set(KeyId::PrefixRoute, Value::Flag(false), place.says(word)),
            "no_track" | "preferred_lft" | "home" => {}
            other => draft.lost(place, format!("{other} of {}", line.key())),
        }
    }
}

fn label(label: &str, line: &Node, host: &mut Host, draft: &mut Draft) {
    let is_other = host.text_of(KeyId::Label).is_some_and(|known| known != label);
    if is_other {
        draft.lost(&line.place, format!("label {label}: the addresses of a virtual host have one label"));
    } else {
        host.text(KeyId::Label, label, line.place.says(format!("label {label}")));
    }
}
