//! What a service answers when it does not do what it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An error reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters")]
pub enum Refusal {
    /// No virtual host is called that.
    #[error("there is no virtual host {virtual_host:?}: there is {}", list(.known))]
    #[serde(rename = "io.ucarp.NoSuchVirtualHost")]
    NoSuchVirtualHost {
        /// What was asked for.
        virtual_host: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Several are called that.
    #[error("{virtual_host:?} is not enough to tell which: there is {}", list(.known))]
    #[serde(rename = "io.ucarp.AmbiguousVirtualHost")]
    AmbiguousVirtualHost {
        /// What was asked for.
        virtual_host: String,
        /// What it could mean.
        known: Vec<String>,
    },
    /// Somebody else may.
    #[error("{method} is for {needs}")]
    #[serde(rename = "io.ucarp.NotPermitted")]
    NotPermitted {
        /// What was asked for.
        method: String,
        /// Who may.
        needs: String,
    },
    /// Not as things are.
    #[error("{reason}")]
    #[serde(rename = "io.ucarp.NotPossible")]
    NotPossible {
        /// Why.
        reason: String,
    },
    /// Later, perhaps.
    #[error("{reason}")]
    #[serde(rename = "io.ucarp.Busy")]
    Busy {
        /// Why.
        reason: String,
    },
    /// The service has no such interface.
    #[error("there is no interface {interface}")]
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound {
        /// What was asked for.
        interface: String,
    },
    /// The interface has no such method: the daemon is older than its client, or the name is misspelt.
    #[error("there is no method {method}")]
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound {
        /// What was asked for.
        method: String,
    },
    /// Not in this daemon.
    #[error("this daemon does not have {method}")]
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    MethodNotImplemented {
        /// What was asked for.
        method: String,
    },
    /// A parameter is missing, unknown or of another type.
    #[error("invalid parameter: {parameter}")]
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter {
        /// Which one, and what is wrong with it.
        parameter: String,
    },
    /// Not for this client.
    #[error("permission denied")]
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    PermissionDenied {},
    /// The method has to be called with "more".
    #[error("this method has several replies and is called with \"more\"")]
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore {},
    /// An error that is not known here.
    #[error("{error} {parameters}")]
    #[serde(skip)]
    Other {
        /// Its name.
        error: String,
        /// What comes with it.
        parameters: Value,
    },
}

impl Refusal {
    /// What a reply with an error means.
    #[must_use]
    pub fn from_reply(error: &str, parameters: Option<Value>) -> Self {
        let parameters = parameters.unwrap_or_else(|| json!({}));
        let known = serde_json::from_value(json!({ "error": error, "parameters": parameters }));
        known.unwrap_or_else(|_| Self::Other { error: error.to_owned(), parameters })
    }
}

/// The first ones of a list that may be long.
fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    match names.len() {
        0 => "none".to_owned(),
        length if length > MOST => format!("{} and {} more", names[..MOST].join(", "), length - MOST),
        _ => names.join(", "),
    }
}
