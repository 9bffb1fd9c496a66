//! How the sites of real interpreters are diverted, and whether binutils agrees with what was found out about them.

mod interpreters;
mod live;
mod load;
mod objdump;
mod target;
