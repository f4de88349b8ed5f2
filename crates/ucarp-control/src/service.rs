//! What every varlink service has: the interface `org.varlink.service`.

use serde::{Deserialize, Serialize};

use crate::calls::Call;
use crate::refusal::Refusal;

/// The name of the interface.
pub const INTERFACE: &str = "org.varlink.service";

/// The definition of the interface.
pub const DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// Which interfaces there are, and who made the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetInfo {}

impl Call for GetInfo {
    const METHOD: &'static str = "org.varlink.service.GetInfo";
    type Reply = Info;
}

/// Reply to [`GetInfo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub product: String,
    /// Of the product.
    pub version: String,
    /// Where to read more.
    pub url: String,
    /// The names of the interfaces.
    pub interfaces: Vec<String>,
}

/// Of the daemon of this version.
#[must_use]
pub fn info() -> Info {
    Info {
        vendor: "ucarp-rs".into(),
        product: "ucarp".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        // docs/control.md comes with the program; nothing on the network has to.
        url: String::new(),
        interfaces: vec![INTERFACE.into(), crate::INTERFACE.into()],
    }
}

/// The definition of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetInterfaceDescription {
    /// Its name.
    pub interface: String,
}

impl Call for GetInterfaceDescription {
    const METHOD: &'static str = "org.varlink.service.GetInterfaceDescription";
    type Reply = Description;
}

/// Reply to [`GetInterfaceDescription`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// In varlink's language.
    pub description: String,
}

/// The definition of an interface that the daemon has.
///
/// # Errors
///
/// It has none of this name.
pub fn description(interface: &str) -> Result<Description, Refusal> {
    let description = match interface {
        INTERFACE => DESCRIPTION,
        crate::INTERFACE => crate::DESCRIPTION,
        unknown => return Err(Refusal::InterfaceNotFound { interface: unknown.into() }),
    };
    Ok(Description { description: description.into() })
}
