//! The types and the interface definition say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::calls::{self, Call};
use crate::refusal::Refusal;
use crate::service;
use crate::types::{Check, CheckState, Event, Peer, State};

#[derive(Clone, Debug, PartialEq)]
enum Type {
    Bool,
    Int,
    Text,
    Named(String),
    Enum(BTreeSet<String>),
    Struct(Fields),
    List(Box<Type>),
    Map(Box<Type>),
    Nullable(Box<Type>),
}

type Fields = BTreeMap<String, Type>;

#[derive(Default)]
struct Interface {
    types: BTreeMap<String, Type>,
    methods: BTreeMap<String, (Fields, Fields)>,
    errors: BTreeMap<String, Fields>,
}

struct Parser {
    tokens: Vec<String>,
}

impl Parser {
    fn new(text: &str) -> Self {
        let mut tokens = vec![String::new()];
        for line in text.lines() {
            for c in line.split('#').next().unwrap().chars() {
                if c.is_alphanumeric() || "_.".contains(c) {
                    tokens.last_mut().unwrap().push(c);
                } else {
                    tokens.extend([c.to_string(), String::new()]);
                }
            }
            tokens.push(String::new());
        }
        tokens.retain(|token| !token.trim().is_empty());
        tokens.reverse();
        Self { tokens }
    }

    fn take(&mut self) -> String {
        self.tokens.pop().expect("the definition goes on")
    }

    fn is_next(&self, token: &str) -> bool {
        self.tokens.last().is_some_and(|next| next == token)
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.take(), token);
    }

    fn parse(mut self) -> (String, Interface) {
        self.expect("interface");
        let (name, mut interface) = (self.take(), Interface::default());
        while !self.tokens.is_empty() {
            let (what, name) = (self.take(), self.take());
            let fresh = match what.as_str() {
                "type" => interface.types.insert(name, self.composed()).is_none(),
                "error" => interface.errors.insert(name, self.fields()).is_none(),
                "method" => {
                    let parameters = self.fields();
                    self.expect("-");
                    self.expect(">");
                    interface.methods.insert(name, (parameters, self.fields())).is_none()
                }
                what => panic!("what is {what:?}?"),
            };
            assert!(fresh, "something is there twice");
        }
        (name, interface)
    }

    fn fields(&mut self) -> Fields {
        match self.composed() {
            Type::Struct(fields) => fields,
            other => panic!("{other:?} has no fields"),
        }
    }

    /// A struct or an enum.
    fn composed(&mut self) -> Type {
        self.expect("(");
        let (mut fields, mut names) = (Fields::new(), BTreeSet::new());
        while !self.is_next(")") {
            let name = self.take();
            if self.is_next(":") {
                self.take();
                let field = self.element();
                assert!(fields.insert(name, field).is_none(), "a field is there twice");
            } else {
                names.insert(name);
            }
            if self.is_next(",") {
                self.take();
            }
        }
        self.take();
        assert!(names.is_empty() || fields.is_empty());
        if names.is_empty() { Type::Struct(fields) } else { Type::Enum(names) }
    }

    fn element(&mut self) -> Type {
        match self.tokens.last().unwrap().as_str() {
            "(" => return self.composed(),
            "?" => {
                self.take();
                return Type::Nullable(Box::new(self.element()));
            }
            "[" => {
                self.take();
                let keyed = self.is_next("string").then(|| self.take()).is_some();
                self.expect("]");
                let element = Box::new(self.element());
                return if keyed { Type::Map(element) } else { Type::List(element) };
            }
            _ => {}
        }
        match self.take().as_str() {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "string" => Type::Text,
            name => Type::Named(name.to_owned()),
        }
    }
}

/// A value of the type with everything in it, or with all that is nullable being null.
fn sample(types: &BTreeMap<String, Type>, of: &Type, full: bool) -> Value {
    match of {
        Type::Bool => true.into(),
        Type::Int => 7.into(),
        Type::Text => "text".into(),
        Type::Named(name) => sample(types, &types[name], full),
        Type::Enum(names) => names.first().unwrap().as_str().into(),
        Type::Struct(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), sample(types, field, full))).collect())
        }
        Type::List(element) => vec![sample(types, element, full)].into(),
        Type::Map(element) => Value::Object([("key".to_owned(), sample(types, element, full))].into_iter().collect()),
        Type::Nullable(inner) if full => sample(types, inner, full),
        Type::Nullable(_) => Value::Null,
    }
}

/// All enums in a type.
fn enums<'a>(of: &'a Type, found: &mut Vec<&'a BTreeSet<String>>) {
    match of {
        Type::Enum(names) => found.push(names),
        Type::Struct(fields) => fields.values().for_each(|field| enums(field, found)),
        Type::List(inner) | Type::Map(inner) | Type::Nullable(inner) => enums(inner, found),
        Type::Bool | Type::Int | Type::Text | Type::Named(_) => {}
    }
}

fn io_ucarp() -> Interface {
    let (name, interface) = Parser::new(crate::DESCRIPTION).parse();
    assert_eq!(name, crate::INTERFACE);
    interface
}

/// Rust reads what the definition says and writes the same again, no field more or less; and what is not nullable in the
/// definition is not in Rust.
fn same<T: Serialize + DeserializeOwned>(types: &BTreeMap<String, Type>, what: &str, fields: &Fields) {
    let whole = Type::Struct(fields.clone());
    for full in [true, false] {
        let value = sample(types, &whole, full);
        let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{what}: {error}: {value}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), value, "{what}");
    }
    for (name, field) in fields {
        let mut value = sample(types, &whole, true);
        value[name] = Value::Null;
        let accepted = serde_json::from_value::<T>(value).is_ok();
        assert_eq!(accepted, matches!(field, Type::Nullable(_)), "{what}: {name}");
    }
}

fn same_call<C: Call>(methods: &mut BTreeMap<String, (Fields, Fields)>, types: &BTreeMap<String, Type>, of: &str) {
    let name = C::METHOD.strip_prefix(of).and_then(|rest| rest.strip_prefix('.')).unwrap();
    let (parameters, reply) = methods.remove(name).unwrap_or_else(|| panic!("{name} is not defined"));
    same::<C>(types, name, &parameters);
    same::<C::Reply>(types, &format!("reply of {name}"), &reply);
    let unknown = serde_json::from_str::<C>(r#"{"no_such_parameter": 1}"#);
    assert!(unknown.is_err(), "{name} takes any parameter");
}

macro_rules! same_calls {
    ($interface:expr, $of:expr, $($call:ty),*) => {{
        let interface = &mut $interface;
        let mut methods = std::mem::take(&mut interface.methods);
        $(same_call::<$call>(&mut methods, &interface.types, $of);)*
        assert!(methods.is_empty(), "not in Rust: {:?}", methods.keys());
    }};
}

#[test]
fn methods_are_as_defined() {
    same_calls!(
        io_ucarp(),
        crate::INTERFACE,
        calls::GetDaemon,
        calls::GetVirtualHosts,
        calls::GetEvents,
        calls::Explain,
        calls::GetConfiguration,
        calls::Demote,
        calls::Promote,
        calls::Hold,
        calls::Release,
        calls::HandOver,
        calls::Announce,
        calls::Silence,
        calls::Reload,
        calls::SetLogLevel
    );
    let (name, mut interface) = Parser::new(service::DESCRIPTION).parse();
    assert_eq!(name, service::INTERFACE);
    same_calls!(interface, service::INTERFACE, service::GetInfo, service::GetInterfaceDescription);
}

#[test]
fn structs_within_structs_are_as_defined() {
    let interface = io_ucarp();
    for (name, of) in &interface.types {
        let Type::Struct(fields) = of else { continue };
        // Those that hold others were looked at with them; here each by itself, for what is nullable in it.
        match name.as_str() {
            "Daemon" => same::<crate::types::Daemon>(&interface.types, name, fields),
            "Address" => same::<crate::types::Address>(&interface.types, name, fields),
            "Peer" => same::<Peer>(&interface.types, name, fields),
            "Contribution" => same::<crate::types::Contribution>(&interface.types, name, fields),
            "Check" => same::<Check>(&interface.types, name, fields),
            "Script" => same::<crate::types::Script>(&interface.types, name, fields),
            "Conflict" => same::<crate::types::Conflict>(&interface.types, name, fields),
            "Timers" => same::<crate::types::Timers>(&interface.types, name, fields),
            "VirtualHost" => same::<crate::types::VirtualHost>(&interface.types, name, fields),
            "Event" => same::<Event>(&interface.types, name, fields),
            "Explanation" => same::<crate::types::Explanation>(&interface.types, name, fields),
            name => panic!("{name} is not looked at"),
        }
    }
}

#[test]
fn enums_are_as_defined() {
    let interface = io_ucarp();
    let mut found = Vec::new();
    interface.types.values().for_each(|of| enums(of, &mut found));
    let [checks, states] = found[..] else { panic!("{} enums", found.len()) };
    let written = |value: &dyn Fn() -> Value| value().as_str().unwrap().to_owned();
    let ours: BTreeSet<_> = [State::Init, State::Backup, State::Master, State::Fault]
        .map(|state| {
            assert_eq!(written(&|| serde_json::to_value(state).unwrap()), state.to_string());
            state.to_string()
        })
        .into();
    assert_eq!(states, &ours);
    let ours: BTreeSet<_> = [CheckState::Up, CheckState::Down, CheckState::Unknown]
        .map(|state| {
            assert_eq!(written(&|| serde_json::to_value(state).unwrap()), state.to_string());
            state.to_string()
        })
        .into();
    assert_eq!(checks, &ours);
}

#[test]
fn errors_are_as_defined() {
    for text in [crate::DESCRIPTION, service::DESCRIPTION] {
        let (name, interface) = Parser::new(text).parse();
        assert!(!interface.errors.is_empty());
        for (error, fields) in &interface.errors {
            let (error, parameters) =
                (format!("{name}.{error}"), sample(&interface.types, &Type::Struct(fields.clone()), true));
            let refusal = Refusal::from_reply(&error, Some(parameters.clone()));
            assert!(!matches!(refusal, Refusal::Other { .. }), "{error} is not known");
            let written = serde_json::to_value(&refusal).unwrap();
            assert_eq!(written, serde_json::json!({ "error": error, "parameters": parameters }));
        }
    }
    let unknown = Refusal::from_reply("io.other.Nonsense", None);
    assert_eq!(unknown.to_string(), "io.other.Nonsense {}");
}
