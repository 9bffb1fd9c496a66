//! Functions: entries and returns, against what the program counts and computes itself.

use ptpytrace::event::Seen;
use ptpytrace::plan::{Capture, FunctionPoint, Place, Point, Request, Texts};
use ptpytrace::tracer::Stop;

use super::{counts, glob, nobody, numbers, request, trace};
use crate::harness::tracer::Scratch;

fn function(module: &str, name: &str, place: Place) -> Request {
    let point = FunctionPoint {
        module: Some(glob(module)),
        function: glob(name),
        place,
    };
    request(Point::Function(point), numbers())
}

fn both(module: &str, name: &str) -> [Request; 2] {
    [Place::Entry, Place::Return].map(|place| function(module, name, place))
}

#[test]
fn calls_and_returns_are_those_that_the_program_makes() {
    for options in [
        &["-O0"][..],
        &["-O2"],
        &["-O2", "-no-pie", "-fcf-protection=none"],
        &["-O1", "-fcf-protection=none"],
    ] {
        let scratch = Scratch::new();
        let program = counts(&scratch, options);
        let names = [
            "factorial",
            "get_global",
            "sum_six",
            "jumps",
            "calls_first",
            "greet",
        ];
        let requests = names.iter().flat_map(|name| both("a.out", name));
        let mut requests: Vec<Request> = requests.collect();
        requests[10].capture = Capture {
            texts: Texts {
                arguments: 1,
                limit: 4,
            },
            ..numbers()
        };
        let ran = trace(&[program.to_str().unwrap(), "functions"], requests, nobody);
        let about = format!("{options:?} {:?}", ran.notices);
        assert_eq!(ran.summary.command, Some(Stop::Exited(7)), "{about}");
        let count = |name, place| ran.of(name, place).len();
        // 10 levels, 4 threads of 200 times 3 levels, 4 levels in the forked child
        let factorial = 10 + 4 * 200 * 3 + 4;
        assert_eq!(count("factorial", "entry"), factorial, "{about}");
        assert_eq!(count("factorial", "return"), factorial, "{about}");
        let global = 50 + 2 * 10 + 4 * 200;
        assert_eq!(count("get_global", "entry"), global, "{about}");
        assert_eq!(count("get_global", "return"), global, "{about}");
        assert_eq!(count("calls_first", "entry"), 10, "{about}");
        assert_eq!(count("calls_first", "return"), 10, "{about}");
        // each of five times four levels go, none returns
        assert_eq!(count("jumps", "entry"), 20, "{about}");
        assert_eq!(count("jumps", "return"), 0, "{about}");
        let sum = &ran.of("sum_six", "entry")[0];
        let seen: Vec<i64> = (0..7).map(|index| sum.number(index)).collect();
        assert_eq!(seen, [1, -2, 3, 4, 5, 6, 7], "{about}");
        let sum = &ran.of("sum_six", "return")[0];
        assert_eq!([sum.number(0), sum.number(1)], [0, 24], "{about}");
        let results: Vec<i64> = ran
            .of("factorial", "return")
            .iter()
            .take(10)
            .map(|it| it.number(1))
            .collect();
        let expected: Vec<i64> = (1..=10).map(|n| (1..=n).product()).collect();
        assert_eq!(results, expected, "{about}");
        let greet = &ran.of("greet", "entry")[0];
        let Seen::Text(text) = &greet.args[0].seen else {
            panic!("{:?}", greet.args);
        };
        assert_eq!(
            (&*text.bytes, text.truncated),
            (&b"good"[..], true),
            "{about}"
        );
        assert_eq!(greet.probe.module, "counts", "{about}");
        let forked = ran
            .firings()
            .iter()
            .filter(|it| it.event.pid != ran.target)
            .count();
        assert_eq!(forked, 8, "{about}");
    }
}

/// All functions of the C library, while a program starts, runs and ends.
#[test]
fn every_function_of_the_c_library() {
    let scratch = Scratch::new();
    let program = counts(&scratch, &["-O1"]);
    let requests = both("libc", "*").to_vec();
    let ran = trace(&[program.to_str().unwrap(), "functions"], requests, nobody);
    assert_eq!(
        ran.summary.command,
        Some(Stop::Exited(7)),
        "{:?}",
        ran.notices
    );
    // Of several names for one address any may be told.
    let count = |function: &str, name: &str| {
        let firings = ran.firings();
        let those = firings.iter().filter(|it| {
            it.probe.function.trim_start_matches('_') == function && it.probe.name == name
        });
        those.count()
    };
    let forks = |name| count("fork", name).max(count("libc_fork", name));
    assert_eq!((forks("entry"), forks("return")), (1, 2));
    // The program's own five; the library's for the first thread and four others (pthread_exit comes back there).
    assert_eq!(count("setjmp", "entry"), 5 + 1 + 4);
    assert_eq!(count("waitpid", "entry"), count("waitpid", "return"));
    let all = ran.firings().len();
    assert!(all > 200, "{all}");
}
