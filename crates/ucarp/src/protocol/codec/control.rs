//! The messages for the control socket.

use super::super::control::{
    AddressFacts, Asked, Facts, Kind, LONGEST_NAME, LONGEST_TEXT, MOST_DEMOTIONS, ScriptFacts, Terms, Told, Wish,
};
use super::{LEVELS, Malformed, Reader, Writer, place};

/// The numbers of these messages among orders, and among reports.
pub(super) const ORDER: u8 = 15;
pub(super) const REPORT: u8 = 8;

const KINDS: [Kind; 3] = [Kind::Script, Kind::Address, Kind::Daemon];

fn put_list<T>(writer: &mut Writer, all: &[T], put: impl Fn(&mut Writer, &T)) {
    writer.number(u32::try_from(all.len()).unwrap_or(u32::MAX));
    all.iter().for_each(|one| put(writer, one));
}

/// A list takes no more memory than the datagram.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    (0..reader.number()?).map(|_| read(reader)).collect()
}

fn put_terms(writer: &mut Writer, terms: &Terms) {
    writer.flag(terms.listens);
    writer.number(terms.owner);
    writer.option(terms.group, Writer::number);
    writer.number(terms.process);
    writer.text(&terms.host_name);
    writer.option(terms.file.as_deref(), Writer::text);
}

fn terms(reader: &mut Reader<'_>) -> Result<Terms, Malformed> {
    Ok(Terms {
        listens: reader.flag()?,
        owner: reader.number()?,
        group: reader.option(Reader::number)?,
        process: reader.number()?,
        host_name: reader.text()?,
        file: reader.option(Reader::text)?,
    })
}

fn put_address(writer: &mut Writer, address: &AddressFacts) {
    writer.ip(address.ip);
    writer.octet(address.prefix_len);
    writer.option(address.held, Writer::flag);
    writer.number(address.removed);
}

fn address(reader: &mut Reader<'_>) -> Result<AddressFacts, Malformed> {
    Ok(AddressFacts {
        ip: reader.ip()?,
        prefix_len: reader.octet("prefix length")?,
        held: reader.option(Reader::flag)?,
        removed: reader.number()?,
    })
}

fn put_script(writer: &mut Writer, script: &ScriptFacts) {
    writer.flag(script.is_up);
    writer.nanos(script.started_ago);
    writer.option(script.outcome.as_ref(), |writer, (took, outcome)| {
        writer.nanos(*took);
        writer.text(outcome);
    });
}

fn script(reader: &mut Reader<'_>) -> Result<ScriptFacts, Malformed> {
    Ok(ScriptFacts {
        is_up: reader.flag()?,
        started_ago: reader.duration()?,
        outcome: reader.option(|reader| Ok((reader.duration()?, reader.text()?)))?,
    })
}

pub(super) fn put_told(writer: &mut Writer, told: &Told) {
    writer.octet(ORDER);
    match told {
        Told::Listen(terms) => {
            writer.octet(0);
            put_terms(writer, terms);
        }
        Told::Facts { host, facts } => {
            writer.octet(1);
            writer.host(*host);
            writer.option(facts.group.as_deref(), Writer::text);
            put_list(writer, &facts.addresses, put_address);
            writer.option(facts.script.as_ref(), put_script);
        }
        Told::Reloaded { is_applied, problems } => {
            writer.octet(2);
            writer.flag(*is_applied);
            put_list(writer, problems, |writer, problem| writer.text(problem));
        }
        Told::Configuration { text, is_last } => {
            writer.octet(3);
            writer.text(&text[..text.floor_char_boundary(LONGEST_TEXT)]);
            writer.flag(*is_last);
        }
        Told::Happened { host, kind, message } => {
            writer.octet(4);
            writer.option(*host, Writer::host);
            writer.octet(place(&KINDS, kind));
            writer.text(message);
        }
    }
}

pub(super) fn told(reader: &mut Reader<'_>) -> Result<Told, Malformed> {
    Ok(match reader.octet("word to the control socket")? {
        0 => Told::Listen(terms(reader)?),
        1 => Told::Facts {
            host: reader.host()?,
            facts: Facts {
                group: reader.option(Reader::text)?,
                addresses: list(reader, address)?,
                script: reader.option(script)?,
            },
        },
        2 => Told::Reloaded { is_applied: reader.flag()?, problems: list(reader, Reader::text)? },
        3 => Told::Configuration { text: reader.text()?, is_last: reader.flag()? },
        4 => Told::Happened {
            host: reader.option(Reader::host)?,
            kind: reader.choice(&KINDS, "kind of event")?,
            message: reader.text()?,
        },
        _ => return Err(reader.malformed("word to the control socket")),
    })
}

pub(super) fn put_asked(writer: &mut Writer, asked: &Asked) {
    writer.octet(REPORT);
    match asked {
        Asked::Facts(host) => {
            writer.octet(0);
            writer.host(*host);
        }
        Asked::Remember(host, wish) => {
            writer.octet(1);
            writer.host(*host);
            writer.flag(wish.held);
            put_list(writer, &wish.demotions, |writer, (name, by)| {
                writer.text(name);
                writer.number(u32::from(*by));
            });
        }
        Asked::Reload => writer.octet(2),
        Asked::Configuration => writer.octet(3),
        Asked::LogLevel(level) => {
            writer.octet(4);
            writer.octet(place(&LEVELS, level));
        }
    }
}

/// The engine may be in anybody's hands: what it asks to remember is bounded.
pub(super) fn asked(reader: &mut Reader<'_>) -> Result<Asked, Malformed> {
    Ok(match reader.octet("question of the control socket")? {
        0 => Asked::Facts(reader.host()?),
        1 => {
            let (host, held) = (reader.host()?, reader.flag()?);
            let demotions = list(reader, |reader| {
                let (name, by) = (reader.text()?, reader.number()?);
                let by = u16::try_from(by).map_err(|_| reader.malformed("demotion"))?;
                if name.len() > LONGEST_NAME { Err(reader.malformed("name of a usual length")) } else { Ok((name, by)) }
            })?;
            if demotions.len() > MOST_DEMOTIONS {
                return Err(reader.malformed("few demotions"));
            }
            Asked::Remember(host, Wish { held, demotions })
        }
        2 => Asked::Reload,
        3 => Asked::Configuration,
        4 => Asked::LogLevel(reader.choice(&LEVELS, "level")?),
        _ => return Err(reader.malformed("question of the control socket")),
    })
}
