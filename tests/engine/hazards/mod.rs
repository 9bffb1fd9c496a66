//! Every hazard of recording without a trap, made to happen end to end: the program's results are right, the counts are
//! exact, and what cannot be recorded so falls back to breakpoints and says why.
//!
//! | hazard | test |
//! | --- | --- |
//! | the tracer is killed | `killed::launched_programs_survive_a_killed_tracer`, `killed::attached_programs_survive_a_killed_tracer`; in the recorder: [`full`] `the_tracer_is_killed`; its handler for that: [`coming`] `signals_are_blocked_when_the_tracer_comes` |
//! | a fork child that is not traced | [`children`] `an_untraced_fork_child`, `a_fork_child_that_no_tracer_sees`; all over: `engine::counts::fork_storms` |
//! | vfork, CLONE_VM | [`children`] `vfork_and_clone_vm` |
//! | a full ring | [`full`] `a_full_ring`, `a_full_ring_with_drop`; all over: `engine::counts` with rings of 8 KiB |
//! | an exit with unpublished records | `engine::counts::an_end_by_exit_while_threads_are_calling`; by a signal: [`children`] `an_end_by_sigkill` |
//! | a signal handler hits a probe inside a reservation | `engine::counts::ten_thousand_signals_whose_handler_calls_functions` |
//! | a bad string pointer | [`strings`] `a_bad_string_pointer`, `a_bad_string_pointer_with_signals_blocked` |
//! | attaching with a thread inside the jump | [`coming`] `attaching_with_a_thread_inside_the_jump`; each instruction of it: `diversion::load` |
//! | detaching with a thread inside the recorder | [`full`] `detaching_with_a_thread_inside_the_recorder` |
//! | two tracers | [`coming`] `two_tracers` |
//! | a uprobe on the site | [`foreign`] `a_uprobe_on_the_site`, `a_uprobe_on_a_diverted_site`, `a_breakpoint_of_the_programs_own_on_the_site` |
//! | seccomp | [`confined`] `seccomp_that_returns_errno`, `seccomp_that_kills` |
//! | W^X policies | [`confined`] `memory_that_may_not_be_made_executable` |
//! | no free page in reach | [`confined`] `no_free_page_in_reach` |
//! | thread identity | [`threads`] `thread_identity`; all over: `engine::counts::threads_that_come_and_go` |
//! | order across threads | [`threads`] `order_across_threads` |
//! | idle polling | [`threads`] `idle_tracing_costs_no_cpu` |
//! | the ring is hostile input | [`hostile`] `a_hostile_ring`, `a_hostile_ring_of_a_child` |
//! | red zone, flags, stack | `fastpath::recorder::tests::preserved` |
//! | exec | [`children`] `exec_with_records_in_the_ring` |
//!
//! Shadow stacks (CET) are not tried: no CPU of the tests has them.

mod children;
mod coming;
mod confined;
mod foreign;
mod full;
mod hostile;
mod strings;
mod threads;

/// Function markers that are diverted in different ways, in the executable and in a library, of several versions.
const INTERPRETERS: [&str; 4] = ["python3.9", "shared3.9", "python3.11", "python3.15"];
