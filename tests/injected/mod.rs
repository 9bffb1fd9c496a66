//! Injected markers: interpreters that have none of their own give the same events.

mod attach;
mod calls;
mod filters;
mod hierarchies;
mod interpreters;
mod listing;
mod others;
mod places;
mod standard_library;
mod tools;
mod window;
