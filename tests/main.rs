//! The tests of the program as a whole: one binary, a file or folder a behaviour.

mod all;
mod attach;
mod decode;
mod harness;
mod hierarchy;
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
mod shims;
mod signals;
mod terminal;
