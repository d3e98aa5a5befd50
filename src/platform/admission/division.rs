//! How the plugins of a laboratory divide what it has among them. Pure: who waits is whatever `T` its owner wakes.

use std::collections::{BTreeMap, VecDeque};

/// Of so many places, one is kept for plugins that have few.
const KEPT: u64 = 8;
const SECOND_NS: u64 = 1_000_000_000;

/// Places in service and in the queue, and the plugins that have them.
///
/// Any plugin may take of the first seven eighths as much as there is. The last eighth is divided: who has as much as an equal
/// part of it gets none of that. So a few plugins that are asked without end, or that never end, leave room for the others.
#[derive(Debug)]
pub(super) struct Division<T> {
    places_max: u64,
    queue_max: u64,
    inside: u64,
    waiting: u64,
    members: BTreeMap<u64, Standing<T>>,
    next_member: u64,
    next_ticket: u64,
}

/// What one plugin has.
#[derive(Debug)]
struct Standing<T> {
    inside: u64,
    waiting: u64,
    turn: VecDeque<(u64, T)>,
    begun: Begun,
}

/// Requests begun in this second and in the one before.
#[derive(Debug, Default)]
struct Begun {
    second: u64,
    now: u64,
    before: u64,
}

impl<T> Division<T> {
    pub(super) fn new(places_max: u64, queue_max: u64) -> Self {
        let members = BTreeMap::new();
        Self { places_max, queue_max, inside: 0, waiting: 0, members, next_member: 0, next_ticket: 0 }
    }

    /// Another share from now on. Whoever is inside stays.
    pub(super) fn resize(&mut self, places_max: u64, queue_max: u64) {
        (self.places_max, self.queue_max) = (places_max, queue_max);
    }

    /// A plugin that has nothing yet.
    pub(super) fn join(&mut self) -> u64 {
        let member = self.next_member;
        self.next_member += 1;
        let (turn, begun) = (VecDeque::new(), Begun::default());
        self.members.insert(member, Standing { inside: 0, waiting: 0, turn, begun });
        member
    }

    /// A plugin that is gone, and has nothing any more.
    pub(super) fn part(&mut self, member: u64) {
        self.members.remove(&member);
    }

    /// Who is inside, and who waits.
    pub(super) fn usage(&self) -> (u64, u64) {
        (self.inside, self.waiting)
    }

    /// A place at once, where the plugin may have one.
    pub(super) fn enter(&mut self, member: u64) -> bool {
        let may = self.members.get(&member).is_some_and(|standing| self.may_enter(standing));
        if may {
            self.take(member);
        }
        may
    }

    /// A place is given back.
    pub(super) fn leave(&mut self, member: u64) {
        if let Some(standing) = self.members.get_mut(&member) {
            standing.inside -= 1;
            self.inside -= 1;
        }
    }

    /// Begins to wait, be it for a place of the plugin's or of the laboratory's. False where too many do.
    pub(super) fn begin_to_wait(&mut self, member: u64) -> bool {
        let sharers = || self.members.values().filter(|standing| standing.waiting > 0).count() as u64;
        let may = self.members.get(&member).is_some_and(|own| may(self.waiting, self.queue_max, own.waiting, sharers));
        if may && let Some(standing) = self.members.get_mut(&member) {
            standing.waiting += 1;
            self.waiting += 1;
        }
        may
    }

    /// Waits no longer.
    pub(super) fn end_to_wait(&mut self, member: u64) {
        if let Some(standing) = self.members.get_mut(&member) {
            standing.waiting -= 1;
            self.waiting -= 1;
        }
    }

    /// Stands in line for a place of the laboratory's; gives the number of the turn.
    pub(super) fn line_up(&mut self, member: u64, who: T) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(standing) = self.members.get_mut(&member) {
            standing.turn.push_back((ticket, who));
        }
        ticket
    }

    /// Stands in line no longer.
    pub(super) fn step_out(&mut self, member: u64, ticket: u64) {
        if let Some(standing) = self.members.get_mut(&member) {
            standing.turn.retain(|(other, _)| *other != ticket);
        }
    }

    /// Gives a place to whoever comes next, if there is one: the plugin that has the fewest, and of several the one that
    /// waits the longest.
    pub(super) fn call(&mut self) -> Option<(u64, T)> {
        let in_line = |(member, standing): (&u64, &Standing<T>)| {
            standing.turn.front().map(|(ticket, _)| (standing.inside, *ticket, *member))
        };
        let (_, _, member) = self.members.iter().filter_map(in_line).min()?;
        // Who has the fewest may, if anybody may.
        if !self.members.get(&member).is_some_and(|standing| self.may_enter(standing)) {
            return None;
        }
        let (_, who) = self.members.get_mut(&member)?.turn.pop_front()?;
        self.take(member);
        Some((member, who))
    }

    /// Requests that a plugin may begin in a second where others want to as well: an equal part, with room for one more plugin.
    /// None while it has begun as many lately.
    pub(super) fn may_begin(&self, member: u64, per_second: u64, now_ns: u64) -> bool {
        let sharers = self.members.values().filter(|standing| standing.begun.lately(now_ns) > 0).count() as u64;
        let lately = self.members.get(&member).map_or(0, |standing| standing.begun.lately(now_ns));
        lately < (per_second / (sharers + 1)).max(1)
    }

    /// A plugin has begun a request.
    pub(super) fn begun(&mut self, member: u64, now_ns: u64) {
        if let Some(standing) = self.members.get_mut(&member) {
            standing.begun.one_more(now_ns);
        }
    }

    fn take(&mut self, member: u64) {
        if let Some(standing) = self.members.get_mut(&member) {
            standing.inside += 1;
            self.inside += 1;
        }
    }

    fn may_enter(&self, standing: &Standing<T>) -> bool {
        may(self.inside, self.places_max, standing.inside, || {
            self.members.values().filter(|other| other.inside > 0 || !other.turn.is_empty()).count() as u64
        })
    }
}

/// How much of `max` is kept for those that have little.
pub(super) fn kept(max: u64) -> u64 {
    max / KEPT
}

/// Whether who has `own` of `max`, of which `taken` are taken, may have one more where `sharers` have any.
fn may(taken: u64, max: u64, own: u64, sharers: impl FnOnce() -> u64) -> bool {
    let kept = kept(max);
    taken < max - kept || (taken < max && own < (kept / (sharers() + 1)).max(1))
}

impl Begun {
    fn one_more(&mut self, now_ns: u64) {
        let second = now_ns / SECOND_NS;
        if second != self.second {
            let before = if second == self.second + 1 { self.now } else { 0 };
            *self = Self { second, now: 0, before };
        }
        self.now += 1;
    }

    /// In the second that ends now, as if those of the second before had been spread evenly.
    fn lately(&self, now_ns: u64) -> u64 {
        let (second, into_ns) = (now_ns / SECOND_NS, now_ns % SECOND_NS);
        let rest = |count: u64| count.saturating_mul(SECOND_NS - into_ns).div_ceil(SECOND_NS);
        match second.saturating_sub(self.second) {
            0 => self.now + rest(self.before),
            1 => rest(self.now),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_the_fewest_comes_next_and_then_who_waits_the_longest() {
        let mut division = Division::new(6, 100);
        let (flood, other, third) = (division.join(), division.join(), division.join());
        assert!((0..6).all(|_| division.enter(flood)));
        assert!(!division.enter(flood) && !division.enter(other));
        for (member, name) in [(flood, "f1"), (flood, "f2"), (other, "o1"), (other, "o2"), (third, "t1")] {
            division.line_up(member, name);
        }
        assert_eq!(division.call(), None, "there is none");
        let mut called = Vec::new();
        for _ in 0..4 {
            division.leave(flood);
            called.extend(division.call().map(|(_, name)| name));
        }
        assert_eq!(called, ["o1", "t1", "o2", "f1"]);
        assert_eq!(division.usage().0, 6);
    }

    #[test]
    fn plugins_that_never_end_leave_places_for_the_others() {
        let mut division = Division::<()>::new(128, 128);
        let flooding: Vec<u64> = (0..20).map(|_| division.join()).collect();
        for _ in 0..16 {
            for member in &flooding {
                let _may = division.enter(*member);
                let _may = division.begin_to_wait(*member);
            }
        }
        assert_eq!(division.usage(), (112, 112));
        let late: Vec<u64> = (0..16).map(|_| division.join()).collect();
        assert!(late.iter().all(|member| division.enter(*member) && division.begin_to_wait(*member)));
        assert!(!division.enter(late[0]) && !division.begin_to_wait(late[0]), "there is no more than there is");
        division.leave(flooding[0]);
        assert!(!division.enter(flooding[0]), "the last eighth is not for those who have many");
    }

    #[test]
    fn who_has_begun_little_may_begin() {
        let mut division = Division::<()>::new(8, 8);
        let (flood, other) = (division.join(), division.join());
        for _ in 0..70 {
            division.begun(flood, SECOND_NS);
        }
        assert!(!division.may_begin(flood, 100, SECOND_NS) && division.may_begin(other, 100, SECOND_NS));
        assert!(!division.may_begin(flood, 100, 2 * SECOND_NS), "all of them were a moment ago");
        assert!(division.may_begin(flood, 100, 2 * SECOND_NS + SECOND_NS / 2));
        assert!(division.may_begin(flood, 1, 3 * SECOND_NS), "nothing is left of them");
    }

    proptest! {
        /// Whatever comes and goes: no more than there is, nothing is lost, and no plugin without a place waits beside a free one.
        #[test]
        fn the_books_are_right(places in 1_u64..40, queue in 1_u64..20, steps in prop::collection::vec((0_u8..5, 0_u64..5), 0..300)) {
            let mut division = Division::new(places, queue);
            let members: Vec<u64> = (0..5).map(|_| division.join()).collect();
            let (mut inside, mut waiting, mut tickets) = ([0_u64; 5], [0_u64; 5], Vec::new());
            for (what, member) in steps {
                let at = member as usize;
                match what {
                    0 => inside[at] += u64::from(division.enter(members[at])),
                    1 if inside[at] > 0 => {
                        division.leave(members[at]);
                        inside[at] -= 1;
                    }
                    2 => waiting[at] += u64::from(division.begin_to_wait(members[at])),
                    3 => tickets.push((member, division.line_up(members[at], ()))),
                    4 if waiting[at] > 0 => {
                        division.end_to_wait(members[at]);
                        waiting[at] -= 1;
                    }
                    4 => if let Some((member, ticket)) = tickets.pop() {
                        division.step_out(members[member as usize], ticket);
                    },
                    _ => {}
                }
                while let Some((member, ())) = division.call() {
                    inside[member as usize] += 1;
                }
                prop_assert_eq!(division.usage(), (inside.iter().sum(), waiting.iter().sum()));
                prop_assert!(division.inside <= places && division.waiting <= queue);
                let waits_for_nothing = division.members.values().any(|standing| standing.inside == 0 && !standing.turn.is_empty());
                prop_assert!(!waits_for_nothing || division.inside == places);
            }
        }
    }
}
