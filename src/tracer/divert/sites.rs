//! Which sites of an address space can be diverted, how, and the code for them.

use std::ops::Range;
use std::sync::Arc;

use ptpytrace_arch::ReadMemory;

use super::Diverted;
use super::inject::Refused;
use super::survey::Facts;
use crate::address::{FileAddress, RuntimeAddress};
use crate::elf::Frame;
use crate::fastpath::diversion::{
    self, Change, Choice, FreeSpace, PAGE, SiteFacts, Tail, Way, WayKind, choose,
};
use crate::fastpath::recorder::{self, Callback, WhenFull};
use crate::fastpath::ring::Layout;
use crate::fastpath::ring::record::{Argument, Shape, Wanted};
use crate::injected::{PINNED, REFUSAL, RESULT};
use crate::plan::{Plan, Test};
use crate::process::memory::ProcessMemory;
use crate::tracer::capture::How;
use crate::tracer::site::Site;
use crate::tracer::space::{AddressSpace, ImageId, Planted};

/// How many bytes of the program are looked at.
const LIVE: usize = 16;
/// The room that is looked for first, for each site.
const ROOM: u64 = 4 * PAGE;
/// No record has a higher number.
const MOST_SITES: usize = u16::MAX as usize;

/// A site that is armed with a breakpoint and could be diverted.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub address: RuntimeAddress,
    pub image: ImageId,
    pub site: Arc<Site>,
    arguments: Vec<Argument>,
    facts: SiteFacts,
    live: Vec<u8>,
    injected: bool,
    callback: Option<Callback>,
}

/// Why a site has to stay a breakpoint, whatever its code is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecordable {
    /// Something else is to be done there, too.
    #[error("more than one event happens there")]
    Several,
    /// What is wanted cannot be recorded by the program itself.
    #[error("{0} can only be had from a stopped thread")]
    Wanted(&'static str),
    /// The file was not understood.
    #[error("its file could not be surveyed")]
    Unknown,
    /// Its bytes cannot be read.
    #[error("its code cannot be read")]
    Unreadable,
}

/// What a site is to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfAgent {
    /// None of its own.
    No,
    /// One of its own.
    Yes,
    /// One of its own, of a function.
    Function,
}

/// Looks at a breakpoint. `facts` are those of its image.
pub fn candidate(
    (address, planted): (RuntimeAddress, &Planted),
    (facts, of_agent): (&Facts, OfAgent),
    memory: &ProcessMemory,
) -> Result<Candidate, Unrecordable> {
    let [site] = planted.purpose.markers.as_slice() else {
        return Err(Unrecordable::Several);
    };
    if planted.purpose.is_more_than_markers() {
        return Err(Unrecordable::Several);
    }
    let arguments = recorded(site)?;
    let file = FileAddress(address.0.wrapping_sub(planted.image.bias));
    let mut live = vec![0; LIVE];
    let read = memory.read(address.0, &mut live);
    live.truncate(read);
    // What the breakpoint covers. Somebody else's may be there instead: then that is seen.
    let covered = live.get_mut(..planted.original.len());
    covered
        .ok_or(Unrecordable::Unreadable)?
        .copy_from_slice(&planted.original);
    let injected = of_agent != OfAgent::No;
    let known = facts.get(&file).filter(|_| !injected).cloned();
    let own = injected.then(|| facts_of_agent(file, &live));
    Ok(Candidate {
        address,
        image: planted.image.clone(),
        site: Arc::clone(site),
        arguments,
        facts: known.or(own).ok_or(Unrecordable::Unknown)?,
        live,
        injected,
        callback: (of_agent == OfAgent::Function).then_some(Callback {
            result: RESULT,
            refusal: REFUSAL,
            pinned: PINNED,
        }),
    })
}

/// What is known of a site of the agent's: it was made so that there is room for a jump, and nothing leads into it.
fn facts_of_agent(address: FileAddress, code: &[u8]) -> SiteFacts {
    let end = FileAddress(address.0.saturating_add(code.len() as u64));
    SiteFacts {
        address: address.0,
        bytes: code.to_vec(),
        frame: Some(Frame {
            start: address,
            end,
            landing_pads: false,
        }),
        decoded: true,
        label: None,
        evidence: Vec::new(),
    }
}

/// What of a site's arguments is recorded.
fn recorded(site: &Site) -> Result<Vec<Argument>, Unrecordable> {
    let capture = &site.capture;
    let needs = [
        (capture.hold, "what a script does to the thread"),
        (capture.native_frames > 0, "the stack"),
        (capture.cpu_time, "the CPU time"),
        (capture.cpu, "the CPU"),
        (capture.ids, "the process's ids"),
    ];
    if let Some((_, what)) = needs.iter().find(|(needed, _)| *needed) {
        return Err(Unrecordable::Wanted(what));
    }
    let arguments = site.arguments.iter().map(|argument| {
        let wanted = match argument.how {
            How::Skip => Wanted::Nothing,
            How::Number => Wanted::Number,
            How::Text => Wanted::Text,
            How::Object(_) => return Err(Unrecordable::Wanted("an object's value")),
        };
        Ok(Argument {
            spec: argument.spec.clone(),
            wanted,
        })
    });
    arguments.collect()
}

impl Candidate {
    /// The site as the diversion sees it.
    pub fn diversion(&self) -> diversion::Site<'_> {
        diversion::Site {
            address: self.address.0,
            live: &self.live,
            facts: &self.facts,
        }
    }

    /// Where the books have it: its marker's row, its image, its address in the file.
    pub fn place(&self) -> (usize, ImageId, u64) {
        let location = self.address.0.wrapping_sub(self.image.bias);
        (self.site.row, self.image.clone(), location)
    }

    /// Chooses the way.
    pub fn choose(&self, space: &mut FreeSpace) -> Choice {
        let ways = match self.injected {
            true => &[WayKind::Jump],
            false => WayKind::DIVERSIONS.as_slice(),
        };
        choose(&self.diversion(), ways, space)
    }

    /// The most bytes that one of its records takes; `None` when it cannot be recorded.
    pub fn largest_record(&self) -> Option<u64> {
        let shape = Shape::of(&self.arguments, self.site.capture.texts.limit);
        shape.ok().map(|shape| shape.largest())
    }

    /// What must hold for its events to be recorded.
    pub fn test(&self, plan: &Plan) -> Option<Test> {
        if self.site.always {
            return None;
        }
        let requests = self.site.probe.requests.iter();
        let tests = requests.filter_map(|index| plan.requests.get(*index)?.test.clone());
        Some(Test::Any(tests.collect()))
    }
}

/// What the code of all sites has in common.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    pub plan: &'a Plan,
    pub pid: i32,
    pub target: i32,
    pub gate: u64,
    pub layout: &'a Layout,
    pub when_full: WhenFull,
}

/// A site with all that is to be written for it.
#[derive(Debug)]
pub struct Prepared {
    pub site: Arc<Site>,
    pub diverted: Diverted,
    pub test: Option<Test>,
    pub shape: Shape,
    /// Where its code lies.
    pub at: u64,
    pub code: Vec<u8>,
}

/// Assembles the code of sites, one behind the other from `base` on. Those for which that is not possible are left out.
/// Gives the address behind the last.
pub fn assemble(
    chosen: &[(Candidate, Choice)],
    base: u64,
    surroundings: Surroundings<'_>,
) -> (Vec<Prepared>, u64) {
    let mut all = Vec::new();
    let mut at = base;
    for (candidate, choice) in chosen.iter().take(MOST_SITES) {
        let number = u16::try_from(all.len()).unwrap_or(u16::MAX);
        if let Some(prepared) = prepare(candidate, choice, (number, at), surroundings) {
            let behind = at.saturating_add(prepared.code.len() as u64);
            at = behind.next_multiple_of(64);
            all.push(prepared);
        }
    }
    (all, at)
}

fn prepare(
    candidate: &Candidate,
    choice: &Choice,
    (number, at): (u16, u64),
    surroundings: Surroundings<'_>,
) -> Option<Prepared> {
    let test = candidate.test(surroundings.plan);
    let code = recorder::Site {
        number,
        arguments: &candidate.arguments,
        limit: candidate.site.capture.texts.limit,
        test: test.as_ref(),
        pid: surroundings.pid,
        target: surroundings.target,
        pc: candidate.address.0.saturating_add(choice.nop as u64),
        when_full: surroundings.when_full,
        of_function: candidate.site.probe.is_of_function(),
        callback: candidate.callback,
    };
    let site = candidate.diversion();
    let mut last = None;
    let code = code
        .assemble(at, surroundings.gate, surroundings.layout, &mut |at| {
            let tail = Tail::assemble(&site, choice, at).ok()?;
            let bytes = tail.bytes.clone();
            last = Some(tail);
            Some(bytes)
        })
        .ok()?;
    let tail = last?;
    let change = Change::prepare(&site, choice, at, &tail).ok()?;
    Some(Prepared {
        site: Arc::clone(&candidate.site),
        test: test.filter(|_| !code.decided),
        shape: code.shape,
        at,
        code: code.bytes,
        diverted: Diverted {
            address: candidate.address,
            image: candidate.image.clone(),
            nop: candidate.live.first().copied().unwrap_or(0),
            after_nop: candidate.address.0.saturating_add(choice.nop as u64),
            retargets: choice.way.kind() == WayKind::Retarget,
            change,
            tail,
            fixups: code.fixups,
        },
    })
}

/// The pages that the landings of puns need.
pub fn landings(choice: &Choice) -> &[Range<u64>] {
    match &choice.way {
        Way::Pun { pages, .. } => pages,
        _ => &[],
    }
}

/// Where code for so many sites may be put, the best first; and how many bytes of it.
pub fn places(
    space: &FreeSpace,
    image: &Range<u64>,
    sites: usize,
) -> Result<(Vec<u64>, u64), Refused> {
    let room = ROOM.saturating_mul(sites as u64).max(PAGE);
    let places = space.near(image, room);
    match places.is_empty() {
        true => Err(Refused::NoRoom),
        false => Ok((places, room)),
    }
}

impl AddressSpace {
    /// The breakpoints that are only there for markers and have not been diverted.
    pub fn undiverted(&self) -> impl Iterator<Item = (RuntimeAddress, &Planted)> {
        let planted = self.planted.iter();
        let planted = planted.map(|(address, planted)| (*address, planted));
        planted.filter(|(address, planted)| {
            !planted.purpose.markers.is_empty() && self.diverted(*address).is_none()
        })
    }
}
