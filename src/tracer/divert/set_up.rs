//! What a diversion needs in the program before its sites are written: the file of the rings, the gate and the code; and
//! what the consumer needs to read the rings.

use std::ops::Range;
use std::sync::Arc;

use super::inject::{self, Injector, Refused};
use super::sites::{self, Candidate, Prepared, Surroundings};
use super::{FEWEST, Live, RINGS, SPACE};
use crate::event::Delivery;
use crate::fastpath::diversion::{Choice, FreeSpace, Way};
use crate::fastpath::recording::{Line, RecordedSite, Recording};
use crate::fastpath::ring::{self, Layout, Reader};
use crate::process::maps;
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;
use crate::tracer::Tracer;
use crate::tracer::table::SpaceId;

impl Tracer {
    /// Maps and writes all that is needed but the sites themselves; `None` when nothing can be diverted.
    pub(super) fn set_up(
        &mut self,
        injector: &mut Injector<'_>,
        pid: i32,
        id: SpaceId,
        candidates: Vec<Candidate>,
    ) -> Result<Option<Ready>, Refused> {
        let largest = candidates
            .iter()
            .filter_map(Candidate::largest_record)
            .max();
        let ring = self.options.ring;
        let layout = Layout::new(rings(ring), ring, largest.unwrap_or(0));
        let layout = layout.map_err(Refused::Layout)?;
        let leftovers = self.table.spaces.get_mut(&id);
        for range in leftovers
            .map(|it| std::mem::take(&mut it.leftovers))
            .into_iter()
            .flatten()
        {
            inject::unmap(injector.remote, &range)?;
        }
        let mappings = maps::read(pid)?;
        let mut free = FreeSpace::of(&mappings, self.stack_limit(pid));
        let mut chosen = self.choose(candidates, &mut free);
        let (Some((first, _)), Some((last, _))) = (chosen.first(), chosen.last()) else {
            self.leave_as_it_is(id);
            return Ok(None);
        };
        let reach = first.address.0..last.address.0.saturating_add(1);
        chosen.retain(|(_, choice)| {
            let pages = sites::landings(choice).iter();
            pages.map(|pages| injector.code(pages)).all(|it| it.is_ok())
        });
        let (file, header) = injector.share(&layout)?;
        let gate = injector.gate()?;
        let target = self.target.unwrap_or(0);
        let surroundings = Surroundings {
            plan: &self.plan,
            pid,
            target,
            gate,
            layout: &layout,
            when_full: self.options.when_full,
        };
        let (places, room) = sites::places(&free, &reach, chosen.len())?;
        for place in places {
            let (prepared, end) = sites::assemble(&chosen, place, surroundings);
            let pages = place..end.next_multiple_of(crate::fastpath::diversion::PAGE);
            if prepared.is_empty() {
                return Err(Refused::NoCode);
            }
            if end.saturating_sub(place) > room || injector.code(&pages).is_err() {
                continue;
            }
            let code: Vec<Range<u64>> = injector
                .mapped
                .iter()
                .filter(|range| !range.contains(&gate) && !range.contains(&header))
                .cloned()
                .collect();
            write_code(&prepared, injector.memory)?;
            return Ok(Some(Ready {
                prepared,
                file: Arc::new(file),
                header,
                gate,
                layout,
                code,
                mapped: std::mem::take(&mut injector.mapped),
            }));
        }
        Err(Refused::NoRoom)
    }

    /// Decides how each site is diverted, and notes it in the books.
    fn choose(
        &mut self,
        candidates: Vec<Candidate>,
        free: &mut FreeSpace,
    ) -> Vec<(Candidate, Choice)> {
        let mut chosen = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let choice = candidate.choose(free);
            let why = choice.refused.iter().map(ToString::to_string).collect();
            let location = candidate.address.0.wrapping_sub(candidate.image.bias);
            let way = choice.way.kind().name();
            self.ledger.way(
                candidate.site.row,
                (&candidate.image.path, location),
                (way, why),
            );
            if choice.way != Way::Trap {
                chosen.push((candidate, choice));
            }
        }
        chosen
    }

    /// RLIMIT_STACK of a process, bytes.
    fn stack_limit(&self, pid: i32) -> u64 {
        let limits = self.proc.read_process(pid, "limits").if_found();
        let limits = String::from_utf8(limits.unwrap_or_default()).unwrap_or_default();
        let line = limits.lines().find(|it| it.starts_with("Max stack size"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3));
        soft.and_then(|soft| soft.parse().ok()).unwrap_or(u64::MAX)
    }

    /// The consumer gets what it needs to read the rings.
    pub(super) fn hand_over(&mut self, pid: i32, ready: &Ready) -> Live {
        let mut reader = Reader::new(Arc::clone(&ready.file) as Arc<ring::Words>, ready.layout);
        let mut sites = Vec::new();
        for (number, prepared) in ready.prepared.iter().enumerate() {
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            let probe = Arc::clone(&prepared.site.probe);
            reader.add_site(number, prepared.shape.clone(), probe);
            sites.push(RecordedSite {
                row: prepared.site.row,
                test: prepared.test.clone(),
            });
        }
        let line = Arc::new(Line::new(&reader));
        let comm = self.proc.comm(pid, pid).if_found().unwrap_or_default();
        let recording = Recording {
            pid,
            target: self.target.unwrap_or(0),
            comm: comm.to_string_lossy().into(),
            reader,
            sites,
            line: Arc::clone(&line),
        };
        self.outbox.send(Delivery::Recording(Box::new(recording)));
        Live {
            line,
            file: Arc::clone(&ready.file),
            layout: ready.layout,
        }
    }
}

/// A diversion of which only the sites are not written yet.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) prepared: Vec<Prepared>,
    pub(super) file: Arc<ring::Mapping>,
    /// Where the file's header lies in the program.
    pub(super) header: u64,
    pub(super) gate: u64,
    pub(super) layout: Layout,
    pub(super) code: Vec<Range<u64>>,
    pub(super) mapped: Vec<Range<u64>>,
}

/// How many rings of a size there are.
pub(super) fn rings(size: u64) -> u32 {
    let fitting = u32::try_from(SPACE / size.max(1)).unwrap_or(RINGS);
    fitting.clamp(FEWEST, RINGS)
}

fn write_code(prepared: &[Prepared], memory: &ProcessMemory) -> Result<(), Refused> {
    for site in prepared {
        let landing = site.diverted.change.landing.iter();
        let landing = landing.map(|(at, code)| (*at, code.as_slice()));
        for (at, code) in landing.chain([(site.at, site.code.as_slice())]) {
            memory.write(at, code).map_err(|_| Refused::Write)?;
        }
    }
    Ok(())
}
