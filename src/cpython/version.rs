//! What a CPython version is: on it depend the layouts of objects, the markers that fire and the ways around those
//! that do not.

use std::fmt;

/// A CPython version and the kinds of build that change how its objects lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The 3 of 3.11.2.
    pub major: u8,
    /// The 11 of 3.11.2.
    pub minor: u8,
    /// The rest; always known from 3.11 on unless only a file's name was there to tell.
    pub patch: Option<Patch>,
    /// Built with `--disable-gil`: larger object headers.
    pub free_threaded: bool,
    /// Built with `--with-pydebug`, as far as symbols or the name tell.
    pub debug: bool,
    /// Every object has two pointers more in front: `--with-trace-refs`, and before 3.8 every debug build.
    pub trace_refs: bool,
}

/// What follows major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The 2 of 3.11.2.
    pub micro: u8,
    /// Alpha, beta, release candidate or final.
    pub level: Level,
    /// The 1 of 3.14.0rc1; 0 for a final release.
    pub serial: u8,
}

/// How finished a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `a`, 0xA in the hex version.
    Alpha,
    /// `b`, 0xB.
    Beta,
    /// `rc`, 0xC.
    Candidate,
    /// No suffix, 0xF.
    Final,
}

impl Version {
    /// Reads `PY_VERSION_HEX` (`0x030b02f0` is 3.11.2): two digits each for major, minor and micro, one for the
    /// level (A, B, C, F) and one for the serial number; see "API and ABI Versioning" in CPython's documentation.
    /// `None` when it cannot be one.
    pub fn from_hex(hex: u32) -> Option<Version> {
        let [major, minor, micro, rest] = hex.to_be_bytes();
        let level = match rest >> 4 {
            0xa => Level::Alpha,
            0xb => Level::Beta,
            0xc => Level::Candidate,
            0xf => Level::Final,
            _ => return None,
        };
        let patch = Patch {
            micro,
            level,
            serial: rest & 0xf,
        };
        (major == 2 || major == 3).then_some(Version {
            patch: Some(patch),
            ..Version::plain(major, minor)
        })
    }

    /// Reads the name of an executable or library: `python3.9`, `/usr/bin/python3.13t`, `libpython3.6m.so.1.0`.
    /// The letters behind the number are CPython's ABI flags (`d` debug, `m` pymalloc, `t` free-threaded, `u` wide
    /// characters); before 3.8 `d` also means traced references. `None` when the name tells no minor version.
    pub fn from_name(name: &str) -> Option<Version> {
        let file = name.rsplit('/').next()?;
        let numbers = file
            .strip_prefix("lib")
            .unwrap_or(file)
            .strip_prefix("python")?;
        let (major, rest) = numbers.split_once('.')?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (minor, rest) = rest.split_at_checked(end)?;
        let flags = rest
            .split(|c: char| !c.is_ascii_lowercase())
            .next()
            .unwrap_or("");
        if !flags.chars().all(|flag| "dmtu".contains(flag)) {
            return None;
        }
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        let debug = flags.contains('d') || rest.starts_with("-dbg");
        (major == 2 || major == 3).then_some(Version {
            free_threaded: flags.contains('t'),
            debug,
            trace_refs: debug && (major, minor) < (3, 8),
            ..Version::plain(major, minor)
        })
    }

    /// Whether this is that very release, such as `(3, 11, 0)`, its alphas to release candidates included. `false`
    /// when the micro version is not known.
    pub fn is(&self, release: (u8, u8, u8)) -> bool {
        self.patch
            .is_some_and(|patch| (self.major, self.minor, patch.micro) == release)
    }

    /// Whether the release is that one or a later one, by major and minor version.
    pub fn at_least(&self, major: u8, minor: u8) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// A usual build with the GIL, of unknown patch level.
    pub(super) fn plain(major: u8, minor: u8) -> Version {
        Version {
            major,
            minor,
            patch: None,
            free_threaded: false,
            debug: false,
            trace_refs: false,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{}", patch.micro)?;
            match patch.level {
                Level::Alpha => write!(f, "a{}", patch.serial)?,
                Level::Beta => write!(f, "b{}", patch.serial)?,
                Level::Candidate => write!(f, "rc{}", patch.serial)?,
                Level::Final => {}
            }
        }
        if self.free_threaded {
            f.write_str(" free-threaded")?;
        }
        if self.debug {
            f.write_str(" debug")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_versions() {
        // The examples of CPython's own documentation, and releases as sys.hexversion has them.
        for (hex, text) in [
            (0x0304_01a2, "3.4.1a2"),
            (0x030a_00f0, "3.10.0"),
            (0x030b_00f0, "3.11.0"),
            (0x030b_01f0, "3.11.1"),
            (0x030e_00c1, "3.14.0rc1"),
            (0x030d_00b4, "3.13.0b4"),
            (0x0207_12f0, "2.7.18"),
        ] {
            assert_eq!(Version::from_hex(hex).unwrap().to_string(), text);
        }
        for hex in [0, 0x030b_0200, 0x0a0b_02f0, u32::MAX, 0x030b_02e0] {
            assert_eq!(Version::from_hex(hex), None, "{hex:#x}");
        }
        assert!(Version::from_hex(0x030b_00f0).unwrap().is((3, 11, 0)));
        assert!(!Version::from_hex(0x030b_01f0).unwrap().is((3, 11, 0)));
    }

    #[test]
    fn names() {
        for (name, text) in [
            ("python3.9", "3.9"),
            ("/usr/bin/python3.11", "3.11"),
            ("/opt/x y/python3.13t", "3.13 free-threaded"),
            ("/usr/bin/python3.9-dbg", "3.9 debug"),
            ("/usr/bin/python3.9 (deleted)", "3.9"),
            ("libpython3.9.so.1.0", "3.9"),
            ("libpython3.6m.so.1.0", "3.6"),
            ("libpython3.14td.so.1.0", "3.14 free-threaded debug"),
            ("libpython2.7.so.1.0", "2.7"),
        ] {
            let version = Version::from_name(name);
            assert_eq!(
                version.map(|v| v.to_string()).as_deref(),
                Some(text),
                "{name}"
            );
        }
        for name in [
            "",
            "python",
            "python3",
            "libpython3.so",
            "python3.",
            "python3.x",
            "python3.999",
            "python9.1",
            "python3.9/bin/uwsgi",
            "mypython3.9",
            "python3.11zzz",
            "python3.é",
        ] {
            assert_eq!(Version::from_name(name), None, "{name}");
        }
        assert!(
            Version::from_name("libpython3.7dm.so.1.0")
                .unwrap()
                .trace_refs
        );
        assert!(
            !Version::from_name("libpython3.8d.so.1.0")
                .unwrap()
                .trace_refs
        );
    }
}
