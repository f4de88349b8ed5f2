//! One node and a hostile link: see [`ucarp_fuzz::node`].
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ucarp_fuzz::node::{self, Config, Step};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    config: Config,
    steps: Vec<Step<'a>>,
}

fuzz_target!(|input: Input<'_>| node::run(&input.config, &input.steps));
