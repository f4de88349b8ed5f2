//! The play: who is MASTER and why, a crash, a return, a planned stop, and what the client sees of each.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use netlab::{Direction, Host, Lab, Prober, Process, Signal, now, wait_until};

use crate::Error;
use crate::directory::Directory;
use crate::narrator::{self, Colour, Narrator};

/// The shared address.
const SHARED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const PREFIX: u8 = 24;

/// How often the audience gets new log lines.
const TICK: Duration = Duration::from_millis(10);
/// How long to wait for what has to happen; a busy machine may take its time.
const SOON: Duration = Duration::from_secs(10);
/// For how long a peaceful scene is watched.
const SCENE: Duration = Duration::from_millis(1500);
/// What the client may lose beyond what the daemons need: a busy machine again.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A host with its daemon.
struct Actor {
    host: Host,
    address: Ipv4Addr,
    /// `-k`: the smaller one is preferred.
    advskew: u8,
    colour: Colour,
    daemon: Option<Process>,
    /// Log lines that the audience has read.
    quoted: usize,
}

struct Play {
    narrator: Narrator,
    program: PathBuf,
    directory: Directory,
    alpha: Actor,
    beta: Actor,
    client: Host,
    /// Last, so that what runs in it is stopped by its own guard first.
    _lab: Lab,
}

/// Shows everything. An expectation that is not met is an error.
pub(crate) fn perform(program: PathBuf) -> Result<(), Error> {
    let narrator = Narrator::new();
    narrator.say("Two hosts and a client, each in a network namespace of its own. Nothing outside notices.")?;
    let directory = Directory::new("demonstration").map_err(Error::Directory)?;
    let lab = Lab::new()?;
    let actor = |name, octet, advskew, colour| -> Result<Actor, Error> {
        let address = Ipv4Addr::new(10, 0, 0, octet);
        let host = lab.host(name, octet, address, PREFIX)?;
        Ok(Actor { host, address, advskew, colour: Colour(colour), daemon: None, quoted: 0 })
    };
    let (alpha, beta) = (actor("alpha", 1, 0, "36")?, actor("beta", 2, 100, "33")?);
    let client = lab.host("client", 9, CLIENT, PREFIX)?;
    Play { narrator, program, directory, alpha, beta, client, _lab: lab }.run()
}

impl Play {
    fn run(mut self) -> Result<(), Error> {
        let prober = self.election()?;
        let crash = self.crash(&prober)?;
        self.comeback(&prober)?;
        let stop = self.planned_stop(&prober)?;
        self.narrator.say(&format!(
            "The client missed the address for {} when its host died, and for {} when its host was stopped as planned.",
            seconds(crash),
            seconds(stop)
        ))
    }

    fn election(&mut self) -> Result<Prober, Error> {
        self.narrator.say(&format!("alpha and beta start and share {SHARED}; alpha is preferred (-k 0)."))?;
        self.alpha.start(&self.program, &self.directory)?;
        self.beta.start(&self.program, &self.directory)?;
        self.narrator
            .say(&self.without_directory(&format!("alpha runs: {}", self.alpha.command_line(&self.directory))))?;
        self.expect("alpha to take the address", |play| play.alpha.holds())?;
        let prober = Prober::start(&self.client, SHARED, Prober::INTERVAL)?;
        let alpha = self.alpha.host.mac();
        self.expect_answer(&prober, alpha, "alpha")?;
        self.narrator.say(&format!("The client pings {SHARED} every 2 ms, and alpha answers."))?;
        self.watch(SCENE, |_| false)?;
        Ok(prober)
    }

    fn crash(&mut self, prober: &Prober) -> Result<Duration, Error> {
        let before = now();
        self.alpha.lose_power()?;
        self.narrator.say("alpha loses its power: no goodbye, nothing but silence.")?;
        self.expect("beta to take the address", |play| play.beta.holds())?;
        let beta = self.beta.host.mac();
        self.expect_answer(prober, beta, "beta")?;
        let outage = self.outage(prober, before)?;
        let allowed = self.beta.dead_time();
        self.narrator.say(&format!(
            "beta holds {SHARED} now. It did not answer for {}; beta waits for {} after the last word of a master.",
            seconds(outage),
            seconds(allowed)
        ))?;
        self.check_outage(outage, allowed + TOLERANCE)?;
        Ok(outage)
    }

    fn comeback(&mut self, prober: &Prober) -> Result<(), Error> {
        let before = now();
        self.alpha.boot()?;
        self.alpha.start(&self.program, &self.directory)?;
        self.narrator.say("alpha boots again. Without -P it does not take the address back.")?;
        self.expect("alpha to listen", |play| play.alpha.has_said("Listening as BACKUP"))?;
        self.watch(SCENE, |play| play.alpha.holds())?;
        if self.alpha.holds() || !self.beta.holds() {
            return Err(self.unexpected("beta to keep the address"));
        }
        let outage = self.outage(prober, before)?;
        self.check_outage(outage, TOLERANCE)
    }

    fn planned_stop(&mut self, prober: &Prober) -> Result<Duration, Error> {
        let before = now();
        self.narrator.say("beta is stopped as planned (SIGTERM, -z): address down, goodbye.")?;
        self.beta.signal(Signal::TERM)?;
        self.expect("alpha to take the address and beta to be without", |play| {
            play.alpha.holds() && !play.beta.holds()
        })?;
        let alpha = self.alpha.host.mac();
        self.expect_answer(prober, alpha, "alpha")?;
        self.expect("beta's daemon to end with success", |play| play.beta.has_ended_well())?;
        let outage = self.outage(prober, before)?;
        self.narrator.say(&format!("alpha holds {SHARED} now. It did not answer for {}.", seconds(outage)))?;
        self.check_outage(outage, TOLERANCE)?;
        Ok(outage)
    }

    /// Shows what the daemons log until `condition` holds or the time is over. Whether it held.
    fn watch(&mut self, within: Duration, condition: impl Fn(&Play) -> bool) -> Result<bool, Error> {
        let deadline = now() + nanos(within);
        loop {
            let held = condition(self);
            self.quote()?;
            if held || now() >= deadline {
                return Ok(held);
            }
            wait_until(TICK, || condition(self));
        }
    }

    fn expect(&mut self, what: &str, condition: impl Fn(&Play) -> bool) -> Result<(), Error> {
        if self.watch(SOON, condition)? { Ok(()) } else { Err(self.unexpected(what)) }
    }

    fn expect_answer(&mut self, prober: &Prober, mac: [u8; 6], name: &str) -> Result<(), Error> {
        let since = now();
        let what = format!("{name} to answer the client");
        self.expect(&what, |_| {
            prober.wait_for_answer(since, Duration::ZERO).is_some()
                && prober.answering_mac().is_ok_and(|answering| answering == Some(mac))
        })
    }

    fn outage(&mut self, prober: &Prober, since: u64) -> Result<Duration, Error> {
        // What was sent a moment ago is not judged yet.
        self.watch(Duration::from_millis(200), |_| false)?;
        Ok(prober.outage(since, now()))
    }

    fn check_outage(&self, outage: Duration, allowed: Duration) -> Result<(), Error> {
        if outage <= allowed {
            return Ok(());
        }
        let expected = format!("an outage of at most {}", seconds(allowed));
        Err(Error::Unexpected { expected, found: format!("it was {}", seconds(outage)) })
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = format!("{}; {}", self.alpha.describe(), self.beta.describe());
        Error::Unexpected { expected: expected.to_owned(), found }
    }

    fn quote(&mut self) -> Result<(), Error> {
        let mut lines: Vec<_> = self.alpha.unquoted();
        lines.extend(self.beta.unquoted());
        // By the daemons' own stamps, as the two pipes of a daemon are read by turns; what has none comes last.
        lines.sort_by(|(.., text), (.., other)| sort_key(text).cmp(sort_key(other)));
        lines.iter().try_for_each(|(at, host, colour, text)| {
            self.narrator.quote(*at, host, *colour, &self.without_directory(text))
        })
    }

    /// The directory's name tells nothing and fills the line.
    fn without_directory(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

impl Actor {
    fn start(&mut self, program: &PathBuf, directory: &Directory) -> Result<(), Error> {
        let mut command = Command::new(program);
        command.args(self.arguments(directory));
        self.daemon = Some(self.host.spawn(command)?);
        self.quoted = 0;
        Ok(())
    }

    /// S1 of every UCARP tutorial, in the foreground, and without the machine's syslog.
    fn arguments(&self, directory: &Directory) -> Vec<String> {
        let (address, shared, advskew) = (self.address.to_string(), SHARED.to_string(), self.advskew.to_string());
        let [password, up, down] = [directory.password_file(), directory.up_script(), directory.down_script()]
            .map(|path| path.to_string_lossy().into_owned());
        ["-i", "eth0", "-s", &address, "-v", "1", "-k", &advskew, "-o", &password, "-a", &shared]
            .into_iter()
            .chain(["-u", &up, "-d", &down, "-z", "-f", "none"])
            .map(str::to_owned)
            .collect()
    }

    fn command_line(&self, directory: &Directory) -> String {
        format!("ucarp {}", self.arguments(directory).join(" "))
    }

    /// `deadratio * advbase + advskew/256` s with the defaults 3 and 1.
    fn dead_time(&self) -> Duration {
        Duration::from_secs(3) + Duration::from_secs(1) * u32::from(self.advskew) / 256
    }

    /// Whether the virtual address is on this host. One whose state cannot be read holds nothing that counts.
    fn holds(&self) -> bool {
        self.host.has_address(SHARED).unwrap_or(false)
    }

    fn has_said(&self, text: &str) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| daemon.wait_for_line(text, Duration::ZERO).is_some())
    }

    fn has_ended_well(&self) -> bool {
        let status = self.daemon.as_ref().and_then(|daemon| daemon.wait(Duration::ZERO).ok().flatten());
        status.is_some_and(|status| status.success())
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        match &self.daemon {
            Some(daemon) => Ok(daemon.signal(signal)?),
            None => Ok(()),
        }
    }

    /// From one moment to the next nothing comes from this host, and nothing on it runs.
    fn lose_power(&self) -> Result<(), Error> {
        self.host.silence(Direction::Both)?;
        if let Some(daemon) = &self.daemon {
            daemon.signal_all(Signal::KILL)?;
        }
        Ok(self.host.unplug()?)
    }

    /// A host that boots has its own address and nothing else.
    fn boot(&self) -> Result<(), Error> {
        self.host.remove_address(SHARED, 32)?;
        self.host.unsilence()?;
        self.host.plug()?;
        Ok(self.host.wait_connected()?)
    }

    fn unquoted(&mut self) -> Vec<(u64, String, Colour, String)> {
        let lines = self.daemon.as_ref().map(Process::lines).unwrap_or_default();
        let new = lines.get(self.quoted..).unwrap_or_default();
        self.quoted += new.len();
        new.iter().map(|line| (line.at, self.host.name().to_owned(), self.colour, line.text.clone())).collect()
    }

    fn describe(&self) -> String {
        let address = if self.holds() { "holds the address" } else { "is without it" };
        let daemon = self.daemon.as_ref().and_then(|daemon| daemon.wait(Duration::ZERO).ok().flatten());
        match daemon {
            Some(status) => format!("{} {address}, its daemon ended with {status}", self.host.name()),
            None => format!("{} {address}", self.host.name()),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn sort_key(line: &str) -> &str {
    narrator::stamp(line).unwrap_or("~")
}
