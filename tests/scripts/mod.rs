//! Scripts against files: what a script is parsed to, what is said about it, what it prints.

mod documented;
mod dtrace;
mod engine;
mod golden;
mod reference;
mod running;
mod systemtap;
