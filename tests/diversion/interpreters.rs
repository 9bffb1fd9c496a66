//! Every marker's site of every interpreter at hand.

use std::path::{Path, PathBuf};

use ptpytrace::address::FileAddress;
use ptpytrace::elf::{Image, ImageKind, Note};
use ptpytrace::fastpath::diversion::{
    Choice, Code, FreeSpace, Site, SiteFacts, WayKind, choose, survey,
};

use crate::harness::interpreters::interpreter;

/// A file with markers and what was found out about their sites.
pub struct Surveyed {
    pub path: PathBuf,
    pub image: Image,
    pub sites: Vec<(Note, SiteFacts)>,
}

impl Surveyed {
    pub fn open(path: &Path) -> Surveyed {
        let image = Image::open(path).expect("an image");
        let code = Code::of(&image).expect("its segments");
        let notes: Vec<Note> = image.notes().to_vec();
        let addresses: Vec<FileAddress> = notes.iter().map(|note| note.location).collect();
        let facts = survey(&code, &addresses, &|range| image.has_symbol_within(&range));
        let sites = notes.into_iter().zip(facts).collect();
        let path = path.to_owned();
        Surveyed { path, image, sites }
    }

    /// Where it is put in these tests: a fixed program where it belongs, a library where the kernel puts them.
    pub fn bias(&self) -> u64 {
        match self.image.kind() {
            ImageKind::Executable => 0,
            _ => 0x7f12_3456_7000,
        }
    }

    pub fn choose(&self, facts: &SiteFacts, allowed: &[WayKind], space: &mut FreeSpace) -> Choice {
        let address = facts.address.wrapping_add(self.bias());
        let live = &facts.bytes;
        choose(
            &Site {
                address,
                live,
                facts,
            },
            allowed,
            space,
        )
    }
}

/// The files of all interpreters at hand, each once.
pub fn all() -> Vec<Surveyed> {
    let names = ["python", "shared"];
    let versions = ["3.9", "3.11", "3.13", "3.15"];
    let mut paths: Vec<PathBuf> = names
        .iter()
        .flat_map(|name| versions.map(|version| interpreter(&format!("{name}{version}")).notes))
        .collect();
    paths.extend(
        ["/usr/bin/python3.11"]
            .map(PathBuf::from)
            .into_iter()
            .filter(|path| path.exists()),
    );
    paths.iter().map(|path| Surveyed::open(path)).collect()
}

/// The way that the bytes alone allow in an address space that is empty, and the way without a jump to retarget and
/// without a page to land on.
fn by_the_bytes(file: &Surveyed, bytes: &[u8], address: u64) -> WayKind {
    assert_eq!(bytes[0], 0x90, "GCC's markers are one-byte nops");
    let distance = i32::from_le_bytes(bytes[1..5].try_into().expect("four bytes"));
    let landing = address
        .wrapping_add(5)
        .wrapping_add(i64::from(distance) as u64);
    match bytes[1] {
        0xe9 => WayKind::Retarget,
        _ if (0x1_0000..0x7fff_ffff_0000).contains(&landing) => WayKind::Pun,
        _ => {
            assert_eq!(file.bias(), 0, "a library has room on both sides");
            WayKind::Jump
        }
    }
}

/// Every site can be diverted, in the way that its bytes ask for: nothing in these files leads into them.
#[test]
fn every_site_is_diverted_in_the_best_way_that_its_bytes_allow() {
    for file in all() {
        println!("{}", file.path.display());
        for (note, facts) in &file.sites {
            let mut space = FreeSpace::of(&[], 8 << 20);
            let best = file.choose(facts, &WayKind::DIVERSIONS, &mut space);
            let jump = file.choose(facts, &[WayKind::Jump], &mut space);
            let refused: Vec<String> = best.refused.iter().map(ToString::to_string).collect();
            let way = best.way.kind();
            println!(
                "  {:#10x} {way:9} {:26} {}",
                facts.address,
                note.name,
                refused.join("; ")
            );
            let address = facts.address.wrapping_add(file.bias());
            assert_eq!(way, by_the_bytes(&file, &facts.bytes, address), "{best:?}");
            assert_eq!(jump.way.kind(), WayKind::Jump, "{jump:?}");
        }
    }
}
