//! What a virtual host is, in octets.

use std::net::IpAddr;

use carp_core::auth::{AddressList, Key};
use carp_core::election::TieRule;
use carp_core::host::{
    Authentication, ConflictAnswer, ConflictPolicy, Credentials, GroupId, HoldDown, MacMode, Policy, Transport,
    VirtualHostConfig,
};
use carp_core::timing::Interval;

use super::{Malformed, Reader, Writer, local, place, put_local};

const AUTHENTICATIONS: [Authentication; 3] = [Authentication::Classic, Authentication::Observe, Authentication::Strict];
const ANSWERS: [ConflictAnswer; 3] = [ConflictAnswer::Defend, ConflictAnswer::Yield, ConflictAnswer::Report];
const TIES: [TieRule; 3] = [TieRule::UcarpLittleEndian, TieRule::Numeric, TieRule::Kernel];

pub(super) fn put_config(writer: &mut Writer, config: &VirtualHostConfig) {
    writer.number(config.link.0);
    writer.octet(config.vhid);
    let Credentials { key, addresses, link_local_in_digest, lladdr } = &config.credentials;
    writer.0.extend_from_slice(key.as_bytes());
    writer.ips(addresses.v4().map(IpAddr::V4).chain(addresses.v6().map(IpAddr::V6)));
    writer.flag(*link_local_in_digest);
    writer.option(*lladdr, Writer::mac);
    put_local(writer, &config.local);
    match &config.transport {
        Transport::Multicast { v4, v6, broadcast } => {
            writer.octet(0);
            writer.v4(*v4);
            writer.v6(*v6);
            writer.flag(*broadcast);
        }
        Transport::Unicast { peers, any_ttl } => {
            writer.octet(1);
            writer.ips(peers.iter().copied());
            writer.flag(*any_ttl);
        }
    }
    writer.flag(config.mac == MacMode::Virtual);
    writer.octet(config.interval.advbase);
    writer.octet(config.interval.advskew);
    writer.number(config.dead_ratio);
    writer.flag(config.preempt);
    writer.octet(place(&TIES, &config.tie));
    writer.flag(config.pseudo_header_checksum);
    writer.octet(place(&AUTHENTICATIONS, &config.authentication));
    put_policy(writer, &config.policy);
}

fn put_policy(writer: &mut Writer, policy: &Policy) {
    writer.flag(policy.ranked_demotion);
    writer.flag(policy.demotion_byte);
    writer.nanos(policy.preempt_delay);
    writer.nanos(policy.start_delay);
    writer.option(policy.hold_down, |writer, hold_down| {
        writer.octet(hold_down.takeovers);
        writer.nanos(hold_down.window);
        writer.nanos(hold_down.length);
    });
    writer.option(policy.refresh, Writer::nanos);
    writer.option(policy.conflict, |writer, conflict| {
        writer.octet(place(&ANSWERS, &conflict.answer));
        writer.flag(conflict.probes);
    });
    writer.option(policy.group, |writer, group| writer.number(group.0));
}

fn policy(reader: &mut Reader<'_>) -> Result<Policy, Malformed> {
    Ok(Policy {
        ranked_demotion: reader.flag()?,
        demotion_byte: reader.flag()?,
        preempt_delay: reader.duration()?,
        start_delay: reader.duration()?,
        hold_down: reader.option(|reader| {
            let takeovers = reader.octet("number of takeovers")?;
            Ok(HoldDown { takeovers, window: reader.duration()?, length: reader.duration()? })
        })?,
        refresh: reader.option(Reader::duration)?,
        conflict: reader.option(|reader| {
            Ok(ConflictPolicy { answer: reader.choice(&ANSWERS, "answer")?, probes: reader.flag()? })
        })?,
        group: reader.option(|reader| reader.number().map(GroupId))?,
    })
}

pub(super) fn config(reader: &mut Reader<'_>) -> Result<VirtualHostConfig, Malformed> {
    Ok(VirtualHostConfig {
        link: reader.link()?,
        vhid: reader.octet("vhid")?,
        credentials: Credentials {
            key: Key::from_bytes(reader.array("key")?),
            addresses: AddressList::new(reader.ips()?),
            link_local_in_digest: reader.flag()?,
            lladdr: reader.option(Reader::mac)?,
        },
        local: local(reader)?,
        transport: match reader.octet("transport")? {
            0 => Transport::Multicast { v4: reader.v4()?, v6: reader.v6()?, broadcast: reader.flag()? },
            1 => Transport::Unicast { peers: reader.ips()?, any_ttl: reader.flag()? },
            _ => return Err(reader.malformed("transport")),
        },
        mac: if reader.flag()? { MacMode::Virtual } else { MacMode::Interface },
        interval: Interval { advbase: reader.octet("advbase")?, advskew: reader.octet("advskew")? },
        dead_ratio: reader.number()?,
        preempt: reader.flag()?,
        tie: reader.choice(&TIES, "tie rule")?,
        pseudo_header_checksum: reader.flag()?,
        authentication: reader.choice(&AUTHENTICATIONS, "authentication")?,
        policy: policy(reader)?,
    })
}
