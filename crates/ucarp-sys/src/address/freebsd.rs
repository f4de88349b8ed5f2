//! FreeBSD: addresses by request, leases by a process of their own.
//!
//! An address that is put again would go and come back in the eyes of everybody who listens, and of the routing table.
//! So one that is there is left alone, and only its lease is renewed. Labels, scopes, marks and routes are not known
//! here.

use std::io;
use std::net::IpAddr;

use super::{Assignment, Found, Lease};
use crate::bsd::leases::Place;
use crate::bsd::request::{self, Request};
use crate::bsd::routing::Snapshot;
use crate::kernel::{Connection, Failure, KernelError};

/// Nothing: what [`primary_trap`] says is always known here.
pub type TrapError = std::convert::Infallible;

/// A lease as the kernel is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal(Lease);

impl Renewal {
    /// Which address, and where.
    #[must_use]
    pub fn at(&self) -> Assignment {
        self.0.at
    }
}

impl Lease {
    /// The request for this lease, to be made again and again.
    #[must_use]
    pub fn prepare(&self) -> Renewal {
        Renewal(self.clone())
    }
}

/// Adds addresses, or renews the time of those that are there. Returns those that were refused, by their numbers from 0,
/// ascending.
///
/// # Errors
/// A refused one names address and interface. Known: `ENXIO`, no such interface; `EPERM` for others than root.
pub fn put(connection: &mut Connection, leases: &[&Renewal]) -> Vec<(usize, Failure)> {
    let snapshot = connection.snapshot();
    let mut renewed = Vec::new();
    let mut put_one = |Renewal(lease): &Renewal| {
        let at = &lease.at;
        let snapshot =
            snapshot.as_ref().map_err(|error| copy(error)).map_err(|error| explain("adding", at, "", error))?;
        let name = name(snapshot, at.index);
        let interface = field(&name).map_err(|error| explain("adding", at, &name, error))?;
        if !snapshot.addresses.iter().any(|own| (own.index, own.address) == (at.index, at.address)) {
            let mut add = request::add(interface, at.address, at.prefix_len, lease.preferred);
            carry_out(connection, &mut add).map_err(|error| explain("adding", at, &name, error))?;
        }
        renewed.extend(lease.valid.map(|valid| (Place { interface, address: at.address }, valid)));
        Ok(())
    };
    let refused = refused(leases.iter().map(|lease| put_one(lease)));
    connection.expire(&renewed);
    refused
}

/// Removes addresses. One that is not there any more is removed; so is one whose interface is gone. Returns those that were
/// refused as [`put`] does.
///
/// # Errors
/// As [`put`].
pub fn remove(connection: &mut Connection, places: &[Assignment]) -> Vec<(usize, Failure)> {
    let snapshot = connection.snapshot();
    let mut forgotten = Vec::new();
    let mut remove_one = |at: &Assignment| {
        let snapshot =
            snapshot.as_ref().map_err(|error| copy(error)).map_err(|error| explain("removing", at, "", error))?;
        let name = name(snapshot, at.index);
        let Ok(interface) = field(&name) else { return Ok(()) };
        let result = carry_out(connection, &mut request::remove(interface, at.address));
        let is_gone = |error: &KernelError| matches!(error.errno(), Some(libc::EADDRNOTAVAIL | libc::ENXIO));
        match result {
            Err(error) if !is_gone(&error) => return Err(explain("removing", at, &name, error)),
            _ => forgotten.push((Place { interface, address: at.address }, std::time::Duration::ZERO)),
        }
        Ok(())
    };
    let refused = refused(places.iter().map(&mut remove_one));
    connection.expire(&forgotten);
    refused
}

fn refused(outcomes: impl Iterator<Item = Result<(), Failure>>) -> Vec<(usize, Failure)> {
    outcomes.enumerate().filter_map(|(number, outcome)| Some((number, outcome.err()?))).collect()
}

/// Every address of this host.
///
/// # Errors
/// The list cannot be read.
pub fn list(connection: &mut Connection) -> Result<Vec<Found>, KernelError> {
    let snapshot = connection.snapshot()?;
    let found = snapshot.addresses.iter().map(|own| {
        let at = Assignment { index: own.index, address: own.address, prefix_len: own.prefix_len };
        let answer = flags(connection, &snapshot, &at);
        Found {
            at,
            label: None,
            protocol: None,
            valid: None,
            secondary: false,
            tentative: answer.as_ref().is_some_and(|answer| request::is_tentative(answer.bytes())),
            deprecated: answer.as_ref().is_some_and(|answer| request::is_deprecated(answer.bytes())),
        }
    });
    Ok(found.collect())
}

/// Whether the end of a lease would take other addresses of the interface along: never here.
///
/// # Errors
/// None.
pub fn primary_trap(_: &mut Connection, _: &str, _: Assignment) -> Result<bool, TrapError> {
    Ok(false)
}

/// The answer of the kernel to the question for an IPv6 address's flags.
fn flags(connection: &Connection, snapshot: &Snapshot, at: &Assignment) -> Option<Request> {
    let IpAddr::V6(address) = at.address else { return None };
    let mut question = request::flags_v6(request::name(&name(snapshot, at.index))?, address);
    connection.request(&mut question).ok()?;
    Some(question)
}

/// The name of an interface; empty if there is none of this index.
fn name(snapshot: &Snapshot, index: u32) -> String {
    let link = snapshot.links.iter().find(|link| link.index == index);
    link.map(|link| link.name.clone()).unwrap_or_default()
}

fn field(name: &str) -> Result<[u8; crate::bsd::NAME_BYTES], KernelError> {
    let none = || KernelError::Refused { request: "the interface", source: io::Error::from_raw_os_error(libc::ENXIO) };
    request::name(name).ok_or_else(none)
}

fn carry_out(connection: &Connection, request: &mut Request) -> Result<(), KernelError> {
    let name = request.name();
    connection.request(request).map_err(|source| KernelError::Refused { request: name, source })
}

fn explain(verb: &str, at: &Assignment, name: &str, source: KernelError) -> Failure {
    let preposition = if verb == "adding" { "to" } else { "from" };
    let interface = if name.is_empty() { format!("interface {}", at.index) } else { name.to_owned() };
    Failure { what: format!("{verb} {}/{} {preposition} {interface}", at.address, at.prefix_len), source }
}

/// The same reason for each of several.
fn copy(error: &KernelError) -> KernelError {
    let source = error.errno().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error);
    KernelError::List(source)
}
