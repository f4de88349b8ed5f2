//! Plots as SVG, for a light and a dark page.

mod canvas;
mod cost;
mod failover;
mod outage;

use super::document::Records;

/// The name of a file, and what draws it.
type Plot = (&'static str, fn(&Records) -> String);

/// All plots.
pub(super) const ALL: [Plot; 3] =
    [("outage.svg", outage::draw), ("cost.svg", cost::draw), ("failover.svg", failover::draw)];
