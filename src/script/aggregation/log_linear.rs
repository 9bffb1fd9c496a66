//! The buckets of D's `llquantize`: each order of magnitude is cut into steps of the same width.
//!
//! A magnitude `m` goes from `factor`^`m` to `factor`^(`m`+1) and has steps that are `steps` to its end wide. Those
//! below its beginning belong to the magnitude before.

/// The scale of such a histogram.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLinear {
    factor: u64,
    low: u16,
    high: u16,
    steps: u64,
}

impl LogLinear {
    /// Of these numbers; what makes no sense becomes the nearest that does.
    pub fn new(factor: u16, low: u16, high: u16, steps: u16) -> LogLinear {
        LogLinear {
            factor: u64::from(factor).max(2),
            low,
            high: high.max(low),
            steps: u64::from(steps).max(1),
        }
    }

    /// How many steps lie below the beginning of a magnitude.
    pub fn below(&self) -> u64 {
        self.steps / self.factor
    }

    /// How many buckets a magnitude has.
    fn a_magnitude(&self) -> u64 {
        self.steps.saturating_sub(self.below()).max(1)
    }

    /// How many buckets a side has without that of the overflow.
    pub fn a_side(&self) -> u64 {
        let magnitudes = u64::from(self.high - self.low).saturating_add(1);
        magnitudes.saturating_mul(self.a_magnitude())
    }

    /// The number of the bucket in the middle.
    pub fn middle(&self) -> usize {
        usize::try_from(self.a_side().saturating_add(1)).unwrap_or(usize::MAX)
    }

    /// Where the lowest magnitude begins.
    pub fn lowest(&self) -> u64 {
        self.power(self.low)
    }

    /// Whether the lowest magnitude has more steps than values: then only every so many buckets are in use.
    pub fn has_gaps(&self) -> bool {
        self.low == 0 && self.below() > 1
    }

    fn power(&self, exponent: u16) -> u64 {
        self.factor
            .checked_pow(u32::from(exponent))
            .unwrap_or(u64::MAX)
    }

    /// The number of the bucket that a value belongs to.
    pub fn index(&self, value: i64) -> usize {
        let distance = usize::try_from(self.distance(value.unsigned_abs())).unwrap_or(usize::MAX);
        match value {
            0.. => self.middle().saturating_add(distance),
            _ => self.middle().saturating_sub(distance),
        }
    }

    /// How far from the middle the bucket of a value without its sign is.
    fn distance(&self, value: u64) -> u64 {
        let mut begin = self.lowest();
        if value < begin {
            return 0;
        }
        let mut distance = 1_u64;
        for _ in self.low..=self.high {
            let end = begin.saturating_mul(self.factor);
            if value < end {
                let steps = u128::from(value).saturating_mul(u128::from(self.steps));
                let step = steps.checked_div(u128::from(end)).unwrap_or(0);
                let step = u64::try_from(step).unwrap_or(u64::MAX);
                return distance.saturating_add(step.saturating_sub(self.below()));
            }
            distance = distance.saturating_add(self.a_magnitude());
            begin = end;
        }
        distance
    }

    /// Where a bucket that is so far from the middle begins, without a sign; `None` when it can have no values.
    pub fn begin(&self, distance: usize) -> Option<u64> {
        let Some(place) = u64::try_from(distance).ok()?.checked_sub(1) else {
            return Some(0);
        };
        let (magnitude, place) = (place / self.a_magnitude(), place % self.a_magnitude());
        if magnitude == 0 && self.has_gaps() && place % self.below() != 0 {
            return None;
        }
        let magnitude = u16::try_from(magnitude).unwrap_or(u16::MAX);
        let magnitude = self.low.saturating_add(magnitude);
        let start = self.power(magnitude);
        let step = u128::from(place.saturating_add(self.below()));
        let steps = step.saturating_mul(u128::from(start));
        let begin = steps.saturating_mul(u128::from(self.factor)) / u128::from(self.steps);
        let begin = u64::try_from(begin).unwrap_or(u64::MAX);
        Some(begin.max(start))
    }

    /// What a bucket counts for: where it begins, with its sign.
    pub fn weight(&self, index: usize) -> i128 {
        let begin = self.begin(index.abs_diff(self.middle()));
        let begin = i128::from(begin.unwrap_or(0));
        if index < self.middle() { -begin } else { begin }
    }
}
