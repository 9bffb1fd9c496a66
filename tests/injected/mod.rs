//! Injected markers: interpreters that have none of their own give the same events.

mod attach;
mod calls;
mod interpreters;
mod others;
mod tools;
mod window;
