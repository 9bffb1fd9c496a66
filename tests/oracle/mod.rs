//! What is traced against what CPython itself says (tests/programs/oracle.py), thread by thread.

mod audit;
mod calls;
mod classes;
mod collections;
mod compare;
mod dropped;
mod functions;
mod imports;
mod lines;
mod record;
mod run;
mod window;
