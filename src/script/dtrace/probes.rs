//! Probe descriptions: `provider:module:function:name`, any of them a glob or empty ("D Program Structure").

use super::builtins::{self, Kind, Meaning, Provider, Status};
use super::voice::Words;
use crate::plan::{FunctionPoint, MarkerPoint, Place, Point, ProcessPoint, ProviderGlob, Within};
use crate::probe::glob::Glob;
use crate::script::ir::{Timer, Traced, Trigger};

/// Which field the last one of a description is; `-P`, `-m`, `-f` and `-n` differ in that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spec {
    /// `-P`: the provider.
    Provider,
    /// `-m`: the module, with the provider before it.
    Module,
    /// `-f`: the function.
    Function,
    /// `-n`, and programs: the name.
    #[default]
    Name,
}

/// What is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Wrong {
        Wrong {
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Wrong {
        self.hint = Some(hint.into());
        self
    }
}

/// The four fields.
struct Fields<'a> {
    provider: &'a str,
    module: &'a str,
    function: &'a str,
    name: &'a str,
}

/// Processes' events by DTrace's names.
const PROCESS_EVENTS: &[(&str, ProcessPoint)] = &[
    ("create", ProcessPoint::Create),
    ("exec-success", ProcessPoint::Exec),
    ("exit", ProcessPoint::Exit),
    ("lwp-exit", ProcessPoint::ThreadExit),
    ("lwp-start", ProcessPoint::ThreadStart),
    ("signal-handle", ProcessPoint::SignalHandle),
    ("signal-send", ProcessPoint::SignalSend),
    ("start", ProcessPoint::Start),
];

/// Those that ptrace does not report.
const NO_PROCESS_EVENTS: &[&str] = &[
    "exec-failure",
    "fault",
    "lwp-create",
    "signal-clear",
    "signal-discard",
];

/// The shortest period of a timer, ns, as in DTrace.
const SHORTEST: u64 = 200_000;

/// The triggers of a description whose macros have been replaced. `words` learns the names of timers.
pub(super) fn triggers(
    text: &str,
    spec: Spec,
    optional: bool,
    words: &mut Words,
) -> Result<Vec<Trigger>, Wrong> {
    let fields = fields(text, spec)?;
    let place = Placed {
        text,
        optional,
        fields: &fields,
    };
    if fields.provider.is_empty() && fields.module.is_empty() && fields.function.is_empty() {
        if matches!(fields.name, "BEGIN" | "END" | "ERROR") {
            return dtrace(fields.name);
        }
        if fields.name.starts_with("tick-") || fields.name.starts_with("profile-") {
            return Ok(vec![timer(fields.name, words)?]);
        }
    }
    let Some(row) = provider(fields.provider) else {
        return place.marker();
    };
    if let Status::Refused(reason) = row.status {
        let message = format!(
            "probes of the provider {} are not supported: {reason}",
            row.name
        );
        let hint = "what there is: static markers (python*), pid, proc, syscall, profile, dtrace";
        return Err(Wrong::new(message).hint(hint));
    }
    match row.meaning {
        Meaning::Provider(Provider::Dtrace) => dtrace(fields.name),
        Meaning::Provider(Provider::Profile) => {
            let name = fields.name;
            if !name.starts_with("tick-") && !name.starts_with("profile-") {
                let hint = "profile has `tick-1s`, `profile-97` and their like";
                return Err(no_match(text).hint(hint));
            }
            Ok(vec![timer(name, words)?])
        }
        Meaning::Provider(Provider::Process) => place.process(),
        Meaning::Provider(Provider::Syscall) => place.syscall(),
        Meaning::Provider(Provider::Pid) => place.function(),
        _ => place.marker(),
    }
}

fn no_match(text: &str) -> Wrong {
    Wrong::new(format!(
        "probe description {text} does not match any probes"
    ))
}

/// The row of a provider's name: its own, or `pid` with an id behind it.
fn provider(text: &str) -> Option<builtins::Row> {
    let instance = text
        .strip_prefix("pid")
        .is_some_and(|rest| rest == "$target" || is_number(rest) || rest == "*");
    let name = if instance { "pid" } else { text };
    builtins::find(&[Kind::Provider], name)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_digit())
}

fn fields(text: &str, spec: Spec) -> Result<Fields<'_>, Wrong> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let places = match spec {
        Spec::Provider => 1,
        Spec::Module => 2,
        Spec::Function => 3,
        Spec::Name => 4,
    };
    if parts.len() == 1 && is_number(text) {
        let hint = "the numbers of probes differ from run to run: name it, `-l` lists the names";
        return Err(
            Wrong::new(format!("probe id {text}: probes are not found by number")).hint(hint),
        );
    }
    // What follows C++'s `::` cannot be told from an empty field, as in DTrace.
    if parts.len() > places {
        return Err(Wrong::new(format!(
            "overspecified probe description: {text}"
        )));
    }
    while parts.len() < places {
        parts.insert(0, "");
    }
    let mut parts = parts.into_iter();
    let mut next = || parts.next().unwrap_or("");
    Ok(Fields {
        provider: next(),
        module: next(),
        function: next(),
        name: next(),
    })
}

fn dtrace(name: &str) -> Result<Vec<Trigger>, Wrong> {
    let all = [
        ("BEGIN", Trigger::Begin(0)),
        ("END", Trigger::End(0)),
        ("ERROR", Trigger::Error(0)),
    ];
    let wanted = glob(name)?;
    let found: Vec<Trigger> = all
        .into_iter()
        .filter(|(own, _)| wanted.as_ref().is_none_or(|glob| glob.matches(own)))
        .map(|(_, trigger)| trigger)
        .collect();
    if found.is_empty() {
        let hint = "dtrace has BEGIN, END and ERROR";
        return Err(no_match(&format!("dtrace:::{name}")).hint(hint));
    }
    Ok(found)
}

/// A glob; nothing for an empty field, which matches all.
fn glob(text: &str) -> Result<Option<Glob>, Wrong> {
    if text.is_empty() || text == "*" {
        return Ok(None);
    }
    match Glob::parse(text) {
        Some(glob) => Ok(Some(glob)),
        None => Err(Wrong::new(format!("{text}: this `[` has no `]`"))),
    }
}

fn any_glob(text: &str) -> Result<Glob, Wrong> {
    let star = || Wrong::new("`*` is no glob");
    match glob(text)? {
        Some(glob) => Ok(glob),
        None => Glob::parse("*").ok_or_else(star),
    }
}

/// A timer by its name: `tick-10ms`, `profile-97`. Without a unit the number is a frequency.
fn timer(name: &str, words: &mut Words) -> Result<Trigger, Wrong> {
    let wrong = || {
        Wrong::new(format!("invalid timer: {name}"))
            .hint("`tick-1s`, `tick-100ms`, `profile-97hz`; units: ns us ms s m h d hz")
    };
    let (_, rate) = name.split_once('-').ok_or_else(wrong)?;
    let digits = rate
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(rate.len());
    let number: u64 = rate
        .get(..digits)
        .unwrap_or("")
        .parse()
        .map_err(|_| wrong())?;
    let unit: u64 = match rate.get(digits..).unwrap_or("") {
        "ns" | "nsec" => 1,
        "us" | "usec" => 1_000,
        "ms" | "msec" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" | "hour" => 3_600_000_000_000,
        "d" | "day" => 86_400_000_000_000,
        "" | "hz" => 0,
        _ => return Err(wrong()),
    };
    let period = match unit {
        0 => 1_000_000_000_u64.checked_div(number),
        unit => number.checked_mul(unit),
    };
    let period = period.filter(|it| *it > 0).ok_or_else(wrong)?;
    if period < SHORTEST {
        let hint = "a timer fires at most 5000 times a second";
        return Err(Wrong::new(format!("invalid timer: {name} is too fast")).hint(hint));
    }
    Ok(Trigger::Timer(Timer {
        period,
        jitter: 0,
        name: words.timer(name),
        samples: name.starts_with("profile-"),
    }))
}

/// A description on the way to its triggers.
struct Placed<'a> {
    text: &'a str,
    optional: bool,
    fields: &'a Fields<'a>,
}

impl Placed<'_> {
    fn traced(&self, within: Within, point: Point) -> Trigger {
        Trigger::Traced(Box::new(Traced {
            within,
            point,
            optional: self.optional,
            text: self.text.to_owned(),
        }))
    }

    fn marker(&self) -> Result<Vec<Trigger>, Wrong> {
        let provider = match self.fields.provider {
            "" => "*",
            provider => provider,
        };
        any_glob(&provider.replace("$target", "0"))?;
        let point = Point::Marker(MarkerPoint {
            provider: ProviderGlob::Instance(provider.to_owned()),
            module: glob(self.fields.module)?,
            function: glob(self.fields.function)?,
            name: any_glob(&self.fields.name.replace("__", "-"))?,
        });
        Ok(vec![self.traced(Within::default(), point)])
    }

    /// The places that the name, `entry` or `return`, matches.
    fn places(&self) -> Result<Vec<Place>, Wrong> {
        let wanted = glob(self.fields.name)?;
        let both = [("entry", Place::Entry), ("return", Place::Return)];
        Ok(both
            .into_iter()
            .filter(|(own, _)| wanted.as_ref().is_none_or(|glob| glob.matches(own)))
            .map(|(_, place)| place)
            .collect())
    }

    fn syscall(&self) -> Result<Vec<Trigger>, Wrong> {
        let places = self.places()?;
        if places.is_empty() {
            return Err(no_match(self.text).hint("syscall has the names `entry` and `return`"));
        }
        let name = any_glob(self.fields.function)?;
        let point = |place| Point::Syscall {
            name: name.clone(),
            place,
        };
        let all = places
            .into_iter()
            .map(|it| self.traced(Within::default(), point(it)));
        Ok(all.collect())
    }

    fn process(&self) -> Result<Vec<Trigger>, Wrong> {
        let name = self.fields.name;
        if NO_PROCESS_EVENTS.contains(&name) {
            let message = format!("proc:::{name} is not supported: ptrace does not report it");
            return Err(Wrong::new(message));
        }
        // ptrace tells of exec when it has succeeded.
        let wanted = glob(if name == "exec" { "exec-success" } else { name })?;
        let found: Vec<Trigger> = PROCESS_EVENTS
            .iter()
            .filter(|(own, _)| wanted.as_ref().is_none_or(|glob| glob.matches(own)))
            .map(|(_, event)| self.traced(Within::default(), Point::Process(*event)))
            .collect();
        if found.is_empty() {
            let names: Vec<&str> = PROCESS_EVENTS.iter().map(|(name, _)| *name).collect();
            return Err(no_match(self.text).hint(format!("proc has {}", names.join(", "))));
        }
        Ok(found)
    }

    fn function(&self) -> Result<Vec<Trigger>, Wrong> {
        let mut within = Within::default();
        match self.fields.provider.strip_prefix("pid").unwrap_or("") {
            "$target" => within.target = true,
            "*" | "" => {
                let hint = "`pid$target` with -c or -p, or `pid1234`";
                return Err(Wrong::new("the pid provider needs a process id").hint(hint));
            }
            id => match id.parse() {
                Ok(id) => within.pid = Some(id),
                Err(_) => return Err(Wrong::new(format!("{id} is not a process id"))),
            },
        }
        let name = self.fields.name;
        let place = match name {
            "entry" => Place::Entry,
            "return" => Place::Return,
            _ => {
                let message = format!(
                    "{}: only `entry` and `return` of functions are supported",
                    self.text
                );
                return Err(Wrong::new(message)
                    .hint("instructions within functions cannot be traced by name"));
            }
        };
        if self.fields.function.is_empty() {
            let hint = "`*` traces all of them, which is slow";
            return Err(Wrong::new(format!("{}: a function is missing", self.text)).hint(hint));
        }
        let point = Point::Function(FunctionPoint {
            module: glob(self.fields.module)?,
            function: any_glob(self.fields.function)?,
            place,
        });
        Ok(vec![self.traced(within, point)])
    }
}

#[cfg(test)]
mod tests;
