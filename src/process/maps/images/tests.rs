//! Opening without `map_files`, as an unprivileged tracer does: by path and by
//! `exe`, with the inode compared. The process is this one, and copies of files
//! that this one maps.

use std::path::Path;

use super::*;
use crate::process::maps::{parse, read};

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).expect("a pid")
}

fn scan(mappings: &[Mapping], map_files: bool, cache: &mut ImageCache) -> MappedImages {
    let process = PathBuf::from(format!("/proc/{}", own_pid()));
    Scan::new(&process, map_files, cache).run(mappings)
}

fn named(found: &MappedImages) -> Vec<(PathBuf, LoadBias)> {
    let images = found.images.iter();
    images
        .map(|mapped| (mapped.path.clone(), mapped.bias))
        .collect()
}

/// A line of `maps` for a file's text.
fn line(inode: u64, path: &str) -> Vec<Mapping> {
    let text = format!("7f0000001000-7f0000002000 r-xp 00001000 00:01 {inode} {path}\n");
    parse(text.as_bytes()).expect("a mapping")
}

#[test]
fn by_path_the_same_images_are_found_as_by_map_files() {
    let mappings = read(own_pid()).expect("own maps");
    let by_path = scan(&mappings, false, &mut ImageCache::new());
    assert!(by_path.warnings.is_empty(), "{:?}", by_path.warnings);
    let names = named(&by_path);
    let exe = std::env::current_exe().expect("own path");
    assert!(names.iter().any(|(path, _)| *path == exe), "{names:?}");
    assert!(
        names.iter().any(|(path, _)| path.ends_with("libc.so.6")),
        "{names:?}"
    );
    assert_eq!(names, named(&scan(&mappings, true, &mut ImageCache::new())));
}

#[test]
fn a_second_scan_parses_nothing() {
    let mut cache = ImageCache::new();
    let first = mapped_images(own_pid(), &mut cache).expect("own images");
    let known = cache.len();
    assert_eq!(known, first.images.len());
    let second = mapped_images(own_pid(), &mut cache).expect("own images");
    assert_eq!(cache.len(), known);
    for (one, two) in first.images.iter().zip(&second.images) {
        assert!(
            Arc::ptr_eq(&one.image, &two.image),
            "{}",
            one.path.display()
        );
        assert_eq!(one.bias, two.bias);
    }
}

#[test]
fn own_functions_lie_where_the_images_say() {
    let found = mapped_images(own_pid(), &mut ImageCache::new()).expect("own images");
    let here = own_functions_lie_where_the_images_say as *const () as u64;
    let own = found
        .images
        .iter()
        .find(|mapped| mapped.range.contains(&RuntimeAddress(here)))
        .expect("the image of this function");
    let at = FileAddress(here.wrapping_sub(own.bias.0));
    let function = own
        .image
        .function_at(at)
        .expect("a symbol of this function");
    assert!(
        function.contains("own_functions_lie_where_the_images_say"),
        "{function}"
    );
    // SAFETY: sixteen bytes of this function's own code, which is longer than that.
    let code = unsafe { std::slice::from_raw_parts(here as *const u8, 16) };
    assert_eq!(own.image.read_at(at, 16).as_deref(), Some(code));
}

#[test]
fn an_image_without_markers_is_opened_again_and_a_changed_file_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("true");
    std::fs::copy("/bin/true", &copy).expect("copied");
    let mut cache = ImageCache::new();
    let mut fresh = || {
        let file = File::open(&copy).expect("opened");
        let image = cache.image(file, copy.clone()).expect("an image");
        (image, cache.len())
    };
    let (image, _) = fresh();
    let magic = |image: &Image| image.read_at(FileAddress(0), 4);
    assert!(image.notes().is_empty(), "/bin/true has no markers");
    assert_eq!(magic(&image).as_deref(), Some(&b"\x7fELF"[..]));
    assert!(
        Arc::ptr_eq(&image, &fresh().0),
        "the same file is parsed once"
    );
    let mut changed = std::fs::read(&copy).expect("read");
    changed.extend(b"more");
    std::fs::write(&copy, changed).expect("written");
    assert_eq!(magic(&image), None, "another size is another file");
    let (other, known) = fresh();
    assert!(!Arc::ptr_eq(&image, &other));
    assert_eq!(magic(&other).as_deref(), Some(&b"\x7fELF"[..]));
    assert_eq!(known, 2);
}

#[test]
fn another_file_at_the_path_is_refused_and_named() {
    let exe = std::env::current_exe().expect("own path");
    let path = exe.display().to_string();
    let inode = std::fs::metadata(&exe).expect("metadata").ino();
    let found = scan(&line(inode ^ 1, &path), false, &mut ImageCache::new());
    let [warning] = &found.warnings[..] else {
        panic!("{:?}", found.warnings);
    };
    let text = warning.to_string();
    let expected = format!(
        "{path}: is another file than the one that runs (inode {inode}, running: {})",
        inode ^ 1
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains("restart the program"), "{text}");
}

#[test]
fn a_deleted_executable_is_opened_through_exe() {
    let exe = std::env::current_exe().expect("own path");
    let inode = std::fs::metadata(&exe).expect("metadata").ino();
    let mappings = read(own_pid()).expect("own maps");
    let text = mappings
        .iter()
        .find(|mapping| mapping.executable && mapping.inode == inode)
        .expect("own code");
    let moved = Mapping {
        path: Some(PathBuf::from("/no/such/folder/program")),
        deleted: true,
        ..text.clone()
    };
    let found = scan(&[moved], false, &mut ImageCache::new());
    assert_eq!(found.images.len(), 1, "{:?}", found.warnings);
    let gone = scan(
        &line(u64::MAX, "/no/such/lib.so (deleted)"),
        false,
        &mut ImageCache::new(),
    );
    let text = gone.warnings[0].to_string();
    assert!(
        text.starts_with("/no/such/lib.so: has been deleted or replaced"),
        "{text}"
    );
}

#[test]
fn a_missing_file_is_a_warning_and_data_is_none() {
    let missing = scan(&line(5, "/no/such/lib.so"), false, &mut ImageCache::new());
    let text = missing.warnings[0].to_string();
    assert_eq!(text, "/no/such/lib.so: no such file; check the path");
    let data = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(data.path(), "MZ: code of another system").expect("written");
    let inode = std::fs::metadata(data.path()).expect("metadata").ino();
    let path = data.path().display().to_string();
    let found = scan(&line(inode, &path), false, &mut ImageCache::new());
    assert!(
        found.images.is_empty() && found.warnings.is_empty(),
        "{found:?}"
    );
}

#[test]
fn a_pipe_in_the_place_of_a_file_does_not_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let found = scan(
        &line(5, &path.display().to_string()),
        false,
        &mut ImageCache::new(),
    );
    assert!(found.warnings[0].to_string().contains("not a regular file"));
}

#[test]
fn paths_are_tried_below_the_process_root() {
    let mut cache = ImageCache::new();
    let process = Path::new("/proc/self");
    let scan = Scan::new(process, false, &mut cache);
    let candidates = scan.candidates(Path::new("/usr/bin/x"));
    assert_eq!(candidates, [PathBuf::from("/proc/self/root/usr/bin/x")]);
}
