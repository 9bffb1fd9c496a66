use super::*;

fn described(text: &str, spec: Spec) -> Result<String, String> {
    let mut words = Words::default();
    let triggers = triggers(text, spec, false, &mut words).map_err(|it| it.message)?;
    let texts: Vec<String> = triggers.iter().map(described_trigger).collect();
    Ok(texts.join(" "))
}

fn described_trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Begin(_) => "BEGIN".to_owned(),
        Trigger::End(_) => "END".to_owned(),
        Trigger::Error(_) => "ERROR".to_owned(),
        Trigger::Never => "never".to_owned(),
        Trigger::Timer(timer) => format!("timer {}", timer.period),
        Trigger::Traced(traced) => {
            let within = match (traced.within.target, traced.within.pid) {
                (true, _) => "target ".to_owned(),
                (_, Some(pid)) => format!("{pid} "),
                _ => String::new(),
            };
            let point = match &traced.point {
                Point::Marker(it) => {
                    let ProviderGlob::Instance(provider) = &it.provider else {
                        return "not an instance".to_owned();
                    };
                    let any = |it: &Option<Glob>| if it.is_some() { "glob" } else { "any" };
                    let entry = if it.name.matches("function-entry") {
                        "entry"
                    } else {
                        "other"
                    };
                    let (module, function) = (any(&it.module), any(&it.function));
                    format!("marker {provider} {module} {function} {entry}")
                }
                Point::Function(it) => {
                    let module = if it.module.is_some() { "glob" } else { "any" };
                    let malloc = it.function.matches("malloc");
                    format!("function {module} {malloc} {:?}", it.place)
                }
                Point::Syscall { name, place } => {
                    format!("syscall {} {place:?}", name.matches("openat"))
                }
                Point::Process(it) => format!("{it:?}"),
            };
            format!("{within}{point}")
        }
    }
}

#[test]
fn descriptions_mean_what_they_mean_in_dtrace() {
    let name = Spec::Name;
    for (text, spec, expected) in [
        ("BEGIN", name, "BEGIN"),
        ("dtrace:::BEGIN", name, "BEGIN"),
        (":::END", name, "END"),
        ("dtrace:::", name, "BEGIN END ERROR"),
        ("dtrace:::E*", name, "END ERROR"),
        (
            "python*:::function-entry",
            name,
            "marker python* any any entry",
        ),
        (
            "python$target:::function__entry",
            name,
            "marker python$target any any entry",
        ),
        (":::function-entry", name, "marker * any any entry"),
        ("function-entry", name, "marker * any any entry"),
        ("_PyEval*:function-entry", name, "marker * any glob entry"),
        (
            "libpython*::function-entry",
            name,
            "marker * glob any entry",
        ),
        (
            "python1234:libpython3*:_PyEval*:function-e*",
            name,
            "marker python1234 glob glob entry",
        ),
        ("python*:::*", name, "marker python* any any entry"),
        ("python*:::", name, "marker python* any any entry"),
        ("python*:::line", name, "marker python* any any other"),
        ("python*", Spec::Provider, "marker python* any any entry"),
        ("libpython*", Spec::Module, "marker * glob any entry"),
        (
            "python*:libpython*",
            Spec::Module,
            "marker python* glob any entry",
        ),
        ("_PyEval*", Spec::Function, "marker * any glob entry"),
        (
            "pid$target:libc:malloc:entry",
            name,
            "target function glob true Entry",
        ),
        (
            "pid1234::malloc:return",
            name,
            "1234 function any true Return",
        ),
        (
            "pid$target:a.out:m*:entry",
            name,
            "target function glob true Entry",
        ),
        ("syscall:::entry", name, "syscall true Entry"),
        ("syscall::open*:return", name, "syscall true Return"),
        (
            "syscall::read:",
            name,
            "syscall false Entry syscall false Return",
        ),
        ("proc:::exec-success", name, "Exec"),
        ("proc:::exec", name, "Exec"),
        ("proc:::exit", name, "Exit"),
        ("proc:::lwp-*", name, "ThreadExit ThreadStart"),
        ("proc:::signal-*", name, "SignalHandle SignalSend"),
        ("tick-1s", name, "timer 1000000000"),
        ("tick-1sec", name, "timer 1000000000"),
        ("profile:::tick-10ms", name, "timer 10000000"),
        ("profile-97", name, "timer 10309278"),
        ("profile-100hz", name, "timer 10000000"),
        ("tick-5m", name, "timer 300000000000"),
        ("tick-1d", name, "timer 86400000000000"),
        ("tick-200us", name, "timer 200000"),
    ] {
        assert_eq!(described(text, spec).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_probed_is_refused_by_name() {
    for (text, expected) in [
        ("fbt::read:entry", "fbt"),
        ("io:::start", "io"),
        ("sched:::on-cpu", "sched"),
        ("dtrace:::START", "does not match"),
        ("profile:::foo", "does not match"),
        ("profile-0", "invalid timer"),
        ("tick-", "invalid timer"),
        ("tick-1y", "invalid timer"),
        ("tick-99999999999999999999s", "invalid timer"),
        ("tick-99999999999999999d", "invalid timer"),
        ("tick-10us", "too fast"),
        ("profile-5001hz", "too fast"),
        ("syscall:::middle", "does not match"),
        ("proc:::fault", "proc:::fault"),
        ("proc:::nosuch", "does not match"),
        ("pid$target:libc:malloc:4", "entry"),
        ("pid$target:libc::entry", "a function is missing"),
        ("pid*:libc:malloc:entry", "process id"),
        ("pid99999999999:libc:malloc:entry", "process id"),
        ("123", "not found by number"),
        ("a:b:c:d:e", "overspecified"),
        ("python[:::line", "has no `]`"),
        ("python*:::[a", "has no `]`"),
    ] {
        let message = described(text, Spec::Name).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}
