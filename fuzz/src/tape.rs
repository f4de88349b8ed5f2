//! Choices of a fuzz target, one or a few bytes each, so that a fuzzer which changes a byte changes one of them.

/// What is left of the fuzzer's bytes. After the end everything is 0.
pub struct Tape<'a>(pub &'a [u8]);

impl<'a> Tape<'a> {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, self.0));
        self.0 = rest;
        *byte
    }

    /// 0 to `bound` - 1.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there is none, or more than 255.
    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        let bound = u8::try_from(choices.len()).expect("there are few");
        choices[usize::from(self.below(bound))].clone()
    }

    /// Octets whose length is on the tape before them, up to 1020.
    pub fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) * 4;
        let (octets, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        octets
    }
}
