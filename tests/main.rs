//! The tests of the program as a whole: one binary, a file or folder a behaviour.

mod all;
mod attach;
mod cpython_suite;
mod decode;
mod diversion;
mod doors;
mod engine;
mod harness;
mod hierarchy;
mod injected;
mod killed;
mod leave;
mod list;
mod marker_globs;
mod max_string;
mod missing;
mod no_follow;
mod notes;
mod obstacle_real;
mod obstacle_tree;
mod oracle;
mod points;
mod scripts;
mod shims;
mod signals;
mod terminal;
