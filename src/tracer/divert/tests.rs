use std::path::PathBuf;

use super::*;
use crate::fastpath::diversion::{Choice, Site, SiteFacts, Way};

const SITE: u64 = 0x10_0000;
const STUB: u64 = 0x20_0000;

/// A site with a nop and room for a jump, led to a stub.
fn diverted() -> Diverted {
    let live = [0x90, 0x0f, 0x1f, 0x40, 0x00, 0xc3];
    let facts = SiteFacts {
        address: SITE,
        bytes: live.to_vec(),
        frame: None,
        decoded: true,
        label: None,
        evidence: Vec::new(),
    };
    let site = Site {
        address: SITE,
        live: &live,
        facts: &facts,
    };
    let choice = Choice {
        way: Way::Jump,
        nop: 1,
        displaced: Some(5),
        refused: Vec::new(),
    };
    let tail = Tail::assemble(&site, &choice, STUB + 64).unwrap();
    Diverted {
        address: RuntimeAddress(SITE),
        image: ImageId {
            bias: 0,
            path: PathBuf::new(),
        },
        nop: 0x90,
        after_nop: SITE + 1,
        retargets: false,
        change: Change::prepare(&site, &choice, STUB, &tail).unwrap(),
        tail,
        fixups: Vec::new(),
    }
}

/// A thread that has run into a breakpoint may be dealt with only after its site was diverted, and put back.
#[test]
fn nobody_goes_on_where_nothing_is_mapped() {
    let pages = STUB..STUB + 4096;
    let mut space = AddressSpace::default();
    space.diversions.push(Diversion {
        sites: Arc::new([diverted()]),
        mapped: vec![pages.clone()],
        code: vec![pages],
        gate: STUB + 4096,
        live: None,
    });
    let site = RuntimeAddress(SITE);
    assert_eq!(space.tail(site), Some(STUB + 64));
    assert_eq!(space.tail(RuntimeAddress(SITE + 1)), None);
    space.diversions[0].mapped.clear();
    assert_eq!(space.tail(site), None);
}

#[test]
fn of_large_rings_there_are_fewer() {
    let sizes = [0, 8 << 10, 4 << 20, 16 << 20, 64 << 20, 1 << 30, u64::MAX];
    let rings = sizes.map(set_up::rings);
    assert_eq!(rings, [512, 512, 512, 512, 128, 8, 8]);
}
