//! The up and down scripts of a node, as the daemon runs them: one at a time, only the last wish waits.

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Takes the address.
    Up,
    /// Gives it up.
    Down,
}

/// The scripts of one node.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    running: Option<Script>,
    next: Option<Script>,
}

impl Scripts {
    /// Wishes the outcome of `script`. Returns it if it has to be started now.
    pub(crate) fn request(&mut self, script: Script) -> Option<Script> {
        match self.running {
            None => {
                self.running = Some(script);
                self.running
            }
            Some(running) => {
                self.next = (running != script).then_some(script);
                None
            }
        }
    }

    /// The running script has ended. Returns it if its outcome is the one that was wished last, and else the one that
    /// has to be started now.
    pub(crate) fn ended(&mut self) -> Result<Script, Script> {
        let ended = self.running.take().expect("a script that ends has been running");
        match self.next.take() {
            Some(next) => {
                self.running = Some(next);
                Err(next)
            }
            None => Ok(ended),
        }
    }

    /// The one that runs.
    pub(crate) fn running(&self) -> Option<Script> {
        self.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_wish_waits_and_only_its_outcome_is_told() {
        let mut scripts = Scripts::default();
        assert_eq!(scripts.request(Script::Up), Some(Script::Up));
        assert_eq!(scripts.request(Script::Down), None);
        assert_eq!(scripts.request(Script::Up), None, "which makes the down script superfluous");
        assert_eq!(scripts.ended(), Ok(Script::Up));
        assert_eq!(scripts.running(), None);
        assert_eq!(scripts.request(Script::Down), Some(Script::Down));
        assert_eq!(scripts.request(Script::Up), None);
        assert_eq!(scripts.ended(), Err(Script::Up));
        assert_eq!(scripts.ended(), Ok(Script::Up));
    }
}
