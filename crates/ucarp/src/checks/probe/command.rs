//! Programs of the operator.

use std::ffi::{OsStr, OsString};

use ucarp_sys::process::become_program;
use ucarp_sys::sandbox::{self, User};

use super::{Answer, unprivileged};

/// Becomes the program. An answer is given only if that is not possible.
pub(super) fn run(path: &OsStr, arguments: &[OsString], user: Option<&str>) -> Answer {
    let begin = || Answer::No(format!("{} cannot be run: {}", path.display(), become_program(path, arguments)));
    match user.map(sandbox::lookup_user) {
        None => unprivileged(begin),
        Some(Ok(Some(User { uid: 0, .. }))) => begin(),
        Some(Ok(Some(user))) => match sandbox::renounce(Some(&user)) {
            Ok(_) => begin(),
            Err(error) => Answer::Nothing(format!("it cannot be run as {user}: {error}")),
        },
        Some(Ok(None)) => Answer::Nothing(format!("there is no user {}", user.unwrap_or_default())),
        Some(Err(error)) => Answer::Nothing(format!("the user {} is not known: {error}", user.unwrap_or_default())),
    }
}
