//! The last wish of each virtual host, in the order of their numbers.

use crate::protocol::HostNumber;

/// Wishes of virtual hosts. Most come in order, as hosts advertise: then each is put behind the others, without a search
/// and, as all that is kept is reused, without new memory.
#[derive(Debug)]
pub(crate) struct Wishes<W>(Vec<(HostNumber, W)>);

impl<W> Default for Wishes<W> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<W: Copy> Wishes<W> {
    fn find(&self, host: HostNumber) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if *last >= host => self.0.binary_search_by_key(&host, |(host, _)| *host),
            _ => Err(self.0.len()),
        }
    }

    /// The wish of a virtual host.
    pub(crate) fn get(&self, host: HostNumber) -> Option<W> {
        self.find(host).ok().map(|place| self.0[place].1)
    }

    /// A wish takes the place of the former one.
    pub(crate) fn replace(&mut self, host: HostNumber, wish: W) {
        match self.find(host) {
            Ok(place) => self.0[place].1 = wish,
            Err(place) => self.0.insert(place, (host, wish)),
        }
    }

    /// A wish of a virtual host that has none.
    pub(crate) fn add(&mut self, host: HostNumber, wish: W) {
        if let Err(place) = self.find(host) {
            self.0.insert(place, (host, wish));
        }
    }

    /// A virtual host has no wish any more.
    pub(crate) fn remove(&mut self, host: HostNumber) {
        if let Ok(place) = self.find(host) {
            self.0.remove(place);
        }
    }

    /// Forgets all wishes but these.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(W) -> bool) {
        self.0.retain(|(_, wish)| is_kept(*wish));
    }

    /// Forgets all wishes.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All wishes, by the numbers of the virtual hosts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HostNumber, W)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(wishes: &Wishes<char>) -> Vec<(u32, char)> {
        wishes.iter().map(|(host, wish)| (host.0, wish)).collect()
    }

    #[test]
    fn wishes_are_in_order_however_they_come() {
        let mut wishes = Wishes::default();
        for (host, wish) in [(2, 'a'), (5, 'b'), (3, 'c'), (1, 'd'), (9, 'e')] {
            wishes.replace(HostNumber(host), wish);
        }
        assert_eq!(all(&wishes), [(1, 'd'), (2, 'a'), (3, 'c'), (5, 'b'), (9, 'e')]);
        assert_eq!([1, 5, 4, 10].map(|host| wishes.get(HostNumber(host))), [Some('d'), Some('b'), None, None]);
    }

    #[test]
    fn the_last_wish_counts_and_an_added_one_is_the_first() {
        let mut wishes = Wishes::default();
        wishes.add(HostNumber(1), 'a');
        wishes.add(HostNumber(1), 'b');
        assert_eq!(all(&wishes), [(1, 'a')]);
        wishes.replace(HostNumber(1), 'c');
        assert_eq!(all(&wishes), [(1, 'c')]);
    }

    #[test]
    fn wishes_are_forgotten() {
        let mut wishes = Wishes::default();
        for (host, wish) in [(1, 'a'), (2, 'b'), (3, 'a')] {
            wishes.add(HostNumber(host), wish);
        }
        wishes.remove(HostNumber(3));
        wishes.remove(HostNumber(4));
        wishes.retain(|wish| wish == 'a');
        assert_eq!(all(&wishes), [(1, 'a')]);
        wishes.clear();
        assert!(wishes.is_empty());
    }
}
