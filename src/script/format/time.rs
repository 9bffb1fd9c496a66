//! Times.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{IntStyle, Layout, write_int};

/// In a second.
pub(super) const NANOSECONDS: i64 = 1_000_000_000;

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Writes a time, ns since 1970, as DTrace's `%Y`: `2026 Nov 22 23:39:38`, in local time. As in DTrace the number is
/// taken as unsigned.
pub fn write_local(out: &mut Vec<u8>, nanoseconds: i64) {
    let seconds = nanoseconds.cast_unsigned() / NANOSECONDS.unsigned_abs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let (offset, _) = zone(seconds);
    let date = Date::new(seconds.saturating_add(offset));
    date.write_year(out);
    out.push(b' ');
    date.write_middle(out);
}

/// Writes a time, seconds since 1970, as ctime(3) in GMT, without its newline: `Sun Nov 22 23:39:38 2026`.
pub fn write_gmt(out: &mut Vec<u8>, seconds: i64) {
    let date = Date::new(seconds);
    out.extend_from_slice(name(&WEEKDAYS, date.weekday));
    out.push(b' ');
    date.write_middle(out);
    out.push(b' ');
    date.write_year(out);
}

/// By how many seconds the local time is ahead of GMT at that time (seconds since 1970), and what the zone is called
/// then (`CET`). GMT where the system does not tell.
pub fn zone(seconds: i64) -> (i64, String) {
    let Ok(time) = Timestamp::from_second(seconds) else {
        return (0, "GMT".to_owned());
    };
    let zone = TimeZone::system();
    let info = zone.to_offset_info(time);
    (
        i64::from(info.offset().seconds()),
        info.abbreviation().to_owned(),
    )
}

/// A time in the Gregorian calendar, which is extended to the time before it.
struct Date {
    year: i64,
    /// From 0.
    month: i64,
    /// From 1.
    day: i64,
    /// From 0, a Sunday.
    weekday: i64,
    /// Of the day.
    second: i64,
}

impl Date {
    /// Of seconds since 1970.
    fn new(seconds: i64) -> Date {
        let days = seconds.div_euclid(DAY);
        // Eras of 400 years, each beginning on a 1 March: so the leap day is the last of its year.
        let from_march = days.saturating_add(719_468);
        let era = from_march.div_euclid(146_097);
        let day_of_era = from_march.rem_euclid(146_097);
        let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leaps) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12;
        let next_year = i64::from(month < 2);
        Date {
            year: era * 400 + year_of_era + next_year,
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            weekday: days.saturating_add(4).rem_euclid(7),
            second: seconds.rem_euclid(DAY),
        }
    }

    fn write_year(&self, out: &mut Vec<u8>) {
        write_int(out, self.year, IntStyle::Signed, &Layout::default());
    }

    /// `Nov 22 23:39:38`
    fn write_middle(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(name(&MONTHS, self.month));
        out.push(b' ');
        write_int(out, self.day, IntStyle::Signed, &Layout::width(2));
        let two_digits = Layout {
            zero: true,
            ..Layout::width(2)
        };
        let parts = [self.second / 3_600, self.second / 60 % 60, self.second % 60];
        for (separator, part) in [b' ', b':', b':'].into_iter().zip(parts) {
            out.push(separator);
            write_int(out, part, IntStyle::Signed, &two_digits);
        }
    }
}

fn name<'a>(names: &[&'a str], index: i64) -> &'a [u8] {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    names.get(index).copied().unwrap_or("???").as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gmt(seconds: i64) -> String {
        let mut out = Vec::new();
        write_gmt(&mut out, seconds);
        String::from_utf8(out).expect("ASCII")
    }

    /// As `date -u -d @N '+%a %b %e %H:%M:%S %Y'` of GNU coreutils has them.
    #[test]
    fn times_are_dates() {
        let table = [
            (0, "Thu Jan  1 00:00:00 1970"),
            (-1, "Wed Dec 31 23:59:59 1969"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (951_868_800, "Wed Mar  1 00:00:00 2000"),
            (1_795_390_778, "Sun Nov 22 23:39:38 2026"),
            (2_147_483_647, "Tue Jan 19 03:14:07 2038"),
            (-2_147_483_648, "Fri Dec 13 20:45:52 1901"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
            (253_402_300_799, "Fri Dec 31 23:59:59 9999"),
        ];
        for (seconds, text) in table {
            assert_eq!(gmt(seconds), text, "{seconds}");
        }
        for hostile in [i64::MIN, i64::MAX] {
            assert!(gmt(hostile).len() > 20);
        }
    }

    #[test]
    fn local_times_begin_with_the_year() {
        let mut out = Vec::new();
        let seconds = 1_795_390_778;
        write_local(&mut out, seconds * NANOSECONDS + 5);
        let (offset, zone) = zone(seconds);
        assert!(!zone.is_empty());
        let shifted = gmt(seconds + offset);
        let expected = format!("{} {}", &shifted[20..], &shifted[4..19]);
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        write_local(&mut Vec::new(), i64::MIN);
        write_local(&mut Vec::new(), i64::MAX);
    }
}
