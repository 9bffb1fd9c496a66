//! CPython's objects and versions read from outside, judged by CPython itself and by memory images made by hand.

mod hostile;
mod image;
mod images;
mod target;
mod values;
mod versions;
