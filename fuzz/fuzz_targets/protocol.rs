//! What guardian and engine send each other, read by a process that believes nothing: either end may be in foreign hands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ucarp::protocol::{self, LONGEST_DATAGRAM, LONGEST_GOODBYE, LONGEST_LINE, Orders, Report};

fuzz_target!(|datagram: &[u8]| {
    if let Ok((decided, reports)) = protocol::read_reports(datagram) {
        for report in &reports {
            match report {
                Report::Will { goodbye, .. } => assert!(goodbye.len() <= LONGEST_GOODBYE),
                Report::Log(_, text) => assert!(text.len() <= LONGEST_LINE),
                _ => {}
            }
        }
        let written = protocol::write_reports(decided, &reports);
        assert!(written.iter().all(|datagram| datagram.len() <= LONGEST_DATAGRAM));
        let again = written.iter().flat_map(|datagram| protocol::read_reports(datagram).expect("it was written").1);
        assert!(again.eq(reports), "what was understood can be said");
    }
    if let Ok(orders) = protocol::read_orders(datagram) {
        let mut said = Orders::default();
        orders.iter().for_each(|order| said.push(order));
        let again =
            said.take().into_iter().flat_map(|datagram| protocol::read_orders(&datagram).expect("it was written"));
        assert!(again.eq(orders), "what was understood can be said");
    }
});
