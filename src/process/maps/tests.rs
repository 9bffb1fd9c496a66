//! Tables of lines as kernels write them, and of lines as they never do.

use proptest::prelude::*;

use super::*;

fn one(line: &str) -> Mapping {
    let mut parsed = parse(line.as_bytes()).expect(line);
    assert_eq!(parsed.len(), 1, "{line}");
    parsed.remove(0)
}

#[test]
fn a_line_of_a_file_is_read_field_by_field() {
    let line =
        "55a81d65c000-55a81d660000 r-xp 00004000 fe:1f 1310735                    /usr/bin/a b\n";
    assert_eq!(
        one(line),
        Mapping {
            start: RuntimeAddress(0x55a8_1d65_c000),
            end: RuntimeAddress(0x55a8_1d66_0000),
            readable: true,
            writable: false,
            executable: true,
            shared: false,
            offset: 0x4000,
            device: (0xfe, 0x1f),
            inode: 1_310_735,
            path: Some(PathBuf::from("/usr/bin/a b")),
            deleted: false,
        }
    );
}

#[test]
fn permissions_and_paths_of_every_kind() {
    // Line, readable, writable, executable, shared, path, deleted, whether a file.
    let table = [
        ("10-20 ---p 0 00:00 0", "", false, false),
        ("10-20 rw-p 0 00:00 0 ", "", false, false),
        ("10-20 rw-p 0 00:00 0    [heap]", "[heap]", false, false),
        ("10-20 r-xp 0 00:00 0    [vdso]", "[vdso]", false, false),
        (
            "10-20 rw-s 0 00:01 7  /dev/zero (deleted)",
            "/dev/zero",
            true,
            false,
        ),
        (
            "10-20 rw-s 0 00:01 8  /SYSV00000000 (deleted)",
            "/SYSV00000000",
            true,
            false,
        ),
        (
            "10-20 r-xp 0 00:01 9  /memfd:jit (deleted)",
            "/memfd:jit",
            true,
            false,
        ),
        (
            "10-20 rw-p 0 00:0e 3  anon_inode:[perf_event]",
            "anon_inode:[perf_event]",
            false,
            false,
        ),
        ("10-20 r-xp 0 08:01 5  /a", "/a", false, true),
        ("10-20 r-xp 0 08:01 5  /a (deleted)", "/a", true, true),
        (
            "10-20 r-xp 0 08:01 5  /a (deleted) b",
            "/a (deleted) b",
            false,
            true,
        ),
        (
            r"10-20 r-xp 0 08:01 5  /a\012b\040c",
            "/a\nb\\040c",
            false,
            true,
        ),
        ("10-20 r-xp 0 08:01 5  /a  ", "/a  ", false, true),
        ("10-20 r-xp 0 08:01 5  /\u{e9}", "/\u{e9}", false, true),
    ];
    for (line, path, deleted, file) in table {
        let mapping = one(line);
        let permissions = line.split(' ').nth(1).expect(line).as_bytes();
        assert_eq!(mapping.readable, permissions[0] == b'r', "{line}");
        assert_eq!(mapping.writable, permissions[1] == b'w', "{line}");
        assert_eq!(mapping.executable, permissions[2] == b'x', "{line}");
        assert_eq!(mapping.shared, permissions[3] == b's', "{line}");
        let expected = (!path.is_empty()).then(|| PathBuf::from(path));
        assert_eq!(mapping.path, expected, "{line}");
        assert_eq!(mapping.deleted, deleted, "{line}");
        assert_eq!(mapping.file().is_some(), file, "{line}");
        assert_eq!(mapping.length(), 0x10, "{line}");
    }
}

#[test]
fn a_path_need_not_be_utf8() {
    let parsed = parse(b"10-20 r-xp 0 08:01 5 /\xff\n").expect("a mapping");
    let path = parsed[0].path.as_ref().expect("a path");
    assert_eq!(path.as_os_str().as_encoded_bytes(), b"/\xff");
}

#[test]
fn a_wrong_line_is_named() {
    let good = "10-20 r-xp 0 08:01 5 /a\n";
    let table = [
        ("x", "range of addresses"),
        ("10 r-xp 0 08:01 5", "range of addresses"),
        ("20-10 r-xp 0 08:01 5", "range of addresses"),
        ("+1-20 r-xp 0 08:01 5", "range of addresses"),
        ("10-11112222333344445 r-xp 0 08:01 5", "range of addresses"),
        ("10-20", "permissions"),
        ("10-20 r-x 0 08:01 5", "permissions"),
        ("10-20 r-xp", "offset"),
        ("10-20 r-xp zz 08:01 5", "offset"),
        ("10-20 r-xp 0 0801 5", "device"),
        ("10-20 r-xp 0 08:111112222 5", "device"),
        ("10-20 r-xp 0 08:01", "inode"),
        ("10-20 r-xp 0 08:01 5a", "inode"),
    ];
    for (line, field) in table {
        let error = parse(format!("{good}{line}\n{good}").as_bytes()).expect_err(line);
        assert_eq!(error, MapsError { line: 2, field }, "{line}");
        let text = error.to_string();
        assert!(text.contains("line 2") && text.contains(field), "{text}");
    }
}

#[test]
fn no_lines_are_no_mappings() {
    assert_eq!(parse(b""), Ok(Vec::new()));
}

#[test]
fn own_mappings_contain_own_code() {
    let pid = i32::try_from(std::process::id()).expect("a pid");
    let here = own_mappings_contain_own_code as *const () as u64;
    let mappings = read(pid).expect("own maps");
    let code = mappings
        .iter()
        .find(|mapping| (mapping.start.0..mapping.end.0).contains(&here))
        .expect("a mapping of this function");
    assert!(code.executable && code.readable && !code.writable);
    let exe = std::env::current_exe().expect("own path");
    assert_eq!(code.file(), Some(exe.as_path()));
}

#[test]
fn a_process_that_does_not_exist_is_an_error() {
    let error = read(i32::MAX).expect_err("no such process");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_written_as_the_kernel_writes_is_read_back(
        (start, length, offset) in (any::<u32>(), any::<u32>(), any::<u32>()),
        (major, minor, inode) in (any::<u8>(), any::<u8>(), any::<u64>()),
        name in "[a-z (){}\n]{0,12}[a-z]",
    ) {
        let (start, offset) = (u64::from(start) << 12, u64::from(offset) << 12);
        let end = start + (u64::from(length) << 12);
        let escaped = name.replace('\n', "\\012");
        let line = format!(
            "{start:08x}-{end:08x} r-xp {offset:08x} {major:02x}:{minor:02x} {inode} {:>20}/{escaped}\n", ""
        );
        let mapping = one(&line);
        prop_assert_eq!((mapping.start.0, mapping.end.0), (start, end));
        prop_assert_eq!(mapping.offset, offset);
        prop_assert_eq!(mapping.device, (u32::from(major), u32::from(minor)));
        prop_assert_eq!(mapping.inode, inode);
        prop_assert_eq!(mapping.path, Some(PathBuf::from(format!("/{name}"))));
    }
}
