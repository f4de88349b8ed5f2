//! Requests and their replies.

use carp_core::time::Instant;
use ucarp_control::calls::{
    Announce, Call, Demote, Done, Explain, ExplainReply, GetConfiguration, GetDaemon, GetDaemonReply, GetEvents,
    GetEventsReply, GetVirtualHosts, GetVirtualHostsReply, HandOver, Hold, Promote, Release, Reload, ReloadReply,
    SetLogLevel, Silence,
};
use ucarp_control::framing::{self, Request};
use ucarp_control::service::{self, GetInfo, GetInterfaceDescription};
use ucarp_control::{INTERFACE, Refusal};

use super::client::{Client, Gone, Rights};
use super::job::{Job, PATIENCE};
use crate::engine::Engine;
use crate::protocol::HostNumber;
use crate::protocol::control::{Asked, Facts};

/// The configuration of a few thousand virtual hosts, in octets.
const LONGEST_CONFIGURATION: usize = 8 * 1024 * 1024;

/// What comes of a request.
enum Answer {
    /// This reply.
    Reply(Vec<u8>),
    /// Replies that are made later.
    Job(Job),
}

fn written(reply: &impl serde::Serialize, continues: bool) -> Answer {
    Answer::Reply(bytes(framing::reply(reply, continues)))
}

fn bytes(written: serde_json::Result<Vec<u8>>) -> Vec<u8> {
    written.expect("all that is told can be said in JSON")
}

impl Engine {
    /// Begins with a request. One that is no request ends the connection: nobody knows what follows.
    pub(super) fn answer(&mut self, now: Instant, client: &mut Client, request: &[u8]) -> Result<(), Gone> {
        let request: Request = serde_json::from_slice(request).map_err(|_| Gone)?;
        client.is_mute = request.oneway;
        match self.dispatch(now, client.rights, &request) {
            Ok(Answer::Reply(reply)) => client.reply(now, &reply),
            Ok(Answer::Job(job)) => client.job = Some(job).filter(|_| !request.oneway),
            Err(refusal) => client.reply(now, &bytes(framing::refuse(&refusal))),
        }
        Ok(())
    }

    fn dispatch(&mut self, now: Instant, rights: Rights, request: &Request) -> Result<Answer, Refusal> {
        let method = request.method.as_str();
        match method {
            GetInfo::METHOD => return Ok(written(&service::info(), false)),
            GetInterfaceDescription::METHOD => {
                let call: GetInterfaceDescription = request.parameters()?;
                return Ok(written(&service::description(&call.interface)?, false));
            }
            _ => {}
        }
        if let Some(answer) = self.look(now, rights, request)? {
            return Ok(answer);
        }
        if let Some(answer) = self.wanted(now, rights, request)? {
            return Ok(answer);
        }
        let (interface, _) = method.rsplit_once('.').unwrap_or(("", method));
        if [INTERFACE, service::INTERFACE].contains(&interface) {
            return Err(Refusal::MethodNotFound { method: method.to_owned() });
        }
        Err(Refusal::InterfaceNotFound { interface: interface.to_owned() })
    }

    /// What members of the group may ask.
    fn look(&mut self, now: Instant, rights: Rights, request: &Request) -> Result<Option<Answer>, Refusal> {
        let permitted = || match rights {
            Rights::Nothing => Err(not_permitted(request, "root and members of the socket's group")),
            _ => Ok(()),
        };
        let answer = match request.method.as_str() {
            GetDaemon::METHOD => {
                permitted()?;
                let _: GetDaemon = request.parameters()?;
                written(&GetDaemonReply { daemon: self.show_daemon() }, false)
            }
            GetVirtualHosts::METHOD => {
                permitted()?;
                self.virtual_hosts(request, &request.parameters()?)?
            }
            GetEvents::METHOD => {
                permitted()?;
                self.events(request, &request.parameters()?)?
            }
            Explain::METHOD => {
                permitted()?;
                let call: Explain = request.parameters()?;
                let host = self.find(&call.virtual_host)?;
                written(&ExplainReply { explanation: self.explain(now, host) }, false)
            }
            GetConfiguration::METHOD => {
                permitted()?;
                let _: GetConfiguration = request.parameters()?;
                self.ask_guardian(now, Asked::Configuration)?;
                Answer::Job(Job::Configuration { asked: now, text: String::new() })
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    fn virtual_hosts(&self, request: &Request, call: &GetVirtualHosts) -> Result<Answer, Refusal> {
        let (next, and_all_behind) = match &call.virtual_host {
            Some(name) => (self.find(name)?, false),
            None if !request.more => return Err(Refusal::ExpectedMore {}),
            None => (HostNumber(0), true),
        };
        Ok(Answer::Job(Job::VirtualHosts { next, and_all_behind, asked: None }))
    }

    fn events(&self, request: &Request, call: &GetEvents) -> Result<Answer, Refusal> {
        if !request.more {
            return Err(Refusal::ExpectedMore {});
        }
        let host = call.virtual_host.as_deref().map(|name| self.find(name)).transpose()?;
        let history = &self.control.history;
        let most = call.most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let cursor = history.before_last(host, most).max(call.after.unwrap_or(0));
        let last = (!call.follow.unwrap_or(false)).then(|| history.last());
        Ok(Answer::Job(Job::Events { host, cursor, last }))
    }

    /// What only root, or who runs the daemon, may want.
    fn wanted(&mut self, now: Instant, rights: Rights, request: &Request) -> Result<Option<Answer>, Refusal> {
        let permitted = || match rights {
            Rights::Change => Ok(()),
            _ => Err(not_permitted(request, "root")),
        };
        match request.method.as_str() {
            Demote::METHOD => {
                permitted()?;
                self.demoted_by_operator(now, &request.parameters()?)?;
            }
            Promote::METHOD => {
                permitted()?;
                self.promoted_by_operator(now, &request.parameters()?)?;
            }
            Hold::METHOD => {
                permitted()?;
                let call: Hold = request.parameters()?;
                self.held_by_operator(now, call.virtual_host.as_deref(), true)?;
            }
            Release::METHOD => {
                permitted()?;
                let call: Release = request.parameters()?;
                self.held_by_operator(now, call.virtual_host.as_deref(), false)?;
            }
            HandOver::METHOD => {
                permitted()?;
                let call: HandOver = request.parameters()?;
                self.hand_over(now, call.virtual_host.as_deref())?;
            }
            Announce::METHOD => {
                permitted()?;
                let call: Announce = request.parameters()?;
                self.announce(now, call.virtual_host.as_deref())?;
            }
            Silence::METHOD => {
                permitted()?;
                self.silence(now, &request.parameters()?)?;
            }
            SetLogLevel::METHOD => {
                permitted()?;
                self.set_log_level(&request.parameters()?)?;
            }
            Reload::METHOD => {
                permitted()?;
                let _: Reload = request.parameters()?;
                self.ask_guardian(now, Asked::Reload)?;
                self.note(None, "command", "reload", "told to read the configuration again");
                return Ok(Some(Answer::Job(Job::Reload { asked: now })));
            }
            _ => return Ok(None),
        }
        Ok(Some(written(&Done {}, false)))
    }

    /// Asks what takes the guardian a while. One question at a time: an answer does not say whose it is.
    fn ask_guardian(&mut self, now: Instant, question: Asked) -> Result<(), Refusal> {
        if self.guardian.is_gone() {
            let reason = "the guardian has died: end this process and start ucarp again".into();
            return Err(Refusal::NotPossible { reason });
        }
        if self.control.asked.is_some_and(|asked| now - asked < PATIENCE) {
            return Err(Refusal::Busy { reason: "the guardian is answering another client: try again".into() });
        }
        self.control.asked = Some(now);
        self.guardian.ask(question);
        Ok(())
    }

    /// Goes on with a job. Whether there may be more to do at once.
    pub(super) fn go_on(&mut self, now: Instant, client: &mut Client, job: Job) -> bool {
        match job {
            Job::VirtualHosts { next, and_all_behind, asked } => {
                self.next_virtual_host(now, client, next, and_all_behind, asked)
            }
            Job::Events { host, cursor, last } => self.next_event(now, client, host, cursor, last),
            overdue if overdue.is_overdue(now) => {
                let reason = "the guardian has not answered".into();
                client.reply(now, &bytes(framing::refuse(&Refusal::NotPossible { reason })));
                true
            }
            waiting => {
                client.job = Some(waiting);
                false
            }
        }
    }

    fn next_virtual_host(
        &mut self,
        now: Instant,
        client: &mut Client,
        next: HostNumber,
        and_all_behind: bool,
        asked: Option<Instant>,
    ) -> bool {
        let none = GetVirtualHostsReply { virtual_host: None };
        let found = self.hosts.range(next..).next().map(|(host, _)| *host);
        let Some(host) = found.filter(|host| and_all_behind || *host == next) else {
            client.reply(now, &bytes(framing::reply(&none, false)));
            return true;
        };
        let facts = self.control.facts.get(&host).cloned();
        let is_over = asked.is_some_and(|_| Job::VirtualHosts { next, and_all_behind, asked }.is_overdue(now));
        if facts.is_none() && !is_over && !self.guardian.is_gone() {
            if asked.is_none() {
                self.guardian.ask(Asked::Facts(host));
            }
            client.job = Some(Job::VirtualHosts { next: host, and_all_behind, asked: asked.or(Some(now)) });
            return false;
        }
        let behind = HostNumber(host.0.saturating_add(1));
        let continues = and_all_behind && self.hosts.range(behind..).next().is_some();
        let virtual_host = Some(self.show(now, host, facts));
        client.reply(now, &bytes(framing::reply(&GetVirtualHostsReply { virtual_host }, continues)));
        if continues {
            client.job = Some(Job::VirtualHosts { next: behind, and_all_behind, asked: None });
        }
        true
    }

    fn next_event(
        &mut self,
        now: Instant,
        client: &mut Client,
        host: Option<HostNumber>,
        cursor: u64,
        last: Option<u64>,
    ) -> bool {
        let until = last.unwrap_or(u64::MAX);
        let next = |cursor| self.control.history.after(host, cursor).filter(|(number, _)| *number <= until);
        match (next(cursor), last) {
            (Some((number, event)), _) => {
                let reply = GetEventsReply { event: Some(self.show_event(number, event)) };
                let continues = last.is_none() || next(number).is_some();
                client.reply(now, &bytes(framing::reply(&reply, continues)));
                if continues {
                    client.job = Some(Job::Events { host, cursor: number, last });
                }
                true
            }
            (None, Some(_)) => {
                client.reply(now, &bytes(framing::reply(&GetEventsReply { event: None }, false)));
                true
            }
            // Who has closed does not want to know what is to come.
            (None, None) if client.has_ended => true,
            (None, None) => {
                client.job = Some(Job::Events { host, cursor, last });
                false
            }
        }
    }

    /// The guardian has told what it knows of a virtual host.
    pub(in crate::engine) fn facts_are(&mut self, host: HostNumber, facts: Facts) {
        let waits = |client: &&mut Client| matches!(client.job, Some(Job::VirtualHosts { next, .. }) if next == host);
        let mut is_wanted = false;
        for client in self.control.clients.iter_mut().filter(waits) {
            client.has_work = true;
            is_wanted = true;
        }
        if is_wanted {
            self.control.facts.insert(host, facts);
        }
    }

    /// The guardian has read the configuration.
    pub(in crate::engine) fn reloaded(&mut self, now: Instant, reply: &ReloadReply) {
        self.control.asked = None;
        let reply = bytes(framing::reply(reply, false));
        for client in &mut self.control.clients {
            if client.job.take_if(|job| matches!(job, Job::Reload { .. })).is_some() {
                client.reply(now, &reply);
                client.has_work = true;
            }
        }
    }

    /// The guardian has told a part of the configuration. It becomes JSON part by part, so that no turn takes long.
    pub(in crate::engine) fn configuration_is(&mut self, now: Instant, part: &str, is_last: bool) {
        self.control.asked = self.control.asked.filter(|_| !is_last);
        let part = serde_json::to_string(part).expect("a text can be said in JSON");
        for client in &mut self.control.clients {
            let Some(Job::Configuration { text, .. }) = &mut client.job else { continue };
            text.push_str(&part[1..part.len() - 1]);
            let reply = if text.len() > LONGEST_CONFIGURATION {
                let reason = format!("the configuration is longer than {LONGEST_CONFIGURATION} octets");
                bytes(framing::refuse(&Refusal::NotPossible { reason }))
            } else if is_last {
                format!("{{\"parameters\":{{\"toml\":\"{text}\"}}}}\0").into_bytes()
            } else {
                continue;
            };
            client.job = None;
            client.reply(now, &reply);
            client.has_work = true;
        }
    }
}

fn not_permitted(request: &Request, needs: &str) -> Refusal {
    Refusal::NotPermitted { method: request.method.clone(), needs: needs.to_owned() }
}
