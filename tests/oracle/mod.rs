//! What is traced against what CPython itself says (tests/programs/oracle.py), thread by thread.

pub mod audit;
pub mod calls;
mod classes;
pub mod collections;
pub mod compare;
mod dropped;
mod functions;
pub mod imports;
mod lines;
pub mod record;
mod run;
mod window;
