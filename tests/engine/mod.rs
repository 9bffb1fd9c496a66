//! Events without a trap: exact counts, whatever the program does, and every hazard of the way there.

mod counts;
mod hazards;
mod same;
mod session;
