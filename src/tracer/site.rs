//! A probe in a process: which requests it answers there, and all that they want of it taken together.

use std::sync::Arc;

use ptpytrace_arch::ArgSpec;

use super::capture::{ArgCapture, How, ObjectReader};
use super::ledger::Ledger;
use crate::event::{ArgInfo, ProbeInfo};
use crate::plan::{Capture, Plan};
use crate::probe::known::ArgType;

/// A probe in a process.
#[derive(Debug)]
pub struct Site {
    /// Which.
    pub probe: Arc<ProbeInfo>,
    /// Its row in the tracer's statistics.
    pub row: usize,
    /// How its arguments are captured here.
    pub arguments: Vec<ArgCapture>,
    /// What is captured besides.
    pub capture: Capture,
    /// Some argument is in a vector register.
    pub needs_vector: bool,
    /// Some request wants every event of it.
    pub always: bool,
    /// It is a place in a file, where a process that shares the memory comes past, too.
    pub in_file: bool,
}

/// What is captured for all of these requests.
pub fn joined_capture(plan: &Plan, requests: &[usize]) -> Capture {
    let mut joined = Capture::default();
    for request in requests
        .iter()
        .filter_map(|index| plan.requests.get(*index))
    {
        joined.join(&request.capture);
    }
    joined
}

/// An argument before it is known what is wanted of it.
#[derive(Debug)]
pub struct Argument {
    /// Its name and type.
    pub info: ArgInfo,
    /// Where it lies; `None` when its value comes by another way, or not at all.
    pub spec: Option<ArgSpec>,
}

/// Makes a site of a probe. `objects` reads the objects of the interpreter in its image, if there is one.
pub fn site(
    (ledger, plan): (&mut Ledger, &Plan),
    mut probe: ProbeInfo,
    arguments: Vec<Argument>,
    objects: Option<&Arc<ObjectReader>>,
) -> Arc<Site> {
    let capture = joined_capture(plan, &probe.requests);
    let mut captures = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.into_iter().enumerate() {
        let how = how(&capture, index, argument.info.ty, objects);
        probe.args.push(argument.info);
        let spec = argument.spec;
        captures.push(ArgCapture { spec, how });
    }
    let wanted = |it: &&ArgCapture| !matches!(it.how, How::Skip);
    let mut specs = captures.iter().filter(wanted);
    let needs_vector =
        specs.any(|argument| argument.spec.as_ref().is_some_and(|it| it.needs_vector()));
    let mut requests = probe.requests.iter();
    let untested = |index: &usize| {
        plan.requests
            .get(*index)
            .is_some_and(|it| it.test.is_none())
    };
    let always = requests.any(untested);
    let in_file = !probe.module.is_empty();
    let (row, probe) = ledger.enter(probe);
    Arc::new(Site {
        probe,
        row,
        arguments: captures,
        capture,
        needs_vector,
        always,
        in_file,
    })
}

/// How an argument of this type is captured. Asked for both as a string and as an object, its type decides.
fn how(capture: &Capture, index: usize, ty: ArgType, objects: Option<&Arc<ObjectReader>>) -> How {
    let text = Capture::has(capture.texts.arguments, index);
    let object = Capture::has(capture.objects, index);
    let number = Capture::has(capture.numbers, index);
    let both = text && object;
    match (ty, objects) {
        (ArgType::CString, _) if text => How::Text,
        (ArgType::Object, Some(reader)) if object => How::Object(Arc::clone(reader)),
        _ if text && !both => How::Text,
        (_, Some(reader)) if object && !both => How::Object(Arc::clone(reader)),
        _ if text || object || number => How::Number,
        _ => How::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::Limits;
    use crate::plan::{Point, ProcessPoint, Request, Test, Texts, Within};

    fn capture(numbers: u64, texts: u64, objects: u64) -> Capture {
        Capture {
            numbers,
            texts: Texts {
                arguments: texts,
                limit: 64,
            },
            objects,
            ..Capture::default()
        }
    }

    #[test]
    fn what_is_read_is_what_is_asked_for() {
        let table = [
            (capture(0, 0, 0), ArgType::CString, "Skip"),
            (capture(2, 0, 0), ArgType::CString, "Skip"),
            (capture(1, 0, 0), ArgType::CString, "Number"),
            (capture(1, 1, 0), ArgType::CString, "Text"),
            (capture(0, 1, 0), ArgType::CString, "Text"),
            (capture(0, 1, 0), ArgType::Integer, "Text"),
            (capture(0, 0, 1), ArgType::Object, "Number"), // no interpreter that is known
            (capture(1, 1, 1), ArgType::CString, "Text"),
            (capture(1, 1, 1), ArgType::Integer, "Number"),
        ];
        for (capture, ty, expected) in table {
            let how = format!("{:?}", how(&capture, 0, ty, None));
            assert_eq!(how, expected, "{capture:?} {ty:?}");
        }
    }

    #[test]
    fn requests_are_taken_together() {
        let request = |capture: Capture, test: Option<Test>| Request {
            within: Within::default(),
            point: Point::Process(ProcessPoint::Start),
            capture,
            test,
        };
        let never = || Some(Test::Any(Vec::new()));
        let plan = Plan {
            requests: vec![
                request(capture(1, 0, 0), never()),
                request(capture(0, 2, 0), never()),
                request(capture(0, 0, 0), None),
            ],
            objects: Limits::default(),
            markers: crate::plan::MarkerSource::default(),
        };
        assert_eq!(joined_capture(&plan, &[0, 1]), capture(1, 2, 0));
        assert_eq!(joined_capture(&plan, &[2]), capture(0, 0, 0).clone());
        let mut ledger = Ledger::default();
        let mut made = |requests: &[usize]| {
            let probe = ProbeInfo {
                provider: "p".to_owned(),
                name: "n".to_owned(),
                args: Vec::new(),
                module: String::new(),
                function: String::new(),
                requests: requests.to_vec(),
                id: 0,
            };
            site((&mut ledger, &plan), probe, Vec::new(), None)
        };
        assert!(!made(&[0, 1]).always);
        assert!(made(&[1, 2]).always);
    }
}
