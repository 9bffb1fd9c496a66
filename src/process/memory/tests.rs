//! Reading and writing real memory: this process's own, and that of children that end and exec.

use super::c_string::StringRead;
use super::*;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::ptr;

/// Whole pages of this process.
struct Pages {
    start: *mut u8,
    mapped: usize,
    length: usize,
}

impl Pages {
    fn new(count: usize, protection: i32, flags: i32, file: Option<&File>) -> Pages {
        let length = count * PAGE as usize;
        let (flags, descriptor) = match file {
            Some(file) => (flags, file.as_raw_fd()),
            None => (flags | libc::MAP_ANONYMOUS, -1),
        };
        // SAFETY: a new mapping at a place that the kernel chooses touches nothing else.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, descriptor, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Pages {
            start: start.cast(),
            mapped: length,
            length,
        }
    }

    /// Pages filled with `byte`, and one page behind them that nobody can read: it lies behind its file's end. (An
    /// unmapped one could be taken by another thread meanwhile.)
    fn before_a_hole(count: usize, byte: u8) -> Pages {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(count as u64 * PAGE).expect("it grows");
        let both = libc::PROT_READ | libc::PROT_WRITE;
        let mut pages = Pages::new(count + 1, both, libc::MAP_PRIVATE, Some(&file));
        pages.length = count * PAGE as usize;
        // SAFETY: the first `length` bytes are mapped, writable and ours.
        unsafe { ptr::write_bytes(pages.start, byte, pages.length) };
        pages
    }

    fn protect(&self, protection: i32) {
        // SAFETY: these are our own pages, and no reference into them exists.
        assert_eq!(
            unsafe { libc::mprotect(self.start.cast(), self.mapped, protection) },
            0
        );
    }

    fn address(&self, offset: usize) -> u64 {
        self.start as u64 + offset as u64
    }

    fn end(&self) -> u64 {
        self.address(self.length)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: these are our own pages, and no reference into them exists.
        unsafe { libc::munmap(self.start.cast(), self.mapped) };
    }
}

fn own() -> ProcessMemory {
    ProcessMemory::open(nix::unistd::getpid().as_raw()).expect("a process may read itself")
}

#[test]
fn a_read_stops_at_the_first_page_that_is_not_there() {
    let pages = Pages::before_a_hole(2, b'x');
    let memory = own();
    let mut buffer = vec![0; 3 * PAGE as usize];
    assert_eq!(
        memory.read(pages.address(0), &mut buffer),
        2 * PAGE as usize
    );
    assert_eq!(memory.read(pages.end() - 5, &mut buffer), 5);
    assert_eq!(memory.read(pages.end(), &mut buffer), 0);
    for address in [0, 1, 1 << 63, u64::MAX - 3, u64::MAX] {
        assert_eq!(memory.read(address, &mut [0; 8]), 0, "{address:#x}");
    }
    assert_eq!(memory.read(pages.address(0), &mut []), 0);
}

#[test]
fn a_string_at_the_end_of_its_mapping_is_read() {
    let pages = Pages::before_a_hole(2, b'x');
    let memory = own();
    memory.write(pages.end() - 4, b"abc\0").expect("writable");
    let text = |bytes: &[u8], truncated| StringRead::Text {
        bytes: bytes.to_vec(),
        truncated,
    };
    assert_eq!(memory.c_string(pages.end() - 4, 100), text(b"abc", false));
    let long = [vec![b'x'; 2 * 4096 - 4], b"abc".to_vec()].concat();
    assert_eq!(
        memory.c_string(pages.address(0), usize::MAX),
        text(&long, false)
    );

    memory.write(pages.end() - 1, b"d").expect("writable");
    assert_eq!(memory.c_string(pages.end() - 4, 100), text(b"abcd", true));
    let strings = memory.c_strings([pages.end() - 4, pages.end(), pages.end() - 1, 0], 3);
    let expected = [
        text(b"abc", true),
        StringRead::Unreadable,
        text(b"d", true),
        StringRead::Unreadable,
    ];
    assert_eq!(strings, expected);
}

#[test]
fn read_only_pages_are_written_and_shared_ones_refused_by_name() {
    let pages = Pages::new(1, libc::PROT_READ, libc::MAP_PRIVATE, None);
    own()
        .write(pages.address(8), b"new")
        .expect("a private page is copied");
    let mut found = [0; 4];
    assert_eq!(own().read(pages.address(7), &mut found), 4);
    assert_eq!(&found, b"\0new");

    let file = tempfile::tempfile().expect("a temporary file");
    file.set_len(PAGE).expect("it grows");
    let shared = Pages::new(1, libc::PROT_READ, libc::MAP_SHARED, Some(&file));
    let error = own()
        .write(shared.address(5), b"new")
        .expect_err("there is no copy to write to");
    assert!(matches!(error.cause, WriteObstacle::ReadOnly), "{error:?}");
    assert_eq!((error.address, error.written), (shared.address(5), 0));
}

#[test]
fn pages_that_the_process_may_not_read_are_read() {
    let pages = Pages::before_a_hole(1, b'p');
    pages.protect(libc::PROT_NONE);
    let (mut first, mut second) = ([0; 2], [0; 3]);
    let mut places = [
        Place::new(pages.address(0), &mut first),
        Place::new(pages.address(9), &mut second),
    ];
    own().read_vectored(&mut places);
    assert_eq!(places.map(|place| place.read), [2, 3]);
    assert_eq!((&first, &second), (b"pp", b"ppp"));
}

#[test]
fn a_write_into_a_hole_says_how_far_it_came() {
    let pages = Pages::before_a_hole(1, 0);
    let error = own()
        .write(pages.end() - 3, b"abcdef")
        .expect_err("three bytes are too many");
    assert!(matches!(error.cause, WriteObstacle::Unmapped), "{error:?}");
    assert_eq!((error.address, error.written), (pages.end(), 3));
    for address in [0, 1 << 63, u64::MAX] {
        let error = own()
            .write(address, b"ab")
            .expect_err("nothing is mapped there");
        assert!(matches!(error.cause, WriteObstacle::Unmapped), "{error:?}");
    }
    own().write(0, b"").expect("nothing to write");
}

/// Reads `count` places, of which every third reaches into a hole and every fourth lies in it.
fn read_many(memory: &ProcessMemory, count: usize) {
    let pages = Pages::before_a_hole(1, 0);
    let content: Vec<u8> = (0..PAGE).map(|number| number as u8).collect();
    memory.write(pages.address(0), &content).expect("writable");
    let offset = |number: usize| match number {
        _ if number % 4 == 3 => 4096 + number,
        _ if number % 3 == 2 => 4096 - 7,
        _ => number * 5,
    };
    let mut buffers = vec![[0u8; 20]; count];
    let numbered = buffers.iter_mut().enumerate();
    let mut places: Vec<Place<'_>> = numbered
        .map(|(number, buffer)| {
            Place::new(pages.address(offset(number)), &mut buffer[..number % 21])
        })
        .collect();
    memory.read_vectored(&mut places);
    for (number, place) in places.iter().enumerate() {
        let expected = content.get(offset(number)..).unwrap_or(&[]);
        let expected = &expected[..expected.len().min(number % 21)];
        assert_eq!(place.read, expected.len(), "place {number}");
        assert_eq!(&place.buffer[..place.read], expected, "place {number}");
    }
}

#[test]
fn many_places_are_read_whichever_of_them_are_there() {
    for count in [0, 1, 2, 7, 8, 9, 40] {
        read_many(&own(), count);
    }
    assert!(!own().vectored_refused.load(Ordering::Relaxed));
}

/// Makes a system call fail with `errno` in this thread and what it starts (seccomp(2)).
fn forbid(call: libc::c_long, errno: i32) {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let filter = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut program = [
        filter(load, 0, 0, 0),
        filter(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            call as u32,
        ),
        filter(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter is complete and outlives the calls, which change this thread's rights only.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            0
        );
    }
}

#[test]
fn where_process_vm_readv_is_refused_the_file_is_read() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let thread = std::thread::spawn(move || {
            forbid(libc::SYS_process_vm_readv, errno);
            let memory = own();
            read_many(&memory, 40);
            memory.vectored_refused.load(Ordering::Relaxed)
        });
        assert!(
            thread.join().expect("all places read"),
            "the refusal was not met"
        );
    }
}

/// A shell that says that it has started and then waits for a line.
fn shell(script: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    answer(&mut child);
    child
}

fn answer(child: &mut Child) {
    let mut line = [0; 6];
    child
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut line)
        .expect("read");
    assert_eq!(&line, b"ready\n");
}

/// The first address of the child's memory map.
fn first_address(child: &Child) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.id())).expect("it runs");
    let start = maps.split('-').next().expect("a first mapping");
    u64::from_str_radix(start, 16).expect("an address")
}

#[test]
fn memory_ends_with_the_process_and_with_its_program() {
    for exec in [true, false] {
        let mut child = shell(if exec {
            "echo ready; read line; exec cat"
        } else {
            "echo ready; read line"
        });
        let memory = ProcessMemory::open(child.id() as i32).expect("a child may be read");
        let address = first_address(&child);
        let mut magic = [0; 4];
        assert_eq!(memory.read(address, &mut magic), 4);
        assert_eq!(&magic, b"\x7fELF");

        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(b"go\nready\n").expect("written");
        if exec {
            answer(&mut child);
        } else {
            child.wait().expect("reaped");
        }
        assert_eq!(memory.read(address, &mut magic), 0);
        let error = memory.write(address, b"x").expect_err("there is no memory");
        assert!(matches!(error.cause, WriteObstacle::Gone), "{error:?}");
        drop(pipe);
        child.wait().expect("reaped");
    }
}

#[test]
fn no_process_has_no_memory() {
    let mut child = shell("echo ready");
    child.wait().expect("reaped");
    let error = ProcessMemory::open(child.id() as i32).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
